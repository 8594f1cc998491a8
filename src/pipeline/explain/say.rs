//! The words of an explanation: what a stage decides by, and why it decides so. Nothing is decided here.

use super::super::Peer;
use super::super::authenticate::{self, Known};
use super::super::authorize::{self, Grant};
use super::super::credential::Credential;
use super::super::project_body::Reading;
use super::super::query;
use super::super::reject::Reject;
use super::super::route::{Builtin, Found, Route, Routed, Router, Serve};
use super::report::Way;
use crate::clock::Moment;
use crate::config::{Dialect, Identity, Mode, ProjectRequired};
use crate::dialect::time::iso_millis;
use crate::dialect::{self, Presented, Unusable};
use crate::limiter::{Algorithm, Verdict};
use crate::store::cache::Entry;
use crate::token::{KeyFamily, Permissions, Reach, Role};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use serde_json::Value;
use std::net::IpAddr;

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static X_ORG_SLUG: HeaderName = HeaderName::from_static("x-org-slug");

/// API, dialect, prefix, path and route.
pub(super) fn route(way: &mut Way, router: &Router, sent: &str, found: &Found<'_>) {
    let api = &found.api.config;
    let of_an_api = !api.prefixes.is_empty();
    way.fact("api", if of_an_api { api.name.as_ref() } else { "none: no API has a prefix of this path" });
    way.fact("dialect", dialect_name(api.dialect));
    let Ok(routed) = &found.routed else { return };
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
    way.allow(format!("{}, {}", routed.route.config.path, origin(routed.route)));
}

fn origin(route: &Route) -> String {
    match (&route.service, route.config.line) {
        (Serve::Builtin(_), _) => "an endpoint of the gateway's own".to_owned(),
        (_, Some(line)) => format!("line {line} of the configuration"),
        (_, None) => "of the configuration".to_owned(),
    }
}

/// Why a path or method leads nowhere.
pub(super) fn not_routed(way: &mut Way, router: &Router, reject: &Reject, found: &Found<'_>) {
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
    way.refuse(reason(reject));
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

/// Which kinds of credential are shown, and where; never what they are.
pub(super) fn credential(way: &mut Way, routed: &Routed<'_>, headers: &HeaderMap) {
    let api = &routed.api.config;
    if routed.route.config.open {
        return;
    }
    for (name, place) in [
        (&X_API_KEY, "X-API-Key"),
        (&AUTHORIZATION, "Authorization: Bearer"),
        (&COOKIE, "the cookie access_token"),
    ] {
        // The same reading, of this field alone: what it finds stands there.
        let mut alone = HeaderMap::new();
        for value in headers.get_all(name) {
            alone.append(name, value.clone());
        }
        let found = match dialect::present(api, &alone) {
            Ok(Presented { key: Some(key), .. }) => family(key),
            Ok(Presented { jwt: Some(_), .. }) => "a JWT",
            Ok(_) => continue,
            Err(Unusable::Foreign) => "neither a key nor a JWT of this dialect",
            Err(Unusable::Contradictory) => "two values that differ",
        };
        way.fact(place, found);
    }
    let shown = match dialect::present(api, headers) {
        Err(Unusable::Contradictory) => {
            "there are two credentials that differ, so that it would be a guess which counts"
        }
        Err(Unusable::Foreign) => {
            "what is shown is neither a key nor a JWT of this dialect, so it is not looked up"
        }
        Ok(_) if api.dialect == Dialect::Ocore && headers.contains_key(&X_API_KEY) => {
            "no credential: in this dialect it is Authorization: Bearer or the cookie access_token; X-API-Key is none"
        }
        Ok(_) if api.dialect == Dialect::Ocore => {
            "no credential: send Authorization: Bearer, or the cookie access_token"
        }
        Ok(_) => "no credential: send X-API-Key, or Authorization: Bearer",
    };
    way.if_refused(shown);
}

fn family(key: &str) -> &'static str {
    match KeyFamily::of(key) {
        Some(KeyFamily::Ocriva) => "a key of the family ocr_",
        Some(KeyFamily::Ocore) => "a key of the family ocore_",
        None => "a key with a prefix of this API",
    }
}

