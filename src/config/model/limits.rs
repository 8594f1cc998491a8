//! What the configuration says of limits: where they are counted, and how they act.

use crate::limiter::Rate;

/// Where limits are counted, and the limit that is no API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Where limits are counted. `redis://` is refused by this version with a message that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsBackend {
    /// In this process.
    Local,
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
