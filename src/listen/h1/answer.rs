//! An answer on its way to the client: its head in one piece with the beginning of its body.

use super::head::Wishes;
use super::socket::Socket;
use crate::pipeline::Observed;
use crate::wire::{Coding, Lines, Out, write_field, write_number, write_status};
use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, TRAILER};
use http::{StatusCode, response};
use http_body::{Body, Frame};
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Bytes that are collected before they are written.
const WRITE_AT_ONCE: usize = 32 * 1024;
/// Pieces from this size on are written from where they are, smaller ones are copied behind the rest.
const WORTH_A_VECTOR: usize = 4 * 1024;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Answer {
    body: Box<Observed>,
    out: Out,
    /// A large piece that goes out behind `out`.
    large: Bytes,
    coding: Coding,
    /// The trailers that the head announced, to a client that reads them.
    announced: Vec<HeaderValue>,
    ended: bool,
}

/// The client broke off, or the body did: the connection is of no use any more.
#[derive(Debug)]
pub(super) struct Broken;

impl Answer {
    /// Writes the head into `out`. `keep` becomes false when only the connection's end can tell the body's.
    pub(super) fn new(
        out: Out,
        head: &response::Parts,
        mut body: Box<Observed>,
        wishes: Wishes,
        date: &[u8],
        keep: &mut bool,
    ) -> Self {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Self::switched(out, head, body);
        }
        let bodiless =
            wishes.head_only || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = body.size_hint().exact();
        let (mut out, seen) = match body.take_lines() {
            Some(Lines { out: lines, dated }) => (behind(out, lines), Seen { date: dated, length: false }),
            None => {
                let mut out = out;
                write_status(out.bytes(), head.status);
                let seen = write_fields(out.bytes(), head, &body, bodiless);
                (out, seen)
            }
        };
        let bytes = out.bytes();
        body.marks().write(bytes);
        if !seen.date {
            write_field(bytes, &DATE, date);
        }
        let mut coding = Coding::Plain;
        match (length, bodiless) {
            (Some(length), false) => write_length(bytes, length),
            // What the same request with GET would have: ours to tell when the body is.
            (Some(length @ 1..), true) if wishes.head_only && !seen.length => write_length(bytes, length),
            (_, true) => {}
            (None, false) if wishes.modern => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n");
                coding = Coding::Chunked;
            }
            (None, false) => *keep = false,
        }
        match (*keep, wishes.modern) {
            (false, _) => bytes.extend_from_slice(b"connection: close\r\n"),
            (true, false) => bytes.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, true) => {}
        }
        bytes.extend_from_slice(b"\r\n");
        let announced = match wishes.trailers && coding == Coding::Chunked {
            true => head.headers.get_all(TRAILER).iter().cloned().collect(),
            false => Vec::new(),
        };
        Self { body, out, large: Bytes::new(), coding, announced, ended: bodiless }
    }

    /// The answer that switches protocols: what follows its head is delimited by the connection's end alone.
    fn switched(mut out: Out, head: &response::Parts, body: Box<Observed>) -> Self {
        let bytes = out.bytes();
        write_status(bytes, head.status);
        bytes.extend_from_slice(b"connection: upgrade\r\n");
        write_fields(bytes, head, &body, false);
        body.marks().write(bytes);
        bytes.extend_from_slice(b"\r\n");
        let (large, announced) = (Bytes::new(), Vec::new());
        Self { body, out, large, coding: Coding::Plain, announced, ended: false }
    }

    /// Whether the client's side of a switched connection has ended and was passed on to its end.
    pub(super) fn poll_pushed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.body.push(cx)
    }

    /// Whether it is not to go on, although it could.
    pub(super) fn is_cut(&self) -> bool {
        self.body.is_cut()
    }

    /// Writes it to its end.
    pub(super) fn poll(
        &mut self,
        socket: &RefCell<Socket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            let more = self.collect(cx)?;
            if self.out.is_empty() && self.large.is_empty() {
                // What is written has to arrive before the body goes on.
                ready!(socket.borrow_mut().poll_flush(cx)).map_err(|_| Broken)?;
                return if self.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let polled = socket.borrow_mut().poll_write(&mut self.out, &self.large, cx);
            let Poll::Ready(taken) = polled else {
                // A client that does not read may still send: its backend need not wait for that.
                let _ = self.body.push(cx);
                return Poll::Pending;
            };
            let taken = taken.map_err(|_| Broken)?;
            if taken > 0 {
                self.large.advance(taken);
                if self.large.is_empty() {
                    self.coding.close(self.out.bytes());
                }
            }
            if more.is_pending() && self.out.is_empty() && self.large.is_empty() {
                ready!(socket.borrow_mut().poll_flush(cx)).map_err(|_| Broken)?;
                return Poll::Pending;
            }
        }
    }

    /// Takes frames of the body while there is room for them; pending when the body is.
    fn collect(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Broken> {
        while !self.ended && self.large.is_empty() && self.out.len() < WRITE_AT_ONCE {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Some(Err(_))) => return Err(Broken),
                Poll::Ready(Some(Ok(frame))) => self.take(frame),
                Poll::Ready(None) => self.end(None),
            }
            // An end that is known now saves asking for it.
            if !self.ended && self.large.is_empty() && self.body.is_end_stream() {
                self.end(None);
            }
        }
        Ok(Poll::Ready(()))
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) if data.len() >= WORTH_A_VECTOR => {
                self.coding.open(self.out.bytes(), data.len());
                self.large = data;
            }
            Ok(data) => self.coding.data(self.out.bytes(), &data),
            Err(frame) => {
                let trailers = frame.into_trailers().ok().map(|trailers| self.announced_of(trailers));
                self.end(trailers.as_ref());
            }
        }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) {
        self.coding.end(self.out.bytes(), trailers);
        self.ended = true;
    }

    /// The trailers that the head announced; none of those that would frame a message.
    fn announced_of(&self, trailers: HeaderMap) -> HeaderMap {
        let is_announced = |wanted: &str| {
            let lines = self.announced.iter().filter_map(|value| value.to_str().ok());
            lines.flat_map(|line| line.split(',')).any(|name| name.trim().eq_ignore_ascii_case(wanted))
        };
        let allowed =
            |name: &str| is_announced(name) && !is_connections(name) && name != CONTENT_LENGTH.as_str();
        let mut kept = HeaderMap::new();
        for (name, value) in &trailers {
            if allowed(name.as_str()) {
                kept.append(name, value.clone());
            }
        }
        kept
    }

    /// What is left when it is written.
    pub(super) fn into_out(self) -> Out {
        self.out
    }
}

