//! `apis[].routes`: paths, methods, what is asked of a request, and who answers it.

use super::apis::mode;
use super::conditions::conditions;
use super::fields::{Of, edits};
use super::{all, at_least_one, change, hosts, maybe, or, path, split};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::schema::METHODS;
use crate::config::section::Section;
use crate::config::suggest::nearest;
use crate::config::{
    Conditions, HostPattern, Identity, Mode, ProjectPlace, ProjectRequired, ProjectRule, Require, Respond,
    Route, Segment, Target,
};
use http::{Method, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;

/// What a route must fit into.
pub(super) struct Owner<'a> {
    /// Index of the route's API.
    pub(super) api: usize,
    /// Every prefix in the file, with the index of its API.
    pub(super) prefixes: &'a [(usize, Arc<str>)],
    /// The hosts of each API.
    pub(super) hosts: &'a [Vec<HostPattern>],
    /// What upstreams of the API learn of the caller.
    pub(super) identity: Option<Identity>,
    /// Names of the upstreams, by index.
    pub(super) upstreams: &'a [&'a str],
    /// Those of them that no request can leave HTTP at: all their endpoints are `h2c`.
    pub(super) h2c_only: &'a [&'a str],
}

impl Owner<'_> {
    fn own_hosts(&self) -> &[HostPattern] {
        self.hosts.get(self.api).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What tells a route from others.
struct Place<'d> {
    at: Value<'d>,
    pattern: Vec<Segment>,
    methods: Vec<Method>,
    hosts: Vec<HostPattern>,
    conditions: Conditions,
}

