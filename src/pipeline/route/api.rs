//! One API with its routes.

use super::builtins::{builtin_route, builtins};
use super::entry::{Builtin, Route, Serve};
use super::tree::Node;
use super::when::{Asked, Candidate, Miss};
use crate::config::{self, Api, Mode, RateLimit, Segment, Target};
use crate::dialect::endpoint::edge;
use crate::limiter::{self, Limiter, Slot, Verdict};
use crate::pipeline::cors::Cors;
use crate::pipeline::marks;
use crate::pipeline::mirror::Mirror;
use crate::pipeline::reject::Reject;
use crate::pipeline::split::Split;
use crate::telemetry::metrics::{ApiCells, Metrics};
use crate::upstream::Service;
use http::{HeaderName, HeaderValue, Method};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// One API with its routes.
#[derive(Debug)]
pub struct RoutedApi {
    /// Its place in the router.
    pub index: usize,
    /// As configured.
    pub config: Api,
    /// The limit, with what is prepared for its header fields.
    pub limit: Option<PreparedLimit>,
    /// Its metrics.
    pub cells: Arc<ApiCells>,
    /// What pages of other origins may do with it.
    pub cors: Option<Box<Cors>>,
    pub(super) routes: Vec<Route>,
    pub(super) tree: Node<Candidate>,
}

/// A limit with its constant header values.
#[derive(Debug)]
pub struct PreparedLimit {
    /// As configured.
    pub limit: RateLimit,
    /// The rate, with what can be worked out of it before there is a request.
    pub rate: limiter::Limit,
    /// The bucket's cell for this API.
    pub slot: Slot,
    /// `X-RateLimit-Limit`
    pub limit_value: HeaderValue,
    /// `RateLimit-Policy`
    pub policy_value: HeaderValue,
    /// Both as lines, with the beginning of what follows them.
    pub(in crate::pipeline) lines: Box<[u8]>,
}

impl PreparedLimit {
    /// Whether a verdict means a refusal: not where the limit only observes.
    pub fn refuses(&self, verdict: &Verdict) -> bool {
        !verdict.allowed && self.limit.mode == Mode::Enforce
    }
}

impl RoutedApi {
    pub(super) fn new(
        index: usize,
        api: &Api,
        services: &[Arc<Service>],
        limiter: &Limiter,
        metrics: &Metrics,
    ) -> Self {
        let mut routes: Vec<Route> = builtins(api, metrics).collect();
        routes.extend(api.routes.iter().map(|route| {
            let service = match &route.target {
                Target::Upstream(index) => Serve::Upstream(services[*index].clone()),
                Target::Split(split) => {
                    let counted = |service: &str| metrics.weighted(&api.name, &route.path, service);
                    Serve::Split(Arc::new(Split::new(split, services, counted)))
                }
                Target::Respond(respond) => Serve::Respond(respond.clone()),
                Target::Redirect(redirect) => Serve::Redirect(redirect.clone()),
            };
            let mirror = route.mirror.map(|mirror| {
                let counted = metrics.mirror(&api.name, &route.path);
                Box::new(Mirror::new(mirror, services, counted))
            });
            Route { mirror, ..Route::new(api, route.clone(), service, metrics) }
        }));
        Self::assemble(index, api.clone(), routes, limiter, metrics)
    }

    /// What the gateway serves beside all APIs.
    pub(super) fn outside(index: usize, limiter: &Limiter, metrics: &Metrics) -> Self {
        let api = Api::nobodys();
        let jwks = builtin_route(edge::SIGNING_KEYS.path, Method::GET, true);
        let route = Route::new(&api, jwks, Serve::Builtin(Builtin::Jwks), metrics);
        Self::assemble(index, api, vec![route], limiter, metrics)
    }

    fn assemble(
        index: usize,
        api: Api,
        mut routes: Vec<Route>,
        limiter: &Limiter,
        metrics: &Metrics,
    ) -> Self {
        guard(&mut routes);
        let tree = places(&routes);
        let nothing = config::Route { methods: Vec::new(), ..builtin_route("none", Method::GET, true) };
        // The last one: what is counted for paths that no route has. It is in no tree.
        routes.push(Route::new(&api, nothing, Serve::Nobody, metrics));
        for (index, route) in routes.iter_mut().enumerate() {
            route.index = index;
        }
        let limit = api.rate_limit.map(|limit| PreparedLimit::new(limit, limiter.slot(&api.name)));
        let cors = api.cors.as_ref().map(|cors| Box::new(Cors::new(cors, api.dialect)));
        Self { index, limit, cors, cells: metrics.api(&api.name), routes, tree, config: api }
    }

    /// What is counted for paths that no route has.
    pub(super) fn unmatched(&self) -> &Route {
        &self.routes[self.routes.len() - 1]
    }

