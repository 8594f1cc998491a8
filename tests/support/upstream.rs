//! A scripted backend on hyper: it records each request and answers by the name in `x-script`.

use super::certificate::Leaf;
use super::wait;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// What the backend saw of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) method: String,
    /// Path and query as received, nothing decoded.
    pub(crate) target: String,
    pub(crate) http2: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body came to its proper end.
    pub(crate) complete: bool,
}

impl Record {
    /// The header's value, which must not come twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = super::reply::values(&self.headers, name);
        assert!(all.len() < 2, "{name} comes {} times upstream: {all:?}", all.len());
        all.first().copied()
    }

    /// The claims of the identity token, unchecked.
    pub(crate) fn identity(&self) -> serde_json::Value {
        let token = self.header("authorization").and_then(|v| v.strip_prefix("Bearer "));
        super::jwt::claims(token.unwrap_or_else(|| panic!("no identity token: {self:?}")))
    }

    /// The query, without its question mark.
    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// How the backend answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(&'static str, &'static str)>,
    pub(crate) delay: Duration,
    /// Breaks the connection instead.
    pub(crate) abort: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".into())],
            body: br#"{"ok":true}"#.to_vec(),
            trailers: vec![],
            delay: Duration::ZERO,
            abort: false,
        }
    }
}

#[derive(Default)]
struct Shared {
    records: Mutex<Vec<Record>>,
    scripts: Mutex<HashMap<String, Answer>>,
    connections: AtomicUsize,
    /// TLS handshakes that took up an earlier session.
    resumed: AtomicUsize,
    /// Most HTTP/2 streams of one connection at once; any number when 0.
    most_streams: AtomicUsize,
}

/// A running backend; it ends with the value.
pub(crate) struct Upstream {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

#[derive(Clone)]
enum Speech {
    Http1,
    H2c,
    Tls(Arc<rustls::ServerConfig>),
}

type Body = BoxBody<Bytes, Infallible>;

impl Upstream {
    /// HTTP/1.1 without TLS.
    pub(crate) fn http() -> Self {
        Self::start("http", Speech::Http1)
    }

    /// HTTP/2 without TLS.
    pub(crate) fn h2c() -> Self {
        Self::start("h2c", Speech::H2c)
    }

    /// TLS with this certificate; HTTP/2 where ALPN agrees on it.
    pub(crate) fn https(leaf: &Leaf, alpn: &[&[u8]]) -> Self {
        Self::start("https", Speech::Tls(leaf.server(alpn)))
    }

    /// HTTP/1.1 without TLS, where another one was.
    pub(crate) fn http_at(address: SocketAddr) -> Self {
        // The other one's sockets may take a moment to go.
        let bind = || std::net::TcpListener::bind(address).ok();
        let listener = wait::poll(Duration::from_secs(10), bind).expect("the address");
        Self::over(listener, "http", Speech::Http1)
    }

    /// TLS as this configuration says.
    pub(crate) fn tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::start("https", Speech::Tls(config))
    }

    /// HTTP/2 without TLS, with no more than so many streams at once.
    pub(crate) fn h2c_narrow(most: usize) -> Self {
        let backend = Self::h2c();
        backend.shared.most_streams.store(most, Ordering::SeqCst);
        backend
    }

    /// How many TLS handshakes took up an earlier session.
    pub(crate) fn resumed(&self) -> usize {
        self.shared.resumed.load(Ordering::SeqCst)
    }

