//! What can be done with organizations, people and keys, by whom: decided here, once, for both dialects and the terminal.
//!
//! An operation reads what it is about, decides, and writes change and audit entry in one transaction. It returns when
//! the edge of this process acts on it: from then on no request that begins is judged by what was before.

mod access;
mod actor;
mod audit;
mod error;
mod operations;
mod people;
mod seal;
mod tenancy;
mod tokens;
mod webhooks;

pub(super) use actor::Subject;
pub use actor::{Actor, By, Origin, Person};
pub use error::{DomainError, Violation};
pub use operations::{File, NewOperation, NewValue};
pub use people::{FirstOwner, NewUser};
pub use tokens::{ListQuery, Listed, Made, NewToken, Place, Regeneration, TokenPatch};
pub use webhooks::{MadeWebhook, NewWebhook, WebhookPatch};

use super::webhooks::Guard;
use crate::clock::Moment;
use crate::config::Config;
use crate::store::cache::Tokens;
use crate::store::management::Management;
use crate::telemetry::log::chain;
use arc_swap::ArcSwap;
use seal::Sealer;
use std::sync::Arc;
use std::time::Duration;

/// How often an operation starts again because what it decided by was altered meanwhile, by another process.
const ATTEMPTS: usize = 8;
/// How often the edge is asked to catch up with the store, and how long is waited in between.
const CONFIRMATIONS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// The operations.
#[derive(Debug)]
pub struct Domain {
    store: Arc<dyn Management>,
    /// The edge of this process; none at the terminal.
    edge: Option<Arc<Tokens>>,
    /// Held from reading to writing, so that operations of one process do not undo each other's decisions. The store
    /// has one writer in any case.
    turn: tokio::sync::Mutex<()>,
    /// Where events may be sent; nowhere but to the public internet until something else is said.
    guard: ArcSwap<Guard>,
    /// What is kept for one showing is sealed by it.
    sealer: ArcSwap<Sealer>,
}

impl Domain {
    /// Operations on a store, and on the edge that has to follow.
    pub fn new(store: Arc<dyn Management>, edge: Option<Arc<Tokens>>) -> Self {
        let sealer = ArcSwap::from_pointee(Sealer::none());
        Self { store, edge, turn: tokio::sync::Mutex::default(), guard: ArcSwap::default(), sealer }
    }

    /// Goes by another configuration from now on.
    pub fn replace(&self, config: &Config) {
        self.guard.store(Arc::new(Guard::new(config.webhooks.allow_networks.clone())));
        self.sealer.store(Arc::new(Sealer::new(&config.jwt.secret)));
    }

    fn guard(&self) -> Arc<Guard> {
        self.guard.load_full()
    }

    /// Waits until the edge has applied all that was written before. `now` is the time before that.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    async fn confirm(&self, now: Moment) -> Result<(), DomainError> {
        let Some(edge) = &self.edge else { return Ok(()) };
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
    async fn settle_usage(&self) {
        let Some(edge) = &self.edge else { return };
        if let Err(error) = edge.flush_usage().await {
            // What is shown is then older by what is not yet written; it is kept and tried again.
            tracing::warn!(cause = %chain(&error), "usage could not be written before keys were shown");
        }
    }
}
