//! Who acts on what is written, as far as operations wait for it: what takes something away has to be in force before it
//! is answered.

use super::domain::DomainError;
use crate::clock::Moment;
use crate::store::StoreError;
use crate::store::cache::Tokens;
use crate::store::journal::in_use;
use crate::telemetry::log::chain;
use crate::token::TokenId;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the edge is asked to catch up with the store, and how long is waited in between.
const CONFIRMATIONS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// Who acts on what is written.
#[derive(Clone, Debug)]
pub enum Edge {
    /// The edge of this process.
    Here(Here),
    /// Other processes on the same store, if there are any.
    Elsewhere(Elsewhere),
}

/// The edge of this process.
#[derive(Clone, Debug)]
pub struct Here {
    /// Its keys.
    pub tokens: Arc<Tokens>,
    /// Other processes that accept keys: one takes over from the other, and may itself be taken over from meanwhile.
    pub beside: Arc<AtomicUsize>,
    /// How long that one accepts keys without having asked the store.
    pub max_staleness: Duration,
}

/// Other processes on the same store.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Where each of them keeps its usage journal.
    pub usage_folder: PathBuf,
    /// How long they accept keys without having asked the store.
    pub max_staleness: Duration,
    /// Told before a wait, with how long it takes.
    pub waiting: fn(Duration),
}

/// What a change does to those who could do something before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// They still can.
    Adds,
    /// They can not, or not all of it.
    TakesAway,
}

impl Edge {
    /// Waits until the edge acts on all that was written before. `now` is the time before that.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    pub(super) async fn confirm(&self, now: Moment, effect: Effect) -> Result<(), DomainError> {
        match self {
            Self::Here(here) => here.caught_up(now, effect).await.map_err(DomainError::Unconfirmed),
            Self::Elsewhere(others) if effect == Effect::TakesAway => {
                others.caught_up().await;
                Ok(())
            }
            Self::Elsewhere(_) => Ok(()),
        }
    }

    /// Has the uses that were counted so far added up, so that what is read next shows them.
    pub(super) async fn settle_usage(&self) {
        if let Self::Here(here) = self {
            settled(here.tokens.flush_usage().await);
        }
    }

    /// As [`settle_usage`](Self::settle_usage), of these keys.
    pub(super) async fn settle_usage_of(&self, keys: &[TokenId]) {
        if let Self::Here(here) = self {
            settled(here.tokens.flush_usage_of(keys).await);
        }
    }
}

fn settled(flushed: Result<usize, StoreError>) -> usize {
    flushed.unwrap_or_else(|error| {
        // What is shown is then older by what is not yet written; it is kept and tried again.
        tracing::warn!(cause = %chain(&error), "usage could not be written before keys were shown");
        0
    })
}

impl Here {
    async fn caught_up(&self, now: Moment, effect: Effect) -> Result<(), StoreError> {
        caught_up(&self.tokens, now).await?;
        if effect == Effect::TakesAway && self.beside.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(self.max_staleness + PAUSE).await;
        }
        Ok(())
    }
}

async fn caught_up(tokens: &Tokens, now: Moment) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match tokens.synchronise(now).await {
            Ok(_) => return Ok(()),
            Err(error) if attempt == CONFIRMATIONS => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        attempt += 1;
    }
}

impl Elsewhere {
    /// Waits until every process that accepts keys has asked the store since: who has not for longer than
    /// `max_staleness` accepts none.
    async fn caught_up(&self) {
        // What can not be told is taken for the worse.
        if in_use(&self.usage_folder).unwrap_or(true) {
            let wait = self.max_staleness + PAUSE;
            (self.waiting)(wait);
            tokio::time::sleep(wait).await;
        }
    }
}
