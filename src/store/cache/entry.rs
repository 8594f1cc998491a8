//! What is held of one key and of one person.

use super::organization::OrganizationCell;
use crate::clock::Moment;
use crate::limiter::Bucket;
use crate::store::journal::Slot;
use crate::store::{LiveSession, TokenRecord, UserRecord};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One key, with everything a request needs of it.
#[derive(Debug)]
pub struct Entry {
    /// As the store had it.
    pub record: TokenRecord,
    /// Its organization, as it is now.
    pub organization: Arc<OrganizationCell>,
    /// Its rate limit.
    pub bucket: Arc<Bucket>,
    slot: Slot,
    loaded_ms: u64,
    revoked: AtomicBool,
}

impl Entry {
    pub(super) fn new(
        record: TokenRecord,
        organization: Arc<OrganizationCell>,
        bucket: Arc<Bucket>,
        slot: Slot,
        now: Moment,
    ) -> Self {
        Self { record, organization, bucket, slot, loaded_ms: now.unix_ms, revoked: AtomicBool::new(false) }
    }

    /// Counts one use; it survives the death of the process from here on.
    pub fn count_use(&self, now: Moment) {
        self.slot.count(now);
    }

    /// Whether this entry is out of date: the key was altered, regenerated or removed since. What is still open on its
    /// strength has to ask again.
    pub fn revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Latest use in this process, or else when it was loaded; milliseconds since 1970.
    pub(super) fn last_wanted_ms(&self) -> u64 {
        self.slot.last_used_ms().max(self.loaded_ms)
    }
}

/// One person.
#[derive(Debug)]
pub struct UserEntry {
    /// As the store had it.
    pub record: UserRecord,
    /// Their rate limit, as far as requests come with their session.
    pub bucket: Arc<Bucket>,
}

/// One session of a person.
#[derive(Debug)]
pub struct SessionEntry {
    pub(super) id: Box<str>,
    /// As the store had it.
    pub record: LiveSession,
}
