//! Bodies on their way: to an upstream ([`Outgoing`]) and back ([`Answer`]).

use super::h1::Connection;
use super::h2::OpenStream;
use super::lane::{Lane, Ticket};
use super::overlay::{self, Overlay};
use super::spool::{Replay, Spool};
use crate::deadline::Deadlines;
use crate::wire::{Broken, Inbound, Lines};
use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Why a body ended early. What the client or the log is told is decided elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The other side broke off.
    #[error("the body broke off")]
    Broke(#[source] Broken),
    /// The upstream broke off, or sent what is no HTTP.
    #[error("the answer broke off")]
    Exchange(#[source] super::h1::ExchangeError),
    /// More bytes than the API's `body_limit`.
    #[error("the body is larger than body_limit")]
    TooLarge,
    /// Nothing came for longer than `timeouts.idle`.
    #[error("the body stalled for longer than timeouts.idle")]
    Stalled,
    /// Whoever asked for it may not go on.
    #[error("whoever asked for it may not go on")]
    Cut,
    /// A spooled body could not be read back.
    #[error("a spooled body could not be read")]
    Spool(#[from] std::io::Error),
}

/// What became of a request body while it was streamed; the sender of the request looks at it when the exchange fails.
#[derive(Debug, Default)]
pub struct Passage {
    /// Bytes passed on.
    pub bytes: Cell<u64>,
    /// The limit was hit.
    pub too_large: Cell<bool>,
    /// The client broke off.
    pub broke: Cell<bool>,
    /// The client was too slow.
    pub slow: Cell<bool>,
    /// The whole of it went through.
    pub ended: Cell<bool>,
    /// Nothing more of it is to go through.
    over: Cell<bool>,
    /// Who reads it.
    reader: RefCell<Option<Waker>>,
    /// What went by, where it is to be sent again elsewhere.
    copy: Option<RefCell<Copying>>,
}

/// A copy of what goes by.
#[derive(Debug)]
struct Copying {
    /// None from the moment that it is too large.
    bytes: Option<Vec<u8>>,
    most: usize,
    /// The end was seen.
    ended: bool,
}

/// What there is of a copy.
#[derive(Debug, PartialEq, Eq)]
pub enum Copied {
    /// All of it.
    Whole(Bytes),
    /// Not all of it.
    Part,
}

impl Passage {
    /// One that keeps what goes by, as long as it is not more than this many bytes.
    pub fn copying(most: usize) -> Self {
        let copying = Copying { bytes: Some(Vec::new()), most, ended: false };
        Self { copy: Some(RefCell::new(copying)), ..Self::default() }
    }

    /// Takes the copy.
    pub fn copied(&self) -> Copied {
        let Some(copy) = &self.copy else { return Copied::Part };
        let mut copy = copy.borrow_mut();
        match copy.bytes.take() {
            Some(bytes) if copy.ended => Copied::Whole(bytes.into()),
            _ => Copied::Part,
        }
    }

    /// Lets nothing more through: the answer has ended, or is not wanted any more. The task of an HTTP/2 connection that still
    /// passes the body on sees it by this only.
    fn close(&self) {
        self.over.set(true);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn failed(&self, error: &Broken) {
        let failure = if matches!(error, Broken::Slow) { &self.slow } else { &self.broke };
        failure.set(true);
    }

    /// A piece goes by, or the end does.
    fn keep(&self, piece: Option<&Bytes>, ended: bool) {
        let Some(copy) = &self.copy else { return };
        let mut copy = copy.borrow_mut();
        copy.ended |= ended;
        let most = copy.most;
        let (Some(piece), Some(bytes)) = (piece, &mut copy.bytes) else { return };
        match bytes.len() + piece.len() > most {
            true => copy.bytes = None,
            false => bytes.extend_from_slice(piece),
        }
    }
}

/// A request body for an upstream.
#[derive(Debug)]
pub enum Outgoing {
    /// None.
    Empty,
    /// The client's, passed on as it comes.
    Stream(Box<Passing>),
    /// Read before, to check it; comes from memory or disk.
    Spooled(Box<Replay>),
}

/// A client's body with its bound.
#[derive(Debug)]
pub struct Passing {
    incoming: Inbound,
    limit: u64,
    passage: Rc<Passage>,
    /// What the route alters, which a trailer must not bring in again.
    overlay: Option<Arc<Overlay>>,
}

impl Outgoing {
    /// Passes a client's body on, up to `limit` bytes, and its trailers without what no client may say.
    pub fn stream(
        incoming: Inbound,
        limit: u64,
        passage: Rc<Passage>,
        overlay: Option<Arc<Overlay>>,
    ) -> Self {
        Self::Stream(Box::new(Passing { incoming, limit, passage, overlay }))
    }

    /// One that was read before, byte for byte.
    pub fn spooled(spool: Spool) -> Self {
        Self::Spooled(Box::new(spool.replay()))
    }

    /// One that is there already.
    pub fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Spooled(Box::new(Replay::of(bytes))) }
    }
}

impl Outgoing {
    /// The same body again, where it can be had again.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Spooled(replay) => Some(Self::Spooled(Box::new(replay.again()))),
            Self::Stream(_) => None,
        }
    }

    /// The protocol that the client would go on in.
    pub(super) fn upgrade(&self) -> Option<&HeaderValue> {
        match self {
            Self::Stream(passing) => match &passing.incoming {
                Inbound::Upgrade(upgrade) => Some(&upgrade.protocol),
                _ => None,
            },
            Self::Empty | Self::Spooled(_) => None,
        }
    }

    /// The upstream has switched to it.
    pub(super) fn switch(&mut self) {
        if let Self::Stream(passing) = self
            && let Inbound::Upgrade(upgrade) = &mut passing.incoming
        {
            upgrade.switch();
        }
    }

    /// Where to see how far it is, and whose fault it is that it goes no further.
    pub(super) fn passage(&self) -> Option<Rc<Passage>> {
        match self {
            Self::Spooled(replay) => Some(replay.passage.clone()),
            other => other.streamed(),
        }
    }

    /// Where to see how far a client's body is that is passed on as it comes.
    pub fn streamed(&self) -> Option<Rc<Passage>> {
        match self {
            Self::Stream(passing) => Some(passing.passage.clone()),
            Self::Empty | Self::Spooled(_) => None,
        }
    }
}

