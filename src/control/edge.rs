//! The edge of this process, as far as operations wait for it: what is written has to be in force before it is answered.

use super::domain::DomainError;
use crate::clock::Moment;
use crate::store::cache::Tokens;
use crate::telemetry::log::chain;
use std::sync::Arc;
use std::time::Duration;

/// How often the edge is asked to catch up with the store, and how long is waited in between.
const CONFIRMATIONS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// The edge of this process; none at the terminal.
#[derive(Clone, Debug)]
pub struct Edge(Option<Arc<Tokens>>);

impl Edge {
    /// The edge that holds these keys, if there is one.
    pub fn new(tokens: Option<Arc<Tokens>>) -> Self {
        Self(tokens)
    }

    /// Waits until the edge has applied all that was written before. `now` is the time before that.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    pub(super) async fn confirm(&self, now: Moment) -> Result<(), DomainError> {
        let Some(edge) = &self.0 else { return Ok(()) };
        let mut attempt = 1;
        loop {
            match edge.synchronise(now).await {
                Ok(_) => return Ok(()),
                Err(error) if attempt == CONFIRMATIONS => return Err(DomainError::Unconfirmed(error)),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            attempt += 1;
        }
    }

    /// Has the uses that were counted so far added up, so that what is read next shows them.
    pub(super) async fn settle_usage(&self) {
        let Some(edge) = &self.0 else { return };
        if let Err(error) = edge.flush_usage().await {
            // What is shown is then older by what is not yet written; it is kept and tried again.
            tracing::warn!(cause = %chain(&error), "usage could not be written before keys were shown");
        }
    }
}