    fn start(scheme: &'static str, speech: Speech) -> Self {
        Self::over(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"), scheme, speech)
    }

    fn over(listener: std::net::TcpListener, scheme: &'static str, speech: Speech) -> Self {
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = accept(listener, speech, for_thread) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, scheme, shared, _stop: stop }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers like this to whatever names no script.
    pub(crate) fn answers(&self, answer: Answer) {
        self.script("", answer);
    }

    /// Answers with this status to whatever names no script.
    pub(crate) fn answers_with(&self, status: u16) {
        self.answers(Answer { status, ..Answer::default() });
    }

    /// Its URL, for `endpoints`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Answers requests that carry `x-script: name` like this.
    pub(crate) fn script(&self, name: &str, answer: Answer) {
        lock(&self.shared.scripts).insert(name.to_owned(), answer);
    }

    /// Every request so far.
    pub(crate) fn all(&self) -> Vec<Record> {
        lock(&self.shared.records).clone()
    }

    /// The requests after the first `count`.
    pub(crate) fn after(&self, count: usize) -> Vec<Record> {
        lock(&self.shared.records)[count..].to_vec()
    }

    /// How many requests so far: cheaper than [`Upstream::all`].
    pub(crate) fn count(&self) -> usize {
        lock(&self.shared.records).len()
    }

    /// The requests with this `x-test-tag`.
    pub(crate) fn seen(&self, tag: &str) -> Vec<Record> {
        let records = lock(&self.shared.records);
        let has = |r: &&Record| r.headers.iter().any(|(n, v)| n == "x-test-tag" && v == tag);
        records.iter().filter(has).cloned().collect()
    }

    /// The one request with this tag, once its body has come to an end.
    pub(crate) fn one(&self, tag: &str) -> Record {
        wait::until("the backend has seen the request", || self.seen(tag).iter().any(|r| r.complete));
        let mut seen = self.seen(tag);
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A failed test must not fail the others that share this backend.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: std::net::TcpListener, speech: Speech, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(connection(socket, speech.clone(), Arc::clone(&shared)));
    }
}

async fn connection(socket: tokio::net::TcpStream, speech: Speech, shared: Arc<Shared>) {
    match speech {
        Speech::Http1 => serve(socket, false, shared).await,
        Speech::H2c => serve(socket, true, shared).await,
        Speech::Tls(config) => {
            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(config).accept(socket).await {
                let session = stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(b"h2");
                if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    shared.resumed.fetch_add(1, Ordering::SeqCst);
                }
                serve(stream, http2, shared).await;
            }
        }
    }
}

async fn serve<S>(stream: S, http2: bool, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let most = u32::try_from(shared.most_streams.load(Ordering::SeqCst)).ok().filter(|most| *most > 0);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request, http2));
    let io = TokioIo::new(stream);
    // A connection that breaks is what some tests are about.
    let _ = if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(most.unwrap_or(200)).serve_connection(io, service).await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
    };
}

async fn answer(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
    http2: bool,
) -> io::Result<http::Response<Body>> {
    let (parts, mut body) = request.into_parts();
    if let Some(tag) = parts.headers.get("x-test-tag").and_then(|tag| tag.to_str().ok()) {
        super::openapi::forwarded(tag);
    }
    let script = parts.headers.get("x-script").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let answer = lock(&shared.scripts).get(script).cloned().unwrap_or_default();
    let place = {
        let mut records = lock(&shared.records);
        records.push(Record {
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map_or(String::new(), ToString::to_string),
            http2,
            headers: texts(&parts.headers),
            ..Record::default()
        });
        records.len() - 1
    };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let mut records = lock(&shared.records);
        let record = &mut records[place];
        if let Some(data) = frame.data_ref() {
            record.body.extend_from_slice(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            record.trailers = texts(trailers);
        }
    }
    lock(&shared.records)[place].complete = true;
    tokio::time::sleep(answer.delay).await;
    if answer.abort {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    Ok(render(answer))
}

fn render(answer: Answer) -> http::Response<Body> {
    let mut builder = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body));
    if answer.trailers.is_empty() {
        return builder.body(body.boxed()).expect("an answer");
    }
    let trailers = answer
        .trailers
        .iter()
        .map(|&(n, v)| (http::HeaderName::from_static(n), http::HeaderValue::from_static(v)))
        .collect();
    builder.body(body.with_trailers(async { Some(Ok(trailers)) }).boxed()).expect("an answer")
}

/// Header fields as text, in order.
pub(crate) fn texts(map: &http::HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
