//! The admin listener: one socket on the control runtime.

use super::error::StartError;
use super::inherited::Inherited;
use super::listeners::sockets;
use super::{Admin, Parts, lock};
use crate::config::{Config, Dialect};
use crate::console;
use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::openapi;
use crate::dialect::endpoint::{self, BODY_MOST, Call, Found, Via};
use crate::listen::Bound;
use crate::listen::tls::{self, CertificateError, Termination};
use crate::token::random_id;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{CONNECTION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longest wait for the body of a request.
const BODY_WAIT: Duration = Duration::from_secs(10);

impl Admin {
    /// Reads its certificates and opens its sockets.
    ///
    /// # Errors
    /// When its address is taken, or a certificate can not be used.
    pub(super) fn new(config: &Config, inherited: &mut Inherited) -> Result<Self, StartError> {
        let tls = tls_of(config, None)?;
        let sockets = sockets(config.admin.address, 1, inherited)?;
        if let Some(address) = sockets.first().and_then(|bound| bound.socket.local_addr().ok()) {
            tracing::info!(%address, "listening for operators");
        }
        Ok(Self {
            tls: ArcSwapOption::new(tls),
            sockets: Mutex::new(sockets),
            left: watch::Sender::new(false),
        })
    }

    /// Second handles of its sockets.
    pub(super) fn sockets(&self) -> io::Result<Vec<Bound>> {
        lock(&self.sockets).iter().map(Bound::try_clone).collect()
    }
}

/// The admin listener's side of TLS, when it has one.
///
/// # Errors
/// [`CertificateError`]
pub(super) fn tls_of(
    config: &Config,
    before: Option<&Termination>,
) -> Result<Option<Arc<Termination>>, CertificateError> {
    config
        .admin
        .tls
        .as_ref()
        .map(|tls| Termination::new(tls, tls::HTTP_1, &Arc::default(), before))
        .transpose()
}

/// Starts to serve. The tasks end with the control runtime, or when another process answers.
///
/// # Errors
/// When a socket can not be registered.
pub(super) fn start(parts: &Arc<Parts>) -> io::Result<()> {
    for bound in parts.admin.sockets()? {
        tokio::spawn(accept(parts.clone(), TcpListener::from_std(bound.socket)?));
    }
    Ok(())
}

async fn accept(parts: Arc<Parts>, listener: TcpListener) {
    let mut left = parts.admin.left.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = left.wait_for(|left| *left) => return,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let client = peer.ip().to_canonical();
                tokio::spawn(connection(parts.clone(), tcp, client));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection on the admin listener failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(parts: Arc<Parts>, tcp: TcpStream, client: IpAddr) {
    let Some(tls) = parts.admin.tls.load_full() else {
        return serve(parts, TokioIo::new(tcp), Via::Admin { tls: false }, client).await;
    };
    let handshake = tokio::time::timeout(Duration::from_secs(10), tls.accept(tcp));
    // Who breaks TLS gets no answer.
    if let Ok(Ok(accepted)) = handshake.await {
        serve(parts, TokioIo::new(accepted.stream), Via::Admin { tls: true }, client).await;
    }
}

async fn serve(parts: Arc<Parts>, io: impl Read + Write + Unpin + 'static, via: Via, client: IpAddr) {
    let service = service_fn(|request: Request<Incoming>| {
        let parts = parts.clone();
        async move { Ok::<_, Infallible>(guarded(answer(&parts, request, via, client).await)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60)).max_buf_size(64 * 1024);
    let mut left = parts.admin.left.subscribe();
    let mut connection = pin!(builder.serve_connection(io, service));
    // An error is the client's: it broke off.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = left.wait_for(|left| *left) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// What is the same for everybody, and holds no secret: the front end's files, and the document of the control side.
fn file(path: &str) -> Option<&'static console::File> {
    if path == "/openapi.json" { Some(openapi::file()) } else { console::find(path) }
}

/// Files and what machines ask need no login; all the rest is the control side's.
async fn answer(
    parts: &Parts,
    request: Request<Incoming>,
    via: Via,
    client: IpAddr,
) -> Response<Full<Bytes>> {
    let clock = &parts.shared.clock;
    let found = match endpoint::find(request.method(), request.uri().path()) {
        Found::Nothing => {
            if let Some(file) = file(request.uri().path()) {
                return file.answer(request.method(), request.headers()).map(Full::new);
            }
            let (method, path) = (request.method(), request.uri().path());
            let mut response = parts.health.answer(method, path, request.headers(), clock);
            if !request.body().is_end_stream() {
                close(&mut response);
            }
            return response;
        }
        found => found,
    };
    let now = clock.now();
    let request_id = random_id().unwrap_or_default();
    let (head, body) = request.into_parts();
    let mut unread = !body.is_end_stream();
    let mut response = match found {
        Found::Methods(dialect, methods) => Refusal::Method(methods).answer(dialect, &request_id),
        Found::Nothing => Refusal::Nothing.answer(Dialect::Problem, &request_id),
        Found::Endpoint(endpoint) => match whole(body).await {
            Err(refusal) => refusal.answer(endpoint.dialect, &request_id),
            Ok(body) => {
                unread = false;
                let (path, query) = (head.uri.path().to_owned(), head.uri.query().map(str::to_owned));
                let (headers, id) = (head.headers, request_id.clone());
                let call = Call { via, endpoint, path, query, headers, body, client, request_id: id, now };
                let api = parts.api.clone();
                // A task of its own: see `control::Control`.
                let task = tokio::spawn(async move { api.answer(call).await });
                task.await.map(|answered| answered.response).unwrap_or_else(|error| {
                    Refusal::from(DomainError::Internal(Box::new(error)))
                        .answer(endpoint.dialect, &request_id)
                })
            }
        },
    };
    if let Ok(id) = HeaderValue::try_from(&request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let mut response = response.map(Full::new);
    if unread {
        close(&mut response);
    }
    response
}

/// Answers are what they say they are, and nothing for other origins' pages, not even those on other ports of the host.
fn guarded<B>(mut response: Response<B>) -> Response<B> {
    let fields = response.headers_mut();
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Says that the connection ends with this answer, as it does when a body was not read: a client that is not told sends
/// its next request into nothing.
fn close(response: &mut Response<Full<Bytes>>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, BODY_MOST as usize).collect();
    match tokio::time::timeout(BODY_WAIT, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::Body(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request body is larger than this API accepts.",
        )),
        _ => Err(Refusal::Body(StatusCode::BAD_REQUEST, "The request body ended before it was complete.")),
    }
}
