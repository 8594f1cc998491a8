//! A bucket: the state of one name's limits, one cell per slot.
//!
//! A cell remembers the quota under which its state was written. A request that comes with another quota (the
//! configuration was reloaded) first carries over what was *used*, so that a reload neither refills a bucket nor
//! takes from it.

use super::carry::{CarriedCell, Spent};
use super::fixed_window::FixedWindow;
use super::quota::Quota;
use super::shared::Shared;
use super::sliding_window::{Attempt, Ring};
use super::token_bucket::TokenBucket;
use super::{Algorithm, Rate, Slot, Verdict};
use crate::clock::Moment;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A rate, with what can be worked out of it before there is a request.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub(super) quota: Quota,
    pub(super) bucket: TokenBucket,
}

impl From<Quota> for Limit {
    fn from(quota: Quota) -> Self {
        Self { quota, bucket: TokenBucket::new(quota) }
    }
}

impl From<&Rate> for Limit {
    fn from(rate: &Rate) -> Self {
        Quota::new(rate).into()
    }
}

impl Limit {
    /// How it is counted.
    pub fn algorithm(&self) -> Algorithm {
        self.quota.algorithm()
    }

    /// Requests in one period, as far as the algorithm goes.
    pub fn requests(&self) -> u32 {
        self.quota.counted()
    }

    /// The period in microseconds.
    pub fn per_us(&self) -> u64 {
        self.quota.per_ms().saturating_mul(1000)
    }
}

/// The limits of one name: a key, or a user.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Bucket {
    first: Cell,
    number: u64,
}

impl Bucket {
    /// A full one, of whoever has this number.
    pub(super) fn new(number: u64) -> Self {
        Self { first: Cell::default(), number }
    }

    /// Whose it is.
    pub(super) fn number(&self) -> &u64 {
        &self.number
    }

    /// Takes one request from the limit of `slot`. A refused request changes nothing.
    pub fn take(&self, slot: Slot, limit: impl Into<Limit>, now: Moment) -> Verdict {
        self.cell(slot).decide(limit.into(), now, true)
    }

    /// What [`Bucket::take`] would decide, and what is left; takes nothing.
    pub fn peek(&self, slot: Slot, limit: impl Into<Limit>, now: Moment) -> Verdict {
        self.cell(slot).decide(limit.into(), now, false)
    }

    /// What is used of each limit, for another process to carry on with; nothing of limits that are full.
    pub(super) fn spent(&self, now: Moment) -> Vec<CarriedCell> {
        std::iter::successors(Some(&self.first), |cell| cell.next())
            .filter_map(|cell| cell.spent(now))
            .collect()
    }

    /// Takes over what another process has counted of this bucket, in addition to what is used here.
    pub(super) fn charge(&self, slot: Slot, quota: Quota, spent: &Spent, now: Moment) {
        self.cell(slot).charge(quota, spent, now);
    }

    /// Whether every limit is full, so that forgetting the bucket changes no decision.
    pub(super) fn is_full(&self, now: Moment) -> bool {
        std::iter::successors(Some(&self.first), |cell| cell.next()).all(|cell| cell.is_full(now))
    }

    /// The cell of `slot`: the first free one becomes it, and the chain grows when none is free.
    pub(super) fn cell(&self, slot: Slot) -> &Cell {
        let mut cell = &self.first;
        while !cell.belongs_to(slot) {
            cell = cell.rare().next.get_or_init(Box::default);
        }
        cell
    }
}

/// A change of quota.
#[derive(Debug, Default)]
struct Change {
    /// The quota before, as a word.
    previous: u64,
    /// When, on the monotonic clock.
    at_ns: u64,
}

/// So long after a reload, requests may still arrive that began under the configuration before it.
const LATE_NS: u64 = 5_000_000_000;

/// One limit's state. There is one for every known key, so what few need stands apart, and what a request needs stands
/// together at the beginning.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Cell {
    /// The slot's number and one; 0 while nobody's.
    owner: AtomicU32,
    /// The quota under which the state was written; 0 before the first, [`CHANGING`] during a change.
    quota: AtomicU64,
    /// What token bucket and fixed window know.
    state: AtomicU64,
    rare: OnceLock<Box<Rare>>,
}

/// What a cell needs for a sliding window, for a second slot, and after a reload.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// What the sliding window knows.
    pub(super) ring: ArcSwapOption<Ring>,
    /// The last change of quota; locked while there is one.
    change: Mutex<Change>,
    next: OnceLock<Box<Cell>>,
    /// What there is to know where several nodes share the bucket.
    shared: OnceLock<Box<Shared>>,
}

/// The word of no quota: it has no requests.
const CHANGING: u64 = 1;

impl Cell {
    pub(super) fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    pub(super) fn shared(&self) -> &Shared {
        self.rare().shared.get_or_init(Box::default)
    }

