//! The way of a request, from its parsed head to its answer: one stage a file, one value per gate.

pub mod authenticate;
pub mod authorize;
#[doc(hidden)]
pub mod bench;
mod beside;
mod builtin;
mod challenge;
mod cors;
mod credential;
mod early;
mod exchange;
pub mod explain;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod identity;
mod ids;
pub mod limit;
mod marks;
mod mirror;
mod multipart;
mod observe;
pub mod path;
mod peer;
mod project_body;
pub mod query;
mod redirect;
mod refusal;
mod reject;
mod rewrite;
pub mod route;
mod scan;
mod settle;
mod sightings;
mod split;
mod stranger;
mod swap;
mod trace;
mod trace_context;
mod upgrade;
mod worker;

pub use beside::ControlSide;
pub use challenge::Challenges;
pub use early::Early;
pub use marks::Marks;
pub use observe::{Observed, Payload};
pub use peer::{ClientCertificate, Peer};
pub use reject::Reject;
pub use sightings::{Sighting, Sightings};
pub use worker::{Shared, Snapshot, Worker};

use crate::upstream::Outgoing;
use crate::upstream::body::Passage;
use crate::wire::{Inbound, Request};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body;

use authenticate::Recalled;
pub use authorize::Grant;
pub use credential::foresee;
use limit::AtOnce;
pub use observe::Trail;
use pin_project_lite::pin_project;
use route::{Builtin, Route, Routed, RoutedApi, Serve};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
pub use stranger::Stranger;

/// Answers a request. Whatever happens on the way, there is an answer in the dialect of the path.
pub async fn handle(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    mut request: Request,
    body: Inbound,
) -> Response<Box<Observed>> {
    let now = worker.shared.clock.now();
    let foreseen = foresee(&worker, &request.fields);
    let snapshot = worker.snapshot();
    let found = snapshot.router.find(&request);
    foreseen.inspect(|foreseen| foreseen.approach(&worker));
    // In this order it is made where it will be, not copied there.
    let place = Box::new_uninit();
    let begun = Trail::begin(&worker, &snapshot, &peer, &request, &found, now);
    let mut observed = Box::write(place, Observed::around(begun));
    let trail = &mut observed.trail;
    trail.foreseen = foreseen;
    let (judged, preflight) = (cors::judged(found.api, &request.fields), is_preflight(&request));
    let grpc = grpc::is_call(&request);
    trail.grpc = grpc;
    let outcome = match peer.head_fits(&request).and(found.routed) {
        _ if let Some(answer) = worker.shared.challenges.answer(&peer, &request) => Ok(answer),
        Ok(_) if found.api.config.redirect_to_https && !peer.tls => {
            redirect::to_https(&request.target, &request.fields).ok_or(Reject::NoRoute)
        }
        routed if preflight => refusal::preflight(found.api, &request.fields, routed),
        Ok(routed) => {
            // Lent from here on, because it is large: what is handed on by value is copied each time.
            Caught { work: walk(&worker, &snapshot, &peer, &routed, &mut request, body, trail) }.await
        }
        Err(reject) => Err(reject),
    };
    let finish = |response: &mut Response<Payload>| {
        finish(found.api, found.route, judged.as_ref(), preflight, response.headers_mut());
    };
    match outcome {
        Ok(mut response) => {
            finish(&mut response);
            observed.follow(response)
        }
        Err(reject) => {
            trail.refused(&reject);
            request.release(&worker.pools.scratch);
            let mut response = refusal::answer(found.api.config.dialect, &reject);
            finish(&mut response);
            if !grpc {
                return observed.follow(response);
            }
            let mut response = observed.follow(grpc::answer(response, &reject));
            *response.status_mut() = StatusCode::OK;
            response
        }
    }
}

/// What every answer of a route has done to its fields, the gateway's own as an upstream's.
fn finish(
    api: &RoutedApi,
    route: &Route,
    judged: Option<&cors::Judged>,
    preflight: bool,
    fields: &mut HeaderMap,
) {
    if let Some(overlay) = &route.response_headers {
        overlay.apply(fields);
    }
    if let (Some(cors), Some(judged)) = (&api.cors, judged) {
        cors.mark(judged, fields, preflight);
    }
}

