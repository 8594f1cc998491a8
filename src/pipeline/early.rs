//! Answers to bytes that never became a request: in the dialect of the path, as far as it was read, and recorded like
//! any other answer.

use super::builtin::own;
use super::observe::{Observed, Trail};
use super::{Peer, Worker};
use crate::dialect::{self, Fault, Rendered};
use crate::wire::Request;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Method, Response, StatusCode, Uri, request};
use std::rc::Rc;

/// Longest method that is taken for one when the rest of the head is not.
const LONGEST_METHOD: usize = 32;
/// Bytes of a path that are logged when the rest of the head is none.
const LONGEST_PATH: usize = 1024;

/// Why a connection's bytes never became a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// They are not HTTP, or could be read in two ways.
    Malformed,
    /// A version of HTTP that is not spoken here, or not so.
    Version,
    /// The head is larger than can be read.
    HeadTooLarge,
    /// The request line is longer than can be read.
    TargetTooLong,
    /// The head did not come in time.
    Slow,
}

impl Early {
    fn fault(self) -> Fault<'static> {
        let (status, message) = match self {
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "The request is not well-formed HTTP. Check its request line and header fields.",
            ),
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "This server speaks HTTP/1.1 and HTTP/2. Name HTTP/1.1 in the request line.",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request line and header fields are larger than this server accepts.",
            ),
            Self::TargetTooLong => {
                (StatusCode::URI_TOO_LONG, "The request target is longer than this server accepts.")
            }
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "The request's head did not arrive in time."),
        };
        Fault { status, message, field: None }
    }

    /// A short name for the log.
    fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::HeadTooLarge => "head_too_large",
            Self::TargetTooLong => "target_too_long",
            Self::Slow => "slow_head",
        }
    }

    /// The answer, after which the connection closes. `head` is what of the request's head was seen.
    pub fn answer(self, worker: &Rc<Worker>, peer: &Peer, head: &[u8]) -> Response<Box<Observed>> {
        let (now, snapshot) = (worker.shared.clock.now(), worker.snapshot());
        let request = Request::of(guess(head), &worker.pools.scratch);
        let found = snapshot.router.nowhere(&request.target, &request.fields);
        let mut trail = Trail::begin(worker, &snapshot, peer, &request, &found, now);
        trail.answered(None, Some(self.code()));
        let fault = self.fault();
        let Rendered { content_type, body } = dialect::render(found.api.config.dialect, &fault);
        let mut response = own(fault.status, content_type, body);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        trail.follow(response)
    }
}

/// The request that a broken head was most likely meant to be: for its dialect and for the log, and for nothing else.
fn guess(head: &[u8]) -> request::Parts {
    let mut words = head.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let method = words.next().filter(|word| word.len() <= LONGEST_METHOD);
    let method = method.and_then(|word| Method::from_bytes(word).ok());
    let (mut request, ()) = http::Request::new(()).into_parts();
    // No method has this name; metrics count it among the others.
    request.method = method.or_else(|| Method::from_bytes(b"-").ok()).unwrap_or_default();
    request.uri = words.next().map(target).unwrap_or_default();
    if let Some(host) = host(head) {
        request.headers.insert(HOST, host);
    }
    request
}

/// The host, as far as it was read.
fn host(head: &[u8]) -> Option<HeaderValue> {
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let mut fields = lines.filter_map(|line| line.split_at_checked(line.iter().position(|&b| b == b':')?));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(b"host"))?;
    HeaderValue::from_bytes(value[1..].trim_ascii()).ok()
}

/// The target as far as it is one; its query is cut off, because it may hold what no log may.
fn target(word: &[u8]) -> Uri {
    let whole = Uri::try_from(word).ok().filter(|uri| uri.path().len() <= LONGEST_PATH);
    let legible = |byte: &&u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(byte);
    let path = || {
        let length = word.iter().take(LONGEST_PATH).take_while(legible).count();
        Uri::try_from(&word[..length]).unwrap_or_default()
    };
    whole.unwrap_or_else(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_head_is_named_as_far_as_it_was_read() {
        for (head, method, path) in [
            ("GET /v1/a?key=x HTTP/1.1\r\nbad", "GET", "/v1/a"),
            ("GET /v1/a\x01b HTTP/1.1", "GET", "/v1/a"),
            ("POST http://a/v1/b HTTP/1.1", "POST", "/v1/b"),
            ("GET /v1\r\n", "GET", "/v1"),
            ("\x16\x03\x01", "-", "/"),
            ("", "-", "/"),
        ] {
            let request = guess(head.as_bytes());
            assert_eq!((request.method.as_str(), request.uri.path()), (method, path), "{head:?}");
        }
        let long = format!("GET /{} HTTP/1.1", "a".repeat(100_000));
        assert_eq!(guess(long.as_bytes()).uri.path().len(), LONGEST_PATH);
    }
}
