//! `apis`: prefixes, dialects, limits; the routes are in their own file.

use super::cors::cors;
use super::fields::{Of, edits};
use super::routes::{Owner, routes};
use super::{at_least_one, hosts, or, path, upstreams};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::schema;
use crate::config::section::Section;
use crate::config::{Api, Builtin, Dialect, HostPattern, Identity, Mode, RateLimit};
use crate::limiter::{Algorithm, Rate};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Most requests of a sliding window: it remembers each of them.
const SLIDING_WINDOW_MOST: u64 = 10_000;
const DEFAULT_BODY_LIMIT: u64 = 50 << 20;

pub(super) fn apis(root: &Section<'_>) -> Option<Vec<Api>> {
    let list = root.get("apis")?;
    let hosts = all_hosts(root);
    let prefixes = all_prefixes(root, &hosts);
    let (upstreams, h2c_only) = (upstreams::names(root), upstreams::h2c_only(root));
    names_differ(&list);
    redirects_lead_somewhere(root);
    let mut index = 0;
    at_least_one(&list, "API", |value| {
        let owner = Owner {
            api: index,
            prefixes: &prefixes,
            hosts: &hosts,
            identity: None,
            upstreams: &upstreams,
            h2c_only: &h2c_only,
        };
        index += 1;
        api(value, owner)
    })
}

fn api(value: &Value<'_>, mut owner: Owner<'_>) -> Option<Api> {
    let section = value.any_section()?;
    let name = section.optional("name", Value::non_empty);
    let dialect = section.optional("dialect", dialect);
    let prefixes = section.get("prefixes").and_then(|list| at_least_one(&list, "prefix", path::prefix));
    let rate_limit = match section.get("rate_limit") {
        Some(value) => rate_limit(&value),
        None => dialect.map(default_rate_limit),
    };
    let identity = or(&section, "identity", identity, || Identity::Jwt);
    let body_limit = or(&section, "body_limit", Value::size, || DEFAULT_BODY_LIMIT);
    let builtin = or(&section, "builtin", builtin, || Builtin::USUAL);
    let key_prefixes = key_prefixes(&section, dialect);
    let hosts = hosts::hosts(&section, "hosts");
    let redirect_to_https = or(&section, "redirect_to_https", Value::boolean, || false);
    let request_headers = edits(&section, Of::Requests, identity);
    let response_headers = edits(&section, Of::Answers, identity);
    let cors = cors(&section);
    let addresses = or(&section, "addresses", addresses, Mode::default);
    owner.identity = identity;
    let routes = routes(&section.items("routes"), &owner);
    Some(Api {
        name: Arc::from(name?),
        dialect: dialect?,
        prefixes: prefixes?,
        hosts: hosts?,
        redirect_to_https: redirect_to_https?,
        rate_limit: rate_limit?,
        identity: identity?,
        body_limit: body_limit?,
        builtin: builtin?,
        routes: routes?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        cors: cors?,
        addresses: addresses?,
        key_prefixes: key_prefixes?,
    })
}

/// True, false, or what is served beside the usual endpoints.
fn builtin(value: &Value<'_>) -> Option<Builtin> {
    if !value.is_list() {
        return value.boolean().map(|usual| Builtin { usual, ..Builtin::USUAL });
    }
    let mut served = Builtin::USUAL;
    for item in value.items()? {
        let name = item.choice(schema::BUILTIN_GROUPS)?;
        let group = schema::BUILTIN_GROUPS.iter().position(|known| *known == name)?;
        served.more[group] = true;
    }
    Some(served)
}

/// The hosts of every API, in the order of the file.
fn all_hosts(root: &Section<'_>) -> Vec<Vec<HostPattern>> {
    let of = |api: &Value<'_>| hosts::hosts(&api.any_section()?, "hosts");
    root.items("apis").iter().map(|api| of(api).unwrap_or_default()).collect()
}

/// The prefixes of every API with its index; reports those that two APIs want on one host.
fn all_prefixes(root: &Section<'_>, hosts: &[Vec<HostPattern>]) -> Vec<(usize, Arc<str>)> {
    let mut seen: Vec<(usize, Arc<str>)> = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    for (index, api) in root.items("apis").iter().enumerate() {
        let values = api.any_section().map(|section| section.items("prefixes")).unwrap_or_default();
        for value in values {
            let Some(prefix) = path::prefix(&value) else { continue };
            let taken = |(api, other): &(usize, Arc<str>)| {
                *other == prefix && hosts::overlap(&hosts[*api], &hosts[index])
            };
            if let Some(at) = seen.iter().position(taken) {
                let message = format!("the prefix `{prefix}` is taken already, by line {}", lines[at]);
                value.report(
                    Code::Conflict,
                    message,
                    Some("a prefix belongs to one API of a host; a longer one may lie under it"),
                );
                continue;
            }
            seen.push((index, prefix));
            lines.push(value.line());
        }
    }
    seen
}

