//! Requests that are traced: which those are, and the spans that one leaves. The others, nearly all, pay for one look.
//!
//! A span stands for what waited for somebody: the store, the limits backend, the client's body, a backend. What decides
//! in memory takes less than a microsecond, and is the rest of the whole.

use super::Worker;
use super::ids::{Ids, RequestId};
use super::trace_context::{Parent, TRACEPARENT, number};
use crate::clock::{Clock, Moment};
use crate::config;
use crate::telemetry::traces::{Kind, Span, SpanId, TraceId, Value};
use crate::upstream::{Step, Steps, What};
use crate::wire::Request;
use http::{Method, StatusCode};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// An answer whose body took less has no span for it.
const BODY_WORTH: Duration = Duration::from_millis(1);

/// How many of 2³² requests are traced.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    sample: u64,
    requested: u64,
}

impl Sampling {
    /// As configured.
    pub(super) fn new(config: &config::Traces) -> Self {
        Self { sample: share(config.sample), requested: share(config.requested) }
    }

    fn draws(&self, parent: Option<Parent>, ids: &Ids) -> bool {
        let share = match parent {
            None => self.sample,
            Some(parent) if parent.is_sampled() => self.requested,
            // Whoever began the trace has decided that it is not recorded.
            Some(_) => 0,
        };
        ids.chance() >> 32 < share
    }
}

fn share(of_all: f64) -> u64 {
    (of_all * 2_f64.powi(32)) as u64
}

/// A request that is traced, so far.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) id: TraceId,
    parent: Option<SpanId>,
    server: SpanId,
    /// The exchange with the upstream, which is what the upstream's own spans are parts of.
    pub(super) client: SpanId,
    stages: Vec<Stage>,
    forwarded: Option<Moment>,
    answered: Option<Moment>,
    pub(super) steps: Rc<Steps>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    start: Moment,
    end: Moment,
    failed: bool,
}

/// What the request was, once it has ended.
pub(super) struct Whole<'t> {
    pub(super) clock: &'t Clock,
    pub(super) method: &'t Method,
    pub(super) route: &'t str,
    pub(super) status: StatusCode,
    /// What it was refused for.
    pub(super) refused: Option<&'static str>,
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) upstream: Option<&'t str>,
    /// What else is known of the request.
    pub(super) attributes: Vec<(&'static str, Value)>,
}

impl Trace {
    /// Of a request, if it is to be traced: it joins its client's trace, or begins one that is named as the request is.
    pub(super) fn begin(
        worker: &Worker,
        sampling: Sampling,
        request: &Request,
        id: &RequestId,
    ) -> Option<Box<Self>> {
        let parent = request.fields.get(&TRACEPARENT).and_then(Parent::parse);
        if !sampling.draws(parent, &worker.ids) {
            return None;
        }
        let shared = worker.shared.clone();
        Some(Box::new(Self {
            id: parent.map_or_else(|| number(id.as_bytes()).unwrap_or(1), |parent| parent.trace),
            parent: parent.map(|parent| parent.span),
            server: worker.ids.span(),
            client: worker.ids.span(),
            stages: Vec::new(),
            forwarded: None,
            answered: None,
            steps: Rc::new(Steps::new(move || shared.clock.now())),
        }))
    }

    /// A stage that waited has ended.
    pub(super) fn stage(&mut self, name: &'static str, start: Moment, end: Moment, failed: bool) {
        self.stages.push(Stage { name, start, end, failed });
    }

    /// It is sent to a backend from now on.
    pub(super) fn forwarded(&mut self, now: Moment) {
        self.forwarded = Some(now);
    }

    /// The backend's answer begins.
    pub(super) fn answered(&mut self, at: Moment) {
        self.answered = Some(at);
    }

    /// All spans of it, the parts before the whole.
    pub(super) fn spans(&self, whole: Whole<'_>, ids: &Ids) -> Vec<Span> {
        let mut spans = Vec::with_capacity(6);
        for stage in &self.stages {
            let span = self.part(&whole, ids, self.server, stage.start, stage.end);
            spans.push(Span { name: stage.name.into(), failed: stage.failed, ..span });
        }
        if let Some(forwarded) = self.forwarded {
            self.exchange(&whole, ids, forwarded, &mut spans);
        }
        spans.push(self.server(whole));
        spans
    }

