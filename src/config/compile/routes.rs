//! `apis[].routes`: paths, methods, what is asked of a request, and who answers it.

use super::apis::mode;
use super::{all, at_least_one, maybe, or, path};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::schema::METHODS;
use crate::config::section::Section;
use crate::config::suggest::nearest;
use crate::config::{
    Mode, ProjectPlace, ProjectRequired, ProjectRule, Require, Respond, Route, Segment, Target,
};
use http::{Method, StatusCode};
use std::sync::Arc;

/// What a route must fit into.
pub(super) struct Owner<'a> {
    /// Index of the route's API.
    pub(super) api: usize,
    /// Every prefix in the file, with the index of its API.
    pub(super) prefixes: &'a [(usize, Arc<str>)],
    /// Names of the upstreams, by index.
    pub(super) upstreams: &'a [&'a str],
}

pub(super) fn routes(list: &[Value<'_>], owner: &Owner<'_>) -> Option<Vec<Route>> {
    let mut seen: Vec<(Vec<Segment>, Vec<Method>, usize)> = Vec::new();
    all(list, |value| {
        let section = value.any_section()?;
        let place = section.get("path")?;
        let pattern = path::pattern(&place);
        let methods = or(&section, "methods", methods, Vec::new);
        if let (Some(pattern), Some(methods)) = (&pattern, &methods) {
            lies_under_a_prefix(&place, pattern, owner);
            is_no_double(&place, pattern, methods, &seen);
            seen.push((pattern.clone(), methods.clone(), place.line()));
        }
        route(&section, owner, pattern, methods)
    })
}

fn route(
    section: &Section<'_>,
    owner: &Owner<'_>,
    pattern: Option<Vec<Segment>>,
    methods: Option<Vec<Method>>,
) -> Option<Route> {
    let open = section.get("auth").is_some();
    let project = maybe(section, "project", project);
    let require = or(section, "require", require, Require::default);
    let target = target(section, owner);
    let upgrade = or(section, "upgrade", upgrade, Vec::new);
    if let Some(list) = section.get("upgrade") {
        may_upgrade(&list, section, methods.as_deref().unwrap_or_default());
    }
    for key in ["project", "require"] {
        if let Some(value) = section.get(key).filter(|_| open) {
            let message =
                format!("`{key}` asks something of a key, and `auth: none` lets in requests without one");
            value.report(Code::Conflict, message, Some("remove one of the two"));
        }
    }
    Some(Route {
        path: Arc::from(section.optional_str("path")?),
        pattern: pattern?,
        methods: methods?,
        open,
        project: project?,
        require: require?,
        upgrade: upgrade?,
        target: target?,
        line: section.get("path").map(|place| place.line()),
    })
}

fn methods(value: &Value<'_>) -> Option<Vec<Method>> {
    let mut seen: Vec<Method> = Vec::new();
    at_least_one(value, "method", |value| {
        let method = Method::from_bytes(value.choice(METHODS)?.as_bytes()).ok()?;
        if seen.contains(&method) {
            value.report(Code::Conflict, format!("{} stands in this list twice", value.shown()), None);
        }
        seen.push(method.clone());
        Some(method)
    })
}

/// Protocols, in lower case.
fn upgrade(value: &Value<'_>) -> Option<Vec<Arc<str>>> {
    let mut seen: Vec<Arc<str>> = Vec::new();
    at_least_one(value, "protocol", |value| {
        let name: Arc<str> = value.non_empty()?.to_ascii_lowercase().into();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&b);
        if !name.bytes().all(is_token) {
            let help = "write the name that stands in the `Upgrade` field, e.g. `websocket`";
            value.report(Code::InvalidValue, format!("{} is no protocol", value.shown()), Some(help));
            return None;
        }
        // Requests in it would pass by every check.
        if ["h2c", "h2", "tls"].contains(&&*name) || name.starts_with("http/") || name.starts_with("tls/") {
            let help = "remove it: HTTP/2 is spoken without an upgrade, to clients and to upstreams";
            value.report(Code::InvalidValue, format!("{} can not be passed on", value.shown()), Some(help));
            return None;
        }
        if seen.contains(&name) {
            value.report(Code::Conflict, format!("{} stands in this list twice", value.shown()), None);
        }
        seen.push(name.clone());
        Some(name)
    })
}

/// Reports a list of protocols that no request can make use of.
fn may_upgrade(list: &Value<'_>, section: &Section<'_>, methods: &[Method]) {
    if section.get("respond").is_some() {
        let message = "`upgrade` needs an upstream that goes on in the other protocol";
        list.report(Code::Conflict, message, Some("remove it, or name an `upstream` instead of `respond`"));
    }
    if !methods.is_empty() && !methods.contains(&Method::GET) {
        let message = "a WebSocket begins with GET, which this route does not take";
        list.report(Code::Conflict, message, Some("add GET to `methods`, or remove `upgrade`"));
    }
}