pub(super) fn routes(list: &[Value<'_>], owner: &Owner<'_>) -> Option<Vec<Route>> {
    // By what a pattern matches: ten thousand routes are not compared with each other.
    let mut seen: HashMap<String, Vec<Place<'_>>> = HashMap::new();
    all(list, |value| {
        let section = value.any_section()?;
        let at = section.get("path")?;
        let pattern = path::pattern(&at);
        let methods = or(&section, "methods", methods, Vec::new);
        let hosts = hosts::hosts(&section, "hosts");
        let conditions = conditions(&section);
        if let (Some(pattern), Some(methods), Some(hosts), Some(conditions)) =
            (pattern, methods, hosts, conditions)
        {
            lies_under_a_prefix(&at, &pattern, owner);
            hosts::are_the_apis(&section, &hosts, owner.own_hosts());
            let place = Place { at, pattern, methods, hosts, conditions };
            let alike = seen.entry(path::shape(&place.pattern)).or_default();
            is_no_double(&place, alike);
            let route = route(&section, owner, Some(&place));
            alike.push(place);
            return route;
        }
        route(&section, owner, None)
    })
}

fn route(section: &Section<'_>, owner: &Owner<'_>, place: Option<&Place<'_>>) -> Option<Route> {
    let pattern = place.map(|place| &*place.pattern);
    let open = section.get("auth").is_some();
    let project = maybe(section, "project", project);
    let require = or(section, "require", require, Require::default);
    let served_on = place.map(|place| &*place.hosts).filter(|hosts| !hosts.is_empty());
    let target = target(section, owner, pattern, served_on.unwrap_or(owner.own_hosts()));
    let rewrite = maybe(section, "rewrite", |value| change::rewrite(value, pattern));
    let request_headers = edits(section, Of::Requests, owner.identity);
    let response_headers = edits(section, Of::Answers, owner.identity);
    let timeout = maybe(section, "timeout", Value::duration);
    let body_limit = maybe(section, "body_limit", Value::size);
    let mirror = maybe(section, "mirror", |value| split::mirror(value, owner));
    let upgrade = or(section, "upgrade", upgrade, Vec::new);
    if let Some(list) = section.get("upgrade") {
        may_upgrade(&list, section, owner, place.map(|place| &*place.methods).unwrap_or_default());
    }
    for key in ["project", "require"] {
        if let Some(value) = section.get(key).filter(|_| open) {
            let message =
                format!("`{key}` asks something of a key, and `auth: none` lets in requests without one");
            value.report(Code::Conflict, message, Some("remove one of the two"));
        }
    }
    let (place, target) = (place?, target?);
    Some(Route {
        open,
        project: project?,
        require: require?,
        upgrade: upgrade?,
        rewrite: rewrite?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        timeout: timeout?,
        body_limit: body_limit?,
        mirror: mirror?,
        hosts: place.hosts.clone(),
        conditions: place.conditions.clone(),
        line: Some(place.at.line()),
        ..Route::plain(section.optional_str("path")?, place.pattern.clone(), place.methods.clone(), target)
    })
}

pub(super) fn methods(value: &Value<'_>) -> Option<Vec<Method>> {
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
fn may_upgrade(list: &Value<'_>, section: &Section<'_>, owner: &Owner<'_>, methods: &[Method]) {
    for key in ["respond", "redirect"] {
        if section.get(key).is_some() {
            let message = "`upgrade` needs an upstream that goes on in the other protocol";
            let help = format!("remove it, or name an `upstream` instead of `{key}`");
            list.report(Code::Conflict, message, Some(&help));
        }
    }
    if let Some(name) = section.get("upstream").and_then(|value| h2c_only(&value, owner)) {
        let message = format!("all endpoints of `{name}` are `h2c`, which has no other protocol to go on in");
        list.report(
            Code::Conflict,
            message,
            Some("give that upstream an `http` or `https` endpoint, or remove `upgrade`"),
        );
    }
    if !methods.is_empty() && !methods.contains(&Method::GET) {
        let message = "a WebSocket begins with GET, which this route does not take";
        list.report(Code::Conflict, message, Some("add GET to `methods`, or remove `upgrade`"));
    }
}

/// The first upstream of a route, weights or not, that is reached by `h2c` only.
fn h2c_only(value: &Value<'_>, owner: &Owner<'_>) -> Option<String> {
    let is_one = |name: &str| owner.h2c_only.contains(&name);
    if !value.is_section() {
        return value.peek().filter(|name| is_one(name)).map(str::to_owned);
    }
    let section = value.any_section()?;
    section.entries().map(|(key, _)| &key.text).find(|name| is_one(name)).cloned()
}

/// Reports a path that its API never sees.
fn lies_under_a_prefix(place: &Value<'_>, pattern: &[Segment], owner: &Owner<'_>) {
    let longest = |own: bool| {
        let of = move |(api, prefix): &&(usize, Arc<str>)| {
            // An API of other hosts may have a longer prefix: it is another place.
            let beside = || owner.hosts.get(*api).map(Vec::as_slice) == Some(owner.own_hosts());
            (*api == owner.api) == own && (own || beside()) && path::is_under(pattern, prefix)
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

/// Reports a route that another one of the same path stands in the way of: a request that is both's must be
/// one's more than the other's.
fn is_no_double(place: &Place<'_>, alike: &[Place<'_>]) {
    let shared = |others: &[Method]| {
        let methods = &place.methods;
        methods.is_empty() || others.is_empty() || methods.iter().any(|method| others.contains(method))
    };
    let double = alike.iter().find(|other| {
        shared(&other.methods)
            && hosts::overlap(&place.hosts, &other.hosts)
            && place.conditions.rank() == other.conditions.rank()
            && !place.conditions.exclude(&other.conditions)
    });
    let Some(other) = double else { return };
    let (at, line) = (&place.at, other.at.line());
    if place.conditions.is_empty() {
        let message = format!("{} has a route for the same methods already, in line {line}", at.shown());
        at.report(Code::Conflict, message, Some("name different `methods` in the two, or remove one"));
    } else {
        let message = format!(
            "a request can meet the conditions of this route and of the one in line {line}, and neither is more specific"
        );
        let help =
            "give one of the two another condition, or make conditions of the same name exclude each other";
        at.report(Code::Conflict, message, Some(help));
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
    let mode = or(&section, "mode", mode, Mode::default);
    Some(ProjectRule { place: place?, required: required?, inject: inject?, mode: mode? })
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

/// Who answers: the first of these keys that is there; a second one is reported.
const ANSWERS: [&str; 3] = ["upstream", "respond", "redirect"];
/// What is of no use to a route that no upstream sees.
const OF_UPSTREAMS: [&str; 5] = ["rewrite", "request_headers", "timeout", "mirror", "sticky"];

fn target(
    section: &Section<'_>,
    owner: &Owner<'_>,
    pattern: Option<&[Segment]>,
    served_on: &[HostPattern],
) -> Option<Target> {
    let mut given = ANSWERS.iter().filter_map(|key| Some((*key, section.get(key)?)));
    let Some((key, value)) = given.next() else {
        let help =
            "name an upstream, give a fixed answer with `respond`, or send clients elsewhere with `redirect`";
        section.report_missing("upstream", Some(help));
        return None;
    };
    if let Some((other, second)) = given.next() {
        let message = format!("this route has `{key}` and `{other}`");
        second.report(Code::Conflict, message, Some("keep one of the two"));
        return None;
    }
    if key == "upstream" {
        return split::target(section, &value, owner);
    }
    for name in OF_UPSTREAMS {
        if let Some(idle) = section.get(name) {
            let message = format!("`{name}` does nothing here: no upstream sees the requests of this route");
            idle.report(Code::Conflict, message, Some("remove it"));
        }
    }
    match key {
        "respond" => answer(&value).map(Target::Respond),
        _ => change::redirect(&value, pattern, served_on).map(Target::Redirect),
    }
}

/// The upstream of a name that stands at a value, or as its key.
pub(super) fn reference(value: &Value<'_>, name: &str, owner: &Owner<'_>) -> Option<usize> {
    let found = owner.upstreams.iter().position(|upstream| *upstream == name);
    if found.is_none() {
        let help = match nearest(name, owner.upstreams.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if owner.upstreams.is_empty() => "define it under `upstreams`".to_owned(),
            None => format!("define it under `upstreams`; there are: {}", owner.upstreams.join(", ")),
        };
        let shown =
            if value.peek() == Some(name) { value.shown() } else { format!("`{}`", name.escape_debug()) };
        value.report(Code::UnknownReference, format!("there is no upstream {shown}"), Some(&help));
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
