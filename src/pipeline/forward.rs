//! Stage 8: to the upstream and back.

use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::swap::Outbound;
use super::{Peer, Worker};
use crate::upstream::body::Passage;
use crate::upstream::{Errand, Outgoing, Service, UpstreamError};
use http::Response;
use http::header::{CONTENT_LENGTH, TRAILER};
use std::sync::Arc;

/// Sends a request to its upstream.
///
/// # Errors
/// 502, 503 and 504 when there is no answer; 400 and 413 when it is the client's body that failed.
pub(super) async fn send(
    worker: &Worker,
    peer: &Peer,
    service: &Arc<Service>,
    outbound: Outbound,
    body: Outgoing,
    passage: Option<&Passage>,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    trail.sent_to(&service.name);
    let head = outbound.head();
    let from = service.asks_for_address().then(|| peer.client(&head.client));
    let errand = Errand { pools: &worker.pools, deadlines: &worker.deadlines, head, from, response: None };
    let sent = service.send(errand, body).await;
    worker.pools.scratch.recycle(outbound.into_fields());
    if let Some(passage) = passage {
        trail.request_bytes(passage.bytes.get());
    }
    trail.upstream_time = Some(worker.shared.clock.now().since(trail.at()));
    let mut response = sent.map_err(|error| refused(error, passage))?;
    if response.headers().contains_key(TRAILER) {
        response.headers_mut().remove(CONTENT_LENGTH);
        response.body_mut().expect_trailers();
    }
    Ok(response.map(Payload::Upstream))
}

/// Whose fault it is that an exchange failed.
fn refused(error: UpstreamError, passage: Option<&Passage>) -> Reject {
    match passage {
        Some(passage) if passage.too_large.get() => Reject::BodyTooLarge,
        Some(passage) if passage.broke.get() => Reject::BodyBroke,
        _ => Reject::Upstream(error),
    }
}