    pub(super) fn known_shared(&self) -> Option<&Shared> {
        self.rare.get()?.shared.get().map(|shared| &**shared)
    }

    pub(super) fn state(&self) -> u64 {
        self.state.load(Ordering::Acquire)
    }

    pub(super) fn is_under(&self, quota: Quota) -> bool {
        self.quota.load(Ordering::Acquire) == quota.word()
    }

    /// Whether nothing was ever decided here.
    pub(super) fn is_unused(&self) -> bool {
        self.quota.load(Ordering::Acquire) == 0
    }

    /// Requests that count in the ring, where there is one, and when the newest was.
    pub(super) fn ring_within(&self, now: Moment) -> (u32, u64) {
        self.rare().ring.load().as_deref().map_or((0, 0), |ring| ring.counted_at(now))
    }

    fn next(&self) -> Option<&Cell> {
        self.rare.get()?.next.get().map(|next| &**next)
    }

    fn belongs_to(&self, slot: Slot) -> bool {
        let wanted = u32::from(slot.0) + 1;
        match self.owner.load(Ordering::Acquire) {
            0 => match self.owner.compare_exchange(0, wanted, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => true,
                Err(owner) => owner == wanted,
            },
            owner => owner == wanted,
        }
    }

    fn decide(&self, mut limit: Limit, now: Moment, take: bool) -> Verdict {
        loop {
            let Limit { quota, bucket } = limit;
            let decided = match quota.algorithm() {
                Algorithm::TokenBucket => self
                    .decide_word(quota, take, |state| bucket.take(state, now))
                    .map(|(state, allowed)| bucket.verdict(state, now, allowed)),
                Algorithm::FixedWindow => {
                    let window = FixedWindow::new(quota);
                    self.decide_word(quota, take, |state| window.take(state, now))
                        .map(|(state, allowed)| window.verdict(state, now, allowed))
                }
                Algorithm::SlidingWindow => self.decide_ring(quota, now, take),
            };
            match decided {
                Some(verdict) => return verdict,
                None => limit = self.settle(quota, now).into(),
            }
        }
    }

