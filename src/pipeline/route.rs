//! Stage 1: which API and route a request belongs to. Nothing of the caller is known yet.

use super::path;
use super::reject::Reject;
use super::scan;
use crate::config::{self, Api, Dialect, Mode, RateLimit, Segment, Target};
use crate::dialect::endpoint::{self, BARE_LOGIN, Endpoint, edge};
use crate::limiter::{self, Limiter, Slot, Verdict};
use crate::telemetry::metrics::{ApiCells, Metrics, RouteCells};
use crate::upstream::Service;
use http::{HeaderValue, Method, Request};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// All routes of a configuration, ready to be matched.
#[derive(Debug)]
pub struct Router {
    /// Prefix and API, longest prefix first.
    prefixes: Vec<(Arc<str>, usize)>,
    /// No prefix has a character that lax servers read in two ways.
    plain_prefixes: bool,
    /// The last one has the routes of no API: what the gateway serves beside them.
    apis: Vec<RoutedApi>,
}

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
    routes: Vec<Route>,
    /// Patterns without a parameter, whole: one look-up answers for most requests, and nothing is more specific.
    literals: HashMap<String, Vec<usize>, foldhash::fast::RandomState>,
    tree: Node,
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
}

impl PreparedLimit {
    /// Whether a verdict means a refusal: not where the limit only observes.
    pub fn refuses(&self, verdict: &Verdict) -> bool {
        !verdict.allowed && self.limit.mode == Mode::Enforce
    }
}

/// One route, ready to be served.
#[derive(Debug)]
pub struct Route {
    /// Its place in its API.
    pub index: usize,
    /// As configured.
    pub config: config::Route,
    /// Who answers.
    pub service: Serve,
    /// Its metrics.
    pub cells: Arc<RouteCells>,
    /// The index of the path segment that holds `{organizationId}`.
    organization_segment: Option<usize>,
}

/// Who answers a route.
#[derive(Clone, Debug)]
pub enum Serve {
    /// A backend service, by its place in the configuration too.
    Upstream(usize, Arc<Service>),
    /// The gateway, with a fixed answer.
    Respond(config::Respond),
    /// The gateway, with one of its own endpoints.
    Builtin(Builtin),
    /// Nobody: the path has no route.
    Nobody,
}

/// Endpoints of the key side that the gateway serves at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// `POST /v1/openapi/auth/login`
    Login,
    /// `GET /v1/openapi/projects` and `GET /api/v1/organizations/{organizationId}/projects`
    Projects,
    /// `GET /.well-known/jwks.json`
    Jwks,
    /// An endpoint of the control side.
    Control(&'static Endpoint),
}

impl From<edge::Operation> for Builtin {
    fn from(operation: edge::Operation) -> Self {
        match operation {
            edge::Operation::LogInWithKey => Self::Login,
            edge::Operation::ListProjects | edge::Operation::ListOrganizationProjects => Self::Projects,
            edge::Operation::ShowSigningKeys => Self::Jwks,
        }
    }
}

/// A request's place: its API, its route, its path in normal form.
#[derive(Debug)]
pub struct Routed<'s> {
    /// The API.
    pub api: &'s RoutedApi,
    /// The route.
    pub route: &'s Route,
    /// The path that was matched and is forwarded; `None` when it is the one that came.
    pub path: Option<String>,
    /// The path's `{organizationId}`, where the route has one.
    pub organization: Option<String>,
}

/// What a path and method lead to, and what is answered and counted if that is nothing.
pub struct Found<'s> {
    /// The API, whose dialect renders whatever is answered.
    pub api: &'s RoutedApi,
    /// The route that is counted.
    pub route: &'s Route,
    /// The route's place, or why there is none.
    pub routed: Result<Routed<'s>, Reject>,
}

impl std::fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found {{ api: {}, route: {} }}", self.api.config.name, self.route.config.path)
    }
}

impl Router {
    /// Prepares the routes of a configuration. `services` are its upstreams, in its order.
    pub fn new(apis: &[Api], services: &[Arc<Service>], limiter: &Limiter, metrics: &Metrics) -> Self {
        let mut prefixes = Vec::new();
        let mut routed = Vec::new();
        for (index, api) in apis.iter().enumerate() {
            prefixes.extend(api.prefixes.iter().map(|prefix| (prefix.clone(), index)));
        }
        prefixes.extend(bare_login(apis));
        for (index, api) in apis.iter().enumerate() {
            routed.push(RoutedApi::new(index, api, services, limiter, metrics));
        }
        routed.push(RoutedApi::outside(routed.len(), limiter, metrics));
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let plain_prefixes = !prefixes.iter().any(|(prefix, _)| has_loose(prefix));
        Self { prefixes, plain_prefixes, apis: routed }
    }

