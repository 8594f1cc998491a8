//! Permits that a node holds of a bucket which several nodes share, taken in blocks so that most requests wait for nobody.
//!
//! Why there are never more admissions than the bucket holds: a permit that is out counts as taken from the bucket from
//! the moment it is granted, and while it is out, nothing comes back in its place: level and permits that are out are
//! together never more than the depth. In any time W, what is admitted was out at its beginning, or was granted in it; at
//! its beginning at most the depth was there or out, and at most `rate * W` came back in it. However late a permit is
//! used, that is `depth + rate * W`. A permit that is given back adds what it had taken, and was not used.
//!
//! A block ends by itself [`LIFE`] after it was granted, by the granter's clock. This node counts from before it asked,
//! which is earlier, and stops [`MARGIN`] before: the two clocks may differ by a tenth of that time, some thousand times
//! what clocks do. What has ended is not given back; it counts as used.

use super::{Bucket, Limit, Slot, Told, Verdict};
use crate::clock::Moment;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How long a block is good, by the clock of whoever granted it.
pub const LIFE: Duration = Duration::from_secs(2);

/// How much earlier its holder stops to use it.
pub(super) const MARGIN: Duration = Duration::from_millis(200);

/// A block is to last about so long.
const BLOCK_NS: u64 = 100_000_000;

/// A refused request is not the reason for another question before this is over, or the wait that was told.
const PATIENCE_NS: u64 = 50_000_000;

/// Most permits in a block.
const MOST: u64 = 1 << 20;

/// Smaller blocks are not asked for ahead of time: what a node holds in reserve, the others do not have.
const AHEAD_FROM: u32 = 4;

/// A word holds `until when, in milliseconds: 40 | permits: 24`.
const COUNT_BITS: u32 = 24;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// The permits of one bucket.
#[derive(Debug, Default)]
pub(super) struct Lease {
    word: AtomicU64,
    /// Whether somebody is asking for more, or giving back.
    asking: AtomicBool,
    /// Whether somebody sees to it that they are given back when nobody uses them.
    watched: AtomicBool,
    /// Questions so far.
    calls: AtomicU64,
    /// Requests since the last question.
    demand: AtomicU32,
    asked_ns: AtomicU64,
    /// Permits in the last block.
    block: AtomicU32,
    /// What was left for everybody when last told.
    left: AtomicU32,
    /// Until when refusals are certain enough, and when the next request passes.
    refused_until_ns: AtomicU64,
    passes_at_ns: AtomicU64,
}

/// What the permits in hand say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// Decided, and there is enough for the next ones.
    Decided(Verdict),
    /// Decided, and it is time to ask for more.
    Low(Verdict),
    /// There is none in hand.
    None,
}

/// A question for permits, of which a bucket has one at a time. It ends with [`Bucket::leased`] or when it is dropped.
#[derive(Debug)]
pub struct Asking<'b> {
    lease: &'b Lease,
    /// Its number.
    pub call: u64,
    /// Permits in hand.
    pub holds: u32,
    /// Permits that are given back.
    pub returned: u32,
    /// Permits that are asked for.
    pub wanted: u32,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.lease.asking.store(false, Ordering::Release);
    }
}

impl Bucket {
    /// Takes a permit that is in hand. Waits for nobody, and allocates nothing.
    pub fn take_leased(&self, slot: Slot, limit: &Limit, now: Moment) -> Leased {
        let Some((lease, cell)) = self.known_lease(slot) else { return Leased::None };
        lease.demand.fetch_add(1, Ordering::Relaxed);
        let full_in = || limit.bucket.full_in_ns(cell.state(), now);
        let depth = limit.quota.requests();
        match lease.take(now) {
            Some(left) => {
                let more = lease.left.load(Ordering::Relaxed);
                let verdict = Verdict::new(depth, left.saturating_add(more).min(depth), now, full_in(), None);
                let block = lease.block.load(Ordering::Relaxed);
                let low = block >= AHEAD_FROM && left < block / 2 && !lease.asking.load(Ordering::Relaxed);
                if low { Leased::Low(verdict) } else { Leased::Decided(verdict) }
            }
            None if now.mono_ns < lease.refused_until_ns.load(Ordering::Relaxed) => {
                let retry = lease.passes_at_ns.load(Ordering::Relaxed).saturating_sub(now.mono_ns);
                Leased::Decided(Verdict::new(depth, 0, now, full_in(), Some(retry)))
            }
            None => Leased::None,
        }
    }