    fn part(&self, whole: &Whole<'_>, ids: &Ids, parent: SpanId, start: Moment, end: Moment) -> Span {
        Span {
            trace: self.id,
            id: ids.span(),
            parent: Some(parent),
            remote_parent: false,
            kind: Kind::Internal,
            name: Cow::Borrowed(""),
            start_ns: whole.clock.unix_ns(start),
            end_ns: whole.clock.unix_ns(end),
            attributes: Vec::new(),
            failed: false,
        }
    }

    /// What happened at the upstream: the exchange as a whole, and what of it took time.
    fn exchange(&self, whole: &Whole<'_>, ids: &Ids, forwarded: Moment, spans: &mut Vec<Span>) {
        let steps = self.steps.take();
        let attempts: Vec<SocketAddr> = steps.iter().filter_map(Step::address).collect();
        for step in &steps {
            let (name, attributes) = match step.what {
                What::Queue => ("queue", Vec::new()),
                What::Connect => ("connect", Vec::new()),
                // One alone took as long as the whole.
                What::Attempt(address) if attempts.len() > 1 => ("attempt", peer(address)),
                What::Attempt(_) => continue,
            };
            let span = self.part(whole, ids, self.client, step.start, step.end.unwrap_or(whole.end));
            spans.push(Span { name: name.into(), attributes, failed: step.failed, ..span });
        }
        if let Some(answered) = self.answered
            && whole.end.since(answered) >= BODY_WORTH
        {
            let span = self.part(whole, ids, self.client, answered, whole.end);
            spans.push(Span { name: "answer".into(), ..span });
        }
        let mut attributes = attempts.last().copied().map(peer).unwrap_or_default();
        attributes.push(("http.request.method", method(whole.method).into()));
        attributes.extend(whole.upstream.map(|name| ("portcullis.upstream", name.to_owned().into())));
        if attempts.len() > 1 {
            attributes.push(("http.request.resend_count", (attempts.len() as i64 - 1).into()));
        }
        match self.answered {
            Some(_) => {
                attributes.push(("http.response.status_code", i64::from(whole.status.as_u16()).into()))
            }
            None => attributes.extend(whole.refused.map(|code| ("error.type", code.into()))),
        }
        let span = self.part(whole, ids, self.server, forwarded, whole.end);
        spans.push(Span {
            id: self.client,
            kind: Kind::Client,
            name: method(whole.method).into(),
            failed: self.answered.is_none()
                || whole.status.is_client_error()
                || whole.status.is_server_error(),
            attributes,
            ..span
        });
    }

    /// The request as a whole.
    fn server(&self, whole: Whole<'_>) -> Span {
        let mut attributes = whole.attributes;
        attributes.push(("http.request.method", method(whole.method).into()));
        attributes.push(("http.response.status_code", i64::from(whole.status.as_u16()).into()));
        let failed = whole.status.is_server_error();
        if failed {
            let error = whole.refused.map_or_else(|| whole.status.as_str().to_owned().into(), Value::from);
            attributes.push(("error.type", error));
        }
        let name = match whole.route {
            "" => method(whole.method).into(),
            route => format!("{} {route}", method(whole.method)).into(),
        };
        Span {
            trace: self.id,
            id: self.server,
            parent: self.parent,
            remote_parent: self.parent.is_some(),
            kind: Kind::Server,
            name,
            start_ns: whole.clock.unix_ns(whole.start),
            end_ns: whole.clock.unix_ns(whole.end),
            attributes,
            failed,
        }
    }
}

fn peer(address: SocketAddr) -> Vec<(&'static str, Value)> {
    let (ip, port) = (address.ip().to_string(), i64::from(address.port()));
    vec![("network.peer.address", ip.into()), ("network.peer.port", port.into())]
}

/// Clients can invent methods without end.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_traced_as_was_asked_for() {
        let ids = Ids::new().unwrap();
        let config = |sample, requested| Sampling { sample: share(sample), requested: share(requested) };
        let asks = |flags| Some(Parent { trace: 1, span: 1, flags });
        let drawn = |sampling: Sampling, parent| (0..10_000).filter(|_| sampling.draws(parent, &ids)).count();
        assert_eq!(drawn(config(0.0, 0.0), None), 0);
        assert_eq!(drawn(config(1.0, 0.0), None), 10_000);
        assert_eq!(drawn(config(0.0, 1.0), asks(1)), 10_000);
        assert_eq!(drawn(config(1.0, 0.0), asks(1)), 0);
        assert_eq!(drawn(config(1.0, 1.0), asks(0)), 0, "it is another's trace, and not recorded");
        assert!((800..1_200).contains(&drawn(config(0.1, 0.0), None)));
    }
}
