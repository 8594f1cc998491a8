//! The last stage: what happened, for metrics and access log. It ends with the last byte of the answer, not with its head.

mod answer;

pub use answer::{Observed, Payload};

use super::authenticate::Known;
use super::authorize::{Grant, organization_of};
use super::credential::Foreseen;
use super::exchange::{Cut, Slot};
use super::ids::RequestId;
use super::reject::Reject;
use super::route::{Found, PreparedLimit};
use super::trace::{Trace, Whole};
use super::worker::Current;
use super::{ClientCertificate, Peer, Snapshot, Worker, swap};
use crate::clock::Moment;
use crate::limiter::Verdict;
use crate::telemetry::access_log::AccessRecord;
use crate::telemetry::log::chain;
use crate::telemetry::metrics::{AuthOutcome, Gauge, Policy, RouteCells};
use crate::telemetry::redact::redact;
use crate::telemetry::traces::Value;
use crate::token::{OrganizationId, ProjectId, TokenId, UserId};
use crate::upstream::Service;
use crate::upstream::body::Passage;
use crate::wire::{self, Request};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{Method, Response, StatusCode, Version};
use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is known of one request so far; it grows from stage to stage and ends in a metric and a log line.
#[derive(Debug)]
pub struct Trail {
    worker: Rc<Worker>,
    snapshot: Rc<Current>,
    at: Moment,
    method: Method,
    request_id: RequestId,
    api: usize,
    route: usize,
    /// The key that the request most likely shows.
    pub foreseen: Option<Foreseen>,
    /// What the bucket said.
    pub verdict: Option<Verdict>,
    /// The upstream's time to the head of its answer.
    pub upstream_time: Option<Duration>,
    /// The cells of the upstream that was drawn, where several share the route.
    drawn: Option<Arc<RouteCells>>,
    status: StatusCode,
    request_bytes: u64,
    response_bytes: u64,
    /// It is a call of gRPC.
    pub(super) grpc: bool,
    /// Nothing is to be recorded.
    silent: bool,
    /// Its place among what is under way, once somebody known has been let through to a backend.
    exchange: Option<Slot>,
    /// How far the request's body is.
    passage: Option<Rc<Passage>>,
    /// Counts it among the switched connections.
    tunnel: Option<Arc<Gauge>>,
    /// Only when the request is to be logged or is traced.
    facts: Option<Box<Facts>>,
    /// Only when it is traced.
    trace: Option<Box<Trace>>,
}

/// What only the access log and traces want.
#[derive(Debug)]
struct Facts {
    /// The access log wants it.
    logged: bool,
    client: IpAddr,
    host: Option<Bytes>,
    path: String,
    user_agent: String,
    protocol: &'static str,
    tls: bool,
    certificate: Option<Arc<ClientCertificate>>,
    organization: Option<OrganizationId>,
    project: Option<ProjectId>,
    token: Option<TokenId>,
    user: Option<UserId>,
    refused: Option<&'static str>,
    observed: Option<&'static str>,
    upstream: Option<Arc<str>>,
}

impl Trail {
    /// Begins with a request's head.
    pub fn begin(
        worker: &Rc<Worker>,
        snapshot: &Rc<Current>,
        peer: &Peer,
        request: &Request,
        found: &Found<'_>,
        at: Moment,
    ) -> Self {
        let request_id = worker.ids.request_id();
        let trace =
            snapshot.sampling.and_then(|sampling| Trace::begin(worker, sampling, request, &request_id));
        let logged = worker.log.borrow_mut().sampled();
        let facts = (logged || trace.is_some()).then(|| Box::new(Facts::of(peer, request, logged)));
        Self {
            worker: worker.clone(),
            snapshot: snapshot.clone(),
            at,
            method: request.method.clone(),
            request_id,
            api: found.api.index,
            route: found.route.index,
            foreseen: None,
            verdict: None,
            upstream_time: None,
            drawn: None,
            status: abandoned(),
            request_bytes: 0,
            response_bytes: 0,
            grpc: false,
            silent: false,
            exchange: None,
            passage: None,
            tunnel: None,
            facts,
            trace,
        }
    }

    /// When the request's head was complete.
    pub fn at(&self) -> Moment {
        self.at
    }

