//! Counters that workers do not share a cache line over.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// Sizes and counters of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys held.
    pub entries: usize,
    /// Names remembered as unknown.
    pub negatives: usize,
    /// Look-ups that found their key held.
    pub hits: u64,
    /// Look-ups of a name remembered as unknown.
    pub negative_hits: u64,
    /// Look-ups that had to go to the store.
    pub misses: u64,
}

/// A cache line (a pair of them on x86, which fetches two at a time) of one thread's counters.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    hits: AtomicU64,
    negative_hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Counters(Box<[Shard]>);

impl Default for Counters {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Shard::default()).collect())
    }
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's shard: the first 64 threads to count have one each.
    static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
}

impl Counters {
    fn mine(&self) -> &Shard {
        &self.0[MINE.get()]
    }

    pub(super) fn hit(&self) {
        self.mine().hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn negative_hit(&self) {
        self.mine().negative_hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self) {
        self.mine().misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self, entries: usize, negatives: usize) -> Stats {
        let sum = |of: fn(&Shard) -> &AtomicU64| self.0.iter().map(|s| of(s).load(Ordering::Relaxed)).sum();
        Stats {
            entries,
            negatives,
            hits: sum(|shard| &shard.hits),
            negative_hits: sum(|shard| &shard.negative_hits),
            misses: sum(|shard| &shard.misses),
        }
    }
}