pub(super) fn shown(credential: &Credential<'_>) -> &'static str {
    match credential {
        Credential::NotAsked => "the route is open: `auth: none`",
        Credential::Shown { key: Some(_), jwt: Some(_) } => "a key and a JWT, which have to be of one key",
        Credential::Shown { key: Some(_), jwt: None } => "a key",
        Credential::Shown { .. } => "a JWT",
    }
}

/// Says in advance what an unsuccessful look-up means.
pub(super) fn lookup(way: &mut Way, credential: &Credential<'_>) {
    way.if_refused(match credential {
        Credential::Shown { jwt: Some(_), key: None } => {
            "the JWT is not one of this API, is over, or what it names is gone or was regenerated"
        }
        Credential::Shown { jwt: Some(_), .. } => "key and JWT are not both of one key that the store has",
        _ => "no key in the store has this value",
    });
}

/// Who it is.
pub(super) fn known(way: &mut Way, known: &Known) {
    match known {
        Known::Anonymous => way.allow("nobody is asked who they are"),
        Known::Key(entry) => {
            key(way, entry);
            way.allow(format!("the key \"{}\"", entry.record.name));
        }
        Known::User(user) => {
            way.fact("user", user.record.id.as_str());
            let place = |place: &crate::store::Membership| {
                format!("{} as {}", place.slug, place.role.as_str()).into()
            };
            way.fact("organizations", Value::Array(user.record.memberships.iter().map(place).collect()));
            way.allow("a person");
        }
    }
}

fn key(way: &mut Way, entry: &Entry) {
    let record = &entry.record;
    let view = entry.organization.load();
    way.fact("name", record.name.as_str());
    way.fact("id", record.id.as_str());
    way.fact("organization", format!("{} ({})", record.organization, view.organization.slug));
    way.fact("type", record.reach.as_str());
    if let Reach::Project(project) = &record.reach {
        way.fact("project", project.as_str());
    }
    way.fact("permissions", list(record.permissions.iter()));
    way.fact("scopes", list(record.scopes.iter().map(AsRef::as_ref)));
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    let items: Vec<Value> = items.map(Value::from).collect();
    if items.is_empty() { "none".into() } else { Value::Array(items) }
}

/// The limit and what a fresh bucket says.
pub(super) fn limit(way: &mut Way, routed: &Routed<'_>, verdict: Option<&Verdict>) {
    let Some(limit) = &routed.api.limit else { return };
    let rate = &limit.limit.rate;
    let algorithm = match rate.algorithm {
        Algorithm::TokenBucket => "token bucket",
        Algorithm::SlidingWindow => "sliding window",
        Algorithm::FixedWindow => "fixed window",
    };
    let observed = if limit.limit.mode == Mode::Observe { ", observed only" } else { "" };
    way.fact("limit", format!("{} requests in {:?}, {algorithm}{observed}", rate.requests, rate.per));
    if let Some(verdict) = verdict {
        way.fact("left", format!("{} of {}, in this process", verdict.remaining, verdict.limit));
    }
}

pub(super) fn bucket(routed: &Routed<'_>, known: &Known) -> &'static str {
    match (&routed.api.limit, known) {
        (None, _) => "the API has no limit",
        (_, Known::Anonymous) => "nobody is known whom a limit could be for",
        _ => "the bucket is full here; what a running gateway has counted is not known to this process",
    }
}

/// What decides whether a credential is good now.
pub(super) fn validity(way: &mut Way, routed: &Routed<'_>, known: &Known, client: IpAddr, now: Moment) {
    match known {
        Known::Anonymous => {}
        Known::User(user) => way.fact("active", yes(user.record.active)),
        Known::Key(entry) => {
            let record = &entry.record;
            let fits = authenticate::family_fits(record, routed.api.config.dialect);
            way.fact(
                "family",
                format!(
                    "{}, {}",
                    record.family.as_str(),
                    if fits { "as this API asks" } else { "not this API's" }
                ),
            );
            way.fact("active", yes(record.active));
            let expired = authenticate::expired(record, now);
            let expires = record.expires_ms.map(iso_millis);
            way.fact(
                "expires",
                match &expires {
                    None => "never".to_owned(),
                    Some(at) => format!("{at}, {}", if expired { "which is over" } else { "still to come" }),
                },
            );
            let addresses: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
            let allowed = authenticate::allows(record, client);
            way.fact(
                "ipWhitelist",
                match addresses.is_empty() {
                    true => "none: any address".to_owned(),
                    false => format!(
                        "{}: {} {client}",
                        addresses.join(", "),
                        if allowed { "has" } else { "does not have" }
                    ),
                },
            );
            way.if_refused(match (fits, record.active, expires) {
                (false, ..) => "the key is of the other family: it is unknown here".to_owned(),
                (_, false, _) => "the key is deactivated".to_owned(),
                (_, _, Some(at)) if expired => format!("the key expired at {at}"),
                _ => format!("the key's ipWhitelist does not have {client}"),
            });
        }
    }
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

pub(super) fn valid(known: &Known) -> &'static str {
    match known {
        Known::Anonymous => "there is nothing to check",
        Known::Key(_) => {
            "the key is active, unexpired and allowed from this address; the use is not counted here"
        }
        Known::User(_) => "the person is active",
    }
}

/// The organization that the request names, and the caller's.
pub(super) fn organization(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    grant: Option<&Grant>,
    headers: &HeaderMap,
) -> String {
    if let Some(named) = &routed.organization {
        way.fact("in the path", named.as_str());
    }
    if routed.api.config.dialect == Dialect::Ocore {
        let slugs: Vec<_> = headers
            .get_all(&X_ORG_SLUG)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        way.fact("X-Org-Slug", if slugs.is_empty() { "not sent".to_owned() } else { slugs.join(", ") });
    }
    match known {
        Known::Anonymous => "nobody is asked for one".to_owned(),
        Known::Key(entry) => {
            let view = entry.organization.load();
            let own = &view.organization;
            way.if_refused(format!(
                "the request names another organization than the key's, {} ({})",
                own.id, own.slug
            ));
            format!("{} ({}), the key's", own.id, own.slug)
        }
        Known::User(user) => {
            let count = user.record.memberships.len();
            way.if_refused(match headers.contains_key(&X_ORG_SLUG) {
                true => "the person is not in the organization that X-Org-Slug names".to_owned(),
                false => format!("the person belongs to {count} organizations: X-Org-Slug has to name one"),
            });
            let place = grant.and_then(Grant::membership);
            place.map_or_else(String::new, |place| {
                format!("{} ({}), as {}", place.organization, place.slug, place.role.as_str())
            })
        }
    }
}

/// The project that the query names, and the one that the request is held to.
pub(super) fn project(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    grant: Option<&Grant>,
    raw: Option<&str>,
) -> String {
    let Known::Key(entry) = known else { return "only keys are held to projects".to_owned() };
    let rule = routed.route.config.project;
    if routed.api.config.dialect != Dialect::Ocriva && rule.is_none() {
        return "neither route nor dialect knows projects".to_owned();
    }
    let named = raw.and_then(|raw| query::read(raw).ok()?.project);
    way.fact("named in the query", named.as_deref().unwrap_or("none"));
    if let Some(project) = grant.and_then(Grant::project) {
        way.fact("project", project.as_str());
    }
    if let Some(grant) = grant {
        let forwarded = grant.query().or(raw).unwrap_or_default();
        way.fact("query as forwarded", if forwarded.is_empty() { "none" } else { forwarded });
    }
    match (&entry.record.reach, &named) {
        (Reach::Project(own), Some(named)) => {
            if own.as_str() != &**named {
                way.if_refused(format!("the key is of the project {own}, and the query names {named}"));
            }
            "the key's own project is named".to_owned()
        }
        (Reach::Project(own), None) if grant.is_some_and(|grant| grant.query().is_some()) => {
            format!("none is named: the key's own, {own}, is put into the query")
        }
        (Reach::Project(own), None) => format!("none is named: the key's own, {own}, counts"),
        (Reach::Organization, Some(named)) => {
            if entry.organization.load().project(named).is_none() {
                way.if_refused(format!(
                    "{named} is not a project of the key's organization, {}",
                    entry.record.organization
                ));
            }
            format!("{named} is a project of the key's organization")
        }
        (Reach::Organization, None) => "none is named in the query".to_owned(),
    }
}

/// Permissions and scopes: what is asked, and what is missing.
pub(super) fn requirements(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    grant: Option<&Grant>,
) -> String {
    let require = &routed.route.config.require;
    if require.permissions.is_empty() && require.scopes.is_empty() {
        return "the route asks for no permission and no scope".to_owned();
    }
    way.fact("permissions asked", list(require.permissions.iter().map(AsRef::as_ref)));
    way.fact("scopes asked", list(require.scopes.iter().map(AsRef::as_ref)));
    let (held, scopes): (Permissions, Vec<&str>) = match known {
        Known::Anonymous => return "nobody is asked for them".to_owned(),
        Known::Key(entry) => (
            entry.record.permissions.clone(),
            authorize::lacking_scopes(&entry.record, &require.scopes).collect(),
        ),
        Known::User(_) => {
            let role = grant.and_then(Grant::membership).map(|place| place.role);
            // Refused: nothing is known of the place, and nothing more is said of it.
            (role.map(Role::permissions).unwrap_or_default(), Vec::new())
        }
    };
    let permissions: Vec<&str> = authorize::lacking_permissions(&held, &require.permissions).collect();
    let missing = [("permission", permissions), ("scope", scopes)];
    let missing = missing.iter().filter(|(_, names)| !names.is_empty());
    let missing: Vec<String> =
        missing.map(|(what, names)| format!("the {what} {}", names.join(", "))).collect();
    if missing.is_empty() {
        return "all of them are held".to_owned();
    }
    let missing = format!("missing: {}", missing.join(" and "));
    way.if_refused(missing.clone());
    format!("{missing}; `mode: observe` lets it through and records it")
}

/// Bytes, in the unit that a reader would choose.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0 => "no body".to_owned(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

pub(super) fn unseen(reading: &Reading) -> String {
    let place = match reading {
        Reading::Json => "the JSON body",
        Reading::Multipart(_) => "the multipart body",
    };
    format!(
        "explain sees no body: a projectId in {place} would be checked. It has to be a project that the key may use, and \
         the same as in the query where both name one"
    )
}

/// Who has to name a project, and has.
pub(super) fn rule(routed: &Routed<'_>, known: &Known) -> &'static str {
    match (routed.route.config.project.map(|rule| rule.required), known) {
        (_, Known::Anonymous | Known::User(_)) => "only keys have to name projects",
        (None | Some(ProjectRequired::Never), _) => "the route asks nobody to name a project",
        (Some(ProjectRequired::Organization), Known::Key(entry))
            if entry.record.reach != Reach::Organization =>
        {
            "a project key need not name its project"
        }
        _ => "a project has to be named, and is",
    }
}

pub(super) fn swapped(routed: &Routed<'_>, known: &Known) -> &'static str {
    match (routed.api.config.identity, known) {
        (Identity::None, _) => "the client's credential is taken out, and none is put in: `identity: none`",
        (_, Known::Anonymous) => {
            "the client's credential is taken out; nobody is known whose identity could go in"
        }
        (Identity::Jwt, _) => {
            "the client's credential is taken out, the identity goes in as signed JWT and header fields"
        }
        (Identity::Headers, _) => {
            "the client's credential is taken out, the identity goes in as header fields"
        }
    }
}

pub(super) fn builtin(which: Builtin) -> &'static str {
    match which {
        Builtin::Projects => "the gateway answers itself, with the projects of the key",
        Builtin::Jwks => "the gateway answers itself, with the public keys of its identities",
        Builtin::Login => "the gateway answers itself",
    }
}

/// Why a stage refuses, for an operator: more than a client is told.
pub(super) fn reason(reject: &Reject) -> &'static str {
    match reject {
        Reject::AmbiguousPath => {
            "the path holds '..', an encoded slash, a backslash or a control character, in some spelling: servers read \
             such paths differently"
        }
        Reject::BadEscape => "the query has a '%' that no two hexadecimal digits follow",
        Reject::ProjectNotSingle => {
            "projectId is doubled, bracketed, or spelt so that servers read it differently"
        }
        Reject::ProjectRequired => "an organization key has to name a project here, and names none",
        Reject::OwnProjectRequired => "a project key has to name its own project here, and names none",
        Reject::BodyTooLarge => "Content-Length is larger than the API's body_limit",
        Reject::HeadTooLarge => "request line and header fields are larger than the listener's header_size",
        Reject::Expectation => "Expect asks for something other than 100-continue",
        Reject::Inactive => "it is deactivated",
        Reject::Store(_) => "the store did not answer",
        other => other.message(),
    }
}
