//! Stage 8: to the upstream and back.

use super::Worker;
use super::exchange::Cut;
use super::mirror::Copy;
use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::swap::Outbound;
use crate::upstream::body::Passage;
use crate::upstream::{Answer, Errand, Outgoing, Service, UpstreamError};
use http::Response;
use http::header::{CONTENT_LENGTH, TRAILER};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Sends a request to its upstream.
///
/// # Errors
/// 502, 503 and 504 when there is no answer; 400, 408 and 413 when it is the client's body that failed.
pub(super) async fn send(
    worker: &Worker,
    from: IpAddr,
    service: &Arc<Service>,
    outbound: Outbound,
    body: Outgoing,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    let (errand, passage) = begin(worker, from, service, &outbound, &body, trail);
    let sent = until_cut(pin!(service.send(errand, body)), trail).await;
    end(worker, from, outbound, None, passage, sent, trail)
}

/// What is to be sent, and how far its body will be.
pub(super) fn begin<'a>(
    worker: &'a Worker,
    from: IpAddr,
    service: &Service,
    outbound: &'a Outbound,
    body: &Outgoing,
    trail: &mut Trail,
) -> (Errand<'a>, Option<Rc<Passage>>) {
    let passage = body.streamed();
    trail.sent_to(service, passage.clone());
    let (pools, deadlines) = (&worker.pools, &worker.deadlines);
    (Errand { pools, deadlines, head: outbound.head(), from: Some(from) }, passage)
}

/// What comes of sending, unless it is not to go on.
pub(super) async fn until_cut<F: Future>(mut sending: Pin<&mut F>, trail: &Trail) -> Result<F::Output, Cut> {
    poll_fn(|cx| match trail.cut() {
        Some(cut) => Poll::Ready(Err(cut)),
        None => sending.as_mut().poll(cx).map(Ok),
    })
    .await
}

/// The answer, as it is passed on. The copy for a mirror is sent now.
///
/// # Errors
/// Those of [`send`].
pub(super) fn end(
    worker: &Worker,
    from: IpAddr,
    outbound: Outbound,
    copy: Option<Box<Copy<'_>>>,
    passage: Option<Rc<Passage>>,
    sent: Result<Result<Response<Box<Answer>>, UpstreamError>, Cut>,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    match copy {
        None => outbound.into_head().release(&worker.pools.scratch),
        // What the bounds keep away from an upstream is not to reach its mirror, nor what was cut.
        Some(copy) if matches!(sent, Ok(Ok(_))) => copy.send(worker, from, outbound.into_head()),
        Some(_) => outbound.into_head().release(&worker.pools.scratch),
    }
    let sent = sent.map_err(Cut::reject)?;
    trail.upstream_time = Some(worker.shared.clock.now().since(trail.at()));
    let mut response = sent.map_err(|error| refused(error, passage.as_deref()))?;
    trail.upstream_answered();
    response.body_mut().beside(passage);
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
        Some(passage) if passage.slow.get() => Reject::BodySlow,
        Some(passage) if passage.broke.get() => Reject::BodyBroke,
        _ => Reject::Upstream(error),
    }
}
