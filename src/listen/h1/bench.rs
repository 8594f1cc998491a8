//! What the bench of the stages measures of HTTP/1.1 towards clients. Nothing else uses it.

use super::answer::Answer;
use super::head::{self, Wishes};
use crate::pipeline::Observed;
use crate::wire::{Out, Request, Scratch};
use bytes::BytesMut;
use http::Response;

/// Reads a request's head.
pub fn read(buffer: &mut BytesMut, scratch: &Scratch) -> Option<Request> {
    head::parse(buffer, scratch).ok().flatten().map(|asked| asked.request)
}

/// Writes an answer's head.
pub fn write(out: Out, response: Response<Box<Observed>>, date: &[u8]) -> impl Sized + use<> {
    let (head, body) = response.into_parts();
    Answer::new(out, &head, body, Wishes { keep: true, ..Wishes::UNKNOWN }, date, &mut true)
}
