//! What the configuration says of limits: where they are counted, and how they act.

use crate::limiter::Rate;
use crate::token::Secret;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Where limits are counted, and the limit that is no API's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Where.
    pub backend: LimitsBackend,
    /// How many credentials that nobody has an address may show; `None` for any number. Default 30 per minute, as a
    /// token bucket.
    pub unknown_keys: Option<Rate>,
    /// Whether an address that has shown more is refused, or only counted.
    pub unknown_keys_mode: Mode,
    /// Bytes of memory over which no new connections are taken. Default: no ceiling.
    pub memory: Option<u64>,
}

/// Where limits are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitsBackend {
    /// In this process.
    Local,
    /// In one place for several nodes.
    Shared(Arc<SharedLimits>),
}

/// Limits that several nodes count together, in Redis or Valkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLimits {
    /// Its servers, as `redis://` or `rediss://`, perhaps with a password; at least one, several only for a cluster.
    pub addresses: Vec<Secret>,
    /// Whether they are nodes of a cluster.
    pub cluster: bool,
    /// What decides while it is away.
    pub on_failure: BackendFailure,
    /// How it is asked.
    pub counting: Counting,
    /// Longest that a request waits for it. Default 50 ms.
    pub timeout: Duration,
    /// What every name there begins with.
    pub prefix: Arc<str>,
    /// How many nodes count together at least.
    pub nodes: NonZeroU32,
}

/// What decides while the place where limits are counted is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendFailure {
    /// Each node by itself, for its share.
    Local,
    /// Everything passes.
    Allow,
    /// Nothing does: 503.
    Deny,
}

/// How the place where limits are counted is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// For each decision.
    Script,
    /// For blocks of permits.
    Leased,
}

/// An API's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests in what time.
    pub rate: Rate,
    /// Refuse, or only record.
    pub mode: Mode,
}

/// Whether a policy refuses or only records what it would have refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse.
    #[default]
    Enforce,
    /// Let through, and record.
    Observe,
}
