//! One route, ready to be served.

use crate::config::{self, Api, Redirect, Segment};
use crate::dialect::endpoint::{Endpoint, edge};
use crate::pipeline::mirror::Mirror;
use crate::pipeline::rewrite;
use crate::pipeline::split::Split;
use crate::telemetry::metrics::{Metrics, RouteCells};
use crate::upstream::{Overlay, Service};
use http::{HeaderName, HeaderValue, Method};
use std::sync::Arc;

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
    /// Bytes of a request body; more is answered 413.
    pub body_limit: u64,
    /// Who gets a copy.
    pub mirror: Option<Box<Mirror>>,
    /// `X-Forwarded-Prefix`, where the path loses its beginning.
    pub forwarded_prefix: Option<HeaderValue>,
    /// Alterations of what an upstream gets: the API's, then the route's.
    pub request_headers: Option<Arc<Overlay>>,
    /// Alterations of answers: the API's, then the route's.
    pub response_headers: Option<Arc<Overlay>>,
    /// The index of the path segment that holds `{organizationId}`.
    pub(super) organization_segment: Option<usize>,
}

/// Who answers a route.
#[derive(Clone, Debug)]
pub enum Serve {
    /// A backend service.
    Upstream(Arc<Service>),
    /// One of several, drawn for each request.
    Split(Arc<Split>),
    /// The gateway, which sends the client elsewhere.
    Redirect(Redirect),
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

impl Route {
    pub(super) fn new(api: &Api, config: config::Route, service: Serve, metrics: &Metrics) -> Self {
        let is_organization =
            |segment: &Segment| matches!(segment, Segment::Parameter(name) if &**name == "organizationId");
        Self {
            index: 0,
            mirror: None,
            forwarded_prefix: rewrite::forwarded_prefix(config.rewrite.as_ref()),
            body_limit: config.body_limit.unwrap_or(api.body_limit),
            request_headers: overlay(&api.request_headers, &config.request_headers),
            response_headers: overlay(&api.response_headers, &config.response_headers),
            organization_segment: config.pattern.iter().position(is_organization),
            cells: metrics.route(&api.name, &config.path),
            service,
            config,
        }
    }

    /// Lets no other spelling of these fields through to an upstream: they decide between this route and others.
    pub(super) fn guard(&mut self, names: &[HeaderName]) {
        let mut overlay = self.request_headers.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        names.iter().for_each(|name| overlay.guard(name));
        self.request_headers = (!overlay.is_empty()).then(|| Arc::new(overlay.finished()));
    }

    /// HEAD is served where GET is (RFC 9110, 9.3.2).
    pub(super) fn takes(&self, method: &Method) -> bool {
        let methods = &self.config.methods;
        methods.is_empty()
            || methods.contains(method)
            || (method == Method::HEAD && methods.contains(&Method::GET))
    }
}

/// The alterations of an API and then of its route as one; none where there are none.
fn overlay(api: &config::Edits, route: &config::Edits) -> Option<Arc<Overlay>> {
    let mut overlay = Overlay::default();
    for edits in [api, route] {
        edits.remove.iter().for_each(|name| overlay.remove(name));
        edits.set.iter().for_each(|(name, value)| overlay.set(name, value));
        edits.add.iter().for_each(|(name, value)| overlay.add(name, value));
    }
    (!overlay.is_empty()).then(|| Arc::new(overlay.finished()))
}
