//! One stream, from its request to the last byte of its answer.

use super::super::watch::{Active, Watch};
use super::tunnel::Tunnel;
use crate::deadline::Deadlines;
use crate::pipeline::Observed;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;
use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Fields that are a connection's (RFC 9113, 8.2.2).
const CONNECTIONS: [&str; 6] =
    ["connection", "transfer-encoding", "upgrade", "te", "keep-alive", "proxy-connection"];

/// The pipeline at work on a request.
pub(super) type Responding = Pin<Box<dyn Future<Output = Response<Box<Observed>>>>>;

/// What a connection's answers have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) watch: Rc<Watch>,
    pub(super) deadlines: Rc<Deadlines>,
    /// How long a client may leave an answer where it is.
    pub(super) stall: Duration,
    /// Whether the table of RFC 7541 has been given the names of the changing fields.
    pub(super) named: Cell<bool>,
}

/// A stream that is not over.
pub(super) enum Stream {
    Waiting(Waiting),
    Sending(Box<Sending>),
    Switched(Box<Tunnel>),
    Over,
}

/// A request that the pipeline is at work on.
pub(super) struct Waiting {
    pub(super) response: Responding,
    pub(super) respond: SendResponse<Bytes>,
    pub(super) active: Active,
    /// What the request's body is told when the answer begins.
    pub(super) answered: Option<Rc<Cell<bool>>>,
    /// It was an extended `CONNECT`.
    pub(super) extended: bool,
    /// It asked for the head only.
    pub(super) head_only: bool,
    /// It was polled before.
    pub(super) begun: bool,
}

/// An answer whose head was sent.
#[derive(Debug)]
pub(super) struct Sending {
    out: SendStream<Bytes>,
    body: Box<Observed>,
    /// What the client has no window for yet, and whether it is the last.
    held: Option<(Bytes, bool)>,
    stall: Stall,
    _active: Active,
}

/// Bounds how long a client leaves an answer where it is: the answer, and the upstream that sends it, are not held longer
/// than for one that never reads.
#[derive(Debug)]
pub(super) struct Stall {
    deadlines: Rc<Deadlines>,
    most: Duration,
    slot: Option<usize>,
}

impl Stall {
    fn new(common: &Common) -> Self {
        Self { deadlines: common.deadlines.clone(), most: common.stall, slot: None }
    }

    /// The client takes nothing; ready when that has lasted too long.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.deadlines.arm(&mut self.slot, self.most, cx)
    }

    /// It takes something, or nothing is there for it.
    pub(super) fn moved(&mut self) {
        self.deadlines.disarm(&mut self.slot);
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.moved();
    }
}

impl Stream {
    /// Goes on with it as far as it goes; afterwards it may be over. Dropped, it resets what has not ended.
    pub(super) fn poll(&mut self, common: &Common, date: &HeaderValue, cx: &mut Context<'_>) {
        if let Self::Waiting(waiting) = self {
            let is_first = !mem::replace(&mut waiting.begun, true);
            // At first before anything else, so that a request which was taken back costs nothing.
            if is_first && waiting.is_taken_back(cx) {
                return self.abandon(common);
            }
            let Poll::Ready(response) = waiting.response.as_mut().poll(cx) else {
                if !is_first && waiting.is_taken_back(cx) {
                    self.abandon(common);
                }
                return;
            };
            let Self::Waiting(waiting) = mem::replace(self, Self::Over) else { return };
            *self = waiting.begin(response, common, date);
        }
        let polled = match self {
            Self::Sending(sending) => sending.poll(cx),
            Self::Switched(tunnel) => tunnel.poll(cx),
            Self::Waiting(_) | Self::Over => return,
        };
        if polled.is_ready() {
            *self = Self::Over;
        }
    }

    fn abandon(&mut self, common: &Common) {
        *self = Self::Over;
        common.watch.abandoned();
    }
}

impl Waiting {
    /// Whether the client has reset the stream; else the task is woken when it does.
    fn is_taken_back(&mut self, cx: &mut Context<'_>) -> bool {
        self.respond.poll_reset(cx).is_ready()
    }

