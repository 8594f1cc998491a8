//! A client's byte stream: plain or TLS, with what was read ahead, and with our own text where hyper would answer
//! an unreadable request with an empty one.

use super::watch::Watch;
use crate::pipeline::{Early, Worker};
use bytes::{Buf, Bytes};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Plain or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<super::tls::ServerStream>),
}

/// A client's byte stream.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    /// Read ahead, to tell HTTP/2 from HTTP/1.1.
    ahead: Bytes,
    /// Our answer in place of hyper's, as far as it is not written yet.
    instead: Bytes,
    watch: Rc<Watch>,
    worker: Rc<Worker>,
    now_ns: Rc<Cell<u64>>,
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        ahead: Bytes,
        watch: Rc<Watch>,
        worker: Rc<Worker>,
        now_ns: Rc<Cell<u64>>,
    ) -> Self {
        watch.received(&ahead, now_ns.get());
        Self { stream, ahead, instead: Bytes::new(), watch, worker, now_ns }
    }

    /// The answer to a request that never became one.
    pub(super) fn early(&self, early: Early) -> Bytes {
        let snapshot = self.worker.snapshot();
        early.answer(&snapshot.router, &self.watch.head(), &self.worker.request_id()).into()
    }

    /// What to write instead of `buffer`, if that is hyper's own answer to bytes that it could not read. Every answer
    /// of the pipeline carries a request id, hyper's carry none. A piece of an answer's body can look like hyper's head,
    /// so nothing is replaced while an answer is being written.
    fn replacement(&self, buffer: &[u8]) -> Option<Bytes> {
        if !self.watch.is_quiet() {
            return None;
        }
        if !buffer.starts_with(b"HTTP/1.1 4") || memchr::memmem::find(buffer, b"x-request-id: ").is_some() {
            return None;
        }
        let early = match buffer.get(9..12) {
            Some(b"431") => Early::HeadTooLarge,
            Some(b"414") => Early::TargetTooLong,
            Some(b"408") => Early::Slow,
            _ => Early::Malformed,
        };
        Some(self.early(early))
    }

    fn watched<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.watch.wrote(polled.is_pending(), self.now_ns.get());
        polled
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let polled = self.stream.poll_write(cx, &self.instead);
            let written = ready!(self.watched(polled))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(this.stream.poll_read(cx, buf))?;
        this.watch.received(&buf.filled()[before..], this.now_ns.get());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(instead) = this.replacement(buf) {
            this.instead = instead;
            return Poll::Ready(Ok(buf.len()));
        }
        ready!(this.poll_instead(cx))?;
        let polled = this.stream.poll_write(cx, buf);
        this.watched(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = bufs.first().map_or(&[][..], |buf| buf);
        if let Some(instead) = this.replacement(first) {
            this.instead = instead;
            return Poll::Ready(Ok(first.len()));
        }
        ready!(this.poll_instead(cx))?;
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.watched(polled)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        match &mut this.stream {
            Stream::Plain(stream) => ready!(Pin::new(stream).poll_flush(cx))?,
            Stream::Tls(stream) => {
                let polled = Pin::new(stream).poll_flush(cx);
                ready!(this.watched(polled))?;
            }
        }
        this.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
