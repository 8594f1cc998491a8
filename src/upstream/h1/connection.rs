//! One HTTP/1.1 connection to an upstream, with the exchange that is under way on it.

use super::super::body::BodyError;
use super::super::connect::Stream;
use super::super::{Head, Outgoing, Target};
use super::ExchangeError;
use super::decode::{self, Answered, Question};
use super::encode;
use crate::wire::{self, Coding, Error, Framing, Lines, Out, Piece, Scratch};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Bytes asked for at once.
const READ_AT_ONCE: usize = 8 * 1024;
/// Bytes of a body that are collected before they are written.
const WRITE_AT_ONCE: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub(in super::super) struct Connection {
    stream: Stream,
    /// Read, and not taken yet.
    read: BytesMut,
    /// To be written; its memory is the worker's while there is nothing.
    write: Out,
    scratch: Rc<Scratch>,
    /// Whoever sends the present request has just been told that there is nothing to read, and will be woken.
    watched: bool,
    /// Something was written to the stream of what may still be in its own buffers.
    unflushed: bool,
    /// A byte of the present request has gone out.
    begun: bool,
    sending: Option<Sending>,
    /// The protocol is switched: the end of what is sent is told by the stream's.
    switched: bool,
    /// The request's body broke off, and nobody was told.
    broke: Option<ExchangeError>,
    /// The beginning of the answer, where it was wanted as lines.
    lines: Option<Lines>,
    framing: Framing,
    /// Another request may follow.
    keep: bool,
}

/// A request's body that has not ended.
#[derive(Debug)]
struct Sending {
    body: Outgoing,
    coding: Coding,
    /// A frame of it was taken.
    begun: bool,
}

/// An exchange that failed before its answer's head, and the request's body if the request may be sent again.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: ExchangeError,
    pub(super) again: Option<Outgoing>,
}

