//! From which addresses keys are used, noticed for those who want to be told of a new one.
//!
//! While nobody does, a request pays for one load of a number that nobody writes. Else each worker remembers what it has
//! passed on lately, so that it passes on little; what it forgets is passed on again, and known for old there. What finds
//! the queue full is not remembered as passed on: the next use tries again.

use crate::clock::Moment;
use foldhash::fast::FixedState;
use std::cell::{Cell, RefCell};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// One use of a key from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The key: [`crate::store::TokenRecord::row`].
    pub row: u64,
    /// The client's address.
    pub address: IpAddr,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// Most sightings that wait to be looked at, and that one worker passes on in a second: a flood of addresses costs no more.
const WAITING: usize = 1024;
const A_SECOND: u32 = 100;
/// How many a worker remembers; a power of two.
const REMEMBERED: usize = 4096;

/// Where sightings go.
#[derive(Debug, Default)]
pub struct Sightings {
    /// Zero while nobody wants any; another number when others want them than before.
    wanted: AtomicU64,
    queue: Option<mpsc::Sender<Sighting>>,
}

impl Sightings {
    /// A queue, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Sighting>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { wanted: AtomicU64::new(0), queue: Some(sender) }, receiver)
    }

    /// Says whether somebody wants sightings: zero for nobody, and another number each time that others do.
    pub fn set_wanted(&self, by: u64) {
        self.wanted.store(by, Ordering::Relaxed);
    }
}

/// What one worker has passed on.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    by: Cell<u64>,
    /// Fingerprints, each in the place that it names itself; none before the first.
    passed_on: RefCell<Vec<u64>>,
    second: Cell<u64>,
    in_second: Cell<u32>,
}

impl Noticed {
    /// Notices a use.
    #[inline]
    pub(super) fn notice(&self, to: &Sightings, row: u64, address: IpAddr, now: Moment) {
        let wanted = to.wanted.load(Ordering::Relaxed);
        if wanted != 0 {
            self.look(to, wanted, Sighting { row, address, at_ms: now.unix_ms });
        }
    }

    #[cold]
    fn look(&self, to: &Sightings, wanted: u64, sighting: Sighting) {
        let mut passed_on = self.passed_on.borrow_mut();
        if self.by.replace(wanted) != wanted {
            // Whoever is new wants to know what the others know.
            passed_on.clear();
            passed_on.resize(REMEMBERED, 0);
        }
        let mark = FixedState::with_seed(0).hash_one((sighting.row, sighting.address)) | 1;
        let place = (mark >> 16) as usize % REMEMBERED;
        let known = passed_on.get(place).is_none_or(|known| *known == mark);
        if !known && self.may_pass_on(sighting.at_ms / 1000) {
            let sent = to.queue.as_ref().is_some_and(|queue| queue.try_send(sighting).is_ok());
            if sent {
                passed_on[place] = mark;
            }
        }
    }

    fn may_pass_on(&self, second: u64) -> bool {
        if self.second.replace(second) != second {
            self.in_second.set(0);
        }
        self.in_second.set(self.in_second.get() + 1);
        self.in_second.get() <= A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment { mono_ns: 0, unix_ms: second * 1000 }
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn each_is_passed_on_once_while_somebody_wants_it() {
        let (sightings, mut queue) = Sightings::new();
        let noticed = Noticed::default();
        noticed.notice(&sightings, 1, ip(1), at(0));
        assert!(queue.try_recv().is_err(), "nobody wants it");
        sightings.set_wanted(7);
        for _ in 0..3 {
            noticed.notice(&sightings, 1, ip(1), at(1));
        }
        noticed.notice(&sightings, 1, ip(2), at(1));
        noticed.notice(&sightings, 2, ip(1), at(1));
        let all: Vec<_> =
            std::iter::from_fn(|| queue.try_recv().ok()).map(|it| (it.row, it.address)).collect();
        assert_eq!(all, [(1, ip(1)), (1, ip(2)), (2, ip(1))]);
        // Others want it now.
        sightings.set_wanted(8);
        noticed.notice(&sightings, 1, ip(1), at(1));
        assert_eq!(queue.try_recv().map(|it| it.at_ms), Ok(1000));
    }

    #[test]
    fn a_flood_is_bounded_and_what_did_not_pass_comes_again() {
        let (sightings, mut queue) = Sightings::new();
        let noticed = Noticed::default();
        sightings.set_wanted(1);
        let flood = |second| (0..=255).for_each(|last| noticed.notice(&sightings, 1, ip(last), at(second)));
        let mut passed = || std::iter::from_fn(|| queue.try_recv().ok()).count();
        flood(1);
        assert_eq!(passed(), A_SECOND as usize);
        flood(2);
        assert_eq!(passed(), A_SECOND as usize);
        flood(3);
        assert!((40..=70).contains(&passed()));
    }
}
