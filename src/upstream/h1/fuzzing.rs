//! What the fuzz targets try of HTTP/1.1 towards upstreams. Nothing else uses it.

use super::decode::{self, Question};
use crate::wire::{Error, Framing, Scratch};
use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

/// An answer's head.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, where they are not in `lines`.
    pub fields: HeaderMap,
    /// Its beginning as it goes on to the client.
    pub lines: Option<Vec<u8>>,
    /// How its body is delimited.
    pub framing: Framing,
    /// Whether the connection may serve another request.
    pub keep: bool,
}

/// Takes the head of an answer to a request with this method out of the buffer; `None` when it is not complete.
///
/// # Errors
/// [`Error::Malformed`]
pub fn answer(
    buffer: &mut BytesMut,
    method: &Method,
    as_lines: bool,
    scratch: &Scratch,
) -> Result<Option<Answer>, Error> {
    let question = Question { method, upgrade: None, lines: as_lines.then_some(|_| false) };
    Ok(decode::head(buffer, question, scratch)?.map(|answered| Answer {
        status: answered.status,
        fields: answered.fields,
        lines: answered.lines.map(|lines| lines.out.left().to_vec()),
        framing: answered.framing,
        keep: answered.keep,
    }))
}