    /// Sends the answer's head.
    fn begin(mut self, response: Response<Box<Observed>>, common: &Common, date: &HeaderValue) -> Stream {
        let (mut head, body) = response.into_parts();
        if let Some(answered) = self.answered {
            answered.set(true);
        }
        let switches = self.extended && head.status == StatusCode::SWITCHING_PROTOCOLS;
        complete(&mut head.headers, &body, common, date);
        if switches {
            // The switch, as HTTP/2 says it (RFC 8441, 5).
            head.status = StatusCode::OK;
            head.headers.remove(CONTENT_LENGTH);
        }
        let bodiless = body.is_end_stream();
        let ended = !switches && (bodiless || self.head_only);
        // To HEAD the length is told of what is not sent (RFC 9110, 8.6).
        if !bodiless
            && !switches
            && let Some(length) = body.size_hint().exact()
        {
            head.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        let out = match self.respond.send_response(Response::from_parts(head, ()), ended) {
            Ok(out) => out,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                common.watch.abandoned();
                self.respond.send_reset(Reason::INTERNAL_ERROR);
                return Stream::Over;
            }
        };
        let stall = Stall::new(common);
        match (ended, switches) {
            (true, _) => Stream::Over,
            (false, true) => Stream::Switched(Box::new(Tunnel::new(out, body, stall, self.active))),
            (false, false) => {
                Stream::Sending(Box::new(Sending { out, body, held: None, stall, _active: self.active }))
            }
        }
    }
}

/// What every answer carries besides its own fields, and none of what is a connection's.
fn complete(fields: &mut HeaderMap, body: &Observed, common: &Common, date: &HeaderValue) {
    // The first answer of a connection has its changing fields put into the table of RFC 7541, so that the others find the
    // fields' names there. More values would drive out what comes again, and be searched through with each answer.
    let changing = common.named.replace(true);
    // Upstreams' answers have lost them already, so that one look is cheaper than to ask for each.
    if fields.keys().any(is_of_connection) {
        for name in CONNECTIONS {
            fields.remove(name);
        }
    }
    body.marks().insert(fields, changing);
    fields.entry(DATE).or_insert_with(|| date.clone()).set_sensitive(changing);
}

fn is_of_connection(name: &HeaderName) -> bool {
    let name = name.as_str();
    // By their lengths first: most fields are none of these.
    matches!(name.len(), 2 | 7 | 10 | 16 | 17) && CONNECTIONS.contains(&name)
}

impl Sending {
    /// Ready when the answer is all in the library's hands, or can not go on.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some((data, last)) = self.held.take() {
                // What is empty needs no window, and none is ever opened for it.
                let window = if data.is_empty() { Poll::Ready(true) } else { self.poll_window(cx) };
                match window {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => return Poll::Ready(()),
                    // It is not to be held for a client that may not have it.
                    Poll::Pending if self.body.is_cut() => continue,
                    Poll::Pending => {
                        self.held = Some((data, last));
                        return self.stall.poll(cx);
                    }
                }
                self.stall.moved();
                if self.out.send_data(data, last).is_err() || last {
                    return Poll::Ready(());
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                // Ready when the client has reset the stream.
                return self.out.poll_reset(cx).map(|_| ());
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.out.send_reset(reason(&error));
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.out.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    // No more than a claim to the connection's window; the whole is asked for when it is sent.
                    self.out.reserve_capacity(usize::from(!data.is_empty()));
                    self.held = Some((data, self.body.is_end_stream()));
                }
                Err(frame) => {
                    self.out.reserve_capacity(0);
                    let _ = frame.into_trailers().map(|fields| self.out.send_trailers(fields));
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Whether the client's window is open; false when nothing can be sent any more.
    fn poll_window(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.out.capacity() > 0 {
            return Poll::Ready(true);
        }
        self.out.poll_capacity(cx).map(|window| matches!(window, Some(Ok(_))))
    }
}

/// What a client is told of an answer that broke off: what its backend has said, where that speaks HTTP/2 too.
fn reason(error: &(dyn Error + 'static)) -> Reason {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        }
        cause = error.source();
    }
    Reason::INTERNAL_ERROR
}
