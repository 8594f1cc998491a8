//! `store`, `jwt` and `accounts`.

use super::files::Files;
use super::postgres;
use super::{MAKE_A_SECRET, count, or};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{Accounts, Founders, Jwt, SigningAlgorithm, Signup, Store, StoreUrl, UpstreamIdentity};
use crate::token::Secret;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Shortest signing secret, in characters.
const SECRET_CHARACTERS: usize = 32;
const HOUR: Duration = Duration::from_secs(3_600);
/// Longest time for which it is kept how keys were used.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 3_600);
const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("not zero");

pub(super) fn store(value: &Value<'_>, files: &Files) -> Option<Store> {
    let section = value.any_section()?;
    let url = section.optional("url", |value| store_url(&section, value, files));
    let max_staleness = or(&section, "max_staleness", Value::duration, || Duration::from_secs(5));
    let cache = match section.get("cache") {
        Some(value) => cache(&value.any_section()?),
        None => Some((DEFAULT_CAPACITY, Duration::from_secs(5))),
    };
    let history = or(&section, "history", history, || Some(LONGEST));
    let audit = or(&section, "audit", audit, || None);
    let (cache_capacity, negative_ttl) = cache?;
    let (url, max_staleness, history, audit) = (url?, max_staleness?, history?, audit?);
    Some(Store { url, max_staleness, cache_capacity, negative_ttl, history, audit })
}

fn audit(value: &Value<'_>) -> Option<Option<Duration>> {
    if value.peek() == Some("forever") {
        return Some(None);
    }
    let audit = value.duration()?;
    if audit >= 24 * HOUR {
        return Some(Some(audit));
    }
    let help = Some("write `365d`, say, or `forever`");
    value.report(Code::InvalidValue, "the audit log is kept for one day at least", help);
    None
}

fn history(value: &Value<'_>) -> Option<Option<Duration>> {
    if value.peek() == Some("none") {
        return Some(None);
    }
    let history = value.duration()?;
    if (HOUR..=LONGEST).contains(&history) {
        return Some(Some(history));
    }
    value.report(
        Code::InvalidValue,
        "a history of uses is kept for one hour at least, and for 90 days at most",
        Some("write `1h` to `90d`, or `none`"),
    );
    None
}

fn cache(section: &Section<'_>) -> Option<(NonZeroUsize, Duration)> {
    let capacity = or(section, "capacity", |value| count(value, 1_000_000_000), || DEFAULT_CAPACITY);
    let negative_ttl = or(section, "negative_ttl", Value::duration, || Duration::from_secs(5));
    Some((capacity?, negative_ttl?))
}

fn store_url(section: &Section<'_>, value: &Value<'_>, files: &Files) -> Option<StoreUrl> {
    let text = value.non_empty()?;
    if postgres::address(text).is_some() {
        return postgres::store(section, value, files).map(|store| StoreUrl::Postgres(Box::new(store)));
    }
    for key in ["password", "connections", "usage"] {
        if let Some(value) = section.get(key) {
            let what = format!("`{key}` is of use with `postgres://` only");
            value.report(Code::Conflict, what, Some("remove it: the store is a file"));
        }
    }
    let path = text.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains(['?', '#']));
    if path.is_none() {
        // The text is not repeated: a store's address may hold a password.
        let help = "write `sqlite://data/portcullis.db`, `sqlite:///var/lib/portcullis.db` for an absolute path, or \
                    `postgres://user@host/database`";
        value.report(Code::InvalidValue, "this is not the address of a store", Some(help));
    }
    path.map(|path| StoreUrl::Sqlite(files.resolve(path)))
}

/// A secret of any length.
pub(super) fn secret_text(value: &Value<'_>) -> Option<Secret> {
    value.non_empty().map(Secret::from)
}

pub(super) fn accounts(root: &Section<'_>) -> Option<Accounts> {
    let Some(value) = root.get("accounts") else { return Some(Accounts::default()) };
    let section = value.any_section()?;
    let signup = or(&section, "signup", signup, Signup::default);
    let organizations = or(&section, "organizations", founders, Founders::default);
    Some(Accounts { signup: signup?, organizations: organizations? })
}

fn signup(value: &Value<'_>) -> Option<Signup> {
    value.choice(&["closed", "invited", "open"]).map(|name| match name {
        "closed" => Signup::Closed,
        "open" => Signup::Open,
        _ => Signup::Invited,
    })
}

fn founders(value: &Value<'_>) -> Option<Founders> {
    value.choice(&["admins", "anyone"]).map(|name| match name {
        "anyone" => Founders::Anyone,
        _ => Founders::Admins,
    })
}

pub(super) fn jwt(value: &Value<'_>) -> Option<Jwt> {
    let section = value.any_section()?;
    let secret = section.optional("secret", secret);
    let other_secret = match section.get("other_secret") {
        Some(value) => secret_beside(secret.as_ref(), &value).map(Some),
        None => Some(None),
    };
    let access_expiry = or(&section, "access_expiry", Value::duration, || HOUR);
    let refresh_expiry = or(&section, "refresh_expiry", Value::duration, || 30 * 24 * HOUR);
    let upstream = or(&section, "upstream", upstream_identity, UpstreamIdentity::default);
    Some(Jwt {
        secret: secret?,
        other_secret: other_secret?,
        access_expiry: access_expiry?,
        refresh_expiry: refresh_expiry?,
        upstream: upstream?,
    })
}

fn secret(value: &Value<'_>) -> Option<Secret> {
    let text = value.text()?;
    if text.chars().count() < SECRET_CHARACTERS {
        let message = format!("the secret is shorter than {SECRET_CHARACTERS} characters");
        value.report(Code::InvalidValue, message, Some(MAKE_A_SECRET));
        return None;
    }
    Some(Secret::from(text))
}

/// Another one than that which signs: the same twice is a rotation that somebody believes to have begun.
fn secret_beside(signs: Option<&Secret>, value: &Value<'_>) -> Option<Secret> {
    let other = secret(value)?;
    if signs.is_some_and(|signs| signs.expose() == other.expose()) {
        let message = "this is the same secret as `secret`";
        value.report(Code::Conflict, message, Some("write the one before, or the next one, or remove it"));
        return None;
    }
    Some(other)
}

fn upstream_identity(value: &Value<'_>) -> Option<UpstreamIdentity> {
    let section = value.any_section()?;
    let default = UpstreamIdentity::default();
    let issuer = or(&section, "issuer", |value| value.non_empty().map(Arc::from), || default.issuer);
    let ttl = or(&section, "ttl", Value::duration, || default.ttl);
    let algorithm = or(&section, "algorithm", algorithm, || default.algorithm);
    Some(UpstreamIdentity { issuer: issuer?, ttl: ttl?, algorithm: algorithm? })
}

fn algorithm(value: &Value<'_>) -> Option<SigningAlgorithm> {
    value.choice(&["EdDSA", "ES256"]).map(|name| match name {
        "ES256" => SigningAlgorithm::ES256,
        _ => SigningAlgorithm::EdDSA,
    })
}

impl Default for UpstreamIdentity {
    fn default() -> Self {
        let ttl = Duration::from_secs(300);
        Self { issuer: Arc::from("portcullis"), ttl, algorithm: SigningAlgorithm::EdDSA }
    }
}
