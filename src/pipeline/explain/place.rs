//! Where a request leads, and from where it comes, in words. Nothing is decided here.

use super::super::reject::Reject;
use super::super::route::{Asked, Found, Miss, Route, RoutedApi, Router, Serve};
use super::super::{Peer, cors, path};
use super::report::Way;
use crate::config::{self, Dialect};
use crate::wire::Request;
use serde_json::Value;
use std::net::IpAddr;

/// Most other routes that are told of.
const MOST_MISSES: usize = 5;

/// Host, API, dialect, prefix and path; gives the route.
pub(super) fn route(way: &mut Way, router: &Router, request: &Request, found: &Found<'_>) -> String {
    let (api, sent) = (&found.api.config, request.target.path());
    let of_an_api = !api.prefixes.is_empty();
    way.fact("api", if of_an_api { api.name.as_ref() } else { "none: no API has a prefix of this path" });
    if !api.hosts.is_empty() {
        way.fact("hosts", api.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    way.fact("dialect", dialect_name(api.dialect));
    cors(way, found.api, request);
    let routed = match &found.routed {
        Ok(routed) => routed,
        Err(reject) => {
            not_routed(way, router, reject, request, found);
            return String::new();
        }
    };
    let path = routed.path.as_deref().unwrap_or(sent);
    if let Some(prefix) = router.prefix_of(&request.target, &request.fields, path) {
        way.fact("prefix", prefix);
    }
    way.fact(
        "path",
        if path == sent { format!("{path}, as sent") } else { format!("{path}, sent as {sent}") },
    );
    if let Some(organization) = routed.organization(sent) {
        way.fact("organizationId", &*organization);
    }
    let methods = &routed.route.config.methods;
    let methods: Vec<Value> = methods.iter().map(|method| method.as_str().into()).collect();
    way.fact("methods", if methods.is_empty() { "all".into() } else { Value::from(methods) });
    conditions(way, &routed.route.config);
    misses(way, found.api, path, request);
    format!("{}, {}", routed.route.config.path, origin(routed.route))
}

/// What the route asks for besides, all of which the request has.
fn conditions(way: &mut Way, route: &config::Route) {
    let conditions = &route.conditions;
    let hosts = route.hosts.iter().map(|host| format!("the host {host}"));
    let headers = conditions.headers.iter().map(|(name, _)| format!("the header field {name}"));
    let query = conditions.query.iter().map(|(name, _)| format!("the parameter {name}"));
    let all: Vec<Value> = hosts.chain(headers).chain(query).map(Value::from).collect();
    if !all.is_empty() {
        way.fact("by", Value::from(all));
    }
}

/// Other routes of the same path, and what the request lacks to be theirs.
fn misses(way: &mut Way, api: &RoutedApi, path: &str, request: &Request) {
    let asked = Asked { method: &request.method, target: &request.target, fields: &request.fields };
    let told = api.misses(path, asked).into_iter().take(MOST_MISSES).map(|(route, miss)| {
        let lacks = match miss {
            Miss::Host(host) => format!("it is for the host {host}"),
            Miss::Header(name) => format!("the header field {name} is not as it asks for"),
            Miss::Query(name) => format!("the parameter {name} is not as it asks for"),
        };
        Value::from(format!("{} ({}): {lacks}", route.config.path, origin(route)))
    });
    let told: Vec<Value> = told.collect();
    if !told.is_empty() {
        way.fact("not", Value::from(told));
    }
}

/// Whether a page may read the answer, where the API has a say in it.
fn cors(way: &mut Way, api: &RoutedApi, request: &Request) {
    let Some(judged) = cors::judged(api, &request.fields) else { return };
    let origin = request.fields.get(&http::header::ORIGIN);
    let origin = origin.map(|origin| String::from_utf8_lossy(origin).into_owned());
    way.fact(
        "cors",
        match origin {
            None => "no Origin: the request is of no page of another origin".to_owned(),
            Some(origin) if judged.allowed() => format!("pages of {origin} may read the answer"),
            Some(origin) => {
                format!("pages of {origin} may not read the answer; the request is served all the same")
            }
        },
    );
}

fn origin(route: &Route) -> String {
    match (&route.service, route.config.line) {
        (Serve::Builtin(_), _) => "an endpoint of the gateway's own".to_owned(),
        (_, Some(line)) => format!("line {line} of the configuration"),
        (_, None) => "of the configuration".to_owned(),
    }
}

/// Why a path or method leads nowhere.
fn not_routed(way: &mut Way, router: &Router, reject: &Reject, request: &Request, found: &Found<'_>) {
    if let Ok(path) = path::normalise(request.target.path()) {
        misses(way, found.api, &path, request);
    }
    match reject {
        Reject::NoRoute if found.api.config.prefixes.is_empty() => {
            let mut prefixes: Vec<&str> = router.prefixes(&request.target, &request.fields).collect();
            prefixes.sort_unstable();
            way.if_refused(format!(
                "no API has this path on this host; the prefixes there are {}",
                prefixes.join(", ")
            ));
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
