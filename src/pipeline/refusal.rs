//! Answers to what is refused, and the fields that every answer carries.

use super::builtin::own;
use super::observe::Payload;
use super::reject::Reject;
use super::route::{Routed, Router};
use crate::config::Dialect;
use crate::dialect::{self, Fault, Rendered};
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

/// The answer to a refused request, in a dialect.
pub(super) fn answer(dialect: Dialect, reject: &Reject) -> Response<Payload> {
    let Rendered { content_type, body } = dialect::render(dialect, &reject.fault());
    let mut response = own(reject.status(), content_type, body);
    let headers = response.headers_mut();
    if reject.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = reject.retry_after_s() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Reject::MethodNotAllowed(methods) = reject {
        headers.insert(ALLOW, allow(methods));
    }
    if reject.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to a CORS preflight: what the path has, and nothing about other origins.
///
/// # Errors
/// Why the path has nothing, where that is so.
pub(super) fn preflight(routed: Result<Routed<'_>, Reject>) -> Result<Response<Payload>, Reject> {
    let methods = match routed {
        Ok(routed) => routed.route.config.methods.clone(),
        Err(Reject::MethodNotAllowed(methods)) => methods,
        Err(reject) => return Err(reject),
    };
    let mut response = Response::new(Payload::Own(Full::new(Bytes::new())));
    *response.status_mut() = StatusCode::NO_CONTENT;
    if !methods.is_empty() {
        response.headers_mut().insert(ALLOW, allow(&methods));
    }
    Ok(response)
}

fn allow(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// Why a connection's bytes never became a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// They are not HTTP.
    Malformed,
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

    /// A whole HTTP/1.1 answer, after which the connection closes. `head` is what of the request's head was seen.
    pub fn answer(self, router: &Router, head: &[u8], request_id: &HeaderValue) -> Vec<u8> {
        let target = head.split(|&b| b == b' ').nth(1).and_then(|target| std::str::from_utf8(target).ok());
        let path = target.unwrap_or_default().split(['?', '#', '\r']).next().unwrap_or_default();
        let fault = self.fault();
        let Rendered { content_type, body } = dialect::render(router.dialect_of(path), &fault);
        let mut answer = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {}\r\nconnection: close\r\n\r\n",
            fault.status.as_u16(),
            fault.status.canonical_reason().unwrap_or_default(),
            content_type.to_str().unwrap_or_default(),
            body.len(),
            request_id.to_str().unwrap_or_default(),
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        answer
    }
}
