//! What the bench of the stages measures of HTTP/1.1 towards upstreams. Nothing else uses it.

use super::decode::{self, Question};
use super::encode;
use crate::upstream::{Head, Outgoing, Service};
use crate::wire::{Lines, Out, Scratch};
use bytes::BytesMut;
use http::{Method, Response};

/// Writes a request's head, for the first of the service's endpoints.
pub fn write(mut out: Out, service: &Service, head: &Head) -> Out {
    if let Some(target) = service.targets().first() {
        encode::head(out.bytes(), target, head, &Outgoing::Empty);
    }
    out
}

/// Reads an answer's head.
pub fn read(buffer: &mut BytesMut, scratch: &Scratch) -> Option<Response<Option<Lines>>> {
    let question = Question { method: &Method::GET, upgrade: None, lines: Some(|_| false) };
    let answered = decode::head(buffer, question, scratch).ok().flatten()?;
    let mut response = Response::new(answered.lines);
    *response.status_mut() = answered.status;
    *response.headers_mut() = answered.fields;
    Some(response)
}
