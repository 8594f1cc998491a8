//! What a node knows of a bucket that several nodes share, so that the sharing may break off at any moment.
//!
//! The truth is kept elsewhere. Here is the latest that was heard of it ([`Bucket::tell`]), never more generous than it was;
//! what is claimed of it where the truth was lost ([`Bucket::claim`]); and decisions without it ([`Bucket::alone`]), by which
//! all nodes together admit no more than the bucket holds: each of N nodes goes on from what it has heard, and charges N
//! for a request. A bucket with R left lets each of them admit R/N, and refills 1/N of the rate to each.
//!
//! Some of it stands behind a lock of the bucket's own, held for some instructions and never while anything is waited for.
//! Buckets that no other node shares have none of this.

use super::bucket::{Bucket, Cell, Limit};
use super::fixed_window::FixedWindow;
use super::lease::Lease;
use super::quota::Quota;
use super::token_bucket::TokenBucket;
use super::{Algorithm, Slot, Verdict};
use crate::clock::Moment;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was heard of a bucket. Times are microseconds, and were true at some moment after the question was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Whether the request is let in.
    pub allowed: bool,
    /// Requests in one period, by the quota that it was decided under.
    pub limit: u32,
    /// Requests that would still pass at once.
    pub left: u32,
    /// Until all is back.
    pub full_in_us: u64,
    /// Until the request passes, when it does not.
    pub retry_in_us: u64,
    /// Which life of the bucket this is: another one after its state was lost.
    pub born: u64,
    /// How often it was written in this life.
    pub number: u64,
    /// What is missing: the time in which it comes back for a token bucket, requests for the others.
    pub missing: u64,
    /// Of a sliding window, how old the newest request is; of a fixed one, when the window began, in civil time.
    pub as_of: u64,
}

/// What a node knows to be missing, for where the truth was lost; the fields are those of [`Told`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The life that it is about; 0 where decisions were taken without the truth since, so that it goes for any.
    pub born: u64,
    /// Which write it knows of.
    pub number: u64,
    /// What is missing.
    pub missing: u64,
    /// As of when.
    pub as_of: u64,
    /// How many decisions were taken without the truth.
    alone: u32,
}

/// What a cell has beside its own state where nodes share it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    known: Mutex<Known>,
    pub(super) lease: Lease,
}

#[derive(Debug, Default)]
struct Known {
    born: u64,
    number: u64,
    /// When the last answer's question was sent; monotonic.
    told_ns: u64,
    /// Decisions since without the truth; 0 for none.
    alone: u32,
    /// Of a sliding window: how many requests counted, under which quota, and when the newest was. What is known of the
    /// other algorithms is in the cell's state.
    count: u32,
    quota: u64,
    newest_ns: u64,
}

/// For so long, others may have used up what came back since this node was last told.
const UNHEARD_NS: u64 = 1_000_000_000;

impl Bucket {
    /// What this node knows of the bucket, with which `nodes` nodes count.
    pub fn claim(&self, slot: Slot, limit: &Limit, nodes: u32, now: Moment) -> Claim {
        self.cell(slot).claim(limit.quota, nodes, now)
    }

    /// Takes in what was heard in answer to a question that was sent at `sent` with `claim`; the verdict for its request.
    pub fn tell(&self, slot: Slot, limit: &Limit, told: &Told, claim: &Claim, sent: Moment) -> Verdict {
        self.cell(slot).tell(limit.quota, told, claim, sent);
        told.verdict(sent)
    }

    /// Decides without the truth, as one of `nodes` nodes that do.
    pub fn alone(&self, slot: Slot, limit: &Limit, nodes: u32, now: Moment) -> Verdict {
        self.cell(slot).alone(*limit, nodes.max(1), now)
    }

    /// The permits that this node holds, as a whole.
    pub(super) fn lease(&self, slot: Slot) -> &Lease {
        &self.cell(slot).shared().lease
    }

    /// The same, where it has held any before.
    pub(super) fn known_lease(&self, slot: Slot) -> Option<(&Lease, &Cell)> {
        let cell = self.cell(slot);
        Some((&cell.known_shared()?.lease, cell))
    }
}