/// Fields that say something of the connection, which is ours.
fn is_connections(name: &str) -> bool {
    matches!(name, "connection" | "transfer-encoding" | "keep-alive")
}

/// What was seen while fields were written.
struct Seen {
    date: bool,
    length: bool,
}

fn write_fields(out: &mut Vec<u8>, head: &response::Parts, body: &Observed, bodiless: bool) -> Seen {
    let (marks, mut seen) = (body.marks(), Seen { date: false, length: false });
    let tells_length = bodiless && head.status != StatusCode::NO_CONTENT;
    for (name, value) in &head.headers {
        match name.as_str() {
            // The length of a body that is not sent is the upstream's to tell (RFC 9110, 8.6).
            "content-length" if tells_length && !seen.length => seen.length = true,
            "content-length" => continue,
            "date" => seen.date = true,
            other if is_connections(other) || marks.replaces(other.as_bytes()) => continue,
            _ => {}
        }
        write_field(out, name, value.as_bytes());
    }
    seen
}

/// What is to be written first, and then `lines`; most often there is nothing before them.
fn behind(mut first: Out, lines: Out) -> Out {
    if first.is_empty() {
        return lines;
    }
    first.bytes().extend_from_slice(lines.left());
    first
}

fn write_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    write_number(out, length);
    out.extend_from_slice(b"\r\n");
}
