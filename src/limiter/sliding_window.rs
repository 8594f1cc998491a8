//! The sliding window, exact: never more than N requests in any stretch of the period.
//!
//! A ring keeps the stamps of the last N admissions. Admission `i` may happen once the stamp of admission `i - N`,
//! which stands in the very place that `i` will take, is a period old. The one compare-and-swap that replaces the
//! old stamp by the new one *is* the admission; the counter of admissions only follows, and whoever finds it
//! behind moves it on, so nobody waits for anybody.
//!
//! Why it is exact although requests read the clock before they arrive, in any order: stamps never decrease along
//! the ring, a stamp is never earlier than its request's own time, and a request compares its *own* time with the
//! old stamp. Of any N + 1 admissions, the one with the highest number is hence a period later than the one with the lowest.

use super::Verdict;
use super::quota::Quota;
use crate::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};

/// The highest number of requests that a sliding window counts; a higher limit is held to this one.
pub const MAX_REQUESTS: u32 = 10_000;

/// A place holds `frozen:1 | lap:1 | stamp:62`, the stamp in nanoseconds.
const FROZEN: u64 = 1 << 63;
const LAP: u64 = 1 << 62;
/// 146 years; later moments are all the same one, at which nothing more is admitted.
const STAMP_MAX: u64 = LAP - 1;

/// The stamps of the last admissions.
#[derive(Debug)]
pub(super) struct Ring {
    /// How many admissions there were; the next one takes place `head % N`.
    head: AtomicU64,
    places: Box<[AtomicU64]>,
    per_ns: u64,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Let in.
    Admitted,
    /// Not let in; free again in so many nanoseconds.
    Refused(u64),
    /// The ring has been replaced by another.
    Frozen,
}

impl Ring {
    /// A ring in which `stamps` (oldest first) have been admitted; only the newest that fit are kept.
    pub(super) fn new(quota: Quota, stamps: &[u64]) -> Self {
        let size = quota.requests().min(MAX_REQUESTS) as usize;
        let places: Box<[AtomicU64]> = (0..size).map(|_| AtomicU64::new(0)).collect();
        let kept = &stamps[stamps.len().saturating_sub(size)..];
        for (place, stamp) in places.iter().zip(kept) {
            place.store(LAP | stamp.min(&STAMP_MAX), Ordering::Relaxed);
        }
        Self { head: AtomicU64::new(kept.len() as u64), places, per_ns: quota.per_ns() }
    }

    /// Admits one request, when there is room at `now`.
    pub(super) fn take(&self, now: Moment) -> Attempt {
        let now = now.mono_ns.min(STAMP_MAX);
        loop {
            let (head, old) = self.next_place();
            if let Some(refused) = self.obstacle(head, old, now) {
                return refused;
            }
            let stamp = now.max(self.stamp_before(head));
            if self.swap(head, old, self.lap(head) | stamp) {
                return Attempt::Admitted;
            }
        }
    }

    /// What [`Ring::take`] would do, without doing it.
    pub(super) fn peek(&self, now: Moment) -> Attempt {
        let (head, old) = self.next_place();
        self.obstacle(head, old, now.mono_ns.min(STAMP_MAX)).unwrap_or(Attempt::Admitted)
    }

    /// Admits one request that takes `many` places, or all of them where there are fewer. Only for one caller at a time.
    pub(super) fn take_many(&self, many: u32, now: Moment) -> Verdict {
        let size = self.places.len() as u64;
        let many = u64::from(many.max(1)).min(size);
        let at = now.mono_ns.min(STAMP_MAX);
        let head = self.head.load(Ordering::Acquire);
        // The last of the places that it takes is free when the stamp in it is a period old.
        let free_at = match (head + many).checked_sub(size + 1) {
            Some(number) => self.stamp(number) + self.per_ns,
            None => 0,
        };
        let attempt = if at < free_at { Attempt::Refused(free_at - at) } else { Attempt::Admitted };
        if attempt == Attempt::Admitted {
            (0..many).for_each(|_| {
                self.take(now);
            });
        }
        let verdict = self.verdict(now, attempt);
        Verdict { remaining: verdict.remaining / many as u32, ..verdict }
    }

    /// Requests that count at `now`, and when the newest of them was.
    pub(super) fn counted_at(&self, now: Moment) -> (u32, u64) {
        let head = self.head.load(Ordering::Acquire);
        match self.counted(head, now.mono_ns.min(STAMP_MAX)) {
            0 => (0, 0),
            counted => (counted as u32, self.stamp_before(head)),
        }
    }

