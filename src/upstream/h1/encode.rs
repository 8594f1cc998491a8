//! What is written to an HTTP/1.1 upstream: heads, and bodies in the coding that their length allows (RFC 9112, 6).

use super::super::head::write_field;
use super::super::{Head, Outgoing, Target};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// By `Content-Length`, or there is none.
    Length,
    /// By chunks.
    Chunked,
}

/// Writes a request's head.
pub(super) fn head(out: &mut BytesMut, target: &Target, head: &Head, body: &Outgoing) -> Coding {
    out.reserve(2048);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(head.target.path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(out, &HOST, &target.host);
    head.write_fields(out);
    let coding = framing(out, &head.method, body);
    out.extend_from_slice(b"\r\n");
    coding
}

fn framing(out: &mut BytesMut, method: &Method, body: &Outgoing) -> Coding {
    match body.size_hint().exact() {
        // A length where a body would be expected, none where one would surprise (RFC 9110, 8.6).
        Some(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => Coding::Length,
        Some(length) => {
            write_field(out, &CONTENT_LENGTH, &HeaderValue::from(length));
            Coding::Length
        }
        None => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Coding::Chunked
        }
    }
}

/// Writes a piece of a body.
pub(super) fn data(out: &mut BytesMut, coding: Coding, data: &Bytes) {
    match coding {
        Coding::Length => out.extend_from_slice(data),
        // An empty chunk would end the body.
        Coding::Chunked if data.is_empty() => {}
        Coding::Chunked => {
            out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Writes a body's end, with its trailers.
pub(super) fn end(out: &mut BytesMut, coding: Coding, trailers: Option<&HeaderMap>) {
    if coding == Coding::Length {
        return;
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        write_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}
