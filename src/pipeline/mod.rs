//! The way of a request, from its parsed head to its answer: one stage a file, one value per gate.

mod arena;
pub mod authenticate;
pub mod authorize;
mod builtin;
mod credential;
pub mod explain;
mod forward;
mod ids;
pub mod limit;
mod multipart;
mod observe;
pub mod path;
mod peer;
mod project_body;
pub mod query;
mod refusal;
mod reject;
pub mod route;
mod swap;
mod worker;

pub use observe::{Observed, Payload};
pub use peer::Peer;
pub use refusal::Early;
pub use reject::Reject;
pub use worker::{Shared, Snapshot, Worker};

use crate::upstream::Outgoing;
use crate::upstream::body::Passage;
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use observe::Trail;
use route::{Builtin, Routed, Serve};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

/// Answers a request. Whatever happens on the way, there is an answer in the dialect of the path.
pub async fn handle(worker: Rc<Worker>, peer: Rc<Peer>, request: Request<Incoming>) -> Response<Observed> {
    let now = worker.shared.clock.now();
    let snapshot = worker.snapshot();
    let found = snapshot.router.find(&request);
    let mut trail = Trail::begin(&worker, &snapshot, &peer, &request, &found, now);
    let outcome = match found.routed {
        Ok(routed) => caught(walk(&worker, &snapshot, &peer, &routed, request, &mut trail)).await,
        Err(reject) => Err(reject),
    };
    let mut response = outcome.unwrap_or_else(|reject| {
        trail.refused(&reject);
        refusal::answer(found.api.config.dialect, &reject)
    });
    refusal::mark(&worker, found.api, &trail, response.headers_mut());
    trail.follow(response)
}

/// The stages, in order. Each gate takes what the one before it left, so that none can be skipped.
async fn walk(
    worker: &Worker,
    snapshot: &Snapshot,
    peer: &Peer,
    routed: &Routed<'_>,
    request: Request<Incoming>,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    let (parts, body) = request.into_parts();
    peer.head_fits(&parts)?;
    if is_preflight(&parts) {
        return Ok(refusal::preflight(routed));
    }
    if let Serve::Builtin(Builtin::Login) = routed.route.service {
        return builtin::login(worker, snapshot, peer, routed, &parts.headers, body, trail).await;
    }
    let now = trail.at();
    let credential = credential::extract(routed, &parts.headers)?;
    let known = authenticate::identify(worker, snapshot, routed, credential, now).await?;
    let admitted = limit::admit(known, routed.api, now, trail)?;
    let caller = authenticate::verify(admitted, routed, peer.client(&parts.headers), now)?;
    let grant = authorize::check(caller, routed, &parts.headers, parts.uri.query(), trail)?;
    project_body::bounded(&parts.headers, routed.api.config.body_limit)?;
    let passage = Rc::new(Passage::default());
    let (in_body, outgoing) = if grant.needs_body(routed) {
        project_body::read(routed, &parts.headers, body, trail).await?
    } else {
        (None, outgoing(body, routed, &passage))
    };
    let grant = grant.with_body(routed, in_body.as_deref())?;
    trail.granted(&grant);
    match &routed.route.service {
        Serve::Upstream(_, service) => {
            let outbound = swap::credentials(worker, snapshot, peer, routed, &grant, parts, trail)?;
            forward::send(worker, service, outbound, outgoing, &passage, trail).await
        }
        Serve::Respond(respond) => Ok(builtin::respond(respond)),
        Serve::Builtin(which) => builtin::answer(*which, snapshot, grant.known()),
        Serve::Nobody => Err(Reject::NoRoute),
    }
}

fn outgoing(body: Incoming, routed: &Routed<'_>, passage: &Rc<Passage>) -> Outgoing {
    if body.is_end_stream() {
        return Outgoing::Empty;
    }
    Outgoing::stream(body, routed.api.config.body_limit, passage.clone())
}

/// A CORS preflight (Fetch, 3.2.2) carries no credential and is never forwarded.
fn is_preflight(parts: &http::request::Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(http::header::ORIGIN)
        && parts.headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Turns a panic of ours into a 500, so that one bad request does not take its connection with it.
async fn caught<T>(work: impl Future<Output = Result<T, Reject>>) -> Result<T, Reject> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        // The future is not polled again after a panic.
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
            .unwrap_or_else(|_| std::task::Poll::Ready(Err(Reject::Internal("a stage panicked".into()))))
    })
    .await
}

/// The status of an answer to a preflight.
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;
