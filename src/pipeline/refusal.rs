//! Answers to what is refused, and the fields that every answer carries.

use super::builtin::own;
use super::observe::Payload;
use super::reject::Reject;
use super::route::{Routed, RoutedApi};
use crate::config::Dialect;
use crate::dialect::{self, Rendered};
use crate::wire::Fields;
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

/// The answer to a CORS preflight: what the API says of other origins; else what the path has, and nothing about them. A
/// page learns of a path that is not there by the request itself.
///
/// # Errors
/// Why the path has nothing, where that is so.
pub(super) fn preflight(
    api: &RoutedApi,
    fields: &Fields,
    routed: Result<Routed<'_>, Reject>,
) -> Result<Response<Payload>, Reject> {
    if let (Some(cors), Ok(_) | Err(Reject::NoRoute | Reject::MethodNotAllowed(_))) = (&api.cors, &routed) {
        return Ok(cors.preflight(fields));
    }
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
