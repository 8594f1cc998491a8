//! An HTTP/2 client, over TLS (by ALPN) or by prior knowledge.

use super::reply::Reply;
use super::request::Request;
use super::upstream::texts;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// One HTTP/2 connection, driven while a request is under way.
pub(crate) struct H2 {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<Full<Bytes>>,
    base: String,
}

impl H2 {
    /// Connects without TLS.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self::over(format!("http://{address}"), async move {
            tokio::net::TcpStream::connect(address).await.expect("connect")
        })
    }

    /// The same, with bytes before the first of HTTP/2.
    pub(crate) fn plain_after(address: SocketAddr, first: Vec<u8>) -> Self {
        Self::over(format!("http://{address}"), async move { begun(address, first).await })
    }

    /// Connects with TLS; fails the test unless ALPN picks `h2`.
    pub(crate) fn tls(address: SocketAddr, name: &'static str, config: Arc<rustls::ClientConfig>) -> Self {
        Self::tls_after(address, Vec::new(), name, config)
    }

    /// The same, with bytes before the first of TLS.
    pub(crate) fn tls_after(
        address: SocketAddr,
        first: Vec<u8>,
        name: &'static str,
        config: Arc<rustls::ClientConfig>,
    ) -> Self {
        Self::over(format!("https://{name}"), async move {
            let socket = begun(address, first).await;
            let server = rustls_pki_types::ServerName::try_from(name).expect("a name");
            let stream = tokio_rustls::TlsConnector::from(config).connect(server, socket).await;
            let stream = stream.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            stream
        })
    }

    fn over<S, F>(base: String, connect: F) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = S>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let sender = runtime.block_on(async {
            let io = TokioIo::new(connect.await);
            let (sender, connection) = handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender, base }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(&mut self, request: &Request) -> Reply {
        self.send_all(std::slice::from_ref(request)).remove(0)
    }

    /// Sends requests at once, on one connection, and reads their answers.
    pub(crate) fn send_all(&mut self, requests: &[Request]) -> Vec<Reply> {
        let Self { runtime, sender, base } = self;
        runtime.block_on(async {
            sender.ready().await.expect("a connection that is open");
            let under_way: Vec<_> = requests
                .iter()
                .map(|r| (r.tag.clone(), sender.send_request(translate(r, base))))
                .map(|(tag, answer)| {
                    tokio::spawn(async move { read(answer.await.expect("an answer"), tag).await })
                })
                .collect();
            let mut replies = Vec::new();
            for reply in under_way {
                replies.push(reply.await.expect("a reply"));
            }
            for (request, reply) in requests.iter().zip(&replies) {
                super::openapi::check(None, request, reply);
            }
            replies
        })
    }
}

fn translate(request: &Request, base: &str) -> http::Request<Full<Bytes>> {
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("{base}{}", request.target))
        .header("x-test-tag", &request.tag);
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_slice());
    }
    builder.body(Full::new(Bytes::from(request.body.clone()))).expect("a request")
}

async fn read(answer: http::Response<hyper::body::Incoming>, tag: String) -> Reply {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("a body");
    let trailers = body.trailers().map(texts).unwrap_or_default();
    Reply {
        status: parts.status.as_u16(),
        headers: texts(&parts.headers),
        body: body.to_bytes().to_vec(),
        trailers,
        tag,
        ..Reply::default()
    }
}

async fn begun(address: SocketAddr, first: Vec<u8>) -> tokio::net::TcpStream {
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connect");
    tokio::io::AsyncWriteExt::write_all(&mut socket, &first).await.expect("written");
    socket
}
