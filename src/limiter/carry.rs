//! What one process has counted, as another one carries on with it.

use serde::{Deserialize, Serialize};

/// The state of a limiter, without what is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// When it was written; milliseconds since 1970.
    pub(super) unix_ms: u64,
    /// The numbers that APIs have in it.
    pub(super) apis: Vec<(u16, Box<str>)>,
    /// What is used of each bucket, by its number.
    pub(super) buckets: Vec<(u64, Vec<CarriedCell>)>,
}

impl Carried {
    /// How many buckets are not full.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether every bucket is full.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// What is used of one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CarriedCell {
    /// Of which API.
    pub(super) slot: u16,
    /// Under which quota, as a word.
    pub(super) quota: u64,
    pub(super) spent: Spent,
}

/// What is used, as each algorithm counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Spent {
    /// Token bucket: ticks until it is full, which are nanoseconds or a little longer.
    Ticks(u64),
    /// Fixed window: requests in the present window.
    Requests(u32),
    /// Sliding window: how long ago each request was, in nanoseconds, oldest first.
    Ages(Vec<u64>),
}

impl Spent {
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Ticks(ticks) => *ticks == 0,
            Self::Requests(requests) => *requests == 0,
            Self::Ages(ages) => ages.is_empty(),
        }
    }

    /// What is left of it `ns` nanoseconds later. A tick may last longer than a nanosecond, so that a little less than
    /// what is due may be given back, never more. A fixed window may have ended by then; what is counted in the next
    /// one instead is at most one window's.
    pub(super) fn later(&self, ns: u64) -> Self {
        match self {
            Self::Ticks(ticks) => Self::Ticks(ticks.saturating_sub(ns / 2)),
            Self::Requests(requests) => Self::Requests(*requests),
            Self::Ages(ages) => Self::Ages(ages.iter().map(|age| age.saturating_add(ns)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Moment;
    use crate::limiter::{Algorithm, Limiter, Rate};
    use std::num::NonZeroU32;
    use std::time::Duration;

    const NOW: Moment = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_768_035_600_000 };

    fn rate(requests: u32, algorithm: Algorithm) -> Rate {
        Rate { requests: NonZeroU32::new(requests).unwrap(), per: Duration::from_secs(60), algorithm }
    }

    fn admitted(limiter: &Limiter, api: &str, name: &str, rate: &Rate, now: Moment) -> u32 {
        let (bucket, slot) = (limiter.bucket(name), limiter.slot(api));
        (0..200).map(|_| u32::from(bucket.take(slot, rate, now).allowed)).sum()
    }

    /// A process that starts on a clock of its own, and is given what the other one has counted.
    fn heir(of: &Limiter, at: Moment) -> (Limiter, Moment) {
        let text = serde_json::to_string(&of.carried(at)).unwrap();
        let heir = Limiter::with_key(of.key());
        heir.slot("another API, to have other numbers");
        let there = Moment { mono_ns: 7_200_000_000_000, ..at };
        heir.take_over(&serde_json::from_str(&text).unwrap(), there);
        (heir, there)
    }

    #[test]
    fn what_is_used_stays_used_in_the_process_that_takes_over() {
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
            let (limiter, rate) = (Limiter::new(), rate(60, algorithm));
            let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
            for _ in 0..45 {
                assert!(bucket.take(slot, &rate, NOW).allowed);
            }
            let (heir, there) = heir(&limiter, NOW);
            assert_eq!(admitted(&heir, "api", "key", &rate, there), 15, "{algorithm:?}");
            assert_eq!(admitted(&heir, "api", "another key", &rate, there), 60);
            assert_eq!(admitted(&heir, "api of its own limit", "key", &rate, there), 60);
            let later = there.after(Duration::from_secs(60));
            assert_eq!(admitted(&heir, "api", "key", &rate, later), 60);
        }
    }

    #[test]
    fn a_wait_that_was_told_is_still_true() {
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
            let (limiter, rate) = (Limiter::new(), rate(7, algorithm));
            admitted(&limiter, "api", "key", &rate, NOW);
            let told = limiter.bucket("key").peek(limiter.slot("api"), &rate, NOW).retry_after_s;
            let (heir, there) = heir(&limiter, NOW);
            let (bucket, slot) = (heir.bucket("key"), heir.slot("api"));
            assert_eq!(bucket.peek(slot, &rate, there).retry_after_s, told);
            assert!(bucket.take(slot, &rate, there.after(Duration::from_secs(told))).allowed);
        }
    }

    #[test]
    fn what_the_heir_has_counted_already_is_added() {
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
            let (limiter, rate) = (Limiter::new(), rate(60, algorithm));
            for _ in 0..20 {
                limiter.bucket("key").take(limiter.slot("api"), &rate, NOW);
            }
            let heir = Limiter::with_key(limiter.key());
            for _ in 0..30 {
                heir.bucket("key").take(heir.slot("api"), &rate, NOW);
            }
            heir.take_over(&limiter.carried(NOW), NOW);
            assert_eq!(admitted(&heir, "api", "key", &rate, NOW), 10, "{algorithm:?}");
            heir.take_over(&limiter.carried(NOW), NOW);
            assert_eq!(admitted(&heir, "api", "key", &rate, NOW), 0, "an empty bucket stays empty");
        }
    }

    #[test]
    fn full_buckets_are_not_carried() {
        let (limiter, rate) = (Limiter::new(), rate(60, Algorithm::TokenBucket));
        limiter.bucket("never used");
        limiter.bucket("key").take(limiter.slot("api"), &rate, NOW);
        assert_eq!(limiter.carried(NOW).len(), 1);
        assert!(limiter.carried(NOW.after(Duration::from_secs(1))).is_empty());
    }
}