impl Passing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.passage.over.get() {
            return Poll::Ready(Some(Err(BodyError::Cut)));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            let mut reader = self.passage.reader.borrow_mut();
            if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                *reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let Some(frame) = frame else {
            self.passage.ended.set(true);
            self.passage.keep(None, true);
            return Poll::Ready(None);
        };
        let mut frame = frame.inspect_err(|error| self.passage.failed(error)).map_err(BodyError::Broke)?;
        if let Some(trailers) = frame.trailers_mut() {
            overlay::strip(trailers, self.overlay.as_deref());
        }
        if let Some(data) = frame.data_ref() {
            let bytes = self.passage.bytes.get() + data.len() as u64;
            self.passage.bytes.set(bytes);
            if bytes > self.limit {
                self.passage.too_large.set(true);
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
        }
        if self.incoming.is_end_stream() {
            self.passage.ended.set(true);
        }
        if self.passage.copy.is_some() {
            self.passage.keep(frame.data_ref(), self.incoming.is_end_stream());
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// Where to see how far it is.
    pub fn passage(&self) -> Rc<Passage> {
        self.passage.clone()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Stream(passing) => passing.poll(cx),
            Self::Spooled(replay) => {
                replay.poll_chunk(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(replay.passing(bytes?)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(passing) => passing.incoming.is_end_stream(),
            Self::Spooled(replay) => replay.remaining() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(passing) => passing.incoming.size_hint(),
            Self::Spooled(replay) => SizeHint::with_exact(replay.remaining()),
        }
    }
}

/// An HTTP/1.1 connection in use; it goes back to its pool when the exchange has ended well.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<Box<Connection>>,
    lane: Rc<Lane>,
    keep: Duration,
}

impl Lease {
    pub(super) fn new(connection: Box<Connection>, lane: Rc<Lane>, keep: Duration) -> Self {
        Self { connection: Some(connection), lane, keep }
    }

    /// Gives the connection back if the whole exchange has ended, the request's own body included.
    fn settle(&mut self) {
        if let Some(connection) = self.connection.take_if(|connection| connection.is_reusable()) {
            self.lane.checkin(connection, self.keep);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        let frame = ready!(connection.poll_frame(cx));
        self.settle();
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Exchange)))
    }

    fn push(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.as_mut().map_or(Poll::Ready(()), |connection| connection.push(cx))
    }

    fn take_lines(&mut self) -> Option<Lines> {
        self.connection.as_mut()?.take_lines()
    }

    fn has_ended(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| connection.has_ended())
    }

