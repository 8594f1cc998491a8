//! Stage 1: which API and route a request belongs to. Nothing of the caller is known yet.

mod api;
mod builtins;
mod entry;
mod hosts;
mod quick;
mod tree;
mod when;

pub use api::{PreparedLimit, RoutedApi};
pub use entry::{Builtin, Route, Serve};
pub(super) use hosts::host_of;
pub(super) use tree::first_segment;
pub(super) use when::{Asked, Miss};

use super::path;
use super::reject::Reject;
use crate::config::Api;
use crate::limiter::Limiter;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Service;
use crate::wire::{Fields, Request, Target};
use hosts::{Hosts, Prefixes};
use quick::Quick;
use std::borrow::Cow;
use std::sync::Arc;
use tree::segment_text;

/// All routes of a configuration, ready to be matched.
#[derive(Debug)]
pub struct Router {
    /// Where most requests are looked up: it says the same as the others, or nothing.
    quick: Quick,
    hosts: Hosts,
    /// The last one has the routes of no API: what the gateway serves beside them.
    apis: Vec<RoutedApi>,
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
}

impl Routed<'_> {
    /// The `{organizationId}` of the path, where the route has one; `came` is the path that the request came with.
    pub fn organization<'p>(&'p self, came: &'p str) -> Option<Cow<'p, str>> {
        segment_text(self.path.as_deref().unwrap_or(came), self.route.organization_segment?)
    }
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

/// An API, its route, and why that does not take the request.
type Led<'s> = (&'s RoutedApi, &'s Route, Option<Reject>);

impl std::fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found {{ api: {}, route: {} }}", self.api.config.name, self.route.config.path)
    }
}

impl Router {
    /// Prepares the routes of a configuration. `services` are its upstreams, in its order.
    pub fn new(apis: &[Api], services: &[Arc<Service>], limiter: &Limiter, metrics: &Metrics) -> Self {
        let prepare = |(index, api)| RoutedApi::new(index, api, services, limiter, metrics);
        let mut routed: Vec<RoutedApi> = apis.iter().enumerate().map(prepare).collect();
        routed.push(RoutedApi::outside(routed.len(), limiter, metrics));
        let hosts = Hosts::new(apis);
        Self { quick: Quick::new(&hosts, &routed), hosts, apis: routed }
    }

    /// Finds a request's place.
    pub fn find(&self, request: &Request) -> Found<'_> {
        let asked = Asked { method: &request.method, target: &request.target, fields: &request.fields };
        let raw = request.target.path();
        let Ok(normal) = path::normalise(raw) else { return self.ambiguous(asked, raw) };
        // What is borrowed was in normal form, and had neither.
        let is_plain = matches!(normal, Cow::Borrowed(_)) || !normal.contains(['%', ';']);
        let quick = if is_plain { self.quickly(asked, &normal) } else { None };
        let (api, route, refused) = quick.unwrap_or_else(|| self.thoroughly(asked, &normal));
        if let Some(reject) = refused {
            return Found { api, route, routed: Err(reject) };
        }
        let path = match normal {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => Some(path),
        };
        Found { api, route, routed: Ok(Routed { api, route, path }) }
    }

    /// As [`thoroughly`](Self::thoroughly), for a path without `%` and `;`; `None` where that has to be asked.
    fn quickly(&self, asked: Asked<'_>, normal: &str) -> Option<Led<'_>> {
        let place = self.quick.find(asked, normal)?;
        let (api, bit) = (&self.apis[place.api], quick::bit(asked.method));
        if place.entries.is_empty() {
            return Some((api, api.unmatched(), Some(Reject::NoRoute)));
        }
        for entry in place.entries.iter().map(|&word| quick::Ending(word)) {
            if entry.is_marked() {
                let (route, refused) = api.choose(self.quick.set(entry), asked);
                return Some((api, route, refused));
            }
            if entry.takes(bit) {
                return Some((api, &api.routes[entry.index()], None));
            }
        }
        None
    }

    /// Which API, and which of its routes, a path in normal form leads to, or what is answered and counted instead.
    #[cold]
    fn thoroughly(&self, asked: Asked<'_>, normal: &str) -> Led<'_> {
        let prefixes = self.hosts.of(asked.target, asked.fields);
        let api = self.api_of(prefixes, normal);
        if prefixes.shadow(normal, api.index) {
            return (api, api.unmatched(), Some(Reject::NoRoute));
        }
        let (route, refused) = api.find(normal, asked);
        (api, route, refused)
    }

    #[cold]
    fn ambiguous(&self, asked: Asked<'_>, raw: &str) -> Found<'_> {
        let api = self.api_of(self.hosts.of(asked.target, asked.fields), raw);
        let reject = if raw.starts_with('/') { Reject::AmbiguousPath } else { Reject::NoPath };
        Found { api, route: api.unmatched(), routed: Err(reject) }
    }

    /// What is counted for bytes that are no request, as far as their host and path were read.
    pub(super) fn nowhere(&self, target: &Target, fields: &Fields) -> Found<'_> {
        let api = self.api_of(self.hosts.of(target, fields), target.path());
        Found { api, route: api.unmatched(), routed: Err(Reject::NoPath) }
    }

    fn api_of(&self, prefixes: &Prefixes, path: &str) -> &RoutedApi {
        match prefixes.find(path) {
            Some((_, index)) => &self.apis[*index],
            None => &self.apis[self.apis.len() - 1],
        }
    }

    /// The prefix that a path belongs to on the host of a request.
    pub(super) fn prefix_of(&self, target: &Target, fields: &Fields, path: &str) -> Option<&str> {
        self.hosts.of(target, fields).find(path).map(|(prefix, _)| &**prefix)
    }

    /// Every prefix that counts on the host of a request.
    pub(super) fn prefixes(&self, target: &Target, fields: &Fields) -> impl Iterator<Item = &str> {
        self.hosts.of(target, fields).iter()
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
