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

/// How far it has come.
#[derive(Debug)]
pub(super) struct Filling(watch::Sender<bool>);

impl Default for Filling {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Filling {
    pub(super) fn is_done(&self) -> bool {
        *self.0.borrow()
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
        self.filling.0.send_replace(true);
        Ok(self.by_digest.len())
    }

    /// Waits until [`fill`](Self::fill) was done.
    pub async fn filled(&self) {
        // The sender is ours.
        let _ = self.filling.0.subscribe().wait_for(|done| *done).await;
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

    /// The keys of these rows, without those that do not decode.
    async fn readable(&self, rows: &[u64]) -> Result<Vec<TokenRecord>, StoreError> {
        match self.store.tokens(rows.to_vec()).await {
            Err(StoreError::Corrupt { .. }) => {}
            answer => return answer,
        }
        let mut records = Vec::new();
        for row in rows {
            match self.store.tokens(vec![*row]).await {
                Err(error @ StoreError::Corrupt { .. }) => left_out(*row, &error),
                answer => records.extend(answer?),
            }
        }
        Ok(records)
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
                // A key whose organization has just gone is going as well.
                let Some(organization) = self.organization(&record.terms.organization).await? else {
                    continue;
                };
                let row = record.row;
                match self.entry(record, organization, now) {
                    Ok(entry) => slice.push(Arc::new(entry)),
                    Err(LookupError::Store(error)) => left_out(row, &error),
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

fn left_out(row: u64, error: &StoreError) {
    tracing::error!(row, %error, "a key can not be loaded; requests with it are answered 503");
}

fn unavailable(error: LookupError) -> StoreError {
    match error {
        LookupError::Store(error) => {
            Arc::try_unwrap(error).unwrap_or_else(|error| StoreError::Unavailable(Box::new(error)))
        }
        other => StoreError::Unavailable(Box::new(other)),
    }
}