    /// The state to report and whether the request passes; `None` when the state is not of this quota.
    pub(super) fn decide_word(
        &self,
        quota: Quota,
        take: bool,
        step: impl Fn(u64) -> Option<u64>,
    ) -> Option<(u64, bool)> {
        // The state is read before the quota and written after it: see `settle`.
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if self.quota.load(Ordering::Acquire) != quota.word() {
                return None;
            }
            match step(state) {
                None => return Some((state, false)),
                Some(_) if !take => return Some((state, true)),
                Some(next) => {
                    match self.state.compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Acquire) {
                        Ok(_) => return Some((next, true)),
                        Err(found) => state = found,
                    }
                }
            }
        }
    }

    fn decide_ring(&self, quota: Quota, now: Moment, take: bool) -> Option<Verdict> {
        let ring = self.rare().ring.load();
        if self.quota.load(Ordering::Acquire) != quota.word() {
            return None;
        }
        // The ring of this quota was stored before the quota was, or has been frozen since.
        let ring = ring.as_deref()?;
        match if take { ring.take(now) } else { ring.peek(now) } {
            Attempt::Frozen => None,
            attempt => Some(ring.verdict(now, attempt)),
        }
    }

    /// The quota to decide under when `quota` is not the one of the state: `quota`, once the state was carried
    /// over to it; or the state's own, when the request is a late one. Changing back for late requests would
    /// forget, each time, what was used beyond the lower of the two limits.
    ///
    /// The quota is unset first, then the state is replaced by another value (or the ring frozen), then the quota
    /// is set. A request that read the old state fails to write; one that reads the new state does not find the
    /// old quota any more.
    pub(super) fn settle(&self, quota: Quota, now: Moment) -> Quota {
        // The first use of a word: a state of 0 is a full one.
        let first = quota.algorithm() != Algorithm::SlidingWindow && self.swap_quota(0, quota.word());
        if first {
            return quota;
        }
        let mut change = self.rare().change.lock().unwrap_or_else(PoisonError::into_inner);
        let current = loop {
            let word = self.quota.load(Ordering::Acquire);
            let late = change.previous == quota.word() && now.mono_ns < change.at_ns.saturating_add(LATE_NS);
            match Quota::from_word(word) {
                Some(current) if current == quota || late => return current,
                // Fails when another thread has made the first use meanwhile, for which it needs no lock.
                current if self.swap_quota(word, CHANGING) => break current,
                _ => {}
            }
        };
        self.carry_over(current, quota, now);
        self.quota.store(quota.word(), Ordering::Release);
        *change = Change { previous: current.map_or(0, Quota::word), at_ns: now.mono_ns };
        quota
    }

    fn swap_quota(&self, from: u64, to: u64) -> bool {
        self.quota.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn carry_over(&self, old: Option<Quota>, new: Quota, now: Moment) {
        let ring = &self.rare().ring;
        let stamps = match ring.swap(None) {
            Some(ring) => ring.freeze(),
            // What was only heard of.
            None => self.known_shared().map_or_else(Vec::new, |shared| shared.stamps(now)),
        };
        let used = |state| match old.map(|old| (old, old.algorithm())) {
            None => 0,
            Some((old, Algorithm::TokenBucket)) => TokenBucket::new(old).used(state, now),
            Some((old, Algorithm::FixedWindow)) => FixedWindow::new(old).used(state, now),
            Some((old, Algorithm::SlidingWindow)) => Ring::within(&stamps, old.per_ns(), now),
        };
        match new.algorithm() {
            Algorithm::TokenBucket => {
                self.replace(|state| TokenBucket::new(new).with_used(used(state), now));
            }
            Algorithm::FixedWindow => {
                self.replace(|state| FixedWindow::new(new).with_used(used(state), now));
            }
            Algorithm::SlidingWindow if stamps.is_empty() => {
                let used = used(self.replace(|state| !state)).min(new.requests()) as usize;
                ring.store(Some(Arc::new(Ring::new(new, &vec![now.mono_ns; used]))));
            }
            Algorithm::SlidingWindow => ring.store(Some(Arc::new(Ring::new(new, &stamps)))),
        }
    }

    /// Replaces the state, against requests that still write under the old quota; answers what it was.
    fn replace(&self, by: impl Fn(u64) -> u64) -> u64 {
        let mut state = self.state.load(Ordering::Acquire);
        while let Err(found) =
            self.state.compare_exchange(state, by(state), Ordering::AcqRel, Ordering::Acquire)
        {
            state = found;
        }
        state
    }

    fn spent(&self, now: Moment) -> Option<CarriedCell> {
        let slot = Slot(u16::try_from(self.owner.load(Ordering::Acquire).checked_sub(1)?).ok()?);
        let state = self.state.load(Ordering::Acquire);
        let Some(quota) = Quota::from_word(self.quota.load(Ordering::Acquire)) else {
            let (quota, ages) = self.known_shared()?.ages(now)?;
            return Some(CarriedCell { slot: slot.0, quota, spent: Spent::Ages(ages) });
        };
        let spent = match quota.algorithm() {
            Algorithm::TokenBucket => Spent::Ticks(TokenBucket::new(quota).missing(state, now)),
            Algorithm::FixedWindow => Spent::Requests(FixedWindow::new(quota).used(state, now)),
            Algorithm::SlidingWindow => Spent::Ages(self.rare().ring.load().as_deref()?.ages(now)),
        };
        (!spent.is_nothing()).then_some(CarriedCell { slot: slot.0, quota: quota.word(), spent })
    }

    /// As [`Cell::settle`] does: the quota is unset while the state is replaced.
    fn charge(&self, quota: Quota, spent: &Spent, now: Moment) {
        let _one_at_a_time = self.rare().change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut word = self.quota.load(Ordering::Acquire);
        while !self.swap_quota(word, CHANGING) {
            word = self.quota.load(Ordering::Acquire);
        }
        self.carry_over(Quota::from_word(word), quota, now);
        match spent {
            Spent::Ticks(ticks) => {
                self.replace(|state| TokenBucket::new(quota).with_missing(state, *ticks, now));
            }
            Spent::Requests(requests) => {
                let window = FixedWindow::new(quota);
                self.replace(|state| {
                    window.with_used(window.used(state, now).saturating_add(*requests), now)
                });
            }
            Spent::Ages(ages) => {
                let ring = &self.rare().ring;
                let mut stamps = ring.swap(None).map_or_else(Vec::new, |ring| ring.freeze());
                stamps.extend(ages.iter().map(|age| now.mono_ns.saturating_sub(*age)));
                stamps.sort_unstable();
                ring.store(Some(Arc::new(Ring::new(quota, &stamps))));
            }
        }
        self.quota.store(quota.word(), Ordering::Release);
    }

    fn is_full(&self, now: Moment) -> bool {
        if self.known_shared().is_some_and(|shared| !shared.is_full(now)) {
            return false;
        }
        let state = self.state.load(Ordering::Acquire);
        let word = self.quota.load(Ordering::Acquire);
        let Some(quota) = Quota::from_word(word) else {
            return word != CHANGING;
        };
        match quota.algorithm() {
            Algorithm::TokenBucket => TokenBucket::new(quota).is_full(state, now),
            Algorithm::FixedWindow => FixedWindow::new(quota).used(state, now) == 0,
            Algorithm::SlidingWindow => {
                self.rare().ring.load().as_deref().is_none_or(|ring| ring.is_full(now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million keys are to fit into memory together with their records: with two counts, one cache line.
    #[test]
    fn a_bucket_is_small() {
        assert!(size_of::<Bucket>() <= 48, "{}", size_of::<Bucket>());
    }
}
