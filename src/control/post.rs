//! One request on a connection of its own, for what is told to others now and then: events, traces.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use tokio::task::JoinHandle;

/// Most bytes of an answer's head.
const HEAD_MOST: usize = 16 * 1024;

/// An answer, on a connection that ends with it.
pub(super) struct Answered {
    pub(super) response: Response<Incoming>,
    _driven: Driven,
}

/// Ends the connection's task with the exchange, whichever way that ends.
struct Driven(JoinHandle<()>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request over a new byte stream, and waits for the head of its answer.
///
/// # Errors
/// When the stream breaks, or what comes is no HTTP.
pub(super) async fn exchange(
    io: impl Read + Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Answered> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_MOST);
    let (mut sender, connection) = builder.handshake(io).await?;
    let driven = Driven(tokio::spawn(async move {
        // Its error is the exchange's as well.
        let _ = connection.await;
    }));
    Ok(Answered { response: sender.send_request(request).await?, _driven: driven })
}
