//! Where a request leads, and from where it comes, in words. Nothing is decided here.

use super::super::Peer;
use super::super::reject::Reject;
use super::super::route::{Found, Route, Router, Serve};
use super::report::Way;
use crate::config::Dialect;
use serde_json::Value;
use std::net::IpAddr;

/// API, dialect, prefix and path; gives the route.
pub(super) fn route(way: &mut Way, router: &Router, sent: &str, found: &Found<'_>) -> String {
    let api = &found.api.config;
    let of_an_api = !api.prefixes.is_empty();
    way.fact("api", if of_an_api { api.name.as_ref() } else { "none: no API has a prefix of this path" });
    way.fact("dialect", dialect_name(api.dialect));
    let routed = match &found.routed {
        Ok(routed) => routed,
        Err(reject) => {
            not_routed(way, router, reject, found);
            return String::new();
        }
    };
    let path = routed.path.as_deref().unwrap_or(sent);
    if let Some((prefix, _)) = router.prefix_of(path) {
        way.fact("prefix", &**prefix);
    }
    way.fact(
        "path",
        if path == sent { format!("{path}, as sent") } else { format!("{path}, sent as {sent}") },
    );
    if let Some(organization) = &routed.organization {
        way.fact("organizationId", organization.as_str());
    }
    let methods = &routed.route.config.methods;
    let methods: Vec<Value> = methods.iter().map(|method| method.as_str().into()).collect();
    way.fact("methods", if methods.is_empty() { "all".into() } else { Value::from(methods) });
    format!("{}, {}", routed.route.config.path, origin(routed.route))
}

fn origin(route: &Route) -> String {
    match (&route.service, route.config.line) {
        (Serve::Builtin(_), _) => "an endpoint of the gateway's own".to_owned(),
        (_, Some(line)) => format!("line {line} of the configuration"),
        (_, None) => "of the configuration".to_owned(),
    }
}

/// Why a path or method leads nowhere.
fn not_routed(way: &mut Way, router: &Router, reject: &Reject, found: &Found<'_>) {
    match reject {
        Reject::NoRoute if found.api.config.prefixes.is_empty() => {
            let mut prefixes: Vec<&str> = router.prefixes().collect();
            prefixes.sort_unstable();
            way.if_refused(format!("no API has this path; their prefixes are {}", prefixes.join(", ")));
        }
        Reject::NoRoute => {
            way.if_refused(format!("no route of the API {} has this path", found.api.config.name));
        }
        Reject::MethodNotAllowed(methods) => {
            let mut names: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
            names.sort_unstable();
            names.dedup();
            let (path, from) = (&found.route.config.path, origin(found.route));
            way.if_refused(format!(
                "{path} ({from}) has the path, but no such method; it has {}",
                names.join(", ")
            ));
        }
        _ => {}
    }
}

fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ocriva => "ocriva",
        Dialect::Ocore => "ocore",
        Dialect::Problem => "problem",
    }
}

/// Who the client is taken to be.
pub(super) fn client(way: &mut Way, client: IpAddr, peer: &Peer) {
    let note = if peer.trusts() { ", the peer being a trusted proxy" } else { "" };
    way.fact("client", format!("{client}{note}"));
}
