//! A client's body on its way in, over either protocol.

use super::Error;
use bytes::Bytes;
use http::HeaderValue;
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
    /// None, and the wish to go on in another protocol.
    Upgrade(Box<Upgrade>),
}

/// A client's wish to go on in another protocol on the same connection (RFC 9110, 7.8) or stream (RFC 8441).
pub struct Upgrade {
    /// The protocol, as the client spells it.
    pub protocol: HeaderValue,
    /// The wish came as an extended `CONNECT`: there is no ordinary request in it that could be answered instead.
    pub extended: bool,
    /// What the client sends once the protocol is switched.
    bytes: Box<dyn Body<Data = Bytes, Error = Error> + Unpin>,
    switched: bool,
}

impl Upgrade {
    /// Nothing is read of `bytes` before [`switch`](Self::switch).
    pub fn new(
        protocol: HeaderValue,
        extended: bool,
        bytes: Box<dyn Body<Data = Bytes, Error = Error> + Unpin>,
    ) -> Self {
        Self { protocol, extended, bytes, switched: false }
    }

    /// The other side has agreed: what the client sends from now on is a body.
    pub fn switch(&mut self) {
        self.switched = true;
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upgrade to {:?}", self.protocol)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::H1(_) => "H1",
            Self::H2(_) => "H2",
            Self::Upgrade(_) => "Upgrade",
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
            Self::Upgrade(upgrade) if upgrade.switched => {
                Pin::new(&mut upgrade.bytes).poll_frame(cx).map_err(Broken::H1)
            }
            Self::Upgrade(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::H1(body) => body.is_end_stream(),
            Self::H2(incoming) => incoming.is_end_stream(),
            Self::Upgrade(upgrade) => !upgrade.switched,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::H1(body) => body.size_hint(),
            Self::H2(incoming) => incoming.size_hint(),
            Self::Upgrade(upgrade) if upgrade.switched => SizeHint::default(),
            Self::Upgrade(_) => SizeHint::with_exact(0),
        }
    }
}
