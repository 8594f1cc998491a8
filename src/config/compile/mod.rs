//! From checked YAML to [`Config`]: one file per section. Whoever cannot make its part has reported why.

mod apis;
mod change;
mod conditions;
mod cors;
mod drain;
mod fields;
mod files;
mod hosts;
mod limits;
mod listeners;
mod path;
mod postgres;
mod routes;
mod services;
mod split;
mod telemetry;
mod upstream_policy;
mod upstreams;
mod webhooks;

use super::Config;
use super::check::check;
use super::diff::Outline;
use super::document::{Document, Value};
use super::problem::{Code, Problems};
use super::schema::{ROOT, Type};
use super::section::Section;
use super::substitute::Variables;
use files::Files;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// How to make a signing secret.
pub(crate) const MAKE_A_SECRET: &str =
    "make one with `openssl rand -base64 48` and pass it in: `secret: ${JWT_SECRET}` or `${file:/path}`";

/// A configuration and the files that it was made of, besides its own.
pub(crate) struct Compiled {
    pub(crate) config: Config,
    /// Certificates, keys and what `${file:…}` named.
    pub(crate) files: Vec<PathBuf>,
    /// The file, for comparison.
    pub(crate) outline: Outline,
}

/// Compiles a configuration. `file_name` is what diagnostics show, `base_dir` what relative paths start from, `env`
/// the environment.
///
/// # Errors
/// Every problem of the file.
pub fn from_str(
    source: &str,
    file_name: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    compile(source, file_name, base_dir, env).map(|compiled| compiled.config)
}

pub(crate) fn compile(
    source: &str,
    file_name: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Compiled, Problems> {
    let document = Document::read(source, file_name, &Variables::new(base_dir, env));
    let files = Files::new(base_dir);
    let config = document.root().and_then(|root| {
        check(&root, Type::Section(ROOT));
        config(&root.any_section()?, &files)
    });
    let mut used = files.used();
    used.extend_from_slice(document.files());
    used.sort_unstable();
    used.dedup();
    let outline = match (&config, document.root()) {
        (Some(_), Some(root)) => Outline::new(&root, ROOT),
        _ => Outline::default(),
    };
    Ok(Compiled { config: document.finish(config)?, files: used, outline })
}

/// Every section is compiled before the first missing one ends it: each reports its own mistakes.
fn config(root: &Section<'_>, files: &Files) -> Option<Config> {
    let listeners = listeners::listeners(root, files);
    let admin = listeners::admin(root, files);
    listeners::addresses_are_free(root);
    let store = root.get("store").and_then(|value| services::store(&value, files));
    let limits = limits::limits(root);
    let jwt = root.get("jwt").and_then(|value| services::jwt(&value));
    let accounts = services::accounts(root);
    let upstreams = upstreams::upstreams(root, files);
    let dns = upstreams::dns(root);
    let apis = apis::apis(root);
    let telemetry = telemetry::telemetry(root, files);
    let webhooks = webhooks::webhooks(root);
    let drain = drain::drain(root);
    Some(Config {
        listeners: listeners?,
        admin: admin?,
        store: store?,
        limits: limits?,
        jwt: jwt?,
        accounts: accounts?,
        upstreams: upstreams?,
        dns: dns?,
        apis: apis?,
        telemetry: telemetry?,
        webhooks: webhooks?,
        drain: drain?,
        workers: workers(root)?,
    })
}

fn workers(root: &Section<'_>) -> Option<NonZeroUsize> {
    // Counts the cores that this process may use, not those of the machine.
    let own = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    or(root, "workers", |value| count(value, 1024), own)
}

/// A key's value, or its default when the key is not there. `None` only when the value is bad, which is reported.
fn or<'d, T>(
    section: &Section<'d>,
    key: &str,
    read: impl FnOnce(&Value<'d>) -> Option<T>,
    default: impl FnOnce() -> T,
) -> Option<T> {
    match section.get(key) {
        Some(value) => read(&value),
        None => Some(default()),
    }
}

/// As [`or`], for a key that need not have a value at all.
fn maybe<'d, T>(
    section: &Section<'d>,
    key: &str,
    read: impl FnOnce(&Value<'d>) -> Option<T>,
) -> Option<Option<T>> {
    match section.get(key) {
        Some(value) => read(&value).map(Some),
        None => Some(None),
    }
}

fn count(value: &Value<'_>, most: u64) -> Option<NonZeroUsize> {
    value.integer(1, most).and_then(|n| usize::try_from(n).ok()).and_then(NonZeroUsize::new)
}

/// Every item of a list; `None` when one of them is bad, or when there is none.
fn at_least_one<'d, T>(
    value: &Value<'d>,
    what: &str,
    mut read: impl FnMut(&Value<'d>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = value.items()?;
    if items.is_empty() {
        value.report(Code::InvalidValue, format!("at least one {what} is needed"), None);
        return None;
    }
    all(&items, &mut read)
}

/// Every item, all of them read before one bad one spoils the list.
fn all<'d, T>(items: &[Value<'d>], read: impl FnMut(&Value<'d>) -> Option<T>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = items.iter().map(read).collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod routing_tests;
#[cfg(test)]
mod tests;
