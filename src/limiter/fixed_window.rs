//! Windows aligned on civil time: one word holds the window's number and its count.

use super::Verdict;
use super::quota::Quota;
use crate::clock::Moment;

/// Requests read the clock before they get here, so one may come a little late. Up to this many milliseconds (or
/// one window) back it counts in the window that others have opened since; further back, the clock was stepped.
const LATE_MS: u64 = 2_000;

/// A fixed window's arithmetic under one quota. A state is `window:32 | count:32`; the number wraps, which at worst
/// makes a bucket that was idle for exactly 2^32 windows start with the count it had.
#[derive(Clone, Copy, Debug)]
pub(super) struct FixedWindow {
    requests: u32,
    per_ms: u64,
}

impl FixedWindow {
    pub(super) fn new(quota: Quota) -> Self {
        Self { requests: quota.requests(), per_ms: quota.per_ms() }
    }

    /// The state after one more request, or `None` when the window is used up.
    pub(super) fn take(&self, state: u64, now: Moment) -> Option<u64> {
        let (ahead, count) = self.current(state, now);
        (count < self.requests).then(|| self.pack(now, ahead, count + 1))
    }

    /// The state after a request that counts as `many`, or as all of them where there are fewer in a window.
    pub(super) fn take_many(&self, state: u64, many: u32, now: Moment) -> Option<u64> {
        let (ahead, count) = self.current(state, now);
        let next = count.checked_add(many)?;
        (next <= self.requests.max(many)).then(|| self.pack(now, ahead, next))
    }

    /// When the counting window began, in microseconds since 1970, and its count.
    pub(super) fn window_of(&self, state: u64, now: Moment) -> (u64, u32) {
        let (ahead, count) = self.current(state, now);
        (
            (now.unix_ms / self.per_ms + u64::from(ahead)).saturating_mul(self.per_ms).saturating_mul(1000),
            count,
        )
    }

    /// A state with `count` in the window that began at `begin_us`, unless it is further on already.
    pub(super) fn with_told(&self, state: u64, begin_us: u64, count: u32) -> u64 {
        let window = (begin_us / 1000 / self.per_ms) as u32;
        let told = u64::from(window) << 32 | u64::from(count);
        match ((state >> 32) as u32).wrapping_sub(window) as i32 {
            0 => told.max(state),
            1.. if state != 0 => state,
            _ => told,
        }
    }

    pub(super) fn verdict(&self, state: u64, now: Moment, allowed: bool) -> Verdict {
        let (ahead, count) = self.current(state, now);
        let ends_in_ns = self.ends_in_ms(now, ahead).saturating_mul(1_000_000);
        let full_in = if count == 0 { 0 } else { ends_in_ns };
        let retry = (!allowed).then_some(ends_in_ns);
        Verdict::new(self.requests, self.requests.saturating_sub(count), now, full_in, retry)
    }

    /// Requests counted in the window of `now`.
    pub(super) fn used(&self, state: u64, now: Moment) -> u32 {
        self.current(state, now).1
    }

    /// The state in which `used` requests were counted in the window of `now`.
    pub(super) fn with_used(&self, used: u32, now: Moment) -> u64 {
        self.pack(now, 0, used.min(self.requests))
    }

    /// How many windows the counting one is ahead of `now`, and its count.
    fn current(&self, state: u64, now: Moment) -> (u32, u32) {
        let ahead = ((state >> 32) as u32).wrapping_sub(self.window(now));
        let tolerated = LATE_MS.div_ceil(self.per_ms).max(1);
        if u64::from(ahead) <= tolerated { (ahead, state as u32) } else { (0, 0) }
    }

    fn pack(&self, now: Moment, ahead: u32, count: u32) -> u64 {
        u64::from(self.window(now).wrapping_add(ahead)) << 32 | u64::from(count)
    }

    fn window(&self, now: Moment) -> u32 {
        (now.unix_ms / self.per_ms) as u32
    }

    fn ends_in_ms(&self, now: Moment, ahead: u32) -> u64 {
        let rest = self.per_ms - now.unix_ms % self.per_ms;
        rest + u64::from(ahead) * self.per_ms
    }
}
