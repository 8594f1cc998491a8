//! A [`Rate`] as one word, so that a cell can tell at a glance under which rate its state was written.

use super::{Algorithm, Rate};

/// A rate packed as `requests:32 | algorithm:2 | unit:1 | period:29`; never zero.
///
/// Periods are whole milliseconds below six days and whole seconds above (at most 17 years), rounded up, so that
/// the packed rate is never more generous than the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota(u64);

const PERIOD_BITS: u32 = 29;
const PERIOD_MAX: u64 = (1 << PERIOD_BITS) - 1;
const IN_SECONDS: u64 = 1 << PERIOD_BITS;
const ALGORITHM_SHIFT: u32 = 30;

impl Quota {
    pub(super) fn new(rate: &Rate) -> Self {
        let algorithm: u64 = match rate.algorithm {
            Algorithm::TokenBucket => 1,
            Algorithm::SlidingWindow => 2,
            Algorithm::FixedWindow => 3,
        };
        let requests = u64::from(rate.requests.get());
        Self(requests << 32 | algorithm << ALGORITHM_SHIFT | Self::period(rate))
    }

    fn period(rate: &Rate) -> u64 {
        let (s, ns) = (rate.per.as_secs(), u64::from(rate.per.subsec_nanos()));
        let ms = s.saturating_mul(1000).saturating_add(ns.div_ceil(1_000_000)).max(1);
        if ms <= PERIOD_MAX {
            return ms;
        }
        let whole = s.saturating_add(u64::from(ns > 0));
        IN_SECONDS | whole.min(PERIOD_MAX)
    }

    /// The quota of a word made by [`Quota::word`]; `None` for one without requests, which is no quota.
    pub(super) fn from_word(word: u64) -> Option<Self> {
        (word >> 32 != 0).then_some(Self(word))
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self.0 >> ALGORITHM_SHIFT & 3 {
            1 => Algorithm::TokenBucket,
            2 => Algorithm::SlidingWindow,
            _ => Algorithm::FixedWindow,
        }
    }

    pub(super) fn requests(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The same, as far as the algorithm counts.
    pub(super) fn counted(self) -> u32 {
        match self.algorithm() {
            Algorithm::SlidingWindow => self.requests().min(super::SLIDING_WINDOW_MAX),
            Algorithm::TokenBucket | Algorithm::FixedWindow => self.requests(),
        }
    }

    /// The period in milliseconds; at least 1.
    pub(super) fn per_ms(self) -> u64 {
        let period = self.0 & PERIOD_MAX;
        if self.0 & IN_SECONDS == 0 { period } else { period * 1000 }
    }

    /// The period in nanoseconds; at least 1,000,000 and below 2^60.
    pub(super) fn per_ns(self) -> u64 {
        self.per_ms() * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn quota(requests: u32, per: Duration, algorithm: Algorithm) -> Quota {
        Quota::new(&Rate { requests: NonZeroU32::new(requests).unwrap(), per, algorithm })
    }

    #[test]
    fn comes_back_as_it_went_in() {
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
            for (requests, ms) in [(1, 1), (60, 60_000), (u32::MAX, 30 * 86_400_000)] {
                let quota = quota(requests, Duration::from_millis(ms), algorithm);
                assert_eq!((quota.requests(), quota.per_ms()), (requests, ms));
                assert_eq!(quota.algorithm(), algorithm);
                assert_eq!(Quota::from_word(quota.word()), Some(quota));
            }
        }
    }

    #[test]
    fn odd_periods_are_rounded_up() {
        let of = |per| quota(1, per, Algorithm::TokenBucket).per_ms();
        assert_eq!(of(Duration::from_nanos(1)), 1);
        assert_eq!(of(Duration::from_micros(1_001)), 2);
        assert_eq!(of(Duration::from_millis(700_000_001)), 700_001_000);
        assert_eq!(of(Duration::MAX), PERIOD_MAX * 1000);
        assert_eq!(of(Duration::ZERO), 1);
    }
}
