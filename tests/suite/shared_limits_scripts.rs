//! The scripts in a real Redis, against the algorithms of one process as their model, on a clock that the test turns.

use crate::support::redis::Redis;
use portcullis::clock::Moment;
use portcullis::limiter::{Algorithm, Limiter, Rate};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const STATE: &str = include_str!("../../src/limits/scripts/state.lua");
const DECIDE: &str = include_str!("../../src/limits/scripts/decide.lua");
const LEASE: &str = include_str!("../../src/limits/scripts/lease.lua");

/// Some moment, in microseconds since 1970.
const BEGIN: u64 = 1_800_000_000_000_000;

/// One bucket in Redis, and the time there.
struct Bucket<'r> {
    redis: &'r Redis,
    name: String,
    now: u64,
}

/// What a script answered.
#[derive(Debug, Clone, Copy)]
struct Answer {
    first: i64,
    left: u64,
    full_in: u64,
    retry_in: u64,
    born: u64,
    number: u64,
    missing: u64,
    as_of: u64,
}

impl<'r> Bucket<'r> {
    fn new(redis: &'r Redis) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { redis, name: format!("{{{}}}", NEXT.fetch_add(1, Ordering::Relaxed)), now: BEGIN }
    }

    fn run(&self, script: &str, rate: &Rate, claim: [u64; 4], more: &[String]) -> Answer {
        // The time stands behind all other arguments.
        let clock = "local clock = { ARGV[#ARGV - 1], ARGV[#ARGV] }";
        let text = format!("{STATE}{script}").replace("local clock = redis.call('TIME')", clock);
        assert!(text.contains(clock), "the scripts read the time in another way");
        // Redis's own clock goes on while the test's stands still: nothing may end by it.
        let (ends, later) = ("/ 1000) + 1)", "/ 1000) + 3600000)");
        assert_eq!(text.matches(ends).count(), 2, "the scripts say in another way when a state ends");
        let text = text.replace(ends, later);
        let letter = match rate.algorithm {
            Algorithm::TokenBucket => "t",
            Algorithm::SlidingWindow => "s",
            Algorithm::FixedWindow => "f",
        };
        let (requests, per) = (rate.requests.to_string(), rate.per.as_micros().to_string());
        let quota = format!("{letter}:{requests}:{per}");
        let names = ["", "/window", "/leases"].map(|kind| format!("{}{kind}", self.name));
        let claim = claim.map(|number| number.to_string());
        let time = [(self.now / 1_000_000).to_string(), (self.now % 1_000_000).to_string()];
        let mut words = vec!["EVAL", &text, "3"];
        words.extend(names.iter().map(String::as_str));
        words.extend([quota.as_str(), letter, &requests, &per]);
        words.extend(claim.iter().chain(more).chain(&time).map(String::as_str));
        let answer = self.redis.ask(&words);
        let numbers: Vec<i64> = answer.lines().map_while(|line| line.parse().ok()).collect();
        let [first, limit, left, full_in, retry_in, born, number, missing, as_of] = numbers[..] else {
            panic!("{answer}");
        };
        assert_eq!(limit, i64::from(rate.requests.get()));
        let [left, full_in, retry_in, born, number, missing, as_of] =
            [left, full_in, retry_in, born, number, missing, as_of]
                .map(|it| u64::try_from(it).expect("not less than 0"));
        Answer { first, left, full_in, retry_in, born, number, missing, as_of }
    }

    fn decide(&self, rate: &Rate, claim: [u64; 4]) -> Answer {
        self.run(DECIDE, rate, claim, &["1".to_owned()])
    }

    /// One call of a node for permits; times are microseconds.
    fn lease(&self, rate: &Rate, node: usize, numbers: [u64; 5]) -> Answer {
        let mut more = vec![node.to_string()];
        more.extend(numbers.iter().map(u64::to_string));
        self.run(LEASE, rate, [0; 4], &more)
    }

    fn moment(&self) -> Moment {
        Moment { mono_ns: (self.now - BEGIN + 3_600_000_000) * 1000, unix_ms: self.now / 1000 }
    }
}

fn rate(requests: u32, per: Duration, algorithm: Algorithm) -> Rate {
    Rate { requests: NonZeroU32::new(requests).expect("not zero"), per, algorithm }
}

fn rates() -> impl Strategy<Value = Rate> {
    let algorithm = prop_oneof![
        Just(Algorithm::TokenBucket),
        Just(Algorithm::SlidingWindow),
        Just(Algorithm::FixedWindow)
    ];
    let requests = prop_oneof![1u32..8, 8u32..200];
    let per_ms = prop_oneof![1u64..50, 1_000u64..100_000, Just(86_400_000), Just(30 * 86_400_000)];
    (requests, per_ms, algorithm)
        .prop_map(|(requests, per, algorithm)| rate(requests, Duration::from_millis(per), algorithm))
}

