//! What the configuration says of APIs: some path prefixes, spoken in one dialect.

use super::{Identity, RateLimit, Route};
use crate::config::schema;
use std::sync::Arc;

/// The client-facing habit of an API family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Ocriva's.
    Ocriva,
    /// oCore's.
    Ocore,
    /// RFC 9457 problem details.
    Problem,
}

/// One API: some path prefixes, spoken in one dialect.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its name; also its label in metrics.
    pub name: Arc<str>,
    /// The client-facing habit.
    pub dialect: Dialect,
    /// Path prefixes, normalised, without a closing slash, e.g. `/api/v1`; `/` stands for every path. At least one.
    pub prefixes: Vec<Arc<str>>,
    /// The limit of each credential.
    pub rate_limit: Option<RateLimit>,
    /// What backends get.
    pub identity: Identity,
    /// Bytes of a request body; more is answered 413. Default 50 MiB.
    pub body_limit: u64,
    /// Which of the gateway's own endpoints of the dialect are served. Default: the usual ones.
    pub builtin: Builtin,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// Prefixes of keys, for the `problem` dialect; the others have their own.
    pub key_prefixes: Vec<Arc<str>>,
}

/// Which of the gateway's own endpoints an API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Those that every API of its dialect serves where nothing is said.
    pub usual: bool,
    pub(in crate::config) more: [bool; BuiltinGroup::ALL.len()],
}

impl Builtin {
    /// The usual ones.
    pub const USUAL: Self = Self { usual: true, more: [false; BuiltinGroup::ALL.len()] };
    /// None at all.
    pub const NONE: Self = Self { usual: false, ..Self::USUAL };

    /// Whether this group is served beside the usual ones.
    pub fn serves(&self, group: BuiltinGroup) -> bool {
        self.more[group as usize]
    }
}

/// Endpoints whose paths are, on client listeners, the upstreams' unless an API says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinGroup {
    /// The caller's organizations, and each of them.
    Organizations,
    /// Members and invitations.
    Members,
    /// Roles and permissions.
    Roles,
    /// Projects.
    Projects,
    /// The audit log.
    AuditLog,
    /// Webhook endpoints and deliveries.
    Webhooks,
}

impl BuiltinGroup {
    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        schema::BUILTIN_GROUPS[self as usize]
    }

    /// Every group, in the order of their names in the schema.
    pub const ALL: [Self; 6] =
        [Self::Organizations, Self::Members, Self::Roles, Self::Projects, Self::AuditLog, Self::Webhooks];
}
