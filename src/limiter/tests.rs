//! The limiter against simple models of itself, against many threads, and against its own promises.

use super::*;
use crate::clock::Moment;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

const S: u64 = 1_000_000_000;
const START: Moment = Moment { mono_ns: 3600 * S, unix_ms: 1_768_035_600_000 };
const ALL: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow];

fn rate(requests: u32, per: Duration, algorithm: Algorithm) -> Rate {
    Rate { requests: NonZeroU32::new(requests).unwrap(), per, algorithm }
}

fn per_minute(requests: u32, algorithm: Algorithm) -> Rate {
    rate(requests, Duration::from_secs(60), algorithm)
}

fn fresh() -> (Limiter, Slot) {
    let limiter = Limiter::new();
    let slot = limiter.slot("api");
    (limiter, slot)
}

/// How many of `tries` requests at one moment pass.
fn burst(bucket: &Bucket, slot: Slot, rate: &Rate, now: Moment, tries: u32) -> u32 {
    (0..tries).map(|_| u32::from(bucket.take(slot, rate, now).allowed)).sum()
}

#[test]
fn sixty_at_once_then_one_a_second() {
    let (limiter, slot) = fresh();
    let (bucket, rate) = (limiter.bucket("t1"), per_minute(60, Algorithm::TokenBucket));
    for left in (0..60).rev() {
        let verdict = bucket.take(slot, &rate, START);
        assert_eq!((verdict.allowed, verdict.limit, verdict.remaining), (true, 60, left));
        assert_eq!(verdict.reset_after_s, 60 - u64::from(left));
        assert_eq!(verdict.reset_unix_s, START.unix_s() + 60 - u64::from(left));
        assert_eq!(verdict.retry_after_s, 0);
    }
    let refused = bucket.take(slot, &rate, START);
    assert_eq!((refused.allowed, refused.remaining, refused.retry_after_s), (false, 0, 1));
    let almost = START.after(Duration::from_nanos(S - 1));
    assert!(!bucket.take(slot, &rate, almost).allowed);
    let later = START.after(Duration::from_secs(1));
    assert_eq!(burst(&bucket, slot, &rate, later, 5), 1);
    // The 119 of the contract: 60 at once and 59 more until the minute is over.
    let more: u32 =
        (2..60).map(|s| burst(&bucket, slot, &rate, START.after(Duration::from_secs(s)), 3)).sum();
    assert_eq!(more, 58);
}

#[test]
fn odd_rates_let_exactly_their_number_pass_at_once_and_do_not_drift() {
    for (requests, ms) in [(7, 60_000), (60, 61_001), (3, 1_000), (999_983, 60_000), (1, 1)] {
        let rate = rate(requests, Duration::from_millis(ms), Algorithm::TokenBucket);
        let (limiter, slot) = fresh();
        let bucket = limiter.bucket("t");
        assert_eq!(burst(&bucket, slot, &rate, START, requests + 10), requests, "{requests} per {ms} ms");
        let refilled = START.after(Duration::from_millis(ms));
        assert_eq!(bucket.peek(slot, &rate, refilled).remaining, requests);
    }
}

#[test]
fn a_busy_bucket_gains_and_loses_nothing_in_a_day() {
    let (limiter, slot) = fresh();
    let (bucket, rate) = (limiter.bucket("t"), per_minute(7, Algorithm::TokenBucket));
    assert_eq!(burst(&bucket, slot, &rate, START, 8), 7);
    let day: u32 =
        (1..=86_400).map(|s| burst(&bucket, slot, &rate, START.after(Duration::from_secs(s)), 2)).sum();
    assert_eq!(day, 7 * 60 * 24);
}

