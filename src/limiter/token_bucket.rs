//! The token bucket as GCRA: one word holds the moment at which the bucket is full again.
//!
//! That moment is counted in ticks, of which a token lasts a whole number. When the period divides by the number
//! of requests, a tick is a nanosecond; otherwise it is a little longer (below two), such that `requests` tokens
//! last exactly the period: nothing drifts, however long a bucket is kept busy.

use super::Verdict;
use super::quota::Quota;
use crate::clock::Moment;

/// A token bucket's arithmetic under one quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    depth: u32,
    per_ns: u64,
    /// Ticks that a token lasts.
    token: u64,
    /// Ticks in a period; at most `per_ns`.
    ticks: u64,
    /// One divided by `token`: a division of integers takes longer than all else here.
    per_tick: f64,
}

impl TokenBucket {
    pub(super) fn new(quota: Quota) -> Self {
        let (depth, per_ns) = (quota.requests(), quota.per_ns());
        // More than one token per nanosecond is not told apart from one: the clock has no finer steps.
        let refill = u64::from(depth).min(per_ns);
        let token = per_ns / refill;
        Self { depth, per_ns, token, ticks: token * refill, per_tick: 1.0 / token as f64 }
    }

    /// The state after one more request, or `None` when the bucket is empty.
    pub(super) fn take(&self, full_at: u64, now: Moment) -> Option<u64> {
        let now = self.tick(now.mono_ns);
        let next = full_at.max(now).checked_add(self.token)?;
        (next - now <= self.capacity()).then_some(next)
    }

    /// The state after a request that costs `many` tokens, or all of them where the bucket is not so deep.
    pub(super) fn take_many(&self, full_at: u64, many: u32, now: Moment) -> Option<u64> {
        let (now, cost) = (self.tick(now.mono_ns), self.cost(many));
        let next = full_at.max(now).checked_add(cost)?;
        (next - now <= self.capacity().max(cost)).then_some(next)
    }

    /// As [`verdict`](Self::verdict), where each request costs `many` tokens.
    pub(super) fn verdict_of_many(&self, full_at: u64, many: u32, now: Moment, allowed: bool) -> Verdict {
        let verdict = self.verdict(full_at, now, true);
        let retry = (!allowed).then(|| {
            let cost = self.cost(many);
            let passes_at = full_at.saturating_add(cost).saturating_sub(self.capacity().max(cost));
            self.ns(passes_at).saturating_sub(now.mono_ns)
        });
        Verdict::new(self.depth, verdict.remaining / many, now, self.full_in_ns(full_at, now), retry)
    }

    fn cost(&self, many: u32) -> u64 {
        self.token.saturating_mul(many.into())
    }

    /// Nanoseconds in which a token comes back.
    pub(super) fn token_ns(&self) -> u64 {
        self.per_ns.div_ceil(self.depth.into())
    }

    /// Nanoseconds until the bucket is full.
    pub(super) fn full_in_ns(&self, full_at: u64, now: Moment) -> u64 {
        self.ns(full_at).saturating_sub(now.mono_ns)
    }

    /// The state of a bucket that is full in `ns`, but never more than empty.
    pub(super) fn full_at(&self, ns: u64, now: Moment) -> u64 {
        self.tick(now.mono_ns).saturating_add(self.ticks_of(ns).min(self.capacity()))
    }

    /// Ticks that come back in `ns`, rounded up.
    pub(super) fn ticks_of(&self, ns: u64) -> u64 {
        let ticks = (u128::from(ns) * u128::from(self.ticks)).div_ceil(u128::from(self.per_ns));
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The state after one request that was taken is given back.
    pub(super) fn give_back(&self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.token)
    }

    pub(super) fn verdict(&self, full_at: u64, now: Moment, allowed: bool) -> Verdict {
        let used = full_at.saturating_sub(self.tick(now.mono_ns));
        let remaining = self.tokens(self.capacity().saturating_sub(used));
        let retry = (!allowed).then(|| {
            let passes_at = full_at.saturating_add(self.token).saturating_sub(self.capacity());
            self.ns(passes_at).saturating_sub(now.mono_ns)
        });
        let full_in = self.ns(full_at).saturating_sub(now.mono_ns);
        Verdict::new(self.depth, u32::try_from(remaining).unwrap_or(u32::MAX), now, full_in, retry)
    }

