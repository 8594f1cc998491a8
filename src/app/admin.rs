//! The admin listener: one socket on the control runtime.

use super::Parts;
use crate::listen::tls;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Starts to serve. The task ends with the control runtime.
///
/// # Errors
/// When the certificate can not be used or the socket not be registered.
pub(super) fn start(parts: Arc<Parts>, socket: StdListener) -> io::Result<()> {
    let config = parts.config.load().admin.tls.as_ref().map(tls::server_config).transpose();
    let config = config.map_err(io::Error::other)?;
    let listener = TcpListener::from_std(socket)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => {
                    tokio::spawn(connection(parts.clone(), config.clone(), tcp));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection on the admin listener failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(())
}

async fn connection(parts: Arc<Parts>, config: Option<Arc<tls::ServerConfig>>, tcp: TcpStream) {
    let Some(config) = config else { return serve(parts, TokioIo::new(tcp)).await };
    let handshake = tokio::time::timeout(Duration::from_secs(10), tls::accept(config, tcp));
    // Who breaks TLS gets no answer.
    if let Ok(Ok(tls)) = handshake.await {
        serve(parts, TokioIo::new(tls)).await;
    }
}

async fn serve(parts: Arc<Parts>, io: impl Read + Write + Unpin + 'static) {
    let service = service_fn(|request: Request<Incoming>| {
        let (method, path) = (request.method(), request.uri().path());
        let response = parts.health.answer(method, path, request.headers(), &parts.shared.clock);
        async { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60)).max_buf_size(64 * 1024);
    // An error is the client's: it broke off.
    let _ = builder.serve_connection(io, service).await;
}