impl Told {
    /// As a request's verdict.
    pub fn verdict(&self, now: Moment) -> Verdict {
        let ns = |us: u64| us.saturating_mul(1000);
        let retry = (!self.allowed).then(|| ns(self.retry_in_us));
        Verdict::new(self.limit, self.left, now, ns(self.full_in_us), retry)
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked: each field is whole by itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stamps of a sliding window, as far as they were heard of.
    pub(super) fn stamps(&self, now: Moment) -> Vec<u64> {
        let known = self.known();
        vec![known.newest_ns; known.counted(now) as usize]
    }

    /// The quota and the age of these.
    pub(super) fn ages(&self, now: Moment) -> Option<(u64, Vec<u64>)> {
        let known = self.known();
        let age = now.mono_ns.saturating_sub(known.newest_ns);
        (known.counted(now) > 0).then(|| (known.quota, vec![age; known.counted(now) as usize]))
    }

    pub(super) fn is_full(&self, now: Moment) -> bool {
        self.known().counted(now) == 0 && self.lease.is_over(now)
    }
}

impl Known {
    /// Requests of a sliding window that count still.
    fn counted(&self, now: Moment) -> u32 {
        let per_ns = Quota::from_word(self.quota).map_or(0, Quota::per_ns);
        if self.newest_ns.saturating_add(per_ns) > now.mono_ns { self.count } else { 0 }
    }

    fn hear(&mut self, quota: Quota, told: &Told, claim: &Claim, sent: Moment) {
        if told.born != self.born || told.number >= self.number {
            (self.born, self.number, self.told_ns) = (told.born, told.number, sent.mono_ns);
            if quota.algorithm() == Algorithm::SlidingWindow {
                self.count = u32::try_from(told.missing).unwrap_or(u32::MAX).min(quota.counted());
                self.quota = quota.word();
                self.newest_ns = sent.mono_ns.saturating_sub(told.as_of.saturating_mul(1000));
            }
        }
        if self.alone == claim.alone {
            self.alone = 0;
        }
    }
}

impl Cell {
    /// Under `quota`, once the state is; `None` where the state stays under another for a while.
    fn under(&self, quota: Quota, now: Moment) -> Option<()> {
        let sliding = quota.algorithm() == Algorithm::SlidingWindow;
        // A sliding window's ring is only made where a decision is taken here.
        if self.is_under(quota) || sliding && self.is_unused() || self.settle(quota, now) == quota {
            return Some(());
        }
        None
    }

    fn claim(&self, quota: Quota, nodes: u32, now: Moment) -> Claim {
        let settled = self.under(quota, now).is_some();
        let shared = self.shared();
        let known = shared.known();
        let alone = known.alone;
        let mut claim = match alone {
            0 => Claim { born: known.born, number: known.number, alone, ..Claim::default() },
            _ => Claim { alone, ..Claim::default() },
        };
        if !settled {
            return claim;
        }
        // Each of the others may have admitted one more than this one knows of.
        let more = if alone == 0 { 0 } else { u64::from(nodes.saturating_sub(1)) };
        match quota.algorithm() {
            Algorithm::TokenBucket => {
                let bucket = TokenBucket::new(quota);
                let ns = bucket.full_in_ns(self.state(), now);
                let more = more.saturating_mul(bucket.token_ns());
                claim.missing = ns.saturating_add(more).min(quota.per_ns()).div_ceil(1000);
            }
            Algorithm::FixedWindow => {
                let (begin_us, count) = FixedWindow::new(quota).window_of(self.state(), now);
                (claim.missing, claim.as_of) = (u64::from(count) + more, begin_us);
            }
            Algorithm::SlidingWindow => {
                let (count, newest_ns) = self.ring_within(now);
                let newest_ns = newest_ns.max(if known.counted(now) > 0 { known.newest_ns } else { 0 });
                claim.missing = u64::from(count.max(known.counted(now))) + more;
                claim.as_of = now.mono_ns.saturating_sub(newest_ns) / 1000;
            }
        }
        claim
    }

    fn tell(&self, quota: Quota, told: &Told, claim: &Claim, sent: Moment) {
        let settled = self.under(quota, sent).is_some() && told.limit == quota.counted();
        self.shared().known().hear(quota, told, claim, sent);
        if !settled {
            return;
        }
        let step: &dyn Fn(u64) -> Option<u64> = match quota.algorithm() {
            Algorithm::TokenBucket => {
                let full_at = TokenBucket::new(quota).full_at(told.missing.saturating_mul(1000), sent);
                &move |state| Some(full_at.max(state))
            }
            Algorithm::FixedWindow => {
                let count = u32::try_from(told.missing).unwrap_or(u32::MAX);
                &move |state| Some(FixedWindow::new(quota).with_told(state, told.as_of, count))
            }
            Algorithm::SlidingWindow => return,
        };
        // A reload may come between: then this is not taken in, and the next answer is.
        let _ = self.decide_word(quota, true, step);
    }

