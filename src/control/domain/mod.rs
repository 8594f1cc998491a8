//! What can be done with organizations, people and keys, by whom: decided here, once, for both dialects and the terminal.
//!
//! An operation reads what it is about, decides, and writes change and audit entry in one transaction. It returns when
//! the edge acts on it: from then on no request that begins is judged by what was before.

mod access;
mod actor;
mod audit;
mod catalogue;
mod directory;
mod erasure;
mod error;
mod history;
mod invitations;
mod members;
mod operations;
mod organizations;
mod people;
mod projects;
mod roles;
mod seal;
mod signing_keys;
mod tokens;
mod webhooks;

pub(super) use actor::Subject;
pub use actor::{Actor, By, Origin, Person};
pub use audit::MANAGE_AUDIT_LOGS;
pub use catalogue::Catalogue;
pub use directory::PersonPatch;
pub use error::{DomainError, Violation};
pub use history::HistoryQuery;
pub use invitations::NewInvitation;
pub(super) use invitations::{meant_for, still_given};
pub use members::MANAGE_MEMBERS;
pub use operations::{File, NewOperation, NewValue};
pub use organizations::{MANAGE_ORGANIZATION, OrganizationPatch, WantedOrganization, slug_of};
pub use people::{FirstOwner, NewUser};
pub(super) use people::{address_taken, violations, weak};
pub use projects::{MANAGE_PROJECTS, NewProject, ProjectPatch};
pub use roles::{MANAGE_ROLES, NewRole, RolePatch};
pub use tokens::{
    ApiKeyPatch, InForce, ListQuery, Listed, MANAGE_API_KEYS, Made, NewApiKey, NewToken, Part, PartQuery,
    Place, Regeneration, TokenPatch,
};
pub use webhooks::{MadeWebhook, NewWebhook, WebhookPatch};

pub use super::edge::Edge;
use super::edge::Effect;
use super::webhooks::Guard;
use crate::clock::Moment;
use crate::config::{Accounts, Config};
use crate::store::management::Management;
use crate::token::TokenId;
use arc_swap::ArcSwap;
use seal::Sealer;
use std::sync::Arc;

/// How often an operation starts again because what it decided by was altered meanwhile, by another process.
const ATTEMPTS: usize = 8;
/// What is said when that was in vain.
const CHANGING: &str = "Somebody else is changing this. Read it again and repeat.";

/// Held from reading to writing; `None` when it has ended, or was never needed.
type Turn<'a> = Option<tokio::sync::MutexGuard<'a, ()>>;

/// The operations.
#[derive(Debug)]
pub struct Domain {
    store: Arc<dyn Management>,
    edge: Edge,
    catalogue: ArcSwap<Catalogue>,
    accounts: ArcSwap<Accounts>,
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
    pub fn new(store: Arc<dyn Management>, edge: Edge) -> Self {
        let catalogue = ArcSwap::from_pointee(Catalogue::new(&[]));
        let sealer = ArcSwap::from_pointee(Sealer::none());
        Self {
            store,
            edge,
            catalogue,
            accounts: ArcSwap::default(),
            turn: tokio::sync::Mutex::default(),
            guard: ArcSwap::default(),
            sealer,
        }
    }

    /// Goes by another configuration from now on.
    pub fn replace(&self, config: &Config) {
        self.accounts.store(Arc::new(config.accounts));
        self.catalogue.store(Arc::new(Catalogue::new(&config.apis)));
        self.guard.store(Arc::new(Guard::new(config.webhooks.allow_networks.clone())));
        self.sealer.store(Arc::new(Sealer::new(&config.jwt)));
    }

    fn guard(&self) -> Arc<Guard> {
        self.guard.load_full()
    }

    /// Which permissions there are.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    async fn take_turn(&self) -> Turn<'_> {
        Some(self.turn.lock().await)
    }

    /// Waits until the edge acts on what was written. It may have to wait for a node that is gone: others have their turn
    /// meanwhile.
    async fn confirm(&self, turn: &mut Turn<'_>, now: Moment, effect: Effect) -> Result<(), DomainError> {
        drop(turn.take());
        self.edge.confirm(now, effect).await
    }

    /// What is not there may just have been taken away, with an answer that nobody received: it too is only said when no node
    /// accepts anything by it any more.
    async fn certainly<T>(
        &self,
        turn: &mut Turn<'_>,
        now: Moment,
        found: Result<T, DomainError>,
    ) -> Result<T, DomainError> {
        if matches!(found, Err(DomainError::NotFound(_))) {
            self.confirm(turn, now, Effect::TakesAway).await?;
        }
        found
    }

    async fn settle_usage(&self) {
        self.edge.settle_usage().await;
    }

    async fn settle_usage_of(&self, keys: &[TokenId]) {
        self.edge.settle_usage_of(keys).await;
    }
}