    pub(super) fn verdict(&self, now: Moment, attempt: Attempt) -> Verdict {
        let at = now.mono_ns.min(STAMP_MAX);
        let head = self.head.load(Ordering::Acquire);
        let remaining = self.places.len() - self.counted(head, at);
        let full_in = if head == 0 { 0 } else { (self.stamp_before(head) + self.per_ns).saturating_sub(at) };
        let retry = match attempt {
            Attempt::Admitted => None,
            Attempt::Refused(ns) => Some(ns),
            Attempt::Frozen => Some(0),
        };
        Verdict::new(self.places.len() as u32, remaining as u32, now, full_in, retry)
    }

    /// Whether nothing was admitted in the period before `now`.
    pub(super) fn is_full(&self, now: Moment) -> bool {
        let head = self.head.load(Ordering::Acquire);
        head == 0 || self.stamp_before(head) + self.per_ns <= now.mono_ns
    }

    /// How long ago each admission of the period before `now` was, in nanoseconds, oldest first.
    pub(super) fn ages(&self, now: Moment) -> Vec<u64> {
        let at = now.mono_ns.min(STAMP_MAX);
        let head = self.head.load(Ordering::Acquire);
        let first = head - self.counted(head, at) as u64;
        (first..head).map(|number| at.saturating_sub(self.stamp(number))).collect()
    }

    /// Ends the ring: nobody is admitted any more. Answers the stamps that it held, oldest first.
    pub(super) fn freeze(&self) -> Vec<u64> {
        let head = loop {
            let (head, old) = self.next_place();
            if old & FROZEN != 0 || self.swap_word(head, old, old | FROZEN) {
                break head;
            }
        };
        let first = head.saturating_sub(self.places.len() as u64);
        (first..head).map(|number| self.stamp(number)).collect()
    }

    /// How many of `stamps` are within the period before `now`.
    pub(super) fn within(stamps: &[u64], per_ns: u64, now: Moment) -> u32 {
        stamps.iter().filter(|stamp| **stamp + per_ns > now.mono_ns).count() as u32
    }

    /// The number of the next admission, and what stands in its place (of the lap before).
    fn next_place(&self) -> (u64, u64) {
        loop {
            let head = self.head.load(Ordering::Acquire);
            let old = self.place(head).load(Ordering::Acquire);
            if old & FROZEN == 0 && old & LAP == self.lap(head) {
                // Admitted already, and only the counter is behind; or this thread is.
                let _ = self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Acquire);
            } else if self.head.load(Ordering::Acquire) == head {
                return (head, old);
            }
        }
    }

    fn obstacle(&self, head: u64, old: u64, now: u64) -> Option<Attempt> {
        if old & FROZEN != 0 {
            return Some(Attempt::Frozen);
        }
        if head < self.places.len() as u64 {
            return None;
        }
        let free_at = (old & STAMP_MAX) + self.per_ns;
        (now < free_at).then(|| Attempt::Refused(free_at - now))
    }

    /// Puts `new` in the place of admission `head`, and moves the counter on.
    fn swap(&self, head: u64, old: u64, new: u64) -> bool {
        let admitted = self.swap_word(head, old, new);
        if admitted {
            let _ = self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Acquire);
        }
        admitted
    }

    // A word never comes back: stamps of one place are a period apart. So success means that nothing happened since.
    fn swap_word(&self, head: u64, old: u64, new: u64) -> bool {
        self.place(head).compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// How many of the last admissions before `head` are within the period before `now`, by bisection.
    fn counted(&self, head: u64, now: u64) -> usize {
        let (mut expired, mut counted) = (head.saturating_sub(self.places.len() as u64), head);
        while expired < counted {
            let middle = expired + (counted - expired) / 2;
            if self.stamp(middle) + self.per_ns <= now {
                expired = middle + 1;
            } else {
                counted = middle;
            }
        }
        (head - counted) as usize
    }

    /// The newest stamp; 0 when there is none.
    fn stamp_before(&self, head: u64) -> u64 {
        head.checked_sub(1).map_or(0, |number| self.stamp(number))
    }

    fn stamp(&self, number: u64) -> u64 {
        self.place(number).load(Ordering::Acquire) & STAMP_MAX
    }

    fn place(&self, number: u64) -> &AtomicU64 {
        &self.places[(number % self.places.len() as u64) as usize]
    }

    /// The lap bit that admission `number` writes. An unwritten place has that of the lap before the first.
    fn lap(&self, number: u64) -> u64 {
        if (number / self.places.len() as u64).is_multiple_of(2) { LAP } else { 0 }
    }
}
