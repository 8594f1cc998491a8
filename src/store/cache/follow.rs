//! Keeps the index true to the store, and within its bounds.

use super::gate::Name;
use super::member::Following;
use super::{Entry, Tokens};
use crate::clock::Moment;
use crate::store::nodes::Reading;
use crate::store::{Answer, Change, ChangeSubject, StoreError};
use crate::telemetry::log::chain;
use crate::token::{Digest, OrganizationId, TokenId, UserId};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One eviction makes room for this share of the capacity, so that a full index is not searched each second.
const SLACK: usize = 64;
/// After such a part of the lease without an answer the store is asked once more.
const PATIENCE: u32 = 3;

impl Tokens {
    /// Applies what changed in the store since the last call, and returns how many changes that were. `now` is the
    /// time before the call: only what was committed before it is sure to be seen. A node that has come to be doubted joins
    /// anew.
    ///
    /// # Errors
    /// The store's; the same changes are applied again by the next call.
    pub async fn synchronise(&self, now: Moment) -> Result<usize, StoreError> {
        let mut following = self.following.lock().await;
        if following.left {
            return Ok(0);
        }
        let mut reading = self.read(&mut following).await?;
        let mut changes = reading.changes.len();
        if following.member.is_some() && !reading.member {
            let old = following.id().map(Box::<str>::from);
            following.join(&*self.store, now).await?;
            // Whoever takes a key away now finds the new entry: nobody has to wait for the old one.
            if let Some(old) = old {
                self.store.strike(&old).await?;
            }
            // What was read before it was on the roll again proves nothing.
            reading = self.read(&mut following).await?;
            changes += reading.changes.len();
            tracing::warn!("this node had not been heard of for too long, and has joined the others anew");
            if !reading.member {
                return Err(StoreError::Unavailable("this node was doubted as soon as it had joined".into()));
            }
        }
        self.first.store(reading.first, Ordering::Relaxed);
        // Release: who sees that it is fresh sees what was forgotten before.
        self.synchronised_ns.fetch_max(now.mono_ns, Ordering::Release);
        Ok(changes)
    }

    /// Reads what changed, and applies it.
    async fn read(&self, following: &mut Following) -> Result<Reading, StoreError> {
        let reading = self.soon(|| self.store.read_as(following.id(), following.change)).await?;
        // What takes something away comes first and needs no store.
        let organizations = self.invalidate(&reading.changes);
        for id in &organizations {
            self.reload(id).await?;
        }
        if let Some(newest) = reading.changes.last() {
            following.change = newest.id;
        }
        Ok(reading)
    }

    /// Forgets what changed, and returns the organizations to be read again.
    fn invalidate(&self, changes: &[Change]) -> HashSet<OrganizationId> {
        let mut organizations = HashSet::new();
        for change in changes {
            match &change.subject {
                ChangeSubject::Token { id, digest } => self.forget_token(id, digest),
                ChangeSubject::User(id) => self.forget_user(id),
                ChangeSubject::Session(id) => self.forget_session(id),
                ChangeSubject::Organization(id) => {
                    organizations.insert(id.clone());
                }
                ChangeSubject::SigningKeys => {}
                ChangeSubject::Everything => {
                    self.forget_everything();
                    organizations.extend(self.organizations.all_stale());
                }
            }
        }
        organizations
    }

    pub(super) fn forget_token(&self, id: &TokenId, digest: &Digest) {
        let mut gate = self.gate.lock();
        for name in [Name::Digest(*digest), Name::Token(id.clone())] {
            gate.raise(&name);
            self.unknown.remove(&name);
        }
        for entry in [self.held(digest), self.held_by_id(id)].iter().flatten() {
            self.leave(&mut gate, entry);
        }
        self.absent.insert(*digest, ());
    }

    fn forget_user(&self, id: &UserId) {
        let mut gate = self.gate.lock();
        let name = Name::User(id.clone());
        gate.raise(&name);
        self.unknown.remove(&name);
        self.users.pin().remove(id);
    }

    fn forget_session(&self, id: &str) {
        let mut gate = self.gate.lock();
        let name = Name::Session(id.into());
        gate.raise(&name);
        self.unknown.remove(&name);
        self.sessions.pin().remove(id);
    }

    pub(super) fn forget_everything(&self) {
        let mut gate = self.gate.lock();
        gate.raise_all();
        self.unknown.clear();
        let by_digest = self.by_digest.pin();
        for entry in by_digest.keys().map(|named| &named.0) {
            entry.revoke();
            self.absent.insert(entry.record.digest, ());
        }
        self.codes.clear(&mut gate);
        by_digest.clear();
        self.by_id.pin().clear();
        self.users.pin().clear();
        self.sessions.pin().clear();
    }

    async fn reload(&self, id: &OrganizationId) -> Result<(), StoreError> {
        if !self.organizations.stale(id) {
            return Ok(());
        }
        match self.soon(|| self.store.organization(id)).await {
            Ok(Some(organization)) => self.organizations.replace(organization),
            Ok(None) => {}
            // One row that was spoilt must not keep everybody from following.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(organization = id.as_str(), cause = %chain(&error), "an organization can not be read: its keys are not accepted until it can");
                self.forget_organization(id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Asks the store, and once more beside that when it does not answer: a connection that was cut off silently says
    /// nothing for longer than a lease can bear, and another one may be well.
    async fn soon<'a, T>(&self, ask: impl Fn() -> Answer<'a, T>) -> Result<T, StoreError> {
        let mut first = ask();
        tokio::select! {
            answer = &mut first => return answer,
            () = tokio::time::sleep(self.options.max_staleness / PATIENCE) => {}
        }
        let mut second = ask();
        let (answer, other) = tokio::select! {
            answer = &mut first => (answer, second),
            answer = &mut second => (answer, first),
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(_) => other.await,
        }
    }

    fn forget_organization(&self, id: &OrganizationId) {
        self.organizations.outdate(id);
        // Whoever has found it before that enters nothing any more.
        self.gate.lock().raise_all();
        let held = self.by_digest.pin();
        let entries = held.keys().map(|named| &named.0);
        let of_it: Vec<_> = entries.filter(|it| it.organization().organization.id == *id).cloned().collect();
        for entry in of_it {
            self.drop_entry(&entry);
        }
    }

    /// Brings the index back to its bounds: the keys that were not used for longest go, and what was remembered as
    /// unknown for its time. The control side calls it every second.
    pub fn sweep(&self, now: Moment) {
        self.unknown.retain(|_, until_ns| now.mono_ns < *until_ns);
        self.organizations.sweep();
        self.codes.fit(&self.gate, self.by_digest.len());
        self.sessions.pin().retain(|_, session| now.unix_ms < session.record.expires_ms);
        let capacity = self.options.capacity.get();
        if self.by_digest.len() > capacity {
            self.evict(capacity - capacity / SLACK);
        }
    }

    fn evict(&self, keep: usize) {
        let mut ages: Vec<(u64, Arc<Entry>)> = Vec::with_capacity(self.by_digest.len());
        let held = self.by_digest.pin();
        ages.extend(held.keys().map(|named| (named.0.last_wanted_ms(), Arc::clone(&named.0))));
        if ages.len() <= keep {
            return;
        }
        let excess = ages.len() - keep;
        ages.select_nth_unstable_by_key(excess, |(last_wanted_ms, _)| *last_wanted_ms);
        for (_, entry) in ages.drain(..excess) {
            self.drop_entry(&entry);
        }
    }

    pub(super) fn drop_entry(&self, entry: &Arc<Entry>) {
        self.leave(&mut self.gate.lock(), entry);
    }
}
