//! One HTTP/1.1 connection's stream and buffers, shared by the loop that serves it and the body of the present request.

use super::super::Stream;
use super::super::watch::Watch;
use super::head::{self, Asked};
use crate::pipeline::Early;
use crate::wire::{self, Error, Framing, Out, Piece, Scratch};
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::AsyncWrite;

/// Bytes asked for at once, of a head and of a body.
const READ_HEAD: usize = 8 * 1024;
const READ_BODY: usize = 32 * 1024;

/// A connection's stream and buffers.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    /// Read, and not taken yet. Empty while the connection waits.
    read: BytesMut,
    /// How much of an incomplete head was looked at.
    seen: usize,
    /// An interim answer that is to be written.
    interim: Out,
    /// The present request's body.
    framing: Framing,
    /// The client waits for a 100 before it sends the body.
    waits: bool,
    /// Number of the present request: a body that outlives its request must not read the next one.
    number: u64,
    /// Whom to wake when that body is over. Its reader may be a task of its own, an HTTP/2 upstream's.
    reader: Option<Waker>,
    scratch: Rc<Scratch>,
    watch: Rc<Watch>,
    now_ns: Rc<Cell<u64>>,
}

/// Why no request comes next on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// What came is none, and is to be answered so.
    Early(Early),
    /// It is over.
    Over,
}

impl Socket {
    pub(super) fn new(
        stream: Stream,
        ahead: BytesMut,
        scratch: Rc<Scratch>,
        watch: Rc<Watch>,
        now_ns: Rc<Cell<u64>>,
    ) -> Self {
        Self {
            stream,
            read: ahead,
            seen: 0,
            interim: Out::default(),
            framing: Framing::Ended,
            waits: false,
            number: 0,
            reader: None,
            scratch,
            watch,
            now_ns,
        }
    }

    /// What of the present head was read.
    pub(super) fn begun(&self) -> &[u8] {
        &self.read
    }

    /// The next request's head, of `most` bytes at most.
    pub(super) fn poll_next(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<Result<Asked, Stop>> {
        loop {
            if !self.read.is_empty() {
                self.pass_empty_lines();
                self.watch.head_begun(self.now_ns.get());
                if let Some(next) = self.next(most) {
                    return Poll::Ready(next);
                }
            }
            match ready!(self.poll_read(READ_HEAD, cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(Stop::Over)),
            }
        }
    }

    /// Empty lines before a request mean nothing (RFC 9112, 2.2); kept, they would be parsed with each further byte.
    fn pass_empty_lines(&mut self) {
        while let [b'\r', b'\n', ..] = self.read[..] {
            self.read.advance(2);
            self.seen = 0;
        }
    }

    fn next(&mut self, most: usize) -> Option<Result<Asked, Stop>> {
        if self.seen == 0 || head::may_be_complete(&self.read, self.seen) {
            match head::parse(&mut self.read, &self.scratch) {
                Ok(Some(mut asked)) => {
                    self.seen = 0;
                    self.number += 1;
                    asked.number = self.number;
                    (self.framing, self.waits) = (asked.framing, asked.wishes.waits);
                    return Some(Ok(asked));
                }
                Ok(None) => {}
                Err(early) => return Some(Err(Stop::Early(early))),
            }
        }
        self.seen = self.read.len();
        (self.seen > most).then(|| Err(Stop::Early(self.too_large())))
    }

    /// What is too large of the head that was read so far.
    fn too_large(&self) -> Early {
        if memchr::memchr(b'\n', &self.read).is_none() { Early::TargetTooLong } else { Early::HeadTooLarge }
    }

    /// The next piece of request `number`'s body.
    fn poll_body(&mut self, number: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if number != self.number {
            return Poll::Ready(Some(Err(Error::Closed)));
        }
        let polled = self.poll_piece(cx);
        if polled.is_pending() && !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
        polled
    }

    /// The present request is over. A body of it that somebody still holds has ended early: it neither takes a part
    /// for the whole nor holds the connection.
    pub(super) fn retire(&mut self) {
        self.number += 1;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match wire::piece(&mut self.read, &mut self.framing)? {
                Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Piece::Trailers(fields)) => return Poll::Ready(Some(Ok(Frame::trailers(fields)))),
                Some(Piece::End) => return Poll::Ready(None),
                None => {}
            }
            if std::mem::take(&mut self.waits) {
                self.interim.bytes().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            ready!(self.poll_interim(cx))?;
            if ready!(self.poll_read(READ_BODY, cx))? == 0 {
                if self.framing != Framing::Close {
                    return Poll::Ready(Some(Err(Error::Closed)));
                }
                self.framing = Framing::Ended;
            }
        }
    }

