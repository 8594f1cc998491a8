//! What a limit says about one request, in the units that answers carry.

use crate::clock::Moment;

/// A decision, and what the client may be told about its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request is let in.
    pub allowed: bool,
    /// Requests in one period.
    pub limit: u32,
    /// Requests that would still pass at once, after this one.
    pub remaining: u32,
    /// Whole seconds until the limit is full again, rounded up; 0 when it is full.
    pub reset_after_s: u64,
    /// The Unix second at which the limit is full again, rounded up.
    pub reset_unix_s: u64,
    /// 0 when allowed; otherwise whole seconds, at least 1, rounded up, after which a lone client passes.
    pub retry_after_s: u64,
}

const NS_PER_S: u64 = 1_000_000_000;

impl Verdict {
    /// A verdict from nanoseconds: `full_in_ns` until the limit is full, `retry_in_ns` until the next request
    /// passes, `None` when this one does.
    pub(super) fn new(
        limit: u32,
        remaining: u32,
        now: Moment,
        full_in_ns: u64,
        retry_in_ns: Option<u64>,
    ) -> Self {
        // The nanoseconds of the present second and those until it is full, apart from whole seconds: no word is too short.
        let ns = (now.unix_ms % 1000 * 1_000_000).saturating_add(full_in_ns);
        Self {
            allowed: retry_in_ns.is_none(),
            limit,
            remaining,
            reset_after_s: full_in_ns.div_ceil(NS_PER_S),
            reset_unix_s: now.unix_s() + ns.div_ceil(NS_PER_S),
            retry_after_s: retry_in_ns.map_or(0, |ns| ns.div_ceil(NS_PER_S).max(1)),
        }
    }
}