    /// Finds a request's place.
    pub fn find<B>(&self, request: &Request<B>) -> Found<'_> {
        let raw = request.uri().path();
        let normal = match path::normalise(raw) {
            Ok(normal) => normal,
            Err(_) => {
                let api = self.api_of(raw);
                let reject = if raw.starts_with('/') { Reject::AmbiguousPath } else { Reject::NoPath };
                return Found { api, route: api.unmatched(), routed: Err(reject) };
            }
        };
        let api = self.api_of(&normal);
        if self.shadows(&normal, api) {
            return Found { api, route: api.unmatched(), routed: Err(Reject::NoRoute) };
        }
        let (route, refused) = api.find(&normal, request.method());
        if let Some(reject) = refused {
            return Found { api, route, routed: Err(reject) };
        }
        let organization = route.organization_segment.and_then(|index| segment_text(&normal, index));
        let path = match normal {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => Some(path),
        };
        Found { api, route, routed: Ok(Routed { api, route, path, organization }) }
    }

    /// What is counted for bytes that are no request, as far as their path was read.
    pub(super) fn nowhere(&self, path: &str) -> Found<'_> {
        let api = self.api_of(path);
        Found { api, route: api.unmatched(), routed: Err(Reject::NoPath) }
    }

    fn api_of(&self, path: &str) -> &RoutedApi {
        match self.prefix_of(path) {
            Some((_, index)) => &self.apis[*index],
            None => &self.apis[self.apis.len() - 1],
        }
    }

    /// The longest prefix that holds a path, and the place of its API.
    pub(super) fn prefix_of(&self, path: &str) -> Option<&(Arc<str>, usize)> {
        self.prefixes.iter().find(|(prefix, _)| holds(prefix, path))
    }

    /// Every prefix that an API has.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(|(prefix, _)| &**prefix)
    }

    /// Whether a server that is lax about case, escapes or parameters would see another API's path here. A path
    /// without any of these is what it is, as long as no prefix has one.
    fn shadows(&self, path: &str, api: &RoutedApi) -> bool {
        if self.plain_prefixes && !has_loose(path) {
            return false;
        }
        let holds = |prefix: &str| {
            let mut rest = segments(path);
            segments(prefix).all(|wanted| {
                rest.next().is_some_and(|segment| path::loosely(segment) == path::loosely(wanted))
            })
        };
        self.prefixes.iter().find(|(prefix, _)| holds(prefix)).is_some_and(|(_, index)| *index != api.index)
    }

    /// The API at this place.
    pub fn api(&self, index: usize) -> &RoutedApi {
        &self.apis[index]
    }

    /// The route at this place of the API at that place.
    pub fn route(&self, api: usize, route: usize) -> &Route {
        &self.apis[api].routes[route]
    }
}

impl RoutedApi {
    fn new(index: usize, api: &Api, services: &[Arc<Service>], limiter: &Limiter, metrics: &Metrics) -> Self {
        let mut routes: Vec<Route> = builtins(api, metrics).collect();
        routes.extend(api.routes.iter().map(|route| {
            let service = match &route.target {
                Target::Upstream(index) => Serve::Upstream(*index, services[*index].clone()),
                Target::Respond(respond) => Serve::Respond(respond.clone()),
            };
            Route::new(api, route.clone(), service, metrics)
        }));
        Self::assemble(index, api.clone(), routes, limiter, metrics)
    }

    fn outside(index: usize, limiter: &Limiter, metrics: &Metrics) -> Self {
        let api = Api {
            name: "none".into(),
            dialect: Dialect::Problem,
            prefixes: Vec::new(),
            rate_limit: None,
            identity: config::Identity::None,
            body_limit: 0,
            builtin: config::Builtin::USUAL,
            routes: Vec::new(),
            key_prefixes: Vec::new(),
        };
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
        let mut tree = Node::default();
        let mut literals: HashMap<String, Vec<usize>, _> = HashMap::default();
        for (index, route) in routes.iter().enumerate() {
            tree.insert(&route.config.pattern, index);
            if let Some(path) = literal_path(&route.config.pattern) {
                literals.entry(path).or_default().push(index);
            }
        }
        let nothing = config::Route { methods: Vec::new(), ..builtin_route("none", Method::GET, true) };
        // The last one: what is counted for paths that no route has. It is in no tree.
        routes.push(Route::new(&api, nothing, Serve::Nobody, metrics));
        for (index, route) in routes.iter_mut().enumerate() {
            route.index = index;
        }
        let limit = api.rate_limit.map(|limit| PreparedLimit::new(limit, limiter.slot(&api.name)));
        Self { index, limit, cells: metrics.api(&api.name), routes, literals, tree, config: api }
    }

