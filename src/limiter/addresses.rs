//! Budgets by address, for what strangers may not repeat without end: a table of fixed size, however many they are.
//!
//! A place holds one word of a token bucket and the number of whose it is. It is taken over by another address only when
//! its bucket is full again, so that forgetting it changes no decision. Where every place of a set still owes, whoever
//! has none there shares the one that owes least: then the table grants less, never more, and nobody's debt is flushed.

use super::quota::Quota;
use super::token_bucket::TokenBucket;
use super::{Rate, Verdict};
use crate::clock::Moment;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

/// Places in which an address is looked for: two processor cache lines, which are fetched together.
const WAYS: usize = 8;

/// 65,536 addresses, in 1 MiB.
const SETS: usize = 8192;

/// The budgets of all addresses under one rate. A million addresses are not kept: what is compared is their SipHash with
/// a random key, so that nobody can choose with whom they share a set.
#[derive(Debug)]
pub struct Addresses {
    rate: Rate,
    bucket: TokenBucket,
    siphash: RandomState,
    sets: Box<[Set]>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Set([Place; WAYS]);

/// Starts as a full bucket of nobody.
#[derive(Debug, Default)]
struct Place {
    owner: AtomicU64,
    /// What [`TokenBucket`] knows.
    state: AtomicU64,
}

/// One thing taken out of an address's budget. It stays taken unless it is given back.
#[derive(Debug)]
pub struct Charge<'a> {
    place: &'a Place,
    bucket: TokenBucket,
}

impl Addresses {
    /// Full budgets, as token buckets of this size and refill.
    pub(super) fn new(rate: &Rate) -> Self {
        Self::with_sets(rate, SETS)
    }

    fn with_sets(rate: &Rate, sets: usize) -> Self {
        let sets = (0..sets).map(|_| Set::default()).collect();
        Self { rate: *rate, bucket: TokenBucket::new(Quota::new(rate)), siphash: RandomState::new(), sets }
    }

    /// How much an address has; whatever algorithm it names, these are token buckets.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Takes one out of the budget of an address, by its [`network`].
    ///
    /// # Errors
    /// When there is nothing left; then nothing is taken, and the verdict says how long to wait.
    pub fn charge(&self, address: IpAddr, now: Moment) -> Result<Charge<'_>, Verdict> {
        let (place, bucket) = (self.place(address, now), self.bucket);
        let mut state = place.state.load(Ordering::Relaxed);
        while let Some(next) = bucket.take(state, now) {
            match place.state.compare_exchange_weak(state, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Charge { place, bucket }),
                Err(found) => state = found,
            }
        }
        Err(bucket.verdict(state, now, false))
    }

    /// The place of an address. Two threads may give one address two places at once, of which one is then not found
    /// any more; or charge a place that has just changed hands. Both are a matter of one request.
    fn place(&self, address: IpAddr, now: Moment) -> &Place {
        let number = self.siphash.hash_one(network(address));
        let Set(places) = &self.sets[number as usize % self.sets.len()];
        let state = |place: &Place| place.state.load(Ordering::Relaxed);
        if let Some(own) = places.iter().find(|place| place.owner.load(Ordering::Relaxed) == number) {
            return own;
        }
        for place in places {
            let owner = place.owner.load(Ordering::Relaxed);
            let free = self.bucket.is_full(state(place), now);
            let swap =
                || place.owner.compare_exchange(owner, number, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if free && swap() {
                return place;
            }
        }
        // There are always some: `WAYS` is not zero.
        places.iter().min_by_key(|place| state(place)).unwrap_or(&places[0])
    }
}

impl Charge<'_> {
    /// It was not to be paid for after all.
    pub fn give_back(self) {
        let less = |state| Some(self.bucket.give_back(state));
        // Never fails: there is always a next state.
        let _ = self.place.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it, which count as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::Algorithm;
    use std::num::NonZeroU32;
    use std::time::Duration;

    const T0: Moment = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_800_000_000_000 };
    const SECOND: Duration = Duration::from_secs(1);

    fn rate(requests: u32, per_s: u64) -> Rate {
        let requests = NonZeroU32::new(requests).unwrap();
        Rate { requests, per: Duration::from_secs(per_s), algorithm: Algorithm::TokenBucket }
    }

    fn v4(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    fn v6(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn passes(addresses: &Addresses, address: IpAddr, now: Moment) -> bool {
        addresses.charge(address, now).is_ok()
    }

    #[test]
    fn each_address_has_its_own_and_waiting_as_told_lets_one_through() {
        let addresses = Addresses::new(&rate(30, 60));
        assert!((0..30).all(|_| passes(&addresses, v4(1), T0)));
        for _ in 0..3 {
            let refused = addresses.charge(v4(1), T0).unwrap_err();
            assert_eq!(refused.retry_after_s, 2, "a refusal costs nothing");
        }
        assert!(passes(&addresses, v4(2), T0));
        assert!(!passes(&addresses, v4(1), T0.after(SECOND)));
        assert!(passes(&addresses, v4(1), T0.after(2 * SECOND)));
        assert!(!passes(&addresses, v4(1), T0.after(2 * SECOND)));
    }

    #[test]
    fn a_wait_is_never_zero_seconds() {
        let addresses = Addresses::new(&rate(1000, 1));
        (0..1000).for_each(|_| assert!(passes(&addresses, v4(1), T0)));
        assert_eq!(addresses.charge(v4(1), T0).unwrap_err().retry_after_s, 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_a_mapped_address_is_its_ipv4() {
        let addresses = Addresses::new(&rate(2, 60));
        assert!(
            passes(&addresses, v6("2001:db8:0:7::1"), T0) && passes(&addresses, v6("2001:db8:0:7:f::2"), T0)
        );
        assert!(!passes(&addresses, v6("2001:db8:0:7::3"), T0));
        assert!(passes(&addresses, v6("2001:db8:0:8::1"), T0));
        assert!(
            passes(&addresses, v6("::ffff:10.0.0.1"), T0) && passes(&addresses, v6("::ffff:10.0.0.2"), T0)
        );
        assert!(passes(&addresses, v6("10.0.0.1"), T0) && !passes(&addresses, v6("::ffff:10.0.0.1"), T0));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let addresses = Addresses::new(&rate(1, 60));
        for _ in 0..5 {
            addresses.charge(v4(1), T0).unwrap().give_back();
        }
        addresses.charge(v4(1), T0).unwrap();
        assert!(!passes(&addresses, v4(1), T0));
    }

    #[test]
    fn in_a_full_table_newcomers_share_and_flush_nobody() {
        let addresses = Addresses::with_sets(&rate(10, 60), 4);
        (0..10).for_each(|_| assert!(passes(&addresses, v4(0), T0)));
        let granted = (1..10_000).filter(|number| passes(&addresses, v4(*number), T0)).count();
        // All that 32 places have, however many come; and the first is still where it was.
        assert_eq!(granted, 31 * 10);
        assert!(!passes(&addresses, v4(0), T0));
        assert!(!passes(&addresses, v4(10_001), T0.after(SECOND)));
        // What is paid is forgotten: there is room again.
        let later = T0.after(60 * SECOND);
        assert!((20_000..20_010).all(|number| passes(&addresses, v4(number), later)));
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let addresses = Addresses::new(&rate(100, 3600));
        passes(&addresses, v4(1), T0);
        let granted: usize = std::thread::scope(|scope| {
            let one = || (0..200).filter(|_| passes(&addresses, v4(1), T0)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 99);
    }

    #[test]
    fn a_table_takes_a_mebibyte() {
        assert_eq!(size_of::<Set>() * SETS, 1 << 20);
    }
}