    /// The id under which the request is logged, answered and forwarded.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Its trace.
    pub(super) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// A stage begins that waits for somebody. The clock is read only where that is traced.
    pub(super) fn waits(&self) -> Option<Moment> {
        self.trace.as_ref().map(|_| self.worker.shared.clock.now())
    }

    /// The stage that began then has ended.
    pub(super) fn waited(&mut self, stage: &'static str, start: Option<Moment>, failed: bool) {
        if let (Some(trace), Some(start)) = (&mut self.trace, start) {
            trace.stage(stage, start, self.worker.shared.clock.now(), failed);
        }
    }

    /// The limit that the request's API has.
    pub(super) fn limit(&self) -> Option<&PreparedLimit> {
        self.snapshot.router.api(self.api).limit.as_ref()
    }

    /// The configuration that the request began with.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The worker's shard of the metrics.
    pub fn shard(&self) -> usize {
        self.worker.index
    }

    /// Somebody is known by name.
    pub fn identified(&mut self, known: &Known) {
        let Some(facts) = &mut self.facts else { return };
        match known {
            Known::Anonymous => {}
            Known::Key(entry) => {
                facts.token = Some(entry.record.id.clone());
                facts.organization = Some(entry.record.terms.organization.clone());
            }
            Known::User(user) => facts.user = Some(user.record.id.clone()),
        }
    }

    /// Everything was allowed.
    pub fn granted(&mut self, grant: &Grant) {
        if !matches!(grant.known(), Known::Anonymous) {
            self.accepted();
        }
        if let Some(facts) = &mut self.facts {
            facts.organization = organization_of(grant).cloned();
            facts.project = grant.project().cloned();
        }
    }

    /// A credential was good.
    pub fn accepted(&self) {
        self.auth(AuthOutcome::Accepted);
    }

    /// The control side has answered, to this person, or has refused.
    pub fn answered(&mut self, user: Option<UserId>, refused: Option<&'static str>) {
        if let Some(facts) = &mut self.facts {
            (facts.user, facts.refused) = (user, refused);
        }
    }

    /// It goes to a backend in the name of `grant`, from this address: from now on it ends when that does.
    pub(super) fn under_way(&mut self, grant: Grant, from: IpAddr) {
        if !matches!(grant.known(), Known::Anonymous) {
            let place = (self.api, self.route);
            let slot = self.worker.exchanges.enter(grant, from, self.snapshot.clone(), place, self.at);
            self.exchange = Some(slot);
        }
    }