    /// What is counted for paths that no route has.
    fn unmatched(&self) -> &Route {
        &self.routes[self.routes.len() - 1]
    }

    fn find(&self, path: &str, method: &Method) -> (&Route, Option<Reject>) {
        let whole = self.literals.get(path).map(Vec::as_slice);
        let found = whole.or_else(|| self.tree.find(path));
        let Some(indexes) = found.filter(|indexes| !indexes.is_empty()) else {
            return (self.unmatched(), Some(Reject::NoRoute));
        };
        let candidates = || indexes.iter().map(|&index| &self.routes[index]);
        if let Some(route) = candidates().find(|route| route.takes(method)) {
            return (route, None);
        }
        let mut allowed: Vec<Method> = candidates().flat_map(|route| route.config.methods.clone()).collect();
        if allowed.contains(&Method::GET) && !allowed.contains(&Method::HEAD) {
            allowed.push(Method::HEAD);
        }
        (&self.routes[indexes[0]], Some(Reject::MethodNotAllowed(allowed)))
    }
}

impl PreparedLimit {
    fn new(limit: RateLimit, slot: Slot) -> Self {
        let (requests, seconds) = (limit.rate.requests, limit.rate.per.as_secs_f64());
        let text = |text: String| HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        Self {
            rate: (&limit.rate).into(),
            limit,
            slot,
            limit_value: text(requests.to_string()),
            // draft-ietf-httpapi-ratelimit-headers: quota and window, the window in whole seconds.
            policy_value: text(format!("\"default\";q={requests};w={}", seconds.ceil())),
        }
    }
}

impl Route {
    fn new(api: &Api, config: config::Route, service: Serve, metrics: &Metrics) -> Self {
        let is_organization =
            |segment: &Segment| matches!(segment, Segment::Parameter(name) if &**name == "organizationId");
        Self {
            index: 0,
            organization_segment: config.pattern.iter().position(is_organization),
            cells: metrics.route(&api.name, &config.path),
            service,
            config,
        }
    }

    /// HEAD is served where GET is (RFC 9110, 9.3.2).
    fn takes(&self, method: &Method) -> bool {
        let methods = &self.config.methods;
        methods.is_empty()
            || methods.contains(method)
            || (method == Method::HEAD && methods.contains(&Method::GET))
    }
}

/// The routes that an API has without being told: its dialect's, as far as its prefixes hold their paths. They win over
/// configured routes of the same path. The bare login is mounted with every API of its dialect, and reached where the
/// router leads there.
fn builtins<'a>(api: &'a Api, metrics: &'a Metrics) -> impl Iterator<Item = Route> + 'a {
    let key_side = edge::ENDPOINTS.iter().filter(|_| api.builtin.usual).map(|endpoint| {
        (endpoint.dialect, endpoint.path, endpoint.method.clone(), Builtin::from(endpoint.operation))
    });
    let served = |endpoint: &&endpoint::Endpoint| match endpoint.group() {
        None => endpoint.at_edge && api.builtin.usual,
        Some(group) => api.builtin.serves(group),
    };
    let control_side = endpoint::all().filter(served).map(|endpoint| {
        (endpoint.dialect, endpoint.path, endpoint.method.clone(), Builtin::Control(endpoint))
    });
    let own = move |(dialect, path): (Dialect, &str)| {
        let under = path == BARE_LOGIN || api.prefixes.iter().any(|prefix| holds(prefix, path));
        dialect == api.dialect && under
    };
    key_side.chain(control_side).filter(move |(dialect, path, _, _)| own((*dialect, path))).map(
        |(_, path, method, builtin)| {
            let route = builtin_route(path, method, false);
            Route::new(api, route, Serve::Builtin(builtin), metrics)
        },
    )
}

/// Where the bare login leads: to the first API of its dialect, unless some API has the path by a prefix of its own.
fn bare_login(apis: &[Api]) -> Option<(Arc<str>, usize)> {
    if apis.iter().flat_map(|api| &*api.prefixes).any(|prefix| holds(prefix, BARE_LOGIN)) {
        return None;
    }
    let serves = |api: &Api| api.builtin.usual && api.dialect == Dialect::Ocriva;
    apis.iter().position(serves).map(|index| (BARE_LOGIN.into(), index))
}

