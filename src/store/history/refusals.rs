//! Counts refusals of known keys in memory, until they are written.
//!
//! Each worker has a table of its own, behind a lock that only it and, once a second, the writer take. It has a bound, so
//! that a flood of refusals costs no more memory than many; what finds it full is counted as dropped.

use super::{HOUR_MS, Reason, Refused};
use crate::clock::Moment;
use crate::store::{Store, StoreError};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most keys, reasons and hours of one worker that wait to be written.
const MOST: usize = 8192;
/// Workers that have a table of their own; beyond that, two share one.
const SHARDS: usize = 64;
/// What is written in one transaction.
const AT_ONCE: usize = 4096;

/// What workers have refused and nobody has written yet.
#[derive(Debug)]
pub struct Refusals([Mutex<Shard>; SHARDS]);

#[derive(Debug, Default)]
struct Shard {
    counts: HashMap<(u64, u64, Reason), u64>,
    dropped: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Refusals {
    /// Counts one, of the key with this [`row`](crate::store::TokenRecord::row).
    pub fn count(&self, worker: usize, row: u64, reason: Reason, at: Moment) {
        let mut shard = lock(&self.0[worker % SHARDS]);
        let full = shard.counts.len() >= MOST;
        let place = (row, at.unix_ms / HOUR_MS, reason);
        match shard.counts.get_mut(&place) {
            Some(count) => *count += 1,
            None if full => shard.dropped += 1,
            None => {
                shard.counts.insert(place, 1);
            }
        }
    }

    /// How many were counted by nobody, because too many others waited.
    pub fn dropped(&self) -> u64 {
        self.0.iter().map(|shard| lock(shard).dropped).sum()
    }

    fn take(&self) -> Vec<Refused> {
        let mut sums = HashMap::new();
        for shard in &self.0 {
            for (place, count) in std::mem::take(&mut lock(shard).counts) {
                *sums.entry(place).or_default() += count;
            }
        }
        let refused = |((row, hour, reason), count)| Refused { row, hour, reason, count };
        sums.into_iter().map(refused).collect()
    }
}

// Nothing in here panics half-way through a change.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refusals on their way to the store. A batch keeps its number until it is written, so that one that is sent twice counts
/// once.
#[derive(Debug, Default)]
pub struct Pending {
    batches: VecDeque<Vec<Refused>>,
    written: u64,
}

impl Pending {
    /// Writes what was refused before the call. While the store does not take it, the workers' tables fill.
    ///
    /// # Errors
    /// The store's; nothing is lost then, and the next call sends it.
    pub async fn write(
        &mut self,
        refusals: &Refusals,
        store: &dyn Store,
        journal: &str,
    ) -> Result<(), StoreError> {
        self.send(store, journal).await?;
        self.batches.extend(refusals.take().chunks(AT_ONCE).map(<[Refused]>::to_vec));
        self.send(store, journal).await
    }

    async fn send(&mut self, store: &dyn Store, journal: &str) -> Result<(), StoreError> {
        while let Some(batch) = self.batches.front() {
            store.add_refusals(journal, self.written + 1, batch.clone()).await?;
            self.written += 1;
            self.batches.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64) -> Moment {
        Moment { mono_ns: 0, unix_ms }
    }

    #[test]
    fn what_workers_refuse_is_added_up_by_hours() {
        let refusals = Refusals::default();
        for worker in [0, 1, 1, SHARDS] {
            refusals.count(worker, 7, Reason::Limited, at(HOUR_MS - 1));
        }
        refusals.count(0, 7, Reason::Limited, at(HOUR_MS));
        refusals.count(0, 7, Reason::Scope, at(HOUR_MS));
        let mut taken = refusals.take();
        taken.sort_by_key(|refused| (refused.hour, refused.reason));
        let counts: Vec<_> = taken.iter().map(|it| (it.row, it.hour, it.reason, it.count)).collect();
        assert_eq!(
            counts,
            [(7, 0, Reason::Limited, 4), (7, 1, Reason::Limited, 1), (7, 1, Reason::Scope, 1)]
        );
        assert_eq!((refusals.take(), refusals.dropped()), (Vec::new(), 0));
    }

    #[test]
    fn a_full_table_drops_what_is_new_and_counts_it() {
        let refusals = Refusals::default();
        for row in 0..MOST as u64 + 5 {
            refusals.count(0, row, Reason::Limited, at(0));
        }
        refusals.count(0, 0, Reason::Limited, at(0));
        refusals.count(1, 1, Reason::Limited, at(0));
        assert_eq!(refusals.dropped(), 5);
        let taken = refusals.take();
        assert_eq!(taken.len(), MOST);
        assert_eq!(taken.iter().map(|refused| refused.count).sum::<u64>(), MOST as u64 + 2);
        refusals.count(0, MOST as u64 + 1, Reason::Limited, at(0));
        assert_eq!((refusals.take().len(), refusals.dropped()), (1, 5));
    }
}