    fn alone(&self, mut limit: Limit, nodes: u32, now: Moment) -> Verdict {
        loop {
            let quota = limit.quota;
            if !self.is_under(quota) {
                limit = self.settle(quota, now).into();
                continue;
            }
            let mut known = self.shared().known();
            let first = known.alone == 0;
            let unheard =
                if nodes > 1 { now.mono_ns.saturating_sub(known.told_ns).min(UNHEARD_NS) } else { 0 };
            let told = (known.counted(now), known.newest_ns);
            known.alone = known.alone.wrapping_add(1).max(1);
            let verdict = match quota.algorithm() {
                Algorithm::TokenBucket => self.alone_tokens(&limit, nodes, now, first.then_some(unheard)),
                Algorithm::FixedWindow => self.alone_fixed(quota, nodes, now, first),
                Algorithm::SlidingWindow => self.alone_sliding(quota, nodes, now, first.then_some(told)),
            };
            match verdict {
                Some(verdict) => return verdict,
                None => {
                    drop(known);
                    limit = self.settle(quota, now).into();
                }
            }
        }
    }

    fn alone_tokens(&self, limit: &Limit, nodes: u32, now: Moment, first: Option<u64>) -> Option<Verdict> {
        let Limit { quota, bucket } = *limit;
        if let Some(unheard_ns) = first {
            let others = bucket.token_ns().saturating_mul(u64::from(nodes - 1));
            let taken = bucket.ticks_of(others.max(unheard_ns));
            self.decide_word(quota, true, |state| Some(bucket.with_missing(state, taken, now)))?;
        }
        let (state, allowed) = self.decide_word(quota, true, |state| bucket.take_many(state, nodes, now))?;
        Some(bucket.verdict_of_many(state, nodes, now, allowed))
    }

    fn alone_fixed(&self, quota: Quota, nodes: u32, now: Moment, first: bool) -> Option<Verdict> {
        let window = FixedWindow::new(quota);
        if first {
            let with = |state| window.used(state, now).saturating_add(nodes - 1);
            self.decide_word(quota, true, |state| Some(window.with_used(with(state), now)))?;
        }
        let (state, allowed) = self.decide_word(quota, true, |state| window.take_many(state, nodes, now))?;
        let verdict = window.verdict(state, now, allowed);
        Some(Verdict { remaining: verdict.remaining / nodes, ..verdict })
    }

