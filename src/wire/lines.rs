//! The beginning of an HTTP/1.1 answer as lines: what one side has read and the other can write as it stands.

use super::{Out, Scratch};
use http::StatusCode;

/// Status line and field lines of an answer, without those that say how its body is delimited, and without the empty line
/// that ends the head.
#[derive(Debug)]
pub struct Lines {
    /// The bytes. Whoever goes on with them writes the rest of the answer behind them.
    pub out: Out,
    /// A `Date` is among them.
    pub dated: bool,
}

impl Lines {
    /// Begins with the status line.
    pub fn new(scratch: &Scratch, status: StatusCode) -> Self {
        let mut out = scratch.out();
        write_status(out.bytes(), status);
        Self { out, dated: false }
    }
}

/// The status line of an answer in HTTP/1.1.
pub fn write_status(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}