/// Whether a path is one of a prefix.
fn holds(prefix: &str, path: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn builtin_route(path: &str, method: Method, open: bool) -> config::Route {
    let pattern = segments(path).map(|segment| {
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.into()),
            None => Segment::Literal(segment.into()),
        }
    });
    config::Route {
        path: path.into(),
        pattern: pattern.collect(),
        methods: vec![method],
        open,
        project: None,
        upgrade: Vec::new(),
        require: config::Require::default(),
        target: Target::Upstream(usize::MAX),
        line: None,
    }
}

/// The one path that a pattern without parameters stands for.
fn literal_path(pattern: &[Segment]) -> Option<String> {
    let mut path = String::new();
    for segment in pattern {
        let Segment::Literal(text) = segment else { return None };
        path.push('/');
        path.push_str(text);
    }
    (!path.is_empty()).then_some(path)
}

/// The segments of a normal path; a closing slash adds none.
fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The first of the [`segments`] of a path, and the path behind it.
fn first_segment(path: &str) -> Option<(&str, &str)> {
    let start = path.bytes().position(|byte| byte != b'/')?;
    let path = &path[start..];
    let end = path.bytes().position(|byte| byte == b'/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// One segment with its escapes undone.
fn segment_text(path: &str, index: usize) -> Option<String> {
    let segment = segments(path).nth(index)?;
    Some(String::from_utf8_lossy(&path::unescaped(segment.as_bytes())).into_owned())
}

/// Whether there is something that lax servers read in more than one way: they fold case, undo escapes, cut parameters
/// off.
fn has_loose(path: &str) -> bool {
    let is_loose = |byte: u8| (byte.wrapping_sub(b'A') < 26) | (byte == b'%') | (byte == b';');
    scan::any(path.as_bytes(), is_loose)
}

/// A tree of path segments. At each step a literal wins over a parameter, and a parameter over `**`.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Arc<str>, Node, foldhash::fast::RandomState>,
    /// The literals by what a lax server makes of them.
    loose: HashMap<Vec<u8>, Vec<Arc<str>>, foldhash::fast::RandomState>,
    /// No literal has a character that lax servers read in two ways.
    plain: bool,
    parameter: Option<Box<Node>>,
    /// Routes that end here, in the order of their insertion.
    here: Vec<usize>,
    /// Routes whose `**` begins here.
    rest: Vec<usize>,
}

impl Node {
    fn insert(&mut self, pattern: &[Segment], index: usize) {
        match pattern {
            [] => self.here.push(index),
            [Segment::Rest, ..] => self.rest.push(index),
            [Segment::Literal(text), tail @ ..] => {
                if !self.literals.contains_key(text) {
                    self.loose.entry(path::loosely(text)).or_default().push(text.clone());
                    self.plain = (self.plain || self.literals.is_empty()) && !has_loose(text);
                }
                self.literals.entry(text.clone()).or_default().insert(tail, index);
            }
            [Segment::Parameter(_), tail @ ..] => {
                self.parameter.get_or_insert_default().insert(tail, index);
            }
        }
    }

    /// The routes of a path. None of them (`Some` and empty) when the path is not a route's, but would be to a server that
    /// is lax about case, escapes or parameters: a wider route must not be the way around a narrower one.
    fn find(&self, path: &str) -> Option<&[usize]> {
        let Some((segment, rest)) = first_segment(path) else {
            let ends = if self.here.is_empty() { &self.rest } else { &self.here };
            return (!ends.is_empty()).then_some(ends);
        };
        let exact = self.literals.get(segment);
        if exact.is_none() && self.shadows(segment, rest) {
            return Some(&[]);
        }
        let literal = exact.and_then(|node| node.find(rest));
        let found = literal.or_else(|| self.parameter.as_ref().and_then(|node| node.find(rest)));
        found.or_else(|| (!self.rest.is_empty()).then_some(self.rest.as_slice()))
    }

    fn shadows(&self, segment: &str, rest: &str) -> bool {
        if self.literals.is_empty() || self.plain && !has_loose(segment) {
            return false;
        }
        let alike = self.loose.get(&path::loosely(segment)).into_iter().flatten();
        alike.filter_map(|literal| self.literals.get(literal)).any(|node| node.find(rest).is_some())
    }
}