    /// Why it may not go on.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.exchange.and_then(|slot| self.worker.exchanges.cut(slot))
    }

    /// The connection goes on in another protocol.
    pub(super) fn switched(&mut self) {
        let router = &self.snapshot.router;
        let (api, route) = (router.api(self.api), router.route(self.api, self.route));
        let gauge = self.worker.shared.metrics.tunnels(&api.config.name, &route.config.path);
        gauge.add(1.0);
        self.tunnel = Some(gauge);
    }

    /// The upstream that the request is sent to, and what will be known of its body.
    pub fn sent_to(&mut self, upstream: &Service, passage: Option<Rc<Passage>>) {
        self.passage = passage;
        if let Some(facts) = &mut self.facts {
            facts.upstream = Some(upstream.name.clone());
        }
        if let Some(trace) = &mut self.trace {
            trace.forwarded(self.worker.shared.clock.now());
        }
    }

    /// The upstream has answered.
    pub(super) fn upstream_answered(&mut self) {
        if let (Some(trace), Some(time)) = (&mut self.trace, self.upstream_time) {
            trace.answered(self.at.after(time));
        }
    }

    /// One of several upstreams was drawn.
    pub fn drew(&mut self, cells: &Arc<RouteCells>) {
        self.drawn = Some(cells.clone());
    }

    /// Bytes of the request's body so far.
    pub fn request_bytes(&mut self, bytes: u64) {
        self.request_bytes = bytes;
    }

    /// A policy that only observes would have refused the request so.
    pub fn observed(&mut self, policy: Policy, reject: &Reject) {
        if let Some(outcome) = reject.auth_outcome() {
            self.auth(outcome);
        }
        self.snapshot.router.api(self.api).cells.observed(self.worker.index, policy);
        if let Some(facts) = &mut self.facts {
            facts.refused = Some("observed");
            facts.observed = Some(reject.code());
        }
    }

    /// Somebody who is known is refused: counted for a key, which may not be known any more where the refusal is answered.
    #[cold]
    pub fn turned_away(&self, known: &Known, reject: &Reject) {
        if let (Known::Key(entry), Some(reason)) = (known, reject.reason()) {
            self.worker.shared.tokens.refusals().count(self.worker.index, entry.row(), reason, self.at);
        }
    }

    /// The request is refused.
    pub fn refused(&mut self, reject: &Reject) {
        self.leave();
        if let Reject::UnknownKeys { .. } = reject {
            self.snapshot.router.api(self.api).cells.unknown_keys_refused(self.worker.index);
        }
        if let Some(outcome) = reject.auth_outcome() {
            self.auth(outcome);
        }
        if let Some(facts) = &mut self.facts {
            facts.refused = Some(reject.code());
        }
        let Some(cause) = reject.cause() else { return };
        let request_id = self.request_id.as_str();
        tracing::warn!(request_id, code = reject.code(), cause = %chain(cause), "a request failed");
    }

    /// It is under way no more; one that could not go on is counted and told.
    fn leave(&mut self) {
        let cut = self.cut();
        if let Some(slot) = self.exchange.take() {
            self.worker.exchanges.leave(slot);
        }
        let Some(cut) = cut else { return };
        self.worker.shared.metrics.stream_closed(cut.code());
        if let Some(facts) = &mut self.facts {
            facts.refused = Some(cut.code());
        }
        let request_id = self.request_id.as_str();
        tracing::info!(
            request_id,
            reason = cut.code(),
            "a stream was closed: its key may not use it any more"
        );
    }

    fn auth(&self, outcome: AuthOutcome) {
        self.snapshot.router.api(self.api).cells.auth(self.worker.index, outcome);
    }

    /// Goes with the answer to its end.
    pub fn follow(self, response: Response<Payload>) -> Response<Box<Observed>> {
        Box::new(Observed::around(self)).follow(response)
    }

    /// Ends without a record: for measurements of what comes before.
    pub fn forget(mut self) {
        self.silent = true;
    }

    fn end(&self) {
        let total = self.worker.shared.clock.now().since(self.at);
        let router = &self.snapshot.router;
        let route = router.route(self.api, self.route);
        let status = self.status.as_u16();
        // How long a WebSocket was open says nothing of how fast anything is.
        let took = match &self.tunnel {
            Some(_) => self.upstream_time.unwrap_or_default(),
            None => total,
        };
        if let Some(tunnel) = &self.tunnel {
            tunnel.add(-1.0);
        }
        route.cells.finished(self.worker.index, &self.method, status, took, self.upstream_time);
        if let Some(drawn) = &self.drawn {
            drawn.finished(self.worker.index, &self.method, status, took, self.upstream_time);
        }
        let Some(facts) = &self.facts else { return };
        if let Some(trace) = &self.trace {
            self.leave_trace(trace, facts, total);
        }
        if facts.logged {
            self.log(facts, total);
        }
    }

    #[cold]
    fn leave_trace(&self, trace: &Trace, facts: &Facts, total: Duration) {
        let shared = &self.worker.shared;
        let (api, end) = (self.snapshot.router.api(self.api), self.at.after(total));
        let route = self.snapshot.router.route(self.api, self.route);
        route.cells.exemplify(trace.id, total, end.unix_ms);
        let Some(traces) = &shared.traces else { return };
        let whole = Whole {
            clock: &shared.clock,
            method: &self.method,
            route: &route.config.path,
            status: self.status,
            refused: facts.refused,
            start: self.at,
            end,
            upstream: facts.upstream.as_deref(),
            attributes: self.attributes(facts, &api.config.name, &route.config.path),
        };
        traces.leave(trace.spans(whole, &self.worker.ids));
    }

    /// In the words of OpenTelemetry's conventions for HTTP where they have one.
    fn attributes(&self, facts: &Facts, api: &str, route: &str) -> Vec<(&'static str, Value)> {
        let mut all: Vec<(&'static str, Value)> = vec![
            ("url.scheme", if facts.tls { "https" } else { "http" }.into()),
            ("url.path", Value::beginning(&redact(&facts.path))),
            ("client.address", facts.client.to_string().into()),
            ("network.protocol.version", facts.protocol.trim_start_matches("HTTP/").into()),
            ("http.request.body.size", (self.received() as i64).into()),
            ("http.response.body.size", (self.response_bytes as i64).into()),
            ("portcullis.request_id", self.request_id.as_str().to_owned().into()),
        ];
        let host = facts.host.as_deref().and_then(wire::text);
        let texts = [
            ("server.address", host.map(redact)),
            ("user_agent.original", Some(redact(&facts.user_agent))),
            ("http.route", Some(route.into())),
            ("portcullis.api", Some(api.into())),
            ("portcullis.organization", facts.organization.as_ref().map(|id| id.as_str().into())),
            ("portcullis.project", facts.project.as_ref().map(|id| id.as_str().into())),
            ("portcullis.token", facts.token.as_ref().map(|id| id.text().to_string().into())),
            ("portcullis.user", facts.user.as_ref().map(|id| id.as_str().into())),
            ("portcullis.refused", facts.refused.map(Cow::Borrowed)),
            ("portcullis.observed", facts.observed.map(Cow::Borrowed)),
        ];
        for (key, text) in texts {
            all.extend(text.filter(|text| !text.is_empty()).map(|text| (key, Value::beginning(&text))));
        }
        all
    }

    /// Bytes of the request's body that came.
    fn received(&self) -> u64 {
        self.passage.as_ref().map_or(self.request_bytes, |passage| passage.bytes.get())
    }

    fn log(&self, facts: &Facts, total: Duration) {
        let router = &self.snapshot.router;
        let (api, route) = (router.api(self.api), router.route(self.api, self.route));
        let trace = self.trace.as_ref().map(|trace| format!("{:032x}", trace.id));
        self.worker.log.borrow_mut().write(&AccessRecord {
            at: self.at,
            request_id: self.request_id.as_str(),
            trace: trace.as_deref(),
            client: facts.client,
            method: self.method.as_str(),
            host: facts.host.as_deref().and_then(wire::text).unwrap_or_default(),
            path: &facts.path,
            protocol: facts.protocol,
            tls: facts.tls,
            client_certificate: facts.certificate.as_ref().map(|certificate| &*certificate.subject),
            status: self.status.as_u16(),
            api: &api.config.name,
            route: &route.config.path,
            organization: facts.organization.as_ref().map(OrganizationId::as_str),
            project: facts.project.as_ref().map(ProjectId::as_str),
            token: facts.token.as_ref().map(TokenId::text).as_deref(),
            user: facts.user.as_ref().map(UserId::as_str),
            refused: facts.refused,
            observed: facts.observed,
            upstream: facts.upstream.as_deref(),
            duration: total,
            upstream_duration: self.upstream_time,
            request_bytes: self.received(),
            response_bytes: self.response_bytes,
            user_agent: &facts.user_agent,
        });
    }
}

impl Drop for Trail {
    /// With the last byte of the answer, or when nobody waits for one any more.
    fn drop(&mut self) {
        self.leave();
        if !self.silent {
            self.end();
        }
    }
}

/// The status of a request whose client went before there was an answer. No client sees it; nginx made it usual.
fn abandoned() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

impl Facts {
    fn of(peer: &Peer, request: &Request, logged: bool) -> Self {
        let user_agent = request.fields.get(&USER_AGENT).and_then(wire::text);
        Self {
            logged,
            client: peer.client(&request.fields),
            host: host_of(request),
            path: request.target.path().to_owned(),
            user_agent: user_agent.unwrap_or_default().to_owned(),
            protocol: protocol(request.version),
            tls: peer.tls,
            certificate: peer.certificate.clone(),
            organization: None,
            project: None,
            token: None,
            user: None,
            refused: None,
            observed: None,
            upstream: None,
        }
    }
}

/// The host that was asked for, kept without a copy where that can be.
fn host_of(request: &Request) -> Option<Bytes> {
    let host = swap::host_of(&request.target, &request.fields)?;
    Some(match request.target.authority() {
        Some(_) => Bytes::copy_from_slice(host),
        None => request.fields.shared(host),
    })
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
