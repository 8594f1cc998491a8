//! Asks the store for what is not held: one look-up per name at a time, however many want it.

use super::gate::{Found, Name, Outcome, Ticket};
use super::{Entry, OrganizationCell, SessionEntry, Standing, Tokens, UserEntry};
use crate::clock::Moment;
use crate::store::{StoreError, TokenRecord};
use crate::token::{Digest, OrganizationId, TokenId, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a look-up starts again because what it looks for was changed meanwhile.
const ATTEMPTS: usize = 16;

/// Look-ups under way at once; more are refused, so that a flood of made-up keys has a bounded cost.
const MOST_FLIGHTS: usize = 16_384;

/// Why it is not known whether there is such a key. Never the same as "there is none".
#[derive(Clone, Debug, thiserror::Error)]
pub enum LookupError {
    /// The store did not answer.
    #[error("the store could not be asked")]
    Store(#[source] Arc<StoreError>),
    /// There is nowhere to count the key's uses: the disk is full, most likely.
    #[error("the usage journal can not grow")]
    Journal(#[source] Arc<std::io::Error>),
    /// The record changed each time it was read.
    #[error("the record changes faster than it can be read")]
    Unsettled,
    /// Too many other look-ups are under way already.
    #[error("too many keys are being looked up")]
    Overloaded,
    /// The process is stopping.
    #[error("the look-up was given up, the process is stopping")]
    Stopped,
}

impl From<StoreError> for LookupError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Tokens {
    /// The key with this value, from the store when it is not held; `None` when there is none.
    ///
    /// # Errors
    /// When it could not be found out.
    pub async fn find(
        self: &Arc<Self>,
        digest: Digest,
        now: Moment,
    ) -> Result<Option<Arc<Entry>>, LookupError> {
        self.find_token(Name::Digest(digest), now).await
    }

    /// The key with this id; as [`find`](Self::find).
    ///
    /// # Errors
    /// When it could not be found out.
    pub async fn find_by_id(
        self: &Arc<Self>,
        id: TokenId,
        now: Moment,
    ) -> Result<Option<Arc<Entry>>, LookupError> {
        self.find_token(Name::Token(id), now).await
    }

    /// What people call a key, from the store: no request needs it, so that it is not held. Empty when there is no such key
    /// any more.
    ///
    /// # Errors
    /// When it could not be found out.
    pub async fn name(&self, key: &TokenId) -> Result<Box<str>, LookupError> {
        Ok(self.store.token_by_id(key).await?.map(|record| record.name).unwrap_or_default())
    }

    async fn find_token(
        self: &Arc<Self>,
        name: Name,
        now: Moment,
    ) -> Result<Option<Arc<Entry>>, LookupError> {
        Ok(self.look_up(name, now).await?.and_then(|found| match found {
            Found::Token(entry) => Some(entry),
            Found::User(_) | Found::Session(_) => None,
        }))
    }

    /// The person with this id, held like a key.
    ///
    /// # Errors
    /// When it could not be found out.
    pub async fn user(
        self: &Arc<Self>,
        id: UserId,
        now: Moment,
    ) -> Result<Option<Arc<UserEntry>>, LookupError> {
        Ok(self.look_up(Name::User(id), now).await?.and_then(|found| match found {
            Found::User(entry) => Some(entry),
            Found::Token(_) | Found::Session(_) => None,
        }))
    }

    /// The session with this id, held like a key; `None` when it was ended. Whether its time is over is not looked at.
    ///
    /// # Errors
    /// When it could not be found out.
    pub async fn session(
        self: &Arc<Self>,
        id: &str,
        now: Moment,
    ) -> Result<Option<Arc<SessionEntry>>, LookupError> {
        Ok(self.look_up(Name::Session(id.into()), now).await?.and_then(|found| match found {
            Found::Session(entry) => Some(entry),
            Found::Token(_) | Found::User(_) => None,
        }))
    }

    async fn look_up(self: &Arc<Self>, name: Name, now: Moment) -> Outcome {
        if let Some(known) = self.known(&name, now) {
            return Ok(known);
        }
        let (mut flight, departing) = {
            let mut gate = self.gate.lock();
            // Again, now that nothing can land in between.
            if let Some(known) = self.known(&name, now) {
                return Ok(known);
            }
            match gate.flight(&name) {
                Some(flight) => (flight, None),
                None if gate.flights() >= MOST_FLIGHTS => return Err(LookupError::Overloaded),
                None => {
                    let (ticket, sender, flight) = gate.depart(name.clone());
                    (flight, Some((ticket, sender)))
                }
            }
        };
        // Not under the lock: a runtime that is shutting down drops the task at once, and that takes the lock.
        if let Some((ticket, sender)) = departing {
            self.depart(Landing { tokens: Arc::clone(self), name, ticket }, sender, now);
        }
        match flight.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            _ => Err(LookupError::Stopped),
        }
    }

    /// What the index says: `Some(None)` is "known to be unknown".
    fn known(&self, name: &Name, now: Moment) -> Option<Option<Found>> {
        let held = match name {
            Name::Digest(digest) => self.held(digest).map(Found::Token),
            Name::Token(id) => self.held_by_id(id).map(Found::Token),
            Name::User(id) => self.users.pin().get(id).cloned().map(Found::User),
            Name::Session(id) => self.sessions.pin().get(id).cloned().map(Found::Session),
        };
        match held {
            Some(found) => Some(Some(found)),
            None => self.known_unknown(name, now).then_some(None),
        }
    }

    fn depart(&self, landing: Landing, sender: watch::Sender<Option<Outcome>>, now: Moment) {
        self.runtime.spawn(async move {
            let outcome = landing.tokens.fly(&landing.name, landing.ticket, now).await;
            drop(landing);
            // Nobody left to tell is fine: what was found is in the index.
            let _ = sender.send(Some(outcome));
        });
    }

    async fn fly(&self, name: &Name, ticket: Ticket, now: Moment) -> Outcome {
        for _ in 0..ATTEMPTS {
            let generation = self.gate.lock().generation(name);
            let found = self.load(name, now).await?;
            let mut gate = self.gate.lock();
            if gate.generation(name) != generation {
                continue;
            }
            match &found {
                Some(Found::Token(entry)) => self.enter(&mut gate, entry),
                Some(Found::User(entry)) => {
                    self.users.pin().insert(entry.record.id.clone(), Arc::clone(entry));
                }
                Some(Found::Session(entry)) => {
                    self.sessions.pin().insert(entry.id.clone(), Arc::clone(entry));
                }
                None => {
                    if let Name::Digest(digest) = name {
                        self.absent.remove(digest);
                    }
                    self.unknown.insert(name.clone(), until_ns(now, self.options.negative_ttl));
                }
            }
            gate.land(name, ticket);
            return Ok(found);
        }
        Err(LookupError::Unsettled)
    }

    async fn load(&self, name: &Name, now: Moment) -> Outcome {
        let record = match name {
            Name::Digest(digest) => self.store.token_by_digest(*digest).await?,
            Name::Token(id) => self.store.token_by_id(id).await?,
            Name::User(id) => {
                let bucket = || self.limiter.bucket(&format!("u:{id}"));
                let record = self.store.user(id).await?;
                return Ok(record.map(|record| Found::User(Arc::new(UserEntry { record, bucket: bucket() }))));
            }
            Name::Session(id) => {
                let record = self.store.live_session(id).await?;
                let entry = |record| Found::Session(Arc::new(SessionEntry { id: id.clone(), record }));
                return Ok(record.map(entry));
            }
        };
        let Some(record) = record else { return Ok(None) };
        // A key whose organization has just gone is going as well.
        let Some(organization) = self.organization(&record.terms.organization).await? else {
            return Ok(None);
        };
        Ok(Some(Found::Token(Arc::new(self.entry(record, organization, now)?))))
    }

    /// The organization's cell. Not entered when the organization changes while it is read: then it is read again.
    pub(super) async fn organization(
        &self,
        id: &OrganizationId,
    ) -> Result<Option<Arc<OrganizationCell>>, LookupError> {
        for _ in 0..ATTEMPTS {
            if let Some(cell) = self.organizations.cell(id) {
                return Ok(Some(cell));
            }
            let version = self.organizations.version();
            let Some(organization) = self.store.organization(id).await? else { return Ok(None) };
            if let Some(cell) = self.organizations.insert(organization, version) {
                return Ok(Some(cell));
            }
        }
        Err(LookupError::Unsettled)
    }

    pub(super) fn entry(
        &self,
        record: TokenRecord,
        organization: Arc<OrganizationCell>,
        now: Moment,
    ) -> Result<Entry, LookupError> {
        let standing = || Standing::new((*record.terms).clone(), organization);
        let standing = self.terms.shared(&*record.terms, standing);
        let bucket = self.limiter.bucket(&record.id.text());
        let slot = self.journal.slot(record.row, now);
        let slot = slot.map_err(|error| LookupError::Journal(Arc::new(error)))?;
        let beyond =
            || StoreError::Corrupt { table: "tokens", what: "a version is beyond all bounds".into() };
        Entry::new(record, standing, bucket, slot).ok_or_else(|| beyond().into())
    }
}

fn until_ns(now: Moment, ttl: Duration) -> u64 {
    now.after(ttl).mono_ns
}

/// Takes a look-up off the list, whatever becomes of it.
struct Landing {
    tokens: Arc<Tokens>,
    name: Name,
    ticket: Ticket,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.tokens.gate.lock().land(&self.name, self.ticket);
    }
}