    /// The routes of a path, the most specific one first; none where a wider one must not be the way around it.
    fn candidates(&self, path: &str) -> &[Candidate] {
        self.tree.find(path).unwrap_or_default()
    }

    /// The route of a path, or what is counted and answered where none takes the request.
    pub(super) fn find(&self, path: &str, asked: Asked<'_>) -> (&Route, Option<Reject>) {
        self.choose(self.candidates(path), asked)
    }

    /// The first of some routes of one path that takes a request.
    pub(super) fn choose(&self, candidates: &[Candidate], asked: Asked<'_>) -> (&Route, Option<Reject>) {
        for candidate in candidates {
            let route = &self.routes[candidate.route];
            if !route.takes(asked.method) {
                continue;
            }
            match candidate.takes(asked) {
                Ok(true) => return (route, None),
                Ok(false) => {}
                Err(reject) => return (route, Some(reject)),
            }
        }
        self.without(candidates, asked)
    }

    /// Why none of these routes takes a request: its method, or all that is asked for besides.
    fn without(&self, candidates: &[Candidate], asked: Asked<'_>) -> (&Route, Option<Reject>) {
        let meets = |candidate: &&Candidate| candidate.takes(asked).unwrap_or(false);
        let meeting: Vec<&Route> =
            candidates.iter().filter(meets).map(|candidate| &self.routes[candidate.route]).collect();
        let Some(first) = meeting.first() else { return (self.unmatched(), Some(Reject::NoRoute)) };
        let mut allowed: Vec<Method> =
            meeting.iter().flat_map(|route| route.config.methods.clone()).collect();
        if allowed.contains(&Method::GET) && !allowed.contains(&Method::HEAD) {
            allowed.push(Method::HEAD);
        }
        (first, Some(Reject::MethodNotAllowed(allowed)))
    }

    /// The routes of a path that a request is not for, and why, the most specific one first.
    pub(in crate::pipeline) fn misses(&self, path: &str, asked: Asked<'_>) -> Vec<(&Route, Miss)> {
        let miss = |candidate: &Candidate| {
            let miss = candidate.miss(asked).ok().flatten()?;
            Some((&self.routes[candidate.route], miss))
        };
        self.candidates(path).iter().filter_map(miss).collect()
    }
}

/// Has each route know the header fields that decide between it and others of its path.
fn guard(routes: &mut [Route]) {
    let mut deciding: HashMap<String, Vec<HeaderName>> = HashMap::new();
    for route in routes.iter().filter(|route| !route.config.conditions.headers.is_empty()) {
        let names = route.config.conditions.headers.iter().map(|(name, _)| name.clone());
        deciding.entry(shape(&route.config.pattern)).or_default().extend(names);
    }
    if deciding.is_empty() {
        return;
    }
    for route in routes {
        if let Some(names) = deciding.get(&shape(&route.config.pattern)) {
            route.guard(names);
        }
    }
}

/// The same for patterns that match the same paths.
fn shape(pattern: &[Segment]) -> String {
    let text = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Parameter(_) => "/{}".to_owned(),
        Segment::Rest => "/{**}".to_owned(),
    };
    pattern.iter().map(text).collect()
}

/// All patterns as a tree; the routes of one pattern in the order in which they are asked.
fn places(routes: &[Route]) -> Node<Candidate> {
    let mut tree = Node::default();
    for (index, route) in routes.iter().enumerate() {
        let config = &route.config;
        let hosts: Vec<Option<&config::HostPattern>> = match config.hosts.is_empty() {
            true => vec![None],
            false => config.hosts.iter().map(Some).collect(),
        };
        for host in hosts {
            let candidate = Candidate::new(index, host, &config.conditions);
            put(tree.entry(&config.pattern), candidate, routes);
        }
    }
    tree
}

/// The gateway's own endpoints first, then the more specific, then what stands first in the file.
fn put(candidates: &mut Vec<Candidate>, candidate: Candidate, routes: &[Route]) {
    let own = |candidate: &Candidate| matches!(routes[candidate.route].service, Serve::Builtin(_));
    let order = |candidate: &Candidate| Reverse((own(candidate), candidate.rank()));
    let at = candidates.partition_point(|other| order(other) <= order(&candidate));
    candidates.insert(at, candidate);
}

impl PreparedLimit {
    pub(in crate::pipeline) fn new(limit: RateLimit, slot: Slot) -> Self {
        let (requests, seconds) = (limit.rate.requests, limit.rate.per.as_secs_f64());
        let text = |text: String| HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        let limit_value = text(requests.to_string());
        // draft-ietf-httpapi-ratelimit-headers: quota and window, the window in whole seconds.
        let policy_value = text(format!("\"default\";q={requests};w={}", seconds.ceil()));
        let lines = marks::lines(&limit_value, &policy_value);
        Self { rate: (&limit.rate).into(), limit, slot, limit_value, policy_value, lines }
    }
}