/// Reports APIs that send clients to a listener with TLS where there is none.
fn redirects_lead_somewhere(root: &Section<'_>) {
    let has_tls = |value: &Value<'_>| value.any_section().is_some_and(|it| it.get("tls").is_some());
    if root.items("listeners").iter().any(has_tls) {
        return;
    }
    for api in root.items("apis") {
        let Some(value) = api.any_section().and_then(|section| section.get("redirect_to_https")) else {
            continue;
        };
        if value.peek() == Some("true") {
            let help = "give a listener `tls`; where something in front of the gateway has the certificates, it has to \
                        redirect";
            value.report(
                Code::Conflict,
                "no listener has TLS: clients would be sent in a circle",
                Some(help),
            );
        }
    }
}

/// `addresses: { mode: observe }`
fn addresses(value: &Value<'_>) -> Option<Mode> {
    or(&value.any_section()?, "mode", mode, Mode::default)
}

fn names_differ(list: &Value<'_>) {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for api in list.items().unwrap_or_default() {
        let Some(value) = api.any_section().and_then(|section| section.get("name")) else { continue };
        let Some(name) = value.non_empty() else { continue };
        match seen.iter().find(|(other, _)| *other == name) {
            Some((_, line)) => {
                let message = format!("another API has the name {} already, in line {line}", value.shown());
                value.report(
                    Code::Conflict,
                    message,
                    Some("names are labels in metrics: give each API its own"),
                );
            }
            None => seen.push((name, value.line())),
        }
    }
}

fn dialect(value: &Value<'_>) -> Option<Dialect> {
    value.choice(&["ocriva", "ocore", "problem"]).map(|name| match name {
        "ocriva" => Dialect::Ocriva,
        "ocore" => Dialect::Ocore,
        _ => Dialect::Problem,
    })
}

fn identity(value: &Value<'_>) -> Option<Identity> {
    value.choice(&["jwt", "headers", "none"]).map(|name| match name {
        "jwt" => Identity::Jwt,
        "headers" => Identity::Headers,
        _ => Identity::None,
    })
}

/// `enforce` or `observe`.
pub(super) fn mode(value: &Value<'_>) -> Option<Mode> {
    value.choice(&["enforce", "observe"]).map(|name| match name {
        "observe" => Mode::Observe,
        _ => Mode::Enforce,
    })
}

/// What the dialect's documentation promises to clients.
fn default_rate_limit(dialect: Dialect) -> Option<RateLimit> {
    let per_minute = match dialect {
        Dialect::Ocriva => 60,
        Dialect::Ocore => 600,
        Dialect::Problem => return None,
    };
    let per = Duration::from_secs(60);
    let rate = Rate { requests: NonZeroU32::new(per_minute)?, per, algorithm: Algorithm::TokenBucket };
    Some(RateLimit { rate, mode: Mode::Enforce })
}

/// `Some(None)` for `none`, which turns the limit off.
fn rate_limit(value: &Value<'_>) -> Option<Option<RateLimit>> {
    if value.peek() == Some("none") {
        return Some(None);
    }
    let section = value.any_section()?;
    let requests = section.optional("requests", |value| value.integer(1, u32::MAX.into()));
    let per = section.optional("per", Value::duration);
    let algorithm = or(&section, "algorithm", algorithm, || Algorithm::TokenBucket);
    let mode = or(&section, "mode", mode, Mode::default);
    if algorithm == Some(Algorithm::SlidingWindow)
        && let Some(value) = section.get("requests")
        && requests.is_some_and(|n| n > SLIDING_WINDOW_MOST)
    {
        let message =
            format!("a sliding window holds at most {SLIDING_WINDOW_MOST} requests: it remembers each one");
        value.report(Code::InvalidValue, message, Some("lower it, or use `token_bucket` or `fixed_window`"));
        return None;
    }
    let requests = requests.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
    let rate = Rate { requests: requests?, per: per?, algorithm: algorithm? };
    Some(Some(RateLimit { rate, mode: mode? }))
}

fn algorithm(value: &Value<'_>) -> Option<Algorithm> {
    value.choice(&["token_bucket", "sliding_window", "fixed_window"]).map(|name| match name {
        "sliding_window" => Algorithm::SlidingWindow,
        "fixed_window" => Algorithm::FixedWindow,
        _ => Algorithm::TokenBucket,
    })
}

fn key_prefixes(section: &Section<'_>, dialect: Option<Dialect>) -> Option<Vec<Arc<str>>> {
    let Some(value) = section.get("key_prefixes") else { return Some(Vec::new()) };
    if dialect.is_some_and(|dialect| dialect != Dialect::Problem) {
        let help = "remove it, or use `dialect: problem`";
        value.report(Code::Conflict, "the keys of this dialect have a prefix of their own", Some(help));
        return None;
    }
    at_least_one(&value, "prefix", |value| {
        let text = value.non_empty()?;
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            let help = "use letters, digits, `_` and `-`, such as `acme_`";
            value.report(Code::InvalidValue, format!("{} cannot begin a key", value.shown()), Some(help));
            return None;
        }
        Some(Arc::from(text))
    })
}
