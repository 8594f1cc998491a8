//! The heads that are written to an HTTP/1.1 upstream, with the coding that a body's length allows (RFC 9112, 6).

use super::super::{Head, Outgoing, Target};
use crate::wire::{Coding, write_field};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method};
use http_body::Body;

/// Writes a request's head.
pub(super) fn head(out: &mut Vec<u8>, target: &Target, head: &Head, body: &Outgoing) -> Coding {
    out.reserve(2048);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(head.target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(out, &HOST, target.host.as_bytes());
    head.write_fields(out);
    let coding = framing(out, &head.method, body);
    out.extend_from_slice(b"\r\n");
    coding
}

fn framing(out: &mut Vec<u8>, method: &Method, body: &Outgoing) -> Coding {
    match body.size_hint().exact() {
        // A length where a body would be expected, none where one would surprise (RFC 9110, 8.6).
        Some(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => Coding::Plain,
        Some(length) => {
            write_field(out, &CONTENT_LENGTH, HeaderValue::from(length).as_bytes());
            Coding::Plain
        }
        None => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Coding::Chunked
        }
    }
}
