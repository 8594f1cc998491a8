//! What a gRPC client is told of refusals: it reads a status of its own in header fields or trailers, whatever the
//! status of the HTTP answer, and no body.

use super::observe::Payload;
use super::reject::Reject;
use crate::wire::Request;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request is a call of gRPC, which HTTP/2 alone carries.
pub(super) fn is_call(request: &Request) -> bool {
    let kind = || request.fields.get(&CONTENT_TYPE).unwrap_or_default();
    request.version == Version::HTTP_2
        && kind().strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// The refusal of a call: an answer of trailers only. Its status is for the log; the client is sent 200.
pub(super) fn answer(refused: Response<Payload>, reject: &Reject) -> Response<Payload> {
    let (mut head, _) = refused.into_parts();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers.extend(trailers(reject));
    Response::from_parts(head, Payload::Own(Full::new(Bytes::new())))
}

/// The trailers that end a call.
pub(super) fn trailers(reject: &Reject) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(GRPC_STATUS.clone(), HeaderValue::from(status(reject.status())));
    if let Ok(message) = HeaderValue::try_from(encoded(reject.message())) {
        trailers.insert(GRPC_MESSAGE.clone(), message);
    }
    trailers
}

/// The status codes of gRPC that say what ours do.
fn status(status: StatusCode) -> u16 {
    match status.as_u16() {
        // INVALID_ARGUMENT
        400 | 415 | 417 => 3,
        // DEADLINE_EXCEEDED
        408 | 504 => 4,
        // PERMISSION_DENIED
        403 => 7,
        // RESOURCE_EXHAUSTED
        413 | 429 | 431 => 8,
        // UNIMPLEMENTED
        404 | 405 | 501 => 12,
        // INTERNAL
        500 => 13,
        // UNAVAILABLE
        502 | 503 => 14,
        // UNAUTHENTICATED
        401 => 16,
        // UNKNOWN
        _ => 2,
    }
}

/// Printable ASCII as it is, the rest and the percent sign escaped, as gRPC has it.
fn encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Scratch;

    #[test]
    fn calls_are_told_by_their_type() {
        let is = |kind: &str, version| {
            let request = http::Request::builder().version(version).header(CONTENT_TYPE, kind).body(());
            is_call(&Request::of(request.unwrap().into_parts().0, &Scratch::default()))
        };
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc;charset=x"] {
            assert!(is(kind, Version::HTTP_2), "{kind}");
        }
        assert!(!is("application/grpc", Version::HTTP_11));
        assert!(!is("application/grpc-web", Version::HTTP_2));
        assert!(!is("application/json", Version::HTTP_2));
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(encoded("a '%' ä"), "a '%25' %C3%A4");
    }
}