/// Fewer than by default: each step asks a server.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn the_script_decides_as_the_algorithms_of_one_process_do() {
    let redis = Redis::start();
    let steps = prop::collection::vec((0u64..120, 1usize..12), 1..30);
    runner(60)
        .run(&(rates(), steps), |(rate, steps)| {
            let mut bucket = Bucket::new(&redis);
            let limiter = Limiter::new();
            let (model, slot) = (limiter.bucket("key"), limiter.slot("api"));
            for (hundredths, requests) in steps {
                // Whole milliseconds: the model's windows are cut by them.
                bucket.now += rate.per.as_micros() as u64 * hundredths / 100_000 * 1000;
                for _ in 0..requests {
                    let mut answer = bucket.decide(&rate, [0; 4]);
                    let expected = model.take(slot, &rate, bucket.moment());
                    if expected.allowed && answer.first == 0 {
                        // Rounded against the client, by two microseconds at most; never for it.
                        prop_assert!(
                            rate.algorithm == Algorithm::TokenBucket && answer.retry_in <= 2,
                            "{answer:?}"
                        );
                        bucket.now += answer.retry_in;
                        answer = bucket.decide(&rate, [0; 4]);
                        bucket.now -= bucket.now % 1000;
                    }
                    prop_assert_eq!(
                        answer.first == 1,
                        expected.allowed,
                        "{:?} {:?} {:?}",
                        rate,
                        answer,
                        expected
                    );
                    prop_assert!(
                        u64::from(expected.remaining).abs_diff(answer.left)
                            <= u64::from(rate.algorithm == Algorithm::TokenBucket),
                        "{rate:?} {answer:?} {expected:?}"
                    );
                    let (full, retry) =
                        (answer.full_in.div_ceil(1_000_000), answer.retry_in.div_ceil(1_000_000));
                    prop_assert!(
                        full.abs_diff(expected.reset_after_s) <= 1,
                        "{rate:?} {answer:?} {expected:?}"
                    );
                    if !expected.allowed {
                        prop_assert!(
                            retry.max(1).abs_diff(expected.retry_after_s) <= 1,
                            "{answer:?} {expected:?}"
                        );
                    }
                }
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn whoever_waits_as_long_as_told_is_let_in() {
    let redis = Redis::start();
    runner(60)
        .run(&(rates(), 0u64..100), |(rate, hundredths)| {
            let mut bucket = Bucket::new(&redis);
            for _ in 0..rate.requests.get() {
                prop_assert_eq!(bucket.decide(&rate, [0; 4]).first, 1);
                bucket.now += rate.per.as_micros() as u64 / u64::from(rate.requests.get()) * hundredths / 200;
            }
            for _ in 0..3 {
                let mut answer = bucket.decide(&rate, [0; 4]);
                while answer.first == 1 {
                    answer = bucket.decide(&rate, [0; 4]);
                }
                bucket.now += answer.retry_in;
                prop_assert_eq!(bucket.decide(&rate, [0; 4]).first, 1, "{:?} {:?}", rate, answer);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn what_is_claimed_counts_where_the_state_was_lost_and_nowhere_else() {
    let redis = Redis::start();
    runner(40)
        .run(&(rates(), 0u32..200, any::<bool>()), |(rate, taken, lost)| {
            let bucket = Bucket::new(&redis);
            let mut told = bucket.decide(&rate, [0; 4]);
            for _ in 0..taken.min(rate.requests.get() - 1) {
                told = bucket.decide(&rate, [0; 4]);
            }
            if lost {
                for kind in ["", "/window", "/leases"] {
                    redis.ask(&["DEL", &format!("{}{kind}", bucket.name)]);
                }
            }
            let claim = [told.born, told.number, told.missing, told.as_of];
            let after = bucket.decide(&rate, claim);
            // The same as if nothing had been lost: one less, if there was one. A claim of a token bucket is a time, whose
            // rounding may cost one more.
            let expected = told.left.saturating_sub(1);
            let rounding = u64::from(lost && rate.algorithm == Algorithm::TokenBucket);
            prop_assert!(
                (expected.saturating_sub(rounding)..=expected).contains(&after.left),
                "{told:?} {after:?}"
            );
            prop_assert!(
                after.first == i64::from(told.left > 0) || told.left <= rounding,
                "{told:?} {after:?}"
            );
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_and_stops_nobody_for_long() {
    let redis = Redis::start();
    for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
        let rate = rate(4, Duration::from_secs(8), algorithm);
        let mut bucket = Bucket::new(&redis);
        (0..4).for_each(|_| assert_eq!(bucket.decide(&rate, [0; 4]).first, 1));
        bucket.now -= 3_600_000_000;
        let refused = bucket.decide(&rate, [0; 4]);
        assert_eq!(refused.first, 0, "{algorithm:?}");
        assert!(refused.retry_in <= 8_000_000, "{refused:?}");
        bucket.now += refused.retry_in.max(8_000_001);
        assert_eq!(bucket.decide(&rate, [0; 4]).first, 1, "{algorithm:?}: {refused:?}");
    }
}

/// What one node holds, as it knows it.
#[derive(Debug, Default, Clone, Copy)]
struct Holder {
    call: u64,
    permits: u64,
    until: u64,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    /// A node asks for so many.
    Ask(usize, u64),
    /// A node uses up to so many of what it holds.
    Use(usize, u64),
    Return(usize),
    /// Somebody asks for one decision.
    Decide,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u64..3_000_000).prop_map(Step::Wait),
        3 => (0usize..3, 1u64..60).prop_map(|(node, wanted)| Step::Ask(node, wanted)),
        4 => (0usize..3, 1u64..60).prop_map(|(node, most)| Step::Use(node, most)),
        1 => (0usize..3).prop_map(Step::Return),
        1 => Just(Step::Decide),
    ]
}

#[test]
fn however_permits_are_held_used_and_given_back_no_window_has_more_than_the_bucket() {
    const LIFE: u64 = 2_000_000;
    let redis = Redis::start();
    let per = Duration::from_secs(10);
    runner(80)
        .run(&(1u32..80, prop::collection::vec(step(), 1..60)), |(depth, steps)| {
            let rate = rate(depth, per, Algorithm::TokenBucket);
            let mut bucket = Bucket::new(&redis);
            let (mut holders, mut admitted) = ([Holder::default(); 3], Vec::new());
            for step in steps {
                for holder in &mut holders {
                    if holder.until <= bucket.now {
                        holder.permits = 0;
                    }
                }
                match step {
                    Step::Wait(us) => bucket.now += us,
                    Step::Ask(node, wanted) => {
                        let holder = &mut holders[node];
                        holder.call += 1;
                        let answer =
                            bucket.lease(&rate, node, [holder.call, holder.permits, 0, wanted, LIFE]);
                        holder.permits += u64::try_from(answer.first).expect("the last call");
                        holder.until = bucket.now + LIFE;
                    }
                    Step::Use(node, most) => {
                        let used = most.min(holders[node].permits);
                        holders[node].permits -= used;
                        admitted.extend((0..used).map(|_| bucket.now));
                    }
                    Step::Return(node) => {
                        let holder = &mut holders[node];
                        holder.call += 1;
                        bucket.lease(&rate, node, [holder.call, 0, holder.permits, 0, LIFE]);
                        holder.permits = 0;
                    }
                    Step::Decide => {
                        if bucket.decide(&rate, [0; 4]).first == 1 {
                            admitted.push(bucket.now);
                        }
                    }
                }
            }
            for (first, begin) in admitted.iter().enumerate() {
                for (last, end) in admitted.iter().enumerate().skip(first) {
                    let back = u128::from(end - begin) * u128::from(depth) / per.as_micros();
                    prop_assert!((last - first + 1) as u128 <= u128::from(depth) + back, "{admitted:?}");
                }
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_call_that_was_overtaken_changes_nothing() {
    let redis = Redis::start();
    let rate = rate(100, Duration::from_secs(100), Algorithm::TokenBucket);
    let bucket = Bucket::new(&redis);
    assert_eq!(bucket.lease(&rate, 1, [2, 0, 0, 20, 2_000_000]).first, 20);
    assert_eq!(bucket.lease(&rate, 1, [1, 0, 0, 20, 2_000_000]).first, -1);
    assert_eq!(bucket.lease(&rate, 1, [2, 0, 20, 0, 2_000_000]).first, -1);
    assert_eq!(bucket.decide(&rate, [0; 4]).left, 79);
    assert_eq!(bucket.lease(&rate, 1, [3, 0, 20, 0, 2_000_000]).left, 99);
}

#[test]
fn permits_that_nobody_gives_back_end_by_themselves() {
    let redis = Redis::start();
    let rate = rate(10, Duration::from_secs(10), Algorithm::TokenBucket);
    let mut bucket = Bucket::new(&redis);
    assert_eq!(bucket.lease(&rate, 1, [1, 0, 0, 5, 2_000_000]).first, 5);
    bucket.now += 1_900_000;
    // They are out still: nothing came back beyond them.
    assert_eq!(bucket.decide(&rate, [0; 4]).left, 4);
    bucket.now += 10_100_000;
    assert_eq!(bucket.decide(&rate, [0; 4]).left, 9);
}
