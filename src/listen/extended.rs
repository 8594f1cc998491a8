//! Extended `CONNECT` (RFC 8441): an HTTP/2 stream that goes on in another protocol. To the pipeline it is the `GET` with
//! `Upgrade` that it stands for; what follows the switch is passed on by a task of the stream's own.

use super::watch::Active;
use crate::deadline::Deadlines;
use crate::pipeline::Observed;
use crate::wire::{Error, Inbound, Upgrade};
use bytes::{Buf, Bytes, BytesMut};
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once.
const READ_AT_ONCE: usize = 16 * 1024;

/// A stream's bytes, once it is another protocol's.
type Shared = Rc<RefCell<Option<TokioIo<Upgraded>>>>;

/// A stream that is to go on in another protocol.
pub(super) struct Extended {
    on: OnUpgrade,
    bytes: Shared,
}

/// What the client sends on such a stream.
struct Sent {
    bytes: Shared,
    buffer: BytesMut,
}

/// Takes an extended `CONNECT` for the request that it stands for; `plain` reads the body of any other.
pub(super) fn translate(
    mut request: Request<Incoming>,
    plain: impl FnOnce(&HeaderMap, Incoming) -> Inbound,
) -> (Request<Inbound>, Option<Extended>) {
    let plain = |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = plain(&head.headers, body);
        (Request::from_parts(head, body), None)
    };
    if *request.method() != Method::CONNECT {
        return plain(request);
    }
    let protocol = request.extensions_mut().remove::<Protocol>();
    let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name.as_str()).ok()) else {
        return plain(request);
    };
    let (on, bytes) = (hyper::upgrade::on(&mut request), Shared::default());
    *request.method_mut() = Method::GET;
    // They mean nothing here, and one of ours goes to the upstream.
    request.headers_mut().remove(SEC_WEBSOCKET_KEY);
    request.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
    let sent = Sent { bytes: bytes.clone(), buffer: BytesMut::new() };
    let wish = Upgrade::new(protocol, true, Box::new(sent));
    (request.map(|_| Inbound::Upgrade(Box::new(wish))), Some(Extended { on, bytes }))
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let mut bytes = this.bytes.borrow_mut();
        let Some(stream) = bytes.as_mut() else { return Poll::Ready(Some(Err(Error::Closed))) };
        this.buffer.resize(READ_AT_ONCE, 0);
        let mut into = ReadBuf::new(&mut this.buffer);
        let read = Pin::new(stream).poll_read(cx, &mut into);
        let length = into.filled().len();
        if read.is_pending() {
            // One that waits holds no memory.
            this.buffer = BytesMut::new();
        }
        ready!(read)?;
        if length == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(this.buffer.split_to(length).freeze()))))
    }
}

impl Extended {
    /// Passes on both sides until each has ended, or one broke; `stall` bounds how long the client may read nothing.
    pub(super) async fn pass(
        self,
        body: Box<Observed>,
        _active: Active,
        deadlines: Rc<Deadlines>,
        stall: Duration,
    ) {
        let Ok(upgraded) = self.on.await else { return };
        *self.bytes.borrow_mut() = Some(TokioIo::new(upgraded));
        let mut passing = Passing { bytes: self.bytes, body, out: Bytes::new(), moved: false, ended: false };
        let mut slot = None;
        poll_fn(|cx| {
            let polled = passing.poll(cx);
            if std::mem::take(&mut passing.moved) {
                deadlines.disarm(&mut slot);
            }
            match polled {
                Poll::Pending if passing.body.is_cut() => Poll::Ready(()),
                Poll::Pending if !passing.out.is_empty() => deadlines.arm(&mut slot, stall, cx),
                polled => {
                    deadlines.disarm(&mut slot);
                    polled
                }
            }
        })
        .await;
        deadlines.disarm(&mut slot);
    }
}

/// The way to the client; the other one goes with it.
struct Passing {
    bytes: Shared,
    body: Box<Observed>,
    out: Bytes,
    /// The client has taken something.
    moved: bool,
    ended: bool,
}

impl Passing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.out.is_empty() {
                let out = self.out.clone();
                let Poll::Ready(written) = self.stream(|stream| stream.poll_write(cx, &out)) else {
                    // A client that does not read may still send.
                    let _ = self.body.push(cx);
                    return Poll::Pending;
                };
                match written {
                    Ok(1..) => {
                        self.moved = true;
                        self.out.advance(written.unwrap_or_default());
                    }
                    Ok(0) | Err(_) => return Poll::Ready(()),
                }
                continue;
            }
            if self.ended {
                let _ = ready!(self.stream(|stream| stream.poll_shutdown(cx)));
                return self.body.push(cx);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.out = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Poll::Ready(()),
                None => self.ended = true,
            }
        }
    }

    fn stream<T>(
        &self,
        poll: impl FnOnce(Pin<&mut TokioIo<Upgraded>>) -> Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        match self.bytes.borrow_mut().as_mut() {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(std::io::ErrorKind::NotConnected.into())),
        }
    }
}
