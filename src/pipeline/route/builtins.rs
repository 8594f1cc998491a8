//! The endpoints that an API has without being told.

use super::entry::{Builtin, Route, Serve};
use super::hosts::holds;
use super::tree::segments;
use crate::config::Dialect;
use crate::config::{self, Api, Segment, Target};
use crate::dialect::endpoint::{self, BARE_LOGIN, edge};
use crate::telemetry::metrics::Metrics;
use http::Method;

/// The routes that an API has without being told: its dialect's, as far as its prefixes hold their paths. They win over
/// configured routes of the same path. The bare login is mounted with every API of its dialect, and reached where the
/// router leads there.
pub(super) fn builtins<'a>(api: &'a Api, metrics: &'a Metrics) -> impl Iterator<Item = Route> + 'a {
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

/// The route of an endpoint of the gateway's own.
pub(super) fn builtin_route(path: &str, method: Method, open: bool) -> config::Route {
    let pattern = segments(path).map(|segment| {
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.into()),
            None => Segment::Literal(segment.into()),
        }
    });
    let target = Target::Upstream(usize::MAX);
    config::Route { open, ..config::Route::plain(path, pattern.collect(), vec![method], target) }
}