#[test]
fn a_hundred_million_a_minute_is_one_every_600_ns() {
    let (limiter, slot) = fresh();
    let (bucket, rate) = (limiter.bucket("t"), per_minute(100_000_000, Algorithm::TokenBucket));
    let first = bucket.take(slot, &rate, START);
    assert_eq!((first.remaining, first.reset_after_s), (99_999_999, 1));
    assert_eq!(bucket.peek(slot, &rate, START.after(Duration::from_nanos(599))).remaining, 99_999_999);
    assert_eq!(bucket.peek(slot, &rate, START.after(Duration::from_nanos(600))).remaining, 100_000_000);
}

#[test]
fn a_fixed_window_follows_the_wall_clock() {
    let (limiter, slot) = fresh();
    let (bucket, rate) = (limiter.bucket("t"), per_minute(5, Algorithm::FixedWindow));
    let late = Moment { unix_ms: START.unix_ms / 60_000 * 60_000 + 58_500, ..START };
    assert_eq!(burst(&bucket, slot, &rate, late, 9), 5);
    let refused = bucket.take(slot, &rate, late);
    assert_eq!((refused.retry_after_s, refused.reset_after_s), (2, 2));
    assert_eq!(refused.reset_unix_s, late.unix_ms / 60_000 * 60 + 60);
    let next = late.after(Duration::from_millis(1500));
    assert_eq!(burst(&bucket, slot, &rate, next, 9), 5);
    // A request that read its clock before the window changed does not open the old one again.
    assert!(!bucket.take(slot, &rate, late).allowed);
    // A civil clock set back by an hour does not lock anybody out for an hour.
    let stepped = Moment { unix_ms: next.unix_ms - 3_600_000, ..next };
    assert_eq!(burst(&bucket, slot, &rate, stepped, 9), 5);
}

#[test]
fn civil_time_does_not_touch_the_other_two() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
        let (limiter, slot) = fresh();
        let (bucket, rate) = (limiter.bucket("t"), per_minute(4, algorithm));
        assert_eq!(burst(&bucket, slot, &rate, START, 9), 4);
        let stepped = Moment { unix_ms: START.unix_ms + 86_400_000, ..START };
        let verdict = bucket.take(slot, &rate, stepped);
        assert!(!verdict.allowed, "{algorithm:?}");
        assert_eq!(verdict.reset_unix_s, stepped.unix_s() + 60);
    }
}

#[test]
fn refusals_do_not_extend_the_wait() {
    for algorithm in ALL {
        let (limiter, slot) = fresh();
        let (bucket, rate) = (limiter.bucket("t"), per_minute(3, algorithm));
        assert_eq!(burst(&bucket, slot, &rate, START, 3), 3);
        let wait = bucket.take(slot, &rate, START).retry_after_s;
        for _ in 0..100 {
            assert_eq!(bucket.take(slot, &rate, START).retry_after_s, wait);
        }
        assert!(bucket.take(slot, &rate, START.after(Duration::from_secs(wait))).allowed);
    }
}