    fn size_hint(&self) -> SizeHint {
        let remaining = self.connection.as_ref().map_or(Some(0), |connection| connection.remaining());
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.settle();
    }
}

/// An upstream's answer body. Dropping it before its end closes (HTTP/1.1) or resets (HTTP/2) the exchange.
#[derive(Debug)]
pub struct Answer {
    source: Source,
    deadlines: Rc<Deadlines>,
    idle: Duration,
    slot: Option<usize>,
    /// How far the request's body is, while it may still be under way, and how far it was when last looked at.
    passage: Option<(Rc<Passage>, u64)>,
    /// Trailers are announced: the length is not told, because HTTP/1.1 has trailers only where it is unknown.
    trailers: bool,
    /// The request counts as under way until the answer is dropped.
    ticket: Option<Ticket>,
}

/// Where an answer's frames come from.
#[derive(Debug)]
enum Source {
    H1(Lease),
    H2(Incoming, #[expect(dead_code, reason = "counts as long as it lives")] OpenStream),
}

impl Answer {
    pub(super) fn h1(lease: Lease, deadlines: Rc<Deadlines>, idle: Duration) -> Self {
        Self::of(Source::H1(lease), deadlines, idle)
    }

    pub(super) fn h2(
        incoming: Incoming,
        stream: OpenStream,
        deadlines: Rc<Deadlines>,
        idle: Duration,
    ) -> Self {
        Self::of(Source::H2(incoming, stream), deadlines, idle)
    }

    fn of(source: Source, deadlines: Rc<Deadlines>, idle: Duration) -> Self {
        Self { source, deadlines, idle, slot: None, passage: None, trailers: false, ticket: None }
    }

    /// Holds the request's ticket to the end of the answer.
    pub(super) fn hold(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    /// Status line and fields as they stand, where [`Head::lines`](super::Head) asked for them and they are not in the
    /// answer's map. To be asked for before its body is.
    pub fn take_lines(&mut self) -> Option<Lines> {
        match &mut self.source {
            Source::H1(lease) => lease.take_lines(),
            Source::H2(..) => None,
        }
    }

    /// What passes of the request's body counts as a sign of life too.
    pub fn beside(&mut self, passage: Option<Rc<Passage>>) {
        self.passage = passage.map(|passage| (passage, 0));
    }

    /// How long both sides may be silent, where that is not `timeouts.idle`.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// Goes on with the request's body, although nobody takes the answer's; ready when there is nothing left of it.
    pub fn push(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The task of an HTTP/2 connection does that by itself.
        let Source::H1(lease) = &mut self.source else { return Poll::Ready(()) };
        if lease.push(cx).is_ready() {
            self.deadlines.disarm(&mut self.slot);
            return Poll::Ready(());
        }
        // Whoever waits for the next piece of the answer bounds the wait.
        if !lease.has_ended() {
            return Poll::Pending;
        }
        loop {
            ready!(self.deadlines.arm(&mut self.slot, self.idle, cx));
            self.deadlines.disarm(&mut self.slot);
            if !self.passes() {
                return Poll::Ready(());
            }
        }
    }

    /// Whether the request's body has gone on since this was asked last.
    fn passes(&mut self) -> bool {
        let Some((passage, seen)) = &mut self.passage else { return false };
        let now = passage.bytes.get();
        std::mem::replace(seen, now) != now
    }

    /// Keeps announced trailers from being lost to a known length (RFC 9112, 7.1.2).
    pub fn expect_trailers(&mut self) {
        self.trailers = true;
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = match &mut this.source {
            Source::H1(lease) => lease.poll_frame(cx),
            Source::H2(incoming, _) => {
                Pin::new(incoming).poll_frame(cx).map_err(|error| BodyError::Broke(error.into()))
            }
        };
        if polled.is_ready() {
            this.deadlines.disarm(&mut this.slot);
            return polled;
        }
        loop {
            ready!(this.deadlines.arm(&mut this.slot, this.idle, cx));
            this.deadlines.disarm(&mut this.slot);
            if !this.passes() {
                return Poll::Ready(Some(Err(BodyError::Stalled)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::H1(lease) => lease.has_ended(),
            Source::H2(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            _ if self.trailers => SizeHint::default(),
            Source::H1(lease) => lease.size_hint(),
            Source::H2(incoming, _) => incoming.size_hint(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.deadlines.disarm(&mut self.slot);
        if let Some((passage, _)) = &self.passage {
            passage.close();
        }
    }
}
