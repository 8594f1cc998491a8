//! What the bench of the stages measures of HTTP/1.1 towards upstreams. Nothing else uses it.

use super::decode::{self, Question};
use super::encode;
use crate::upstream::{Head, Outgoing, Service};
use crate::wire::{Out, Scratch};
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
pub fn read(buffer: &mut BytesMut, scratch: &Scratch) -> Option<Response<()>> {
    let question = Question { method: &Method::GET, upgrade: None };
    decode::head(buffer, question, scratch).ok().flatten().map(|answered| answered.response)
}