#[test]
fn slots_and_names_are_apart() {
    let limiter = Limiter::new();
    let slots: Vec<Slot> = ["a", "b", "c"].map(|name| limiter.slot(name)).to_vec();
    assert_eq!(limiter.slot("b"), slots[1]);
    assert_eq!(slots.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    for algorithm in ALL {
        let rate = per_minute(2, algorithm);
        for name in ["t1", "t2"] {
            let bucket = limiter.bucket(&format!("{name}{algorithm:?}"));
            for slot in &slots {
                assert_eq!(burst(&bucket, *slot, &rate, START, 5), 2);
            }
        }
    }
}

#[test]
fn a_name_keeps_its_state_until_it_is_full_again() {
    for algorithm in ALL {
        let (limiter, slot) = fresh();
        let rate = per_minute(2, algorithm);
        let held = limiter.bucket("held");
        assert_eq!(burst(&limiter.bucket("t"), slot, &rate, START, 5), 2);
        assert_eq!(limiter.sweep(START), 0);
        assert!(!limiter.bucket("t").take(slot, &rate, START).allowed, "{algorithm:?}");
        let full = START.after(Duration::from_secs(61));
        assert_eq!((limiter.sweep(full), limiter.len()), (1, 1));
        drop(held);
        assert_eq!((limiter.sweep(full), limiter.is_empty()), (1, true));
    }
}

#[test]
fn a_reload_carries_over_what_was_used() {
    for from in ALL {
        for to in ALL {
            let (limiter, slot) = fresh();
            let bucket = limiter.bucket("t");
            assert_eq!(burst(&bucket, slot, &per_minute(60, from), START, 40), 40);
            let left = |requests| bucket.peek(slot, &per_minute(requests, to), START).remaining;
            assert_eq!(left(100), 60, "{from:?} to {to:?}");
            assert_eq!(left(30), 0, "{from:?} to {to:?}");
        }
        // A longer period does not hand anything back either.
        let (limiter, slot) = fresh();
        let bucket = limiter.bucket("t");
        assert_eq!(burst(&bucket, slot, &per_minute(60, from), START, 61), 60);
        let hourly = rate(60, Duration::from_secs(3600), from);
        assert!(!bucket.take(slot, &hourly, START).allowed, "{from:?}");
    }
}

#[test]
fn the_ends_of_time_neither_panic_nor_admit_too_many() {
    let ends = [0, 1, 1 << 62, (1 << 62) + 1, u64::MAX - S, u64::MAX - 1, u64::MAX];
    for algorithm in ALL {
        for requests in [1, 7, 60, u32::MAX] {
            for per in [Duration::from_nanos(1), Duration::from_secs(60), Duration::MAX] {
                let (limiter, slot) = fresh();
                let (bucket, rate) = (limiter.bucket("t"), rate(requests, per, algorithm));
                for mono_ns in ends {
                    let now = Moment { mono_ns, unix_ms: mono_ns };
                    assert!(burst(&bucket, slot, &rate, now, 100) <= requests);
                    limiter.sweep(now);
                }
            }
        }
    }
}

/// Never more than the limit at one moment, and not fewer, whatever the threads do.
#[test]
fn threads_together_get_exactly_the_limit() {
    for algorithm in ALL {
        for requests in [1, 2, 100, 997] {
            let (limiter, slot) = fresh();
            let (bucket, rate) = (limiter.bucket("t"), per_minute(requests, algorithm));
            for round in 0..20 {
                let now = START.after(Duration::from_secs(120 * round));
                let admitted = hammer(4, 400, |_, _| bucket.take(slot, &rate, now).allowed);
                assert_eq!(admitted, requests.min(1600) as usize, "{algorithm:?} {requests}");
            }
        }
    }
}

/// Threads whose clocks differ still never get more than N in any window of the sliding kind.
#[test]
fn skewed_threads_keep_the_sliding_window_exact() {
    let (limiter, slot) = fresh();
    let rate = rate(50, Duration::from_millis(10), Algorithm::SlidingWindow);
    let bucket = limiter.bucket("t");
    let times = std::sync::Mutex::new(Vec::new());
    hammer(4, 5_000, |thread, i| {
        let now = START.after(Duration::from_nanos(i as u64 * 10_000 + thread as u64 * 3_333));
        let allowed = bucket.take(slot, &rate, now).allowed;
        if allowed {
            times.lock().unwrap().push(now.mono_ns);
        }
        allowed
    });
    let mut times = times.into_inner().unwrap();
    times.sort_unstable();
    assert!(times.len() >= 200, "{}", times.len());
    assert!(times.windows(51).all(|w| w[50] - w[0] >= 10_000_000));
}

/// A reload in the middle of traffic, with old and new configurations at work at once.
#[test]
fn a_reload_under_load_refills_nothing() {
    for to in ALL {
        let (limiter, slot) = fresh();
        let bucket = limiter.bucket("t");
        let rates = [per_minute(300, Algorithm::SlidingWindow), per_minute(301, to)];
        let admitted = hammer(4, 500, |thread, i| {
            let rate = &rates[usize::from(i > 20 * (thread + 1) && i % 7 != 0)];
            bucket.take(slot, rate, START).allowed
        });
        assert!((300..=301).contains(&admitted), "{to:?}: {admitted}");
    }
}

/// Threads that use a bucket for the first time at once, under different rates, share one limit.
#[test]
fn first_uses_at_once_are_one() {
    for to in ALL {
        let (limiter, slot) = fresh();
        let rates = [per_minute(50, Algorithm::TokenBucket), per_minute(50, to)];
        for round in 0..200 {
            let bucket = limiter.bucket(&round.to_string());
            let admitted = hammer(4, 40, |thread, _| bucket.take(slot, &rates[thread % 2], START).allowed);
            assert_eq!(admitted, 50, "{to:?}");
        }
    }
}

/// A request that read its clock before others were admitted is judged by its own time.
#[test]
fn a_late_request_does_not_borrow_the_time_of_others() {
    let (limiter, slot) = fresh();
    let rate = rate(2, Duration::from_millis(10), Algorithm::SlidingWindow);
    let bucket = limiter.bucket("t");
    let take = |ms| bucket.take(slot, &rate, START.after(Duration::from_millis(ms))).allowed;
    assert_eq!([take(100), take(100), take(115), take(105), take(115)], [true, true, true, false, true]);
}

#[test]
fn a_frozen_ring_admits_nobody_and_forgets_nothing() {
    let quota = quota::Quota::new(&per_minute(3, Algorithm::SlidingWindow));
    let ring = sliding_window::Ring::new(quota, &[]);
    let times: Vec<u64> = (0..5).map(|i| START.mono_ns + i * 60 * S).collect();
    for mono_ns in &times {
        let now = Moment { mono_ns: *mono_ns, ..START };
        assert_eq!(ring.take(now), sliding_window::Attempt::Admitted);
    }
    assert_eq!(ring.freeze(), times[2..]);
    assert_eq!(ring.take(START.after(Duration::from_secs(3600))), sliding_window::Attempt::Frozen);
    assert_eq!(ring.freeze(), times[2..]);
}

fn hammer(threads: usize, each: usize, request: impl Fn(usize, usize) -> bool + Sync) -> usize {
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (admitted, request) = (&admitted, &request);
            scope.spawn(move || {
                let mine = (0..each).filter(|i| request(thread, *i)).count();
                admitted.fetch_add(mine, Ordering::Relaxed);
            });
        }
    });
    admitted.into_inner()
}

