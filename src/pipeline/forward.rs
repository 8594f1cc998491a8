//! Stage 8: to the upstream and back.

use super::Worker;
use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::swap::Outbound;
use crate::upstream::body::Passage;
use crate::upstream::{Outgoing, Service, UpstreamError};
use http::Response;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, PROXY_AUTHENTICATE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use std::rc::Rc;
use std::sync::Arc;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Sends a request to its upstream.
///
/// # Errors
/// 502 and 504 when there is no answer; 400 and 413 when it is the client's body that failed.
pub(super) async fn send(
    worker: &Worker,
    service: &Arc<Service>,
    outbound: Outbound,
    body: Outgoing,
    passage: &Rc<Passage>,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    trail.sent_to(&service.name);
    let sent = service.send(&worker.pools, &worker.deadlines, outbound.head(), body).await;
    trail.request_bytes(passage.bytes.get());
    trail.upstream_time = Some(worker.shared.clock.now().since(trail.at()));
    let mut response = sent.map_err(|error| refused(error, passage))?;
    strip(response.headers_mut());
    if response.headers().contains_key(TRAILER) {
        response.headers_mut().remove(CONTENT_LENGTH);
        response.body_mut().expect_trailers();
    }
    Ok(response.map(Payload::Upstream))
}

/// Whose fault it is that an exchange failed.
fn refused(error: UpstreamError, passage: &Passage) -> Reject {
    if passage.too_large.get() {
        return Reject::BodyTooLarge;
    }
    if passage.broke.get() {
        return Reject::BodyBroke;
    }
    Reject::Upstream(error)
}

/// Removes hop-by-hop fields from an answer (RFC 9110, 7.6.1).
fn strip(headers: &mut HeaderMap) {
    if let Some(connection) = headers.remove(CONNECTION) {
        let listed = connection.to_str().unwrap_or_default().split(',');
        for name in listed.filter_map(|name| name.trim().parse::<HeaderName>().ok()) {
            headers.remove(name);
        }
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &PROXY_AUTHENTICATE] {
        headers.remove(name);
    }
}