    /// Whole tokens in `ticks`, of which there are not more than in a full bucket. A quotient below 2^32 is off by less
    /// than one in floating point, and by nothing when it has been compared with what it came from.
    fn tokens(&self, ticks: u64) -> u64 {
        let near = (ticks as f64 * self.per_tick) as u64;
        if near * self.token > ticks {
            near - 1
        } else if ticks - near * self.token >= self.token {
            near + 1
        } else {
            near
        }
    }

    /// Tokens that are missing, a token in the making counted as missing.
    pub(super) fn used(&self, full_at: u64, now: Moment) -> u32 {
        let missing = full_at.saturating_sub(self.tick(now.mono_ns)).div_ceil(self.token);
        u32::try_from(missing).unwrap_or(u32::MAX)
    }

    /// The state in which `used` tokens are missing.
    pub(super) fn with_used(&self, used: u32, now: Moment) -> u64 {
        let missing = u64::from(used.min(self.depth)) * self.token;
        self.tick(now.mono_ns).saturating_add(missing)
    }

    /// Ticks until the bucket is full.
    pub(super) fn missing(&self, full_at: u64, now: Moment) -> u64 {
        full_at.saturating_sub(self.tick(now.mono_ns))
    }

    /// The state in which `ticks` more are missing than in this one, down to an empty bucket.
    pub(super) fn with_missing(&self, full_at: u64, ticks: u64, now: Moment) -> u64 {
        let missing = self.missing(full_at, now).saturating_add(ticks);
        self.tick(now.mono_ns).saturating_add(missing.min(self.capacity()))
    }

    /// Whether nothing is missing.
    pub(super) fn is_full(&self, full_at: u64, now: Moment) -> bool {
        full_at <= self.tick(now.mono_ns)
    }

    /// Ticks of a full bucket. At most 2^60: `token` is `per_ns / depth`, or 1.
    fn capacity(&self) -> u64 {
        u64::from(self.depth) * self.token
    }

    /// The last tick at or before `ns`.
    fn tick(&self, ns: u64) -> u64 {
        if self.ticks == self.per_ns {
            return ns;
        }
        // Fits: `ticks` is at most `per_ns`.
        (u128::from(ns) * u128::from(self.ticks) / u128::from(self.per_ns)) as u64
    }

    /// The first nanosecond at which `tick` has come.
    fn ns(&self, tick: u64) -> u64 {
        if self.ticks == self.per_ns {
            return tick;
        }
        let ns = (u128::from(tick) * u128::from(self.per_ns)).div_ceil(u128::from(self.ticks));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{Algorithm, Rate};
    use std::num::NonZeroU32;
    use std::time::Duration;

    #[test]
    fn tokens_are_counted_as_whole_numbers_are_divided() {
        let rates = [1, 2, 3, 7, 60, 999_983, 100_000_000, u32::MAX];
        for (requests, per_s) in rates.into_iter().flat_map(|r| [1, 60, 86_400, 500_000_000].map(|p| (r, p)))
        {
            let requests = NonZeroU32::new(requests).unwrap();
            let rate = Rate { requests, per: Duration::from_secs(per_s), algorithm: Algorithm::TokenBucket };
            let bucket = TokenBucket::new(Quota::new(&rate));
            let all = u64::from(requests.get());
            for tokens in [0, 1, all / 3, all / 2, all - 1, all] {
                for ticks in [-1, 0, 1].map(|by| (tokens * bucket.token).saturating_add_signed(by)) {
                    let ticks = ticks.min(bucket.capacity());
                    assert_eq!(bucket.tokens(ticks), ticks / bucket.token, "{ticks} ticks of {bucket:?}");
                }
            }
        }
    }
}
