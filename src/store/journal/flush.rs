//! Sends what was counted to the store: all of it, what belongs to some keys, or a part at a time.
//!
//! A million keys may have been used since the last time, and to write them all takes seconds. So it is done in parts, each a
//! whole by itself: who needs the figures of one key, or wants to write something else, waits for a part at most.

use super::{Journal, Leased, Usage, lock};
use crate::store::{Store, StoreError};
use std::collections::HashSet;
use std::sync::Arc;

/// Slots of one part: neighbours in the store, of which several are on one page.
const PART: usize = 32_768;
/// Slots that are sent at once: whoever writes to the store meanwhile waits for so many.
const AT_ONCE: usize = 4096;

/// What a flush has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Slots whose uses were sent.
    pub slots: usize,
    /// Slots without an owner whose uses are still to be sent, before which they are nobody's else.
    pub waiting: usize,
    /// Where the next part begins; none when this was the last.
    next: Option<u64>,
}

impl Flushed {
    /// Whether it was the last part.
    pub fn is_last(&self) -> bool {
        self.next.is_none()
    }
}

impl Journal {
    /// Sends all that was counted before the call, and returns how many keys that were.
    ///
    /// # Errors
    /// The store's; nothing is lost then, the next flush sends it.
    pub async fn flush(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let (mut slots, mut from) = (0, Some(0));
        while let Some(row) = from {
            let _alone = self.0.flushing.lock().await;
            let flushed = self.flush_part(store, row, PART).await?;
            (slots, from) = (slots + flushed.slots, flushed.next);
        }
        Ok(slots)
    }

    /// Sends a part of what was counted: the next one each time, from the first when the last is done.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn flush_some(&self, store: &dyn Store) -> Result<Flushed, StoreError> {
        let mut row = self.0.flushing.lock().await;
        let flushed = self.flush_part(store, *row, PART).await?;
        *row = flushed.next.unwrap_or(0);
        Ok(flushed)
    }

    /// Sends what was counted for these [rows](super::super::TokenRecord::row) before the call, and returns how many slots
    /// that were.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn flush_rows(&self, store: &dyn Store, rows: &HashSet<u64>) -> Result<usize, StoreError> {
        let _alone = self.0.flushing.lock().await;
        let segments = lock(&self.0.slots).segments.clone();
        let unsent = segments.iter().flat_map(|leased| leased.segment.unsent());
        let batch: Vec<Usage> = unsent.filter(|usage| rows.contains(&usage.row)).collect();
        self.send(store, &segments, &batch).await?;
        Ok(batch.len())
    }

    /// Sends what was counted for the `most` first rows from this one on. Only under the lock of flushes.
    pub(super) async fn flush_part(
        &self,
        store: &dyn Store,
        from: u64,
        most: usize,
    ) -> Result<Flushed, StoreError> {
        // Before the totals are read: what retires while we read them must not be freed by this flush.
        let settled = lock(&self.0.lease.retired).len();
        let segments = lock(&self.0.slots).segments.clone();
        let unsent = segments.iter().flat_map(|leased| leased.segment.unsent());
        let batch = first_rows(unsent.filter(|usage| usage.row >= from), most);
        self.send(store, &segments, &batch).await?;
        self.free(settled, &segments);
        // Another slot of the last row may be left.
        let next = (batch.len() == most).then(|| batch.last().map_or(0, |last| last.row));
        let waiting = lock(&self.0.lease.retired).len();
        Ok(Flushed { slots: batch.len(), waiting, next })
    }

    async fn send(
        &self,
        store: &dyn Store,
        segments: &[Arc<Leased>],
        batch: &[Usage],
    ) -> Result<(), StoreError> {
        for some in batch.chunks(AT_ONCE) {
            store.add_usage(&self.0.id, some.to_vec()).await?;
            for usage in some {
                segment_of(segments, usage.slot).segment.set_sent(usage.slot, usage.total);
            }
        }
        Ok(())
    }

    /// Frees those of the first `settled` slots without an owner of which the store has everything.
    fn free(&self, settled: usize, segments: &[Arc<Leased>]) {
        // Slots only ever join at the end, and only who flushes takes them away.
        let numbers: Vec<u32> = lock(&self.0.lease.retired)[..settled].to_vec();
        let is_sent = |number: &u32| segment_of(segments, *number).segment.is_sent(*number);
        let (free, kept): (Vec<u32>, Vec<u32>) = numbers.into_iter().partition(is_sent);
        lock(&self.0.lease.retired).splice(..settled, kept);
        lock(&self.0.slots).free.extend(free);
    }
}

fn segment_of(segments: &[Arc<Leased>], number: u32) -> &Leased {
    &segments[number as usize / super::SLOTS]
}

/// Those with the `most` first rows, in their order, with memory for twice as many at most.
fn first_rows(unsent: impl Iterator<Item = Usage>, most: usize) -> Vec<Usage> {
    let mut first = Vec::new();
    for usage in unsent {
        if first.len() == 2 * most {
            first.select_nth_unstable_by_key(most, |usage: &Usage| usage.row);
            first.truncate(most);
        }
        first.push(usage);
    }
    first.sort_unstable_by_key(|usage| usage.row);
    first.truncate(most);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_are_chosen_whatever_their_order() {
        let usage = |row| Usage { slot: 0, row, total: 1, last_used_ms: 0 };
        let scattered = (0..1000u64).map(|number| usage(number * 617 % 1000));
        let rows =
            |most| first_rows(scattered.clone(), most).iter().map(|usage| usage.row).collect::<Vec<_>>();
        assert_eq!(rows(10), (0..10).collect::<Vec<_>>());
        assert_eq!(rows(999), (0..999).collect::<Vec<_>>());
        assert_eq!(rows(5000), (0..1000).collect::<Vec<_>>());
    }
}