/// A rate and the gaps between requests, from dense to sparse.
fn traffic() -> impl Strategy<Value = (u32, u64, Vec<u64>)> {
    (1..40_u32, 1..90_u64).prop_flat_map(|(requests, per_ms)| {
        let interval = per_ms * 1_000_000 / u64::from(requests);
        let gap = prop_oneof![Just(0), 0..interval + 2, 0..per_ms * 1_500_000];
        (Just(requests), Just(per_ms), proptest::collection::vec(gap, 1..200))
    })
}

/// Plays `gaps` against a bucket and `model`, and holds the bucket to its promises on the way.
fn play(
    rate: &Rate,
    gaps: &[u64],
    mut model: impl FnMut(Moment, &Verdict) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (limiter, slot) = fresh();
    let bucket = limiter.bucket("t");
    let mut ns = 0;
    for gap in gaps {
        ns += gap;
        let now = START.after(Duration::from_nanos(ns));
        let peeked = bucket.peek(slot, rate, now);
        let verdict = bucket.take(slot, rate, now);
        prop_assert_eq!(peeked.allowed, verdict.allowed);
        prop_assert_eq!(peeked.remaining, verdict.remaining + u32::from(verdict.allowed));
        hold_to_promises(&bucket, slot, rate, now, &verdict)?;
        model(now, &verdict)?;
    }
    Ok(())
}