    /// Begins to ask for a block; `None` while somebody does.
    pub fn ask(&self, slot: Slot, now: Moment) -> Option<Asking<'_>> {
        let lease = self.lease(slot);
        let mut asking = lease.begin(now)?;
        let demand = u64::from(lease.demand.swap(0, Ordering::Relaxed).max(1));
        let since = now.mono_ns.saturating_sub(lease.asked_ns.swap(now.mono_ns, Ordering::Relaxed));
        let wanted = demand.saturating_mul(BLOCK_NS) / since.max(1_000_000);
        asking.wanted = wanted.clamp(1, MOST) as u32;
        Some(asking)
    }

    /// Begins to give back what is in hand; `None` when there is nothing, or while somebody asks for more.
    pub fn give_back(&self, slot: Slot, now: Moment) -> Option<Asking<'_>> {
        let (lease, _) = self.known_lease(slot)?;
        let mut asking = lease.begin(now)?;
        asking.returned = asking.holds;
        asking.holds = 0;
        // Taken out of use before anybody is told.
        let word = lease.word.swap(0, Ordering::AcqRel);
        asking.returned = asking.returned.min(permits(word));
        (asking.returned > 0).then_some(asking)
    }

    /// Ends a question with what was granted; the first permit is `own`'s, who asked for it.
    pub fn leased(&self, asking: Asking<'_>, granted: u32, own: bool, told: &Told, sent: Moment) -> Verdict {
        let lease = asking.lease;
        let allowed = granted > 0;
        lease.left.store(told.left, Ordering::Relaxed);
        if granted > 0 {
            lease.block.store(granted, Ordering::Relaxed);
            lease.put(granted - u32::from(own), sent);
            lease.refused_until_ns.store(0, Ordering::Relaxed);
        } else {
            let passes_at = sent.mono_ns.saturating_add(told.retry_in_us.saturating_mul(1000));
            lease.passes_at_ns.store(passes_at, Ordering::Relaxed);
            let until = passes_at.min(sent.mono_ns.saturating_add(PATIENCE_NS));
            lease.refused_until_ns.store(until, Ordering::Relaxed);
        }
        let in_hand = lease.in_hand(sent);
        let verdict = Told { allowed, ..*told }.verdict(sent);
        Verdict { remaining: verdict.remaining.saturating_add(in_hand).min(verdict.limit), ..verdict }
    }

    /// Permits in hand, and a number that changes with each request, by which their holder sees whether they are used.
    pub fn in_hand(&self, slot: Slot, now: Moment) -> (u32, u64) {
        let Some((lease, _)) = self.known_lease(slot) else { return (0, 0) };
        let (calls, demand) = (lease.calls.load(Ordering::Relaxed), lease.demand.load(Ordering::Relaxed));
        (lease.in_hand(now), calls << 32 | u64::from(demand))
    }

    /// Whether nobody looks after its permits yet; the caller does from now on.
    pub fn watch(&self, slot: Slot) -> bool {
        !self.lease(slot).watched.swap(true, Ordering::AcqRel)
    }

    /// Nobody looks after its permits any more.
    pub fn unwatch(&self, slot: Slot) {
        self.lease(slot).watched.store(false, Ordering::Release);
    }
}

impl Lease {
    fn take(&self, now: Moment) -> Option<u32> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if permits(word) == 0 || word >> COUNT_BITS <= now.mono_ns / 1_000_000 {
                return None;
            }
            match self.word.compare_exchange_weak(word, word - 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(permits(word - 1)),
                Err(found) => word = found,
            }
        }
    }

    fn begin(&self, now: Moment) -> Option<Asking<'_>> {
        if self.asking.swap(true, Ordering::AcqRel) {
            return None;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        // At most so many: they may be used meanwhile, and only whoever asks gets others.
        Some(Asking { lease: self, call, holds: self.in_hand(now), returned: 0, wanted: 0 })
    }

    /// More permits; those in hand live on with them, for whoever granted them was told of all.
    fn put(&self, more: u32, sent: Moment) {
        let life = (LIFE - MARGIN).as_millis() as u64;
        let until = sent.mono_ns / 1_000_000 + life;
        let add = |word| {
            let held = if word >> COUNT_BITS > sent.mono_ns / 1_000_000 { word & COUNT } else { 0 };
            Some(until << COUNT_BITS | (held + u64::from(more)).min(COUNT))
        };
        // Never fails: there is always a next word.
        let _ = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    fn in_hand(&self, now: Moment) -> u32 {
        let word = self.word.load(Ordering::Acquire);
        if word >> COUNT_BITS <= now.mono_ns / 1_000_000 { 0 } else { permits(word) }
    }

    /// Whether no permit is in hand that could still be used.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.in_hand(now) == 0 && !self.asking.load(Ordering::Acquire)
    }
}

