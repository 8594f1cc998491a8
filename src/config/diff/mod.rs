//! What a reload would change, in words: two files compared by what they mean, not by how they are written.
//!
//! Every key is compared, whether this module has heard of it or not. Lists are compared by what names their items
//! (a listener's address, an API's name, a route's path and methods), so that moving one is no change. What makes the
//! gateway more permissive is marked ([`weaker`]); secrets are never shown.

mod compare;
mod outline;
mod weaker;

pub use outline::Outline;

use super::{Config, Store};
use std::fmt;

/// Everything that differs.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// In the order of the groups, then of the new file.
    pub list: Vec<Change>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it belongs to.
    pub group: Group,
    /// Where it is, items by their names: `apis[open-api].rate_limit.requests`.
    pub path: String,
    /// What happened.
    pub kind: Kind,
    /// The value before, as it may be shown; nothing when there was none, or when it is a secret.
    pub from: Option<String>,
    /// The value after.
    pub to: Option<String>,
    /// How it makes the gateway more permissive.
    pub weaker: Option<&'static str>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// What a change belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Where clients and operators connect.
    Listeners,
    /// Backend services.
    Upstreams,
    /// What is served.
    Apis,
    /// What is not an API's: limits, tokens, accounts.
    Access,
    /// All the rest.
    Process,
}

impl Group {
    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Listeners => "Listeners",
            Self::Upstreams => "Upstreams",
            Self::Apis => "APIs and routes",
            Self::Access => "Limits, tokens and accounts",
            Self::Process => "Store, logs and process",
        }
    }

    fn of(key: &str) -> Self {
        match key {
            "listeners" | "admin" => Self::Listeners,
            "upstreams" | "dns" => Self::Upstreams,
            "apis" => Self::Apis,
            "limits" | "jwt" | "accounts" | "webhooks" => Self::Access,
            _ => Self::Process,
        }
    }
}

impl Kind {
    /// As a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

impl Changes {
    /// What differs between two files.
    pub fn between(old: &Outline, new: &Outline) -> Self {
        let mut list = compare::compare(&old.root, &new.root);
        list.sort_by_key(|change| change.group);
        Self { list }
    }

    /// Those that make the gateway more permissive.
    pub fn weaker(&self) -> impl Iterator<Item = &Change> {
        self.list.iter().filter(|change| change.weaker.is_some())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.sign(), self.path)?;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, ": {from} -> {to}")?,
            (None, Some(value)) | (Some(value), None) => write!(f, ": {value}")?,
            (None, None) => write!(f, ": {} (not shown)", self.kind.name())?,
        }
        self.weaker.map_or(Ok(()), |weaker| write!(f, "  [weaker: {weaker}]"))
    }
}

/// The first thing that a running process can not change, if it differs: only a new process can.
pub fn needs_new_process(present: &Config, next: &Config) -> Option<&'static str> {
    let store =
        |store: &Store| (store.url.clone(), store.max_staleness, store.cache_capacity, store.negative_ttl);
    let parts = [
        ("admin.address", present.admin.address == next.admin.address),
        ("admin.tls", present.admin.tls.is_some() == next.admin.tls.is_some()),
        ("store", store(&present.store) == store(&next.store)),
        ("workers", present.workers == next.workers),
        ("telemetry.access_log", present.telemetry.access_log == next.telemetry.access_log),
        ("jwt.upstream.algorithm", present.jwt.upstream.algorithm == next.jwt.upstream.algorithm),
    ];
    parts.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}

#[cfg(test)]
mod tests;