impl Connection {
    pub(super) fn new(stream: Stream, scratch: Rc<Scratch>) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            write: Out::default(),
            scratch,
            watched: false,
            unflushed: false,
            begun: false,
            sending: None,
            switched: false,
            broke: None,
            lines: None,
            framing: Framing::Ended,
            keep: true,
        }
    }

    /// Whether nothing has come in while the connection waited: neither its end nor bytes that nobody asked for. Whoever
    /// asks is woken by what comes from now on.
    pub(super) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.watched = self.read.is_empty() && self.poll_read(cx).is_pending();
        self.watched
    }

    /// Whether the connection can serve another request.
    pub(in super::super) fn is_reusable(&self) -> bool {
        self.keep
            && self.framing == Framing::Ended
            && self.sending.is_none()
            && self.write.is_empty()
            && self.read.is_empty()
    }

    /// Whether the answer's body has ended.
    pub(in super::super) fn has_ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// Bytes of the answer's body that are still to come, where that is known.
    pub(in super::super) fn remaining(&self) -> Option<u64> {
        self.framing.remaining()
    }

    /// Sends a request and reads the head of its answer; the rest of the request's body goes on while the answer is read.
    pub(super) async fn exchange(
        &mut self,
        target: &Target,
        head: &Head,
        body: Outgoing,
    ) -> Result<(StatusCode, HeaderMap), Box<Failed>> {
        (self.begun, self.keep) = (false, true);
        self.write = self.scratch.out();
        let coding = encode::head(self.write.bytes(), target, head, &body);
        let upgrade = body.upgrade().cloned();
        let (body, later) = if upgrade.is_some() { (Outgoing::Empty, Some(body)) } else { (body, None) };
        let bodiless = body.is_end_stream();
        self.sending = (!bodiless).then_some(Sending { body, coding, begun: false });
        let question = Question { method: &head.method, upgrade: upgrade.as_ref(), lines: head.lines };
        match poll_fn(|cx| self.poll_head(cx, question)).await {
            Ok(Answered { status, fields, lines, framing, keep, .. }) => {
                (self.framing, self.lines) = (framing, lines);
                // A request that was cut has ended the connection, whatever its answer says.
                self.keep &= keep;
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    self.switch(later);
                }
                Ok((status, fields))
            }
            Err(error) => {
                let mut failed = self.failed(error, &head.method, bodiless);
                if let (Some(again), Some(body)) = (&mut failed.again, later) {
                    *again = body;
                }
                Err(failed)
            }
        }
    }

    /// The beginning of the present answer, where it was wanted as lines.
    pub(in super::super) fn take_lines(&mut self) -> Option<Lines> {
        self.lines.take()
    }

    /// What the client sends from now on is passed on as it is.
    fn switch(&mut self, body: Option<Outgoing>) {
        self.switched = true;
        self.sending = body.map(|mut body| {
            body.switch();
            Sending { body, coding: Coding::Plain, begun: true }
        });
    }

    /// A request may be sent again when the upstream can not have acted on it (nothing of it went out), or when acting
    /// twice is as good as once (RFC 9110, 9.2.2) and no answer has begun.
    fn failed(&mut self, error: ExchangeError, method: &Method, bodiless: bool) -> Box<Failed> {
        let broke =
            matches!(error, ExchangeError::Wire(Error::Io(_) | Error::Closed)) && self.read.is_empty();
        let again = match self.sending.take() {
            _ if !broke => None,
            None if bodiless && (!self.begun || method.is_idempotent()) => Some(Outgoing::Empty),
            Some(Sending { body, begun: false, .. }) if !self.begun => Some(body),
            _ => None,
        };
        // On the heap: it is rare.
        Box::new(Failed { error, again })
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        question: Question<'_>,
    ) -> Poll<Result<Answered, ExchangeError>> {
        // A connection that no longer takes the request may still hold the answer to it.
        let sent = match self.poll_send(cx) {
            Poll::Ready(Err(error @ ExchangeError::Body(_))) => return Poll::Ready(Err(error)),
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        };
        // No answer can be there before the request is; asking for it would cost as much as reading it.
        if std::mem::take(&mut self.watched) && sent.is_none() {
            return Poll::Pending;
        }
        let closed = |sent: Option<ExchangeError>| Poll::Ready(Err(sent.unwrap_or(Error::Closed.into())));
        loop {
            if let Some(answered) = decode::head(&mut self.read, question, &self.scratch)? {
                return Poll::Ready(Ok(answered));
            }
            match (self.poll_read(cx), &sent) {
                (Poll::Ready(Ok(0)), _) => return closed(sent),
                (Poll::Ready(Ok(_)), _) => {}
                (Poll::Ready(Err(error)), _) => return Poll::Ready(Err(Error::Io(error).into())),
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(_)) => return closed(sent),
            }
        }
    }

    /// The next frame of the answer's body.
    pub(in super::super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExchangeError>>> {
        if let Some(error) = self.broke.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll_send(cx) {
            Poll::Ready(Err(error @ ExchangeError::Body(_))) => return Poll::Ready(Some(Err(error))),
            // An upstream that has answered need not read the rest of the request.
            Poll::Ready(Err(_)) => self.sending = None,
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        loop {
            match wire::piece(&mut self.read, &mut self.framing)? {
                Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Piece::Trailers(fields)) => return Poll::Ready(Some(Ok(Frame::trailers(fields)))),
                Some(Piece::End) => return Poll::Ready(None),
                None => {}
            }
            if ready!(self.poll_read(cx)).map_err(Error::Io)? == 0 {
                if self.framing != Framing::Close {
                    return Poll::Ready(Some(Err(Error::Closed.into())));
                }
                self.framing = Framing::Ended;
            }
        }
    }

    /// Goes on with the request's body while nobody takes the answer's; ready when there is nothing left of it.
    pub(in super::super) fn push(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sending.is_none() && self.write.is_empty() && !self.unflushed && !self.switched {
            return Poll::Ready(());
        }
        self.poll_send(cx).map(|sent| {
            // Told by the next frame of the answer.
            if let Err(error @ ExchangeError::Body(_)) = sent {
                self.broke = Some(error);
            }
        })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.scratch.poll_read(&mut self.stream, &mut self.read, READ_AT_ONCE, cx)
    }

    /// Writes what is to be written, and what of the request's body there is.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        loop {
            self.collect(cx)?;
            if self.write.is_empty() {
                break;
            }
            if let Err(error) = ready!(self.poll_write(cx)) {
                // What is left of the request is of no use to anybody.
                self.write.clear();
                self.keep = false;
                return Poll::Ready(Err(Error::Io(error).into()));
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(Error::Io)?;
            self.unflushed = false;
        }
        if self.sending.is_some() {
            return Poll::Pending;
        }
        if self.switched {
            // The end of what the client sends; what the upstream sends goes on.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.switched = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write.poll_write(&mut self.stream, &[], cx))?;
        self.begun = true;
        self.unflushed = true;
        if self.write.is_empty() {
            self.scratch.give(std::mem::take(&mut self.write));
        }
        Poll::Ready(Ok(()))
    }

    /// Takes frames of the request's body while there is room for them.
    fn collect(&mut self, cx: &mut Context<'_>) -> Result<(), ExchangeError> {
        while self.write.len() < WRITE_AT_ONCE {
            let Some(sending) = &mut self.sending else { return Ok(()) };
            let frame = match Pin::new(&mut sending.body).poll_frame(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(frame) => frame.transpose().map_err(|error| self.abandon(error))?,
            };
            self.take(frame);
        }
        Ok(())
    }

    fn take(&mut self, frame: Option<Frame<Bytes>>) {
        let Some(sending) = &mut self.sending else { return };
        sending.begun = true;
        let ended = match frame {
            None => {
                sending.coding.end(self.write.bytes(), None);
                true
            }
            Some(frame) => match frame.into_data() {
                Ok(data) => {
                    sending.coding.data(self.write.bytes(), &data);
                    false
                }
                Err(frame) => {
                    let trailers: Option<HeaderMap> = frame.into_trailers().ok();
                    sending.coding.end(self.write.bytes(), trailers.as_ref());
                    true
                }
            },
        };
        if ended {
            self.sending = None;
        }
    }

    /// The request's body broke off: the upstream must not take what it has for the whole.
    fn abandon(&mut self, error: BodyError) -> ExchangeError {
        self.sending = None;
        self.keep = false;
        ExchangeError::Body(Box::new(error))
    }
}
