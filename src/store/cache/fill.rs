//! Fills the index after a start, beside the requests that are served already: the keys that were used last come first.
//!
//! A key that is asked for before it has come is looked up as any other that is not held. What is read here in pieces is
//! entered by the same rule as a look-up: not when the key was altered since the store was asked ([`Seen`]). Then it is read
//! again.

use super::gate::{Name, Seen};
use super::{Entry, LookupError, Tokens};
use crate::clock::Moment;
use crate::store::{StoreError, TokenRecord, TokenRow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::watch;

/// Rows that are listed by one question to the store.
const LISTED: usize = 32_768;

/// Keys that come in the order of their rows rather than of their use, so that one page of the store is read once for all
/// that it has of them.
const BAND: usize = 65_536;

/// Keys that are read by one question to the store: whoever else asks it waits for so many at most.
const PIECE: usize = 1024;

/// Keys that are entered before others on this runtime have their turn.
const SLICE: usize = 64;

/// How often a key is read again because it was altered meanwhile; then it is left to the requests that come with it.
const ATTEMPTS: usize = 8;

/// How often it may fail while keys that have not come are taken for good ones until the store is asked.
const PATIENCE: u32 = 3;

/// How far it has come.
#[derive(Debug)]
pub(super) struct Filling {
    done: watch::Sender<bool>,
    failures: AtomicU32,
}

impl Default for Filling {
    fn default() -> Self {
        Self { done: watch::Sender::new(false), failures: AtomicU32::new(0) }
    }
}

impl Filling {
    pub(super) fn is_done(&self) -> bool {
        *self.done.borrow()
    }

    /// Whether any value may be that of a good key that has not come yet. Not for ever where that fails: strangers' guesses
    /// are to have a bound.
    pub(super) fn is_expected(&self) -> bool {
        !self.is_done() && self.failures.load(Ordering::Relaxed) < PATIENCE
    }
}

impl Tokens {
    /// Brings in the keys of the store, up to the capacity of the index, those used last first, and returns how many keys
    /// are held then. Keys that do not decode are left out: who shows one learns that it can not be checked. `now` is the
    /// time before the call.
    ///
    /// # Errors
    /// The store's; [`StoreError::Unavailable`] as well when the usage journal can not grow. What has come stays, and the next
    /// call goes on.
    pub async fn fill(&self, now: Moment) -> Result<usize, StoreError> {
        let filled = self.fill_once(now).await;
        match &filled {
            Ok(_) => drop(self.filling.done.send_replace(true)),
            Err(_) => drop(self.filling.failures.fetch_add(1, Ordering::Relaxed)),
        }
        filled
    }

    async fn fill_once(&self, now: Moment) -> Result<usize, StoreError> {
        let mut rows = self.wanted().await?;
        self.codes.fit(&self.gate, rows.len());
        for band in rows.chunks_mut(BAND) {
            band.sort_unstable();
            self.reserve(band.len()).await?;
            for piece in band.chunks(PIECE) {
                if self.by_digest.len() < self.options.capacity.get() {
                    self.bring(piece, now).await?;
                }
            }
        }
        Ok(self.by_digest.len())
    }

    /// Waits until [`fill`](Self::fill) was done.
    pub async fn filled(&self) {
        // The sender is ours.
        let _ = self.filling.done.subscribe().wait_for(|done| *done).await;
    }

    /// The keys that are worth holding, those used last first.
    async fn wanted(&self) -> Result<Vec<u64>, StoreError> {
        let mut listed: Vec<TokenRow> = Vec::new();
        loop {
            let after = listed.last().map_or(0, |last| last.row);
            let more = self.store.token_rows(after, LISTED).await?;
            let complete = more.len() < LISTED;
            listed.extend(more);
            if complete {
                break;
            }
        }
        listed
            .sort_unstable_by(|one, other| (other.last_used_ms, one.row).cmp(&(one.last_used_ms, other.row)));
        listed.truncate(self.options.capacity.get());
        Ok(listed.into_iter().map(|listed| listed.row).collect())
    }

    /// Has the usage journal grow where it does not keep look-ups waiting.
    async fn reserve(&self, slots: usize) -> Result<(), StoreError> {
        let journal = self.journal.clone();
        let reserved = self.runtime.spawn_blocking(move || journal.reserve(slots)).await;
        let reserved = reserved.unwrap_or_else(|gone| Err(std::io::Error::other(gone)));
        reserved.map_err(|error| StoreError::Unavailable(Box::new(error)))
    }

    async fn bring(&self, piece: &[u64], now: Moment) -> Result<(), StoreError> {
        let mut rows = piece.to_vec();
        for _ in 0..ATTEMPTS {
            let seen = self.gate.lock().seen();
            let records = self.readable(&rows).await?;
            rows = self.enter_all(records, &seen, now).await.map_err(unavailable)?;
            if rows.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The keys of these rows, without those that can not be read although the store answers.
    async fn readable(&self, rows: &[u64]) -> Result<Vec<TokenRecord>, StoreError> {
        if let Ok(records) = self.store.tokens(rows.to_vec()).await {
            return Ok(records);
        }
        let mut records = Vec::new();
        for row in rows {
            match self.store.tokens(vec![*row]).await {
                Ok(record) => records.extend(record),
                Err(error) => self.leave_out(*row, &error).await?,
            }
        }
        Ok(records)
    }

    /// Goes on without a key that can not be read; not where it is the store that does not answer.
    async fn leave_out(&self, row: u64, error: &StoreError) -> Result<(), StoreError> {
        self.store.newest_change().await?;
        tracing::error!(row, %error, "a key can not be loaded; requests with it are answered 503");
        Ok(())
    }

    /// Enters what was read, and returns the rows of what has to be read again.
    async fn enter_all(
        &self,
        records: Vec<TokenRecord>,
        seen: &Seen,
        now: Moment,
    ) -> Result<Vec<u64>, LookupError> {
        let mut again = Vec::new();
        let mut records = records.into_iter();
        while !records.as_slice().is_empty() {
            let mut slice = Vec::with_capacity(SLICE);
            for record in records.by_ref().take(SLICE) {
                let row = record.row;
                let entry = match self.organization(&record.terms.organization).await {
                    Ok(Some(organization)) => self.entry(record, organization, now),
                    // A key whose organization has just gone is going as well.
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                match entry {
                    Ok(entry) => slice.push(Arc::new(entry)),
                    Err(LookupError::Store(error)) => self.leave_out(row, &error).await?,
                    Err(error) => return Err(error),
                }
            }
            again.extend(self.enter_unchanged(&slice, seen));
            tokio::task::yield_now().await;
        }
        Ok(again)
    }

    /// Enters keys that nobody has looked up meanwhile, unless they were altered since `seen`: the rows of those are returned.
    fn enter_unchanged(&self, slice: &[Arc<Entry>], seen: &Seen) -> Vec<u64> {
        let mut gate = self.gate.lock();
        let mut altered = Vec::new();
        for entry in slice {
            let record = &entry.record;
            let names = [Name::Digest(record.digest), Name::Token(record.id.clone())];
            if !names.iter().all(|name| gate.unchanged(seen, name)) {
                altered.push(entry.row());
            } else if self.held(&record.digest).or_else(|| self.held_by_id(&record.id)).is_none() {
                self.enter(&mut gate, entry);
            }
        }
        altered
    }
}

fn unavailable(error: LookupError) -> StoreError {
    match error {
        LookupError::Store(error) => {
            Arc::try_unwrap(error).unwrap_or_else(|error| StoreError::Unavailable(Box::new(error)))
        }
        other => StoreError::Unavailable(Box::new(other)),
    }
}
