//! Numbers that one thread writes and the scrape reads: no lock prefix, no cache line shared between writers.

use super::exemplar::Exemplars;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Adds to a cell that only the calling thread writes.
pub(super) fn add(cell: &AtomicU64, more: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// One value per worker, made by the worker's first use, each on cache lines of its own.
#[derive(Debug)]
pub(super) struct Sharded<T>(Box<[OnceLock<Box<Padded<T>>>]>);

// 128 bytes: processors fetch lines of 64 in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Sharded<T> {
    pub(super) fn new(shards: usize) -> Self {
        Self((0..shards.max(1)).map(|_| OnceLock::new()).collect())
    }

    /// The value of this worker.
    pub(super) fn of(&self, shard: usize) -> &T {
        // Divides only where it has to: every request comes by here.
        let place = if shard < self.0.len() { shard } else { shard % self.0.len() };
        &self.0[place].get_or_init(Box::default).0
    }

    /// The values of the workers that have one.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|shard| shard.get()).map(|padded| &padded.0)
    }
}

/// A few counters side by side: one cache line pair.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 16]);

impl Counters {
    pub(super) fn increment(&self, index: usize) {
        add(&self.0[index % 16], 1);
    }

    pub(super) fn value(&self, index: usize) -> u64 {
        self.0[index % 16].load(Ordering::Relaxed)
    }
}

/// Upper bounds of the histograms' buckets, in seconds; a last one without bound follows.
pub(super) const BOUNDS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const BOUNDS_NS: [u64; 14] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The number of buckets, the unbounded one included.
pub(super) const BUCKETS: usize = BOUNDS_S.len() + 1;

/// A histogram of durations: fifteen buckets and a sum, two cache lines.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        add(&self.buckets[bucket(ns)], 1);
        add(&self.sum_ns, ns);
    }
}

fn bucket(ns: u64) -> usize {
    BOUNDS_NS.partition_point(|bound| *bound < ns)
}

/// The bucket of a duration.
pub(super) fn bucket_of(duration: Duration) -> usize {
    bucket(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// A histogram's content, added up over workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Distribution {
    /// Observations per bucket, not cumulated.
    pub(super) buckets: [u64; BUCKETS],
    /// Sum of all observations in seconds.
    pub(super) sum_s: f64,
    /// Requests that stand for their buckets, where there are any.
    pub(super) exemplars: Option<Box<Exemplars>>,
}

impl Distribution {
    pub(super) fn merge(&mut self, histogram: &Histogram) {
        for (total, cell) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *total += cell.load(Ordering::Relaxed);
        }
        self.sum_s += histogram.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
    }
}

/// Counters by a small key, in the order in which keys first came: a route sees few methods and statuses, and a
/// dense table of all of them would cost every route kilobytes per worker.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// `key + 1: 16 | count: 48`; 0 while free.
    cells: [AtomicU64; 14],
    more: OnceLock<Box<Tally>>,
}

const COUNT_BITS: u32 = 48;

impl Tally {
    pub(super) fn increment(&self, key: u16) {
        let tag = (u64::from(key) + 1) << COUNT_BITS;
        let mut tally = self;
        loop {
            for cell in &tally.cells {
                let word = cell.load(Ordering::Relaxed);
                if word == 0 || word >> COUNT_BITS == tag >> COUNT_BITS {
                    cell.store((word | tag) + 1, Ordering::Relaxed);
                    return;
                }
            }
            tally = tally.more.get_or_init(Box::default);
        }
    }

    /// Keys and their counts.
    pub(super) fn each(&self, mut visit: impl FnMut(u16, u64)) {
        let mut next = Some(self);
        while let Some(tally) = next {
            for word in tally.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).filter(|word| *word != 0)
            {
                visit((word >> COUNT_BITS) as u16 - 1, word & ((1 << COUNT_BITS) - 1));
            }
            next = tally.more.get().map(|more| &**more);
        }
    }
}