fn hold_to_promises(
    bucket: &Bucket,
    slot: Slot,
    rate: &Rate,
    now: Moment,
    verdict: &Verdict,
) -> Result<(), TestCaseError> {
    let at = |s| bucket.peek(slot, rate, now.after(Duration::from_secs(s)));
    prop_assert_eq!(at(verdict.reset_after_s).remaining, verdict.limit);
    prop_assert_eq!(verdict.allowed, verdict.retry_after_s == 0);
    prop_assert!(at(verdict.retry_after_s).allowed || verdict.allowed);
    if verdict.retry_after_s >= 2 {
        prop_assert!(!at(verdict.retry_after_s - 1).allowed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn token_bucket_is_the_model((requests, per_ms, gaps) in traffic()) {
        let rate = rate(requests, Duration::from_millis(per_ms), Algorithm::TokenBucket);
        let (depth, per) = (u128::from(requests), u128::from(per_ms) * 1_000_000);
        // Levels in 1/per of a token, so that the model is exact; the clock of the bucket has steps of up to 2 ns.
        let (mut level, mut last) = (depth * per, START.mono_ns);
        let step = if per % depth == 0 { 0 } else { 2 * depth };
        play(&rate, &gaps, |now, verdict| {
            level = (level + u128::from(now.mono_ns - last) * depth).min(depth * per);
            last = now.mono_ns;
            prop_assert!(!verdict.allowed || level + step >= per, "too early");
            prop_assert!(verdict.allowed || level < per + step, "too late");
            if verdict.allowed {
                level = level.saturating_sub(per);
            }
            prop_assert!(u128::from(verdict.remaining) * per <= level + step);
            prop_assert!((u128::from(verdict.remaining) + 1) * per + step > level);
            Ok(())
        })?;
    }

    #[test]
    fn sliding_window_is_the_model((requests, per_ms, gaps) in traffic()) {
        let rate = rate(requests, Duration::from_millis(per_ms), Algorithm::SlidingWindow);
        let mut log = VecDeque::new();
        play(&rate, &gaps, |now, verdict| {
            log.retain(|at| at + per_ms * 1_000_000 > now.mono_ns);
            prop_assert_eq!(verdict.allowed, log.len() < requests as usize);
            if verdict.allowed {
                log.push_back(now.mono_ns);
            }
            prop_assert_eq!(verdict.remaining as usize, requests as usize - log.len());
            Ok(())
        })?;
    }

    #[test]
    fn fixed_window_is_the_model((requests, per_ms, gaps) in traffic()) {
        let rate = rate(requests, Duration::from_millis(per_ms), Algorithm::FixedWindow);
        let (mut window, mut count) = (0, 0);
        play(&rate, &gaps, |now, verdict| {
            if now.unix_ms / per_ms != window {
                (window, count) = (now.unix_ms / per_ms, 0);
            }
            prop_assert_eq!(verdict.allowed, count < requests);
            count += u32::from(verdict.allowed);
            prop_assert_eq!(verdict.remaining, requests - count);
            Ok(())
        })?;
    }

    #[test]
    fn retry_after_is_true_for_long_waits(requests in 1..20_u32, per_s in 1..5_000_u64, extra in 0..3_000_000_000_u64) {
        for algorithm in ALL {
            let rate = rate(requests, Duration::from_secs(per_s), algorithm);
            let (limiter, slot) = fresh();
            let bucket = limiter.bucket("t");
            let now = Moment { mono_ns: START.mono_ns + extra, unix_ms: START.unix_ms + extra / 1_000_000 };
            burst(&bucket, slot, &rate, now, requests);
            let refused = bucket.take(slot, &rate, now);
            prop_assert!(!refused.allowed);
            hold_to_promises(&bucket, slot, &rate, now, &refused)?;
        }
    }
}