fn permits(word: u64) -> u32 {
    (word & COUNT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{Algorithm, Limiter, Rate};
    use std::num::NonZeroU32;

    const T0: Moment = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_800_000_000_000 };

    fn limit(requests: u32) -> Limit {
        let requests = NonZeroU32::new(requests).unwrap();
        Limit::from(&Rate { requests, per: Duration::from_secs(60), algorithm: Algorithm::TokenBucket })
    }

    fn told(left: u32, retry_in_us: u64) -> Told {
        Told { limit: 100, left, retry_in_us, ..Told::default() }
    }

    fn allowed(leased: Leased) -> Option<bool> {
        match leased {
            Leased::Decided(verdict) | Leased::Low(verdict) => Some(verdict.allowed),
            Leased::None => None,
        }
    }

    #[test]
    fn permits_are_used_one_by_one_and_end_before_their_granter_ends_them() {
        let (limiter, limit) = (Limiter::new(), limit(100));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        assert_eq!(bucket.take_leased(slot, &limit, T0), Leased::None);
        let asking = bucket.ask(slot, T0).unwrap();
        assert_eq!((asking.call, asking.holds), (1, 0));
        assert!(bucket.ask(slot, T0).is_none(), "one question at a time");
        let verdict = bucket.leased(asking, 5, true, &told(20, 0), T0);
        // Four in hand, and twenty for whoever comes first.
        assert_eq!((verdict.allowed, verdict.remaining), (true, 24));
        let just_before = T0.after(LIFE - MARGIN - Duration::from_millis(1));
        (0..3).for_each(|_| assert_eq!(allowed(bucket.take_leased(slot, &limit, just_before)), Some(true)));
        assert_eq!(bucket.in_hand(slot, just_before).0, 1);
        assert_eq!(bucket.take_leased(slot, &limit, T0.after(LIFE - MARGIN)), Leased::None);
    }

    #[test]
    fn it_is_asked_ahead_of_time_once_half_is_used() {
        let (limiter, limit) = (Limiter::new(), limit(100));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        let asking = bucket.ask(slot, T0).unwrap();
        bucket.leased(asking, 10, false, &told(20, 0), T0);
        let low = (0..10).map(|_| matches!(bucket.take_leased(slot, &limit, T0), Leased::Low(_)));
        assert_eq!(low.collect::<Vec<_>>(), [[false; 5], [true; 5]].concat());
        // Those in hand live on with what comes.
        let asking = bucket.ask(slot, T0).unwrap();
        bucket.leased(asking, 3, false, &told(20, 0), T0);
        let later = T0.after(Duration::from_secs(1));
        let asking = bucket.ask(slot, later).unwrap();
        assert_eq!(asking.holds, 3);
        bucket.leased(asking, 2, false, &told(20, 0), later);
        assert_eq!(bucket.in_hand(slot, T0.after(Duration::from_secs(2))).0, 5);
    }

    #[test]
    fn a_refusal_is_believed_for_a_moment() {
        let (limiter, limit) = (Limiter::new(), limit(100));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        let asking = bucket.ask(slot, T0).unwrap();
        let verdict = bucket.leased(asking, 0, true, &told(0, 1_500_000), T0);
        assert_eq!((verdict.allowed, verdict.retry_after_s), (false, 2));
        let soon = T0.after(Duration::from_millis(40));
        assert_eq!(allowed(bucket.take_leased(slot, &limit, soon)), Some(false));
        let later = T0.after(Duration::from_millis(60));
        assert_eq!(bucket.take_leased(slot, &limit, later), Leased::None);
    }

    #[test]
    fn what_is_given_back_is_not_used_any_more() {
        let (limiter, limit) = (Limiter::new(), limit(100));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        assert!(bucket.give_back(slot, T0).is_none());
        let asking = bucket.ask(slot, T0).unwrap();
        bucket.leased(asking, 7, true, &told(20, 0), T0);
        assert!(!limiter.bucket("key").is_full(T0), "it must not be forgotten");
        let giving = bucket.give_back(slot, T0).unwrap();
        assert_eq!((giving.returned, giving.holds, giving.wanted), (6, 0, 0));
        assert_eq!(bucket.take_leased(slot, &limit, T0), Leased::None);
        drop(giving);
        assert!(bucket.give_back(slot, T0).is_none());
        // What has ended is not given back.
        let asking = bucket.ask(slot, T0).unwrap();
        bucket.leased(asking, 7, true, &told(20, 0), T0);
        assert!(bucket.give_back(slot, T0.after(LIFE)).is_none());
    }

    #[test]
    fn a_block_is_what_is_used_in_a_tenth_of_a_second() {
        let (limiter, limit) = (Limiter::new(), limit(1000));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        let asking = bucket.ask(slot, T0).unwrap();
        assert_eq!(asking.wanted, 1, "a first request says nothing about a second");
        bucket.leased(asking, 1, true, &told(20, 0), T0);
        (0..50).for_each(|_| {
            bucket.take_leased(slot, &limit, T0);
        });
        let asking = bucket.ask(slot, T0.after(Duration::from_millis(20))).unwrap();
        assert_eq!(asking.wanted, 250);
    }

    #[test]
    fn threads_together_use_what_there_is() {
        let (limiter, limit) = (Limiter::new(), limit(1000));
        let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
        let asking = bucket.ask(slot, T0).unwrap();
        bucket.leased(asking, 500, false, &told(0, 0), T0);
        let used: usize = std::thread::scope(|scope| {
            let one =
                || (0..400).filter(|_| allowed(bucket.take_leased(slot, &limit, T0)) == Some(true)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(used, 500);
    }
}
