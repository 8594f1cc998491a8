//! Buckets of which a worker holds permits: those that nobody uses are given back.

use super::call::Keys;
use crate::clock::Moment;
use crate::limiter::{Bucket, Limit, Slot};
use std::collections::VecDeque;
use std::sync::Arc;

/// Permits are given back when no request came between two looks, so many ticks apart.
const TICKS: u64 = 3;

/// A bucket of which there are permits in hand.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) bucket: Arc<Bucket>,
    pub(super) slot: Slot,
    pub(super) limit: Limit,
    pub(super) keys: Keys,
}

/// All of them, the one to look at next first.
#[derive(Debug, Default)]
pub(super) struct Held {
    queue: VecDeque<Look>,
    tick: u64,
}

#[derive(Debug)]
struct Look {
    holding: Holding,
    /// What was asked of it by the last look.
    seen: u64,
    due: u64,
}

impl Held {
    /// Looks after a bucket from now on, unless somebody does.
    pub(super) fn keep(&mut self, holding: Holding) {
        if holding.bucket.watch(holding.slot) {
            self.queue.push_back(Look { holding, seen: u64::MAX, due: self.tick + TICKS });
        }
    }

    /// The buckets whose permits nobody has used lately; they are not looked after any more.
    pub(super) fn idle(&mut self, now: Moment) -> Vec<Holding> {
        self.tick += 1;
        let mut idle = Vec::new();
        while self.queue.front().is_some_and(|look| look.due <= self.tick) {
            let Some(mut look) = self.queue.pop_front() else { break };
            let (in_hand, seen) = look.holding.bucket.in_hand(look.holding.slot, now);
            if in_hand > 0 && seen != look.seen {
                (look.seen, look.due) = (seen, self.tick + TICKS);
                self.queue.push_back(look);
                continue;
            }
            look.holding.bucket.unwatch(look.holding.slot);
            if in_hand > 0 {
                idle.push(look.holding);
            }
        }
        idle
    }

    /// All of them, which are not looked after any more.
    pub(super) fn all(&mut self) -> Vec<Holding> {
        let all = self.queue.drain(..).map(|look| look.holding);
        all.inspect(|holding| holding.bucket.unwatch(holding.slot)).collect()
    }
}
