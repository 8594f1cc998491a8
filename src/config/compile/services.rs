//! `store`, `jwt`, `accounts` and `telemetry`.

use super::files::Files;
use super::{MAKE_A_SECRET, count, or};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{
    AccessLog, Accounts, Founders, Jwt, LogPath, SigningAlgorithm, Signup, Store, StoreUrl, UpstreamIdentity,
};
use crate::token::Secret;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Shortest signing secret, in characters.
const SECRET_CHARACTERS: usize = 32;
const HOUR: Duration = Duration::from_secs(3_600);
const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000_000).expect("not zero");

pub(super) fn store(value: &Value<'_>, files: &Files) -> Option<Store> {
    let section = value.any_section()?;
    let url = section.optional("url", |value| store_url(value, files));
    let max_staleness = or(&section, "max_staleness", Value::duration, || Duration::from_secs(5));
    let cache = match section.get("cache") {
        Some(value) => cache(&value.any_section()?),
        None => Some((DEFAULT_CAPACITY, Duration::from_secs(5))),
    };
    let (cache_capacity, negative_ttl) = cache?;
    Some(Store { url: url?, max_staleness: max_staleness?, cache_capacity, negative_ttl })
}

fn cache(section: &Section<'_>) -> Option<(NonZeroUsize, Duration)> {
    let capacity = or(section, "capacity", |value| count(value, 1_000_000_000), || DEFAULT_CAPACITY);
    let negative_ttl = or(section, "negative_ttl", Value::duration, || Duration::from_secs(5));
    Some((capacity?, negative_ttl?))
}

fn store_url(value: &Value<'_>, files: &Files) -> Option<StoreUrl> {
    let text = value.non_empty()?;
    let path = text.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains(['?', '#']));
    if path.is_none() {
        // The text is not repeated: a store's address may hold a password.
        let help =
            "write `sqlite://data/portcullis.db`, or `sqlite:///var/lib/portcullis.db` for an absolute path";
        value.report(Code::InvalidValue, "this is not the address of a store", Some(help));
    }
    path.map(|path| StoreUrl::Sqlite(files.resolve(path)))
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
    let access_expiry = or(&section, "access_expiry", Value::duration, || HOUR);
    let refresh_expiry = or(&section, "refresh_expiry", Value::duration, || 30 * 24 * HOUR);
    let upstream = or(&section, "upstream", upstream_identity, UpstreamIdentity::default);
    Some(Jwt {
        secret: secret?,
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

pub(super) fn access_log(root: &Section<'_>, files: &Files) -> Option<AccessLog> {
    let default = AccessLog { path: LogPath::Stdout, sample: 1.0 };
    let Some(telemetry) = root.get("telemetry") else { return Some(default) };
    let Some(value) = telemetry.any_section()?.get("access_log") else { return Some(default) };
    let section = value.any_section()?;
    let path = or(&section, "path", |value| log_path(value, files), || default.path);
    let sample = or(&section, "sample", |value| value.number(0.0, 1.0), || default.sample);
    Some(AccessLog { path: path?, sample: sample? })
}

fn log_path(value: &Value<'_>, files: &Files) -> Option<LogPath> {
    value.non_empty().map(|text| match text {
        "stdout" => LogPath::Stdout,
        "stderr" => LogPath::Stderr,
        path => LogPath::File(files.resolve(path)),
    })
}
