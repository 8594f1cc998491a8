//! Answers that send a client elsewhere. Where to is the configuration's to say: of the request, only segments of the path
//! that was matched, a host that is one of those named, and the query get into it.

use super::observe::Payload;
use super::rewrite;
use super::route::{Routed, host_of};
use crate::config::{Origin, Redirect};
use crate::wire::{Fields, Target};
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response};
use http_body_util::Full;

/// The answer.
pub(super) fn answer(
    redirect: &Redirect,
    routed: &Routed<'_>,
    target: &Target,
    fields: &Fields,
) -> Response<Payload> {
    let path = rewrite::fill(&redirect.path, routed.path.as_deref().unwrap_or_else(|| target.path()));
    let origin = match &redirect.origin {
        Origin::Same => String::new(),
        Origin::Fixed(origin) => origin.to_string(),
        // The route is served on hosts that are named, and this is one of them.
        Origin::Asked(scheme) => {
            format!("{scheme}://{}", host_of(target, fields).unwrap_or_default())
        }
    };
    to(redirect.status, &origin, &path, target.query())
}

/// An answer with this place, and with no body: it is for programs.
fn to(status: http::StatusCode, origin: &str, path: &str, query: Option<&str>) -> Response<Payload> {
    let place = match query {
        Some(query) => format!("{origin}{path}?{query}"),
        None => format!("{origin}{path}"),
    };
    let mut response = Response::new(Payload::Own(Full::new(Bytes::new())));
    *response.status_mut() = status;
    // Paths, hosts and queries are visible ASCII by now.
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// Sends a client of a plain listener to the same place over TLS, on the usual port; none where the request names no
/// host that could be asked for.
pub(super) fn to_https(target: &Target, fields: &Fields) -> Option<Response<Payload>> {
    let host = host_of(target, fields)?;
    let path = super::path::normalise(target.path()).ok()?;
    Some(to(http::StatusCode::PERMANENT_REDIRECT, &format!("https://{host}"), &path, target.query()))
}
