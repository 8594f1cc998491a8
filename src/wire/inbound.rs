//! A client's body on its way in, over either protocol.

use super::{Error, Pace, Received};
use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Why a client's body ended early.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Over HTTP/1.1.
    #[error(transparent)]
    H1(#[from] Error),
    /// Over HTTP/2.
    #[error(transparent)]
    H2(#[from] h2::Error),
    /// Not a client's: an endpoint's, over HTTP/2.
    #[error(transparent)]
    Endpoint(#[from] hyper::Error),
    /// It came more slowly than `limits.body_timeout` and `limits.min_body_rate` of its listener allow.
    #[error("the body came too slowly")]
    Slow,
}

/// A client's body.
pub enum Inbound {
    /// None.
    Empty,
    /// Read from an HTTP/1.1 connection as it is polled.
    H1(Box<Paced<dyn Body<Data = Bytes, Error = Error> + Unpin>>),
    /// An HTTP/2 stream's.
    H2(Box<Paced<Received>>),
    /// None, and the wish to go on in another protocol.
    Upgrade(Box<Upgrade>),
}

/// A body whose client is held to a pace.
#[derive(Debug)]
pub struct Paced<B: ?Sized> {
    pace: Pace,
    body: B,
}

impl<B> Paced<B> {
    /// Holds the client of `body` to `pace`.
    pub fn new(pace: Pace, body: B) -> Box<Self> {
        Box::new(Self { pace, body })
    }
}

impl<B> Paced<B>
where
    B: Body<Data = Bytes> + Unpin + ?Sized,
    Broken: From<B::Error>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.pace.came(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::from)))
            }
            Poll::Pending => {
                ready!(self.pace.wait(cx));
                Poll::Ready(Some(Err(Broken::Slow)))
            }
        }
    }
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
            Self::H1(paced) => paced.poll(cx),
            Self::H2(paced) => paced.poll(cx),
            Self::Upgrade(upgrade) if upgrade.switched => {
                Pin::new(&mut upgrade.bytes).poll_frame(cx).map_err(Broken::H1)
            }
            Self::Upgrade(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::H1(paced) => paced.body.is_end_stream(),
            Self::H2(paced) => paced.body.is_end_stream(),
            Self::Upgrade(upgrade) => !upgrade.switched,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::H1(paced) => paced.body.size_hint(),
            Self::H2(paced) => paced.body.size_hint(),
            Self::Upgrade(upgrade) if upgrade.switched => SizeHint::default(),
            Self::Upgrade(_) => SizeHint::with_exact(0),
        }
    }
}
