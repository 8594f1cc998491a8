//! Who is asking, what they may use, and whether their credential is good, in words. Nothing is decided here.

use super::super::authenticate::{self, Known};
use super::super::credential::Credential;
use super::super::route::Routed;
use super::report::Way;
use super::say::list;
use crate::clock::Moment;
use crate::config::{Dialect, Mode};
use crate::dialect::time::iso_millis;
use crate::dialect::{self, Presented, Unusable};
use crate::limiter::{Addresses, Algorithm, Rate, Verdict};
use crate::store::cache::Entry;
use crate::token::{KeyFamily, Reach};
use crate::wire::Fields;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use serde_json::Value;
use std::net::IpAddr;

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Which kinds of credential are shown, and where; never what they are.
pub(super) fn credential(way: &mut Way, routed: &Routed<'_>, fields: &Fields) {
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
        let alone = fields.only(name);
        let found = match dialect::present(api, &alone) {
            Ok(Presented { key: Some(key), .. }) => family(key),
            Ok(Presented { jwt: Some(_), .. }) => "a JWT",
            Ok(_) => continue,
            Err(Unusable::Foreign) => "neither a key nor a JWT of this dialect",
            Err(Unusable::Contradictory) => "two values that differ",
        };
        way.fact(place, found);
    }
    let shown = match dialect::present(api, fields) {
        Err(Unusable::Contradictory) => {
            "there are two credentials that differ, so that it would be a guess which counts"
        }
        Err(Unusable::Foreign) => {
            "what is shown is neither a key nor a JWT of this dialect, so it is not looked up"
        }
        Ok(_) if api.dialect == Dialect::Ocore && fields.contains(&X_API_KEY) => {
            "no credential: in this dialect it is Authorization: Bearer or the cookie access_token; X-API-Key is none"
        }
        Ok(_) if api.dialect == Dialect::Ocore => {
            "no credential: send Authorization: Bearer, or the cookie access_token"
        }
        Ok(_) => "no credential: send X-API-Key, or Authorization: Bearer",
    };
    way.if_refused(shown);
}

fn family(key: &[u8]) -> &'static str {
    match std::str::from_utf8(key).ok().and_then(KeyFamily::of) {
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

/// Says in advance what an unsuccessful look-up means, and what a running gateway makes of many.
pub(super) fn lookup(way: &mut Way, credential: &Credential<'_>, strangers: Option<&Addresses>) {
    let meaning = match credential {
        Credential::Shown { jwt: Some(_), key: None } => {
            "the JWT is not one of this API, is over, or what it names is gone or was regenerated"
        }
        Credential::Shown { jwt: Some(_), .. } => "key and JWT are not both of one key that the store has",
        _ => "no key in the store has this value",
    };
    let many = strangers.map(Addresses::rate).map(|rate| {
        let Rate { requests, per, .. } = rate;
        format!(". An address that shows more than {requests} such credentials in {per:?} is answered 429")
    });
    way.if_refused(format!("{meaning}{}", many.unwrap_or_default()));
}

/// Who it is.
pub(super) fn known(way: &mut Way, known: &Known, name: &str) {
    match known {
        Known::Anonymous => way.allow("nobody is asked who they are"),
        Known::Key(entry) => {
            key(way, entry, name);
            way.allow(format!("the key \"{name}\""));
        }
        Known::User(user) => {
            way.fact("user", user.record.id.as_str());
            let place =
                |place: &crate::store::Membership| format!("{} as {}", place.slug, place.role.name()).into();
            way.fact("organizations", Value::Array(user.record.memberships.iter().map(place).collect()));
            way.allow("a person");
        }
    }
}

fn key(way: &mut Way, entry: &Entry, name: &str) {
    let record = &entry.record;
    let view = entry.organization();
    way.fact("name", name);
    way.fact("id", &*record.id.text());
    way.fact("organization", format!("{} ({})", record.terms.organization, view.organization.slug));
    way.fact("type", record.terms.reach.as_str());
    if let Reach::Project(project) = &record.terms.reach {
        way.fact("project", project.as_str());
    }
    way.fact("permissions", list(record.terms.permissions.iter()));
    way.fact("scopes", list(record.terms.scopes.iter().map(AsRef::as_ref)));
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
        Known::User(user) => {
            way.fact("active", yes(user.record.active));
            way.if_refused("the person is deactivated");
        }
        Known::Key(entry) => {
            let record = &entry.record;
            let fits = authenticate::family_fits(record, routed.api.config.dialect);
            way.fact(
                "family",
                format!(
                    "{}, {}",
                    record.terms.family.as_str(),
                    if fits { "as this API asks" } else { "not this API's" }
                ),
            );
            way.fact("active", yes(record.active));
            let expired = authenticate::expired(record, now);
            let expires = record.expires_ms().map(iso_millis);
            way.fact(
                "expires",
                match &expires {
                    None => "never".to_owned(),
                    Some(at) => format!("{at}, {}", if expired { "which is over" } else { "still to come" }),
                },
            );
            let addresses: Vec<String> = record.terms.addresses.iter().map(ToString::to_string).collect();
            let allowed = authenticate::allows(record, client);
            way.fact(
                "ipWhitelist",
                match addresses.is_empty() {
                    true => "none: any address".to_owned(),
                    false => format!(
                        "{}: {} {client}",
                        addresses.join(", "),
                        match (allowed, routed.api.config.addresses) {
                            (true, _) => "has",
                            (false, Mode::Enforce) => "does not have",
                            (false, Mode::Observe) => "does not have, but `mode: observe` lets through",
                        }
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
