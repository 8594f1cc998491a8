//! HTTP/1.1 on the wire (RFC 9112): what its server side and its client side have in common.
//!
//! A client's request has its head in [`Request`]. [`fields`] reads and writes field lines, [`framing`] delimits bodies, [`Scratch`] is the memory that a worker's
//! connections share, so that one that waits has none of its own. [`Inbound`] is a client's body, whatever its protocol,
//! and [`Pace`] how slowly it may come.

mod fields;
mod framing;
mod inbound;
mod lines;
mod names;
mod pace;
mod received;
mod request;
mod scratch;
mod section;
mod stream;

pub use fields::{MOST_FIELDS, Spans, length, write_field, write_number};
pub use framing::{Chunk, Coding, Framing, Piece, piece, release};
pub use inbound::{Broken, Inbound, Paced, Upgrade};
pub use lines::{Lines, write_status};
pub use names::Name;
pub use pace::Pace;
pub use received::Received;
pub use request::{Request, Target};
pub use scratch::{Out, Scratch};
pub use section::{Fields, text};
pub use stream::Stream;

/// Why a message can not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] std::io::Error),
    /// It was closed before the message was complete.
    #[error("the connection was closed before the message was complete")]
    Closed,
    /// What came is not a message as RFC 9112 describes it.
    #[error("the message is not well-formed HTTP/1.1: {0}")]
    Malformed(&'static str),
}
