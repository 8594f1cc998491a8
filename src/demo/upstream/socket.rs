//! A WebSocket of the sample backend (RFC 6455): a message a second, as the server-sent events are, then its end.

use super::events::Events;
use super::respond::Body;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::AsyncWriteExt;

/// What a server puts behind the key to show that it speaks WebSocket.
const WEBSOCKET: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// First bytes of a whole text message, and a close frame that says that all is well (1000).
const TEXT: u8 = 0x81;
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xe8];

/// Switches to WebSocket, if that is asked for, and sends `count` messages.
pub(super) fn open(request: Request<Incoming>, count: Option<u64>) -> Option<Response<Body>> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    request
        .headers()
        .get(header::UPGRADE)
        .filter(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))?;
    let text = [key.as_bytes(), WEBSOCKET].concat();
    let accept = STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &text));
    tokio::spawn(async move { talk(request, count).await });
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(accept).ok()?);
    Some(response)
}

/// What the client says is left unread: it ends with the connection.
async fn talk(request: Request<Incoming>, count: Option<u64>) -> io::Result<()> {
    let upgraded = hyper::upgrade::on(request).await.map_err(io::Error::other)?;
    let (mut stream, mut events) = (TokioIo::new(upgraded), Events::new(count));
    let mut step = 0;
    while let Some(Ok(_)) = events.frame().await {
        step += 1;
        let message = format!("{{\"step\":{step}}}");
        // No message is longer than a short frame's 125 bytes.
        stream.write_all(&[&[TEXT, message.len() as u8], message.as_bytes()].concat()).await?;
    }
    stream.write_all(&CLOSE).await?;
    stream.shutdown().await
}
