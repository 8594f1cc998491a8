//! A connection's byte stream as HTTP/2 wants it: what several streams say goes out in one system call.

use super::super::Stream;
use super::super::tls::ServerStream;
use super::super::watch::Watch;
use bytes::{Buf, BytesMut};
use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A client's byte stream with what was read ahead, to tell the protocol; the watch sees whether the client reads.
#[derive(Debug)]
pub(super) struct Io {
    pub(super) stream: Stream,
    pub(super) ahead: BytesMut,
    pub(super) watch: Rc<Watch>,
    pub(super) news: Rc<News>,
}

/// When something came on a connection; for those who look at it from outside of the library.
#[derive(Debug)]
pub(super) struct News {
    /// Nothing more comes in this turn of the connection's task: the system is not asked before the next.
    pub(super) read_dry: Cell<bool>,
    /// When the last bytes came; monotonic nanoseconds.
    pub(super) heard_ns: Cell<u64>,
    /// Monotonic nanoseconds at the last tick.
    pub(super) now_ns: Rc<Cell<u64>>,
}

impl Io {
    fn watched<T>(
        &self,
        polled: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        self.watch.wrote(&polled, taken, self.news.now_ns.get());
        polled
    }

    /// Encrypts what is to be written; it is sent when it is flushed, or when there is too much of it.
    fn poll_encrypt(
        &mut self,
        cx: &mut Context<'_>,
        mut encrypt: impl FnMut(&mut ServerStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Stream::Tls(tls) = &mut self.stream else { return Poll::Ready(Ok(0)) };
            match encrypt(tls)? {
                // It holds as much as it may.
                0 => ready!(self.poll_send(cx))?,
                taken => return Poll::Ready(Ok(taken)),
            }
        }
    }

    /// Sends what is encrypted.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Stream::Tls(tls) = &mut self.stream else { return Poll::Ready(Ok(())) };
            let (tcp, session) = tls.get_mut();
            if !session.wants_write() {
                return Poll::Ready(Ok(()));
            }
            let sent = match session.write_tls(&mut Sink { tcp, cx }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                sent => Poll::Ready(sent),
            };
            if ready!(self.watched(sent, |taken| *taken))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead[..length]);
            this.ahead.advance(length);
            return Poll::Ready(Ok(()));
        }
        if this.news.read_dry.get() {
            // Whoever is to be woken is known since it was found to be so.
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        match polled {
            Poll::Ready(_) => this.news.heard_ns.set(this.news.now_ns.get()),
            Poll::Pending => this.news.read_dry.set(true),
        }
        polled
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Stream::Plain(tcp) = &mut this.stream else {
            return this.poll_encrypt(cx, |tls| tls.get_mut().1.writer().write(buf));
        };
        let polled = Pin::new(tcp).poll_write(cx, buf);
        this.watched(polled, |taken| *taken)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let Stream::Plain(tcp) = &mut this.stream else {
            return this.poll_encrypt(cx, |tls| tls.get_mut().1.writer().write_vectored(bufs));
        };
        let polled = Pin::new(tcp).poll_write_vectored(cx, bufs);
        this.watched(polled, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A plain stream holds nothing back.
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A socket as the library for TLS writes to it.
struct Sink<'a, 'c> {
    tcp: &'a mut TcpStream,
    cx: &'a mut Context<'c>,
}

impl Sink<'_, '_> {
    fn said<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
        match polled {
            Poll::Ready(said) => said,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::said(Pin::new(&mut *self.tcp).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::said(Pin::new(&mut *self.tcp).poll_write_vectored(self.cx, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
