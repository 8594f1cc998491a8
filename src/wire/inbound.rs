//! A client's body on its way in, over either protocol.

use super::Error;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Why a client's body ended early.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Over HTTP/1.1.
    #[error(transparent)]
    H1(#[from] Error),
    /// Over HTTP/2.
    #[error(transparent)]
    H2(#[from] hyper::Error),
}

/// A client's body.
pub enum Inbound {
    /// None.
    Empty,
    /// Read from an HTTP/1.1 connection as it is polled.
    H1(Box<dyn Body<Data = Bytes, Error = Error> + Unpin>),
    /// An HTTP/2 stream's.
    H2(Incoming),
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::H1(_) => "H1",
            Self::H2(_) => "H2",
        })
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::H1(body) => Pin::new(body).poll_frame(cx).map_err(Broken::H1),
            Self::H2(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Broken::H2),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::H1(body) => body.is_end_stream(),
            Self::H2(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::H1(body) => body.size_hint(),
            Self::H2(incoming) => incoming.size_hint(),
        }
    }
}