    /// The present request's protocol is switched: what the client sends from now on, and what came behind the request,
    /// is passed on as it is until the client ends it.
    pub(super) fn switch(&mut self) {
        self.framing = Framing::Close;
    }

    /// Has an interim answer written.
    pub(super) fn interim(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.interim.bytes());
    }

    /// Writes what there is of interim answers.
    pub(super) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let mut interim = std::mem::take(&mut self.interim);
            let written = self.poll_write(&mut interim, &[], cx);
            self.interim = interim;
            ready!(written)?;
            if self.interim.is_empty() {
                ready!(self.poll_flush(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What of an interim answer is not written when the final one begins: there are no further ones.
    pub(super) fn interim_left(&mut self) -> Out {
        self.waits = false;
        std::mem::take(&mut self.interim)
    }

    /// Whether the present request's body has been read to its end; takes what of it has come already.
    pub(super) fn is_read(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waits {
            return self.framing == Framing::Ended;
        }
        for _ in 0..2 {
            while let Ok(Some(piece)) = wire::piece(&mut self.read, &mut self.framing) {
                if matches!(piece, Piece::End | Piece::Trailers(_)) {
                    return true;
                }
            }
            if !matches!(self.poll_read(READ_BODY, cx), Poll::Ready(Ok(1..))) {
                break;
            }
        }
        self.framing == Framing::Ended
    }

    /// Ready when the client has gone while it should wait for its answer. That shows only once its request is read, and
    /// as long as it has not sent the next one.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.framing != Framing::Ended || !self.read.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_read(READ_HEAD, cx)) {
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }

    fn poll_read(&mut self, want: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.scratch.poll_read(&mut self.stream, &mut self.read, want, cx)
    }

    /// Reads what comes to the end of the connection, and forgets it.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.read.clear();
            match ready!(self.poll_read(READ_HEAD, cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Writes once, `behind` after `out`; answers how much of `behind` was taken.
    pub(super) fn poll_write(
        &mut self,
        out: &mut Out,
        behind: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = out.len();
        let polled = out.poll_write(&mut self.stream, behind, cx);
        self.watch.wrote(&polled, |behind| before - out.len() + behind, self.now_ns.get());
        polled
    }

    /// Pushes out what the stream itself holds back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.stream, Stream::Plain(_)) {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch.wrote(&polled, |()| 0, self.now_ns.get());
        polled
    }

    /// Tells a TLS client that this end is no attacker's (RFC 8446, 6.1), without waiting for it to arrive.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>) {
        if matches!(self.stream, Stream::Tls(_)) {
            let _ = self.poll_shutdown(cx);
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request, read from its connection by whoever polls it.
#[derive(Debug)]
pub(super) struct RequestBody {
    socket: Rc<RefCell<Socket>>,
    number: u64,
}

impl RequestBody {
    /// The body of request `number`.
    pub(super) fn new(socket: &Rc<RefCell<Socket>>, number: u64) -> Self {
        Self { number, socket: socket.clone() }
    }

    fn remaining(&self) -> Option<u64> {
        let socket = self.socket.borrow();
        if socket.number == self.number { socket.framing.remaining() } else { None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.socket.borrow_mut().poll_body(self.number, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