/// Reports a path that its API never sees.
fn lies_under_a_prefix(place: &Value<'_>, pattern: &[Segment], owner: &Owner<'_>) {
    let longest = |own: bool| {
        let of = move |(api, prefix): &&(usize, Arc<str>)| {
            (*api == owner.api) == own && path::is_under(pattern, prefix)
        };
        owner.prefixes.iter().filter(of).max_by_key(|(_, prefix)| prefix.len()).map(|(_, prefix)| &**prefix)
    };
    let own: Vec<&str> =
        owner.prefixes.iter().filter(|(api, _)| *api == owner.api).map(|(_, p)| &**p).collect();
    match (longest(true), longest(false)) {
        // Without a good prefix there is nothing to compare with; that was reported.
        (None, _) if own.is_empty() => {}
        (None, _) => {
            let message = format!("{} is not under a prefix of this API", place.shown());
            let help = format!("its prefixes: {}", own.join(", "));
            place.report(Code::Conflict, message, Some(&help));
        }
        (Some(mine), Some(other)) if other.len() > mine.len() => {
            let message =
                format!("{} never gets here: another API has the longer prefix `{other}`", place.shown());
            place.report(Code::Conflict, message, Some("move the route to that API"));
        }
        (Some(_), _) => {}
    }
}

fn is_no_double(
    place: &Value<'_>,
    pattern: &[Segment],
    methods: &[Method],
    seen: &[(Vec<Segment>, Vec<Method>, usize)],
) {
    let shared = |others: &[Method]| {
        methods.is_empty() || others.is_empty() || methods.iter().any(|method| others.contains(method))
    };
    let double = seen.iter().find(|(other, others, _)| path::same(other, pattern) && shared(others));
    if let Some((_, _, line)) = double {
        let message = format!("{} has a route for the same methods already, in line {line}", place.shown());
        place.report(Code::Conflict, message, Some("name different `methods` in the two, or remove one"));
    }
}

fn project(value: &Value<'_>) -> Option<ProjectRule> {
    let section = value.any_section()?;
    let place = section.optional("in", |value| {
        value.choice(&["query", "json", "multipart"]).map(|name| match name {
            "json" => ProjectPlace::Json,
            "multipart" => ProjectPlace::Multipart,
            _ => ProjectPlace::Query,
        })
    });
    let required = or(&section, "required", required, || ProjectRequired::Organization);
    let inject = or(&section, "inject", Value::boolean, || place == Some(ProjectPlace::Query));
    if let Some(value) = section.get("inject")
        && place.is_some_and(|place| place != ProjectPlace::Query)
    {
        value.report(
            Code::Conflict,
            "`inject` adds to the query, so it needs `in: query`",
            Some("remove it"),
        );
        return None;
    }
    Some(ProjectRule { place: place?, required: required?, inject: inject? })
}

fn required(value: &Value<'_>) -> Option<ProjectRequired> {
    value.choice(&["organization", "always", "never"]).map(|name| match name {
        "always" => ProjectRequired::Always,
        "never" => ProjectRequired::Never,
        _ => ProjectRequired::Organization,
    })
}

fn require(value: &Value<'_>) -> Option<Require> {
    let section = value.any_section()?;
    let texts = |key| or(&section, key, |value| at_least_one(value, key, text), Vec::new);
    let (permissions, scopes) = (texts("permissions"), texts("scopes"));
    let mode = or(&section, "mode", mode, Mode::default);
    Some(Require { permissions: permissions?, scopes: scopes?, mode: mode? })
}

fn text(value: &Value<'_>) -> Option<Arc<str>> {
    value.non_empty().map(Arc::from)
}

fn target(section: &Section<'_>, owner: &Owner<'_>) -> Option<Target> {
    match (section.get("upstream"), section.get("respond")) {
        (Some(upstream), None) => reference(&upstream, owner).map(Target::Upstream),
        (None, Some(respond)) => answer(&respond).map(Target::Respond),
        (Some(_), Some(respond)) => {
            respond.report(
                Code::Conflict,
                "this route has `upstream` and `respond`",
                Some("keep one of the two"),
            );
            None
        }
        (None, None) => {
            section
                .report_missing("upstream", Some("name an upstream, or give a fixed answer with `respond`"));
            None
        }
    }
}

fn reference(value: &Value<'_>, owner: &Owner<'_>) -> Option<usize> {
    let name = value.non_empty()?;
    let found = owner.upstreams.iter().position(|upstream| *upstream == name);
    if found.is_none() {
        let help = match nearest(name, owner.upstreams.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if owner.upstreams.is_empty() => "define it under `upstreams`".to_owned(),
            None => format!("define it under `upstreams`; there are: {}", owner.upstreams.join(", ")),
        };
        value.report(Code::UnknownReference, format!("there is no upstream {}", value.shown()), Some(&help));
    }
    found
}

fn answer(value: &Value<'_>) -> Option<Respond> {
    let section = value.any_section()?;
    let status = section.optional("status", |value| value.integer(200, 599));
    let status =
        status.and_then(|code| u16::try_from(code).ok()).and_then(|code| StatusCode::from_u16(code).ok());
    let body = or(&section, "body", Value::text, || "");
    Some(Respond { status: status?, body: Arc::from(body?) })
}
