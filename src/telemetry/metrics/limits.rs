//! What is counted of limits that several nodes share: questions, their answers, and who decided.

use super::cells::{Counters, Distribution, Histogram, Sharded};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsAsked {
    /// It was answered.
    Ok,
    /// There was no answer in time.
    Timeout,
    /// The connection broke, or the server refused.
    Error,
}

/// Who decided a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsDecided {
    /// The backend.
    Backend,
    /// A permit in hand.
    Lease,
    /// This node for its share, because the backend was away.
    Local,
    /// Nobody, so that it passed.
    Allow,
    /// Nobody, so that it was refused.
    Deny,
}

const ASKED: [(LimitsAsked, &str); 3] =
    [(LimitsAsked::Ok, "ok"), (LimitsAsked::Timeout, "timeout"), (LimitsAsked::Error, "error")];

const DECIDED: [(LimitsDecided, &str); 5] = [
    (LimitsDecided::Backend, "backend"),
    (LimitsDecided::Lease, "lease"),
    (LimitsDecided::Local, "local"),
    (LimitsDecided::Allow, "allow"),
    (LimitsDecided::Deny, "deny"),
];

/// The cells of the limits backend.
#[derive(Debug)]
pub struct LimitsCells {
    shards: Sharded<Shard>,
    /// Workers that count there, and those of them that have a connection.
    workers: AtomicUsize,
    up: AtomicUsize,
    /// Whether nothing with a limit is served without it.
    needed: AtomicBool,
}

#[derive(Debug, Default)]
struct Shard {
    asked: Counters,
    decided: Counters,
    took: Histogram,
}

impl LimitsCells {
    pub(super) fn new(shards: usize) -> Self {
        let (workers, up, needed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { shards: Sharded::new(shards), workers, up, needed }
    }

    /// Counts a question, and how long its answer took. For `shard` see [`super::RouteCells::finished`].
    pub fn asked(&self, shard: usize, what: LimitsAsked, took: Duration) {
        let shard = self.shards.of(shard);
        shard.asked.increment(what as usize);
        if what == LimitsAsked::Ok {
            shard.took.observe(took);
        }
    }

    /// Counts a decision. For `shard` see [`super::RouteCells::finished`].
    pub fn decided(&self, shard: usize, by: LimitsDecided) {
        self.shards.of(shard).decided.increment(by as usize);
    }

    /// A worker counts there from now on.
    pub fn begins(&self, needed: bool) {
        self.workers.fetch_add(1, Ordering::Relaxed);
        self.needed.store(needed, Ordering::Relaxed);
    }

    /// A worker has a connection.
    pub fn arrived(&self) {
        self.up.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker has lost its connection.
    pub fn left(&self) {
        self.up.fetch_sub(1, Ordering::Relaxed);
    }

    /// A worker does not count there any more.
    pub fn ends(&self) {
        self.workers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether every worker has a connection; `None` where limits are not counted there.
    pub fn is_up(&self) -> Option<bool> {
        let workers = self.workers.load(Ordering::Relaxed);
        (workers > 0).then(|| self.up.load(Ordering::Relaxed) >= workers)
    }

    /// Whether no request with a limit can be served, because no worker has a connection.
    pub fn holds_up(&self) -> bool {
        let none = self.up.load(Ordering::Relaxed) == 0 && self.workers.load(Ordering::Relaxed) > 0;
        none && self.needed.load(Ordering::Relaxed)
    }

    pub(super) fn asked_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sum = |what: LimitsAsked| self.shards.all().map(|shard| shard.asked.value(what as usize)).sum();
        ASKED.into_iter().map(move |(what, label)| (label, sum(what)))
    }

    pub(super) fn decided_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sum = |by: LimitsDecided| self.shards.all().map(|shard| shard.decided.value(by as usize)).sum();
        DECIDED.into_iter().map(move |(by, label)| (label, sum(by)))
    }

    pub(super) fn durations(&self) -> Distribution {
        let mut took = Distribution::default();
        self.shards.all().for_each(|shard| took.merge(&shard.took));
        took
    }
}