/// The stages, in order. Each gate takes what the one before it left, so that none can be skipped.
async fn walk(
    worker: &Worker,
    snapshot: &Snapshot,
    peer: &Peer,
    routed: &Routed<'_>,
    request: &mut Request,
    body: Inbound,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    match routed.route.service {
        // Boxed, here and below: what is rare must not make the future of every request large.
        Serve::Builtin(Builtin::Login) => {
            let start = trail.waits();
            let login = builtin::login(worker, snapshot, peer, routed, &request.fields, body, trail);
            let answer = Box::pin(login).await;
            trail.waited("control", start, answer.is_err());
            return answer;
        }
        Serve::Builtin(Builtin::Control(endpoint)) => {
            let start = trail.waits();
            let answer = Box::pin(beside::serve(worker, peer, routed, endpoint, request, body, trail)).await;
            trail.waited("control", start, answer.is_err());
            return answer;
        }
        _ => {}
    }
    let grant = decide(worker, snapshot, peer, routed, request, trail).await?;
    let mirror = routed.route.mirror.as_deref().filter(|mirror| mirror.draws(worker));
    let turned_away = |reject: &Reject| trail.turned_away(grant.known(), reject);
    let (wish, body) = upgrade::wish(routed, body).inspect_err(turned_away)?;
    if !body.is_end_stream() {
        project_body::bounded(&request.fields, routed.route.body_limit).inspect_err(turned_away)?;
    }
    project_body::says_json(routed, request, body.is_end_stream()).inspect_err(turned_away)?;
    let (in_body, body) = if grant.needs_body(routed) {
        let start = trail.waits();
        let read = Box::pin(project_body::read(routed, &request.fields, body, trail)).await;
        trail.waited("body", start, read.is_err());
        read.inspect_err(|reject| trail.turned_away(grant.known(), reject))?
    } else {
        (None, outgoing(body, routed, mirror.is_some()))
    };
    let grant = grant.with_body(routed, in_body.as_deref(), trail)?;
    trail.granted(&grant);
    let service = match &routed.route.service {
        Serve::Upstream(service) => service,
        Serve::Split(split) => {
            let part = split.draw(worker, grant.known());
            trail.drew(&part.cells);
            &part.service
        }
        _ => return here(snapshot, routed, &grant, request),
    };
    let copy = match mirror {
        Some(mirror) => Some(Box::new(mirror.copy(worker, snapshot, routed, &grant, &body, trail.at())?)),
        None => None,
    };
    let from = peer.client(&request.fields);
    let outbound = swap::credentials(worker, peer, routed, &grant, service, request, trail)?;
    trail.under_way(grant, from);
    match wish {
        // Awaited here and not by a future of its own, which would be copied on its way.
        None => {
            let (errand, passage) = forward::begin(worker, from, service, &outbound, &body, trail);
            let sent = forward::until_cut(pin!(service.send(errand, body)), trail).await;
            forward::end(worker, from, outbound, copy, passage, sent, trail)
        }
        Some(wish) => Box::pin(upgrade::send(worker, from, service, outbound, wish, trail)).await,
    }
}

/// The answer of a route that no upstream serves.
fn here(
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Response<Payload>, Reject> {
    match &routed.route.service {
        Serve::Redirect(redirect) => Ok(redirect::answer(redirect, routed, &request.target, &request.fields)),
        Serve::Respond(respond) => Ok(builtin::respond(respond)),
        Serve::Builtin(which) => builtin::answer(*which, snapshot, grant.known()),
        Serve::Nobody | Serve::Upstream(..) | Serve::Split(_) => Err(Reject::NoRoute),
    }
}

/// The policy: all that is decided about a request by its head. Public so that its cost can be measured.
///
/// # Errors
/// What is refused, and why.
pub async fn decide(
    worker: &Worker,
    snapshot: &Snapshot,
    peer: &Peer,
    routed: &Routed<'_>,
    request: &Request,
    trail: &mut Trail,
) -> Result<Grant, Reject> {
    let now = trail.at();
    let credential = credential::extract(routed, &request.fields)?;
    let known = match authenticate::recall(worker, credential, trail.foreseen, now)? {
        Recalled::Known(known) => known,
        Recalled::Open(open) => {
            let stranger = Stranger::new(snapshot, routed, peer, &request.fields, trail);
            let start = trail.waits();
            let settled = Box::pin(settle::settle(worker, snapshot, routed, open, stranger, now)).await;
            trail.waited("authenticate", start, settled.is_err());
            settled?
        }
    };
    let admitted = match &snapshot.shared_limits {
        None => limit::admit(known, routed.api, now, trail)?,
        Some(config) => match limit::admit_at_once(worker, config, known, routed.api, now, trail) {
            AtOnce::Judged(judged) => judged?,
            // Boxed: what is not asked must not make the future of every request large.
            AtOnce::Ask(known) => {
                let start = trail.waits();
                let asked = Box::pin(limit::ask(worker, config, known, routed.api, trail)).await;
                trail.waited("limit", start, asked.is_err());
                asked?
            }
        },
    };
    let from = peer.client(&request.fields);
    let caller = authenticate::verify(admitted, routed, from, now, trail)?;
    if let authenticate::Known::Key(entry) = caller.known() {
        worker.noticed.notice(&worker.shared.sightings, entry.row(), from, now);
    }
    authorize::check(caller, routed, request, trail)
}

/// The client's body as it comes.
fn outgoing(body: Inbound, routed: &Routed<'_>, copied: bool) -> Outgoing {
    if body.is_end_stream() {
        return Outgoing::Empty;
    }
    let passage = Rc::new(match copied {
        false => Passage::default(),
        true => Passage::copying(mirror::BODY_MOST),
    });
    let overlay = routed.route.request_headers.clone();
    Outgoing::stream(body, routed.route.body_limit, passage, overlay)
}

/// A CORS preflight (Fetch, 3.2.2) carries no credential and is never forwarded.
fn is_preflight(request: &Request) -> bool {
    request.method == Method::OPTIONS
        && request.fields.contains(&ORIGIN)
        && request.fields.contains(&ACCESS_CONTROL_REQUEST_METHOD)
}

pin_project! {
    /// Turns a panic of ours into a 500, so that one bad request does not take its connection with it.
    struct Caught<F> {
        #[pin]
        work: F,
    }
}

impl<T, F: Future<Output = Result<T, Reject>>> Future for Caught<F> {
    type Output = Result<T, Reject>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.project().work;
        // The future is not polled again after a panic.
        catch_unwind(AssertUnwindSafe(|| work.poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(Reject::Internal("a stage panicked".into()))))
    }
}