    fn alone_sliding(
        &self,
        quota: Quota,
        nodes: u32,
        now: Moment,
        first: Option<(u32, u64)>,
    ) -> Option<Verdict> {
        let ring = self.rare().ring.load();
        if !self.is_under(quota) {
            return None;
        }
        let ring = ring.as_deref()?;
        if let Some((count, newest_ns)) = first {
            let (counted, _) = ring.counted_at(now);
            let missing = count.saturating_sub(counted).saturating_add(nodes - 1);
            let then = Moment { mono_ns: newest_ns, ..now };
            (0..missing).for_each(|_| {
                ring.take(then);
            });
        }
        // Whoever takes holds the bucket's lock, so that what is found free stays so.
        Some(ring.take_many(nodes, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{Limiter, Rate};
    use std::num::NonZeroU32;
    use std::time::Duration;

    const T0: Moment = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_800_000_000_000 };
    const ALL: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow];

    fn limit(requests: u32, algorithm: Algorithm) -> Limit {
        let requests = NonZeroU32::new(requests).unwrap();
        Limit::from(&Rate { requests, per: Duration::from_secs(60), algorithm })
    }

    /// What would be heard of a bucket of which so many of sixty are used.
    fn told(used: u32, algorithm: Algorithm, number: u64) -> Told {
        let missing = if algorithm == Algorithm::TokenBucket { 1_000_000 } else { 1 } * u64::from(used);
        let as_of = if algorithm == Algorithm::FixedWindow { 1_800_000_000_000_000 } else { 0 };
        Told { allowed: true, limit: 60, left: 60 - used, born: 7, number, missing, as_of, ..Told::default() }
    }

    #[test]
    fn what_was_heard_is_claimed_and_fades_as_it_does_where_it_is_counted() {
        for algorithm in ALL {
            let (limiter, limit) = (Limiter::new(), limit(60, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            let none = bucket.claim(slot, &limit, 3, T0);
            assert_eq!((none.born, none.missing), (0, 0), "{algorithm:?}");
            bucket.tell(slot, &limit, &told(40, algorithm, 9), &none, T0);
            // An answer that was overtaken changes nothing.
            bucket.tell(slot, &limit, &told(30, algorithm, 8), &none, T0);
            let claim = bucket.claim(slot, &limit, 3, T0);
            assert_eq!((claim.born, claim.number), (7, 9));
            assert_eq!(claim.missing, told(40, algorithm, 9).missing, "{algorithm:?}");
            let later = T0.after(Duration::from_secs(10));
            let faded = bucket.claim(slot, &limit, 3, later).missing;
            let expected = if algorithm == Algorithm::TokenBucket { 30_000_000 } else { 40 };
            assert_eq!(faded, expected, "{algorithm:?}");
            assert_eq!(bucket.claim(slot, &limit, 3, T0.after(Duration::from_secs(61))).missing, 0);
        }
    }

    #[test]
    fn nodes_without_the_truth_together_admit_what_was_left() {
        for algorithm in ALL {
            let mut passed = 0;
            for _ in 0..3 {
                let (limiter, limit) = (Limiter::new(), limit(60, algorithm));
                let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
                bucket.tell(slot, &limit, &told(21, algorithm, 9), &Claim::default(), T0);
                passed += (0..60).filter(|_| bucket.alone(slot, &limit, 3, T0).allowed).count();
                let refused = bucket.alone(slot, &limit, 3, T0);
                assert!(refused.retry_after_s >= 1 && refused.remaining == 0, "{algorithm:?}: {refused:?}");
            }
            assert!((33..=39).contains(&passed), "{algorithm:?}: {passed}");
        }
    }

    #[test]
    fn waiting_as_long_as_told_lets_one_through_also_without_the_truth() {
        for algorithm in ALL {
            let (limiter, limit) = (Limiter::new(), limit(60, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            let refused = (0..100).map(|_| bucket.alone(slot, &limit, 4, T0)).find(|it| !it.allowed).unwrap();
            let later = T0.after(Duration::from_secs(refused.retry_after_s));
            assert!(bucket.alone(slot, &limit, 4, later).allowed, "{algorithm:?}: {refused:?}");
        }
    }

    #[test]
    fn a_limit_smaller_than_the_number_of_nodes_lets_one_through_now_and_then() {
        for algorithm in ALL {
            let (limiter, limit) = (Limiter::new(), limit(2, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            let passed = |now| (0..5).filter(|_| bucket.alone(slot, &limit, 3, now).allowed).count();
            assert!(passed(T0) <= 1, "{algorithm:?}");
            let passed_later = passed(T0.after(Duration::from_secs(300)));
            assert_eq!(passed_later, 1, "{algorithm:?}");
        }
    }

    #[test]
    fn what_was_decided_alone_is_claimed_whatever_is_known_there() {
        for algorithm in ALL {
            let (limiter, limit) = (Limiter::new(), limit(60, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            bucket.tell(slot, &limit, &told(10, algorithm, 9), &Claim::default(), T0);
            bucket.alone(slot, &limit, 2, T0);
            let claim = bucket.claim(slot, &limit, 2, T0);
            // Ten, one that the other may have taken, two for the request, one more for the other.
            assert_eq!((claim.born, claim.missing), (0, told(14, algorithm, 9).missing), "{algorithm:?}");
            // Once it was taken in, nothing is claimed against a bucket that lives on.
            bucket.tell(slot, &limit, &told(15, algorithm, 10), &claim, T0);
            assert_eq!(bucket.claim(slot, &limit, 2, T0).born, 7);
        }
    }

    #[test]
    fn the_process_goes_on_with_what_was_heard() {
        for algorithm in ALL {
            let (limiter, limit) = (Limiter::new(), limit(60, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            bucket.tell(slot, &limit, &told(45, algorithm, 9), &Claim::default(), T0);
            let heir = Limiter::with_key(limiter.key());
            heir.take_over(&limiter.carried(T0), T0);
            let claim = heir.bucket("key").claim(heir.slot("api"), &limit, 1, T0);
            assert_eq!(claim.missing, told(45, algorithm, 9).missing, "{algorithm:?}");
            // By itself, as where the count moves to the process.
            let passed = (0..60).filter(|_| bucket.take(slot, limit, T0).allowed).count();
            assert_eq!(passed, 15, "{algorithm:?}");
        }
    }
}
