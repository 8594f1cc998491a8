//! New connections: names, TCP, TLS.

use super::{Pools, Service, Target, UpstreamError};
use crate::config::Scheme;
use crate::deadline::Deadlines;
use hyper_util::rt::TokioIo;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A byte stream to an endpoint.
pub(super) type Io = TokioIo<Stream>;

/// Plain or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<super::tls::Stream>),
}

/// A new stream, and whether HTTP/2 was agreed on.
pub(super) struct Connected {
    pub(super) io: Io,
    pub(super) h2: bool,
}

/// Connects within `timeouts.connect`, TLS included.
pub(super) async fn connect(
    service: &Service,
    target: &Target,
    pools: &Pools,
    deadlines: &Deadlines,
) -> Result<Connected, UpstreamError> {
    match deadlines.within(service.timeouts.connect, dial(target, pools)).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(source)) => {
            Err(UpstreamError::Connect { endpoint: target.authority.clone(), source: source.into() })
        }
        Err(_) => Err(UpstreamError::ConnectTimeout(target.authority.clone())),
    }
}

async fn dial(target: &Target, pools: &Pools) -> std::io::Result<Connected> {
    let endpoint = &target.endpoint;
    let tcp = TcpStream::connect((&*endpoint.host, endpoint.port)).await?;
    tcp.set_nodelay(true)?;
    let (stream, h2) = match endpoint.scheme {
        Scheme::Http => (Stream::Plain(tcp), false),
        Scheme::H2c => (Stream::Plain(tcp), true),
        Scheme::Https => {
            let (tls, h2) = pools.tls.handshake(&endpoint.host, tcp).await?;
            (Stream::Tls(Box::new(tls)), h2)
        }
    };
    Ok(Connected { io: TokioIo::new(stream), h2 })
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
