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
