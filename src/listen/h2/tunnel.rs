//! Extended `CONNECT` (RFC 8441): a stream that goes on in another protocol. To the pipeline it is the `GET` with `Upgrade`
//! that it stands for; what follows the switch is passed on for as long as either side has something to say.

use super::super::watch::Active;
use super::answer::Stall;
use crate::pipeline::Observed;
use crate::wire::{Error, Inbound, Upgrade};
use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderMap, HeaderValue, Method, Request, request};
use http_body::{Body, Frame};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What the client sends on such a stream.
struct Sent(RecvStream);

/// Head and body of a request, and whether it is an extended `CONNECT`, which is taken for the request that it stands for;
/// `plain` reads the body of any other.
pub(super) fn translate(
    request: Request<RecvStream>,
    plain: impl FnOnce(&HeaderMap, RecvStream) -> Inbound,
) -> (request::Parts, Inbound, bool) {
    let (mut head, stream) = request.into_parts();
    if head.method != Method::CONNECT {
        let body = plain(&head.headers, stream);
        return (head, body, false);
    }
    let protocol = head.extensions.remove::<Protocol>();
    let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name.as_str()).ok()) else {
        // Nothing is tunnelled here, and what would follow is no body.
        return (head, Inbound::Empty, false);
    };
    head.method = Method::GET;
    // They mean nothing here, and one of ours goes to the upstream.
    head.headers.remove(SEC_WEBSOCKET_KEY);
    head.headers.remove(SEC_WEBSOCKET_ACCEPT);
    let wish = Upgrade::new(protocol, true, Box::new(Sent(stream)));
    (head, Inbound::Upgrade(Box::new(wish)), true)
}

/// Whether a `CONNECT` claims to have a body, which it can not (RFC 9110, 9.3.6).
pub(super) fn is_malformed<B>(request: &Request<B>) -> bool {
    let lengths = || request.headers().get_all(CONTENT_LENGTH).iter();
    *request.method() == Method::CONNECT && lengths().any(|length| length.as_bytes() != b"0")
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let stream = &mut self.get_mut().0;
        loop {
            return Poll::Ready(match ready!(stream.poll_data(cx)) {
                None => None,
                Some(Ok(data)) if data.is_empty() => continue,
                Some(Ok(data)) => {
                    let _ = stream.flow_control().release_capacity(data.len());
                    Some(Ok(Frame::data(data)))
                }
                // It has left, and means no harm.
                Some(Err(error)) if matches!(error.reason(), Some(Reason::NO_ERROR | Reason::CANCEL)) => None,
                Some(Err(error)) => Some(Err(Error::Io(io::Error::other(error)))),
            });
        }
    }
}

/// The way to the client; the other one goes with it.
#[derive(Debug)]
pub(super) struct Tunnel {
    out: SendStream<Bytes>,
    body: Box<Observed>,
    /// What the client has no window for yet.
    held: Bytes,
    ended: bool,
    stall: Stall,
    _active: Active,
}

impl Tunnel {
    /// Of a switch that the client was told of; `stall` bounds how long it may read nothing.
    pub(super) fn new(out: SendStream<Bytes>, body: Box<Observed>, stall: Stall, active: Active) -> Self {
        Self { out, body, held: Bytes::new(), ended: false, stall, _active: active }
    }

    /// Passes on both sides; ready when each has ended, or one broke.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.pass(cx) {
            Poll::Pending if self.body.is_cut() => Poll::Ready(()),
            Poll::Pending if !self.held.is_empty() => self.stall.poll(cx),
            polled => {
                self.stall.moved();
                polled
            }
        }
    }

    fn pass(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.held.is_empty() {
                if self.out.capacity() == 0 {
                    match self.out.poll_capacity(cx) {
                        Poll::Ready(Some(Ok(_))) => {}
                        Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                        Poll::Pending => {
                            // A client that does not read may still send.
                            let _ = self.body.push(cx);
                            return Poll::Pending;
                        }
                    }
                }
                self.stall.moved();
                if self.out.send_data(std::mem::take(&mut self.held), false).is_err() {
                    return Poll::Ready(());
                }
            }
            if self.ended {
                return self.body.push(cx);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.held = frame.into_data().unwrap_or_default();
                    self.out.reserve_capacity(1);
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(()),
                Poll::Ready(None) => {
                    self.ended = true;
                    if self.out.send_data(Bytes::new(), true).is_err() {
                        return Poll::Ready(());
                    }
                }
                // Ready when the client has reset the stream, or is gone.
                Poll::Pending => return self.out.poll_reset(cx).map(|_| ()),
            }
        }
    }
}
