//! What is held of one key and of one person.

use super::organization::OrganizationCell;
use crate::clock::Moment;
use crate::limiter::Bucket;
use crate::store::journal::Slot;
use crate::store::{TokenRecord, UserRecord};
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
    attached: OnceLock<Box<Attached>>,
}

/// A list of prepared values, one of each type; in practice one long.
#[derive(Debug)]
struct Attached {
    value: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Attached>>,
}

impl Entry {
    pub(super) fn new(
        record: TokenRecord,
        organization: Arc<OrganizationCell>,
        bucket: Arc<Bucket>,
        slot: Slot,
        now: Moment,
    ) -> Self {
        Self {
            record,
            organization,
            bucket,
            slot,
            loaded_ms: now.unix_ms,
            revoked: AtomicBool::new(false),
            attached: OnceLock::new(),
        }
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

    /// Something another module prepares once per key: made on first use, dropped with the entry.
    pub fn attached<T: Any + Send + Sync>(&self, make: impl FnOnce(&Entry) -> T) -> &T {
        let mut place = &self.attached;
        while let Some(here) = place.get() {
            if let Some(value) = here.value.downcast_ref() {
                return value;
            }
            place = &here.next;
        }
        let mut made = Some(Box::new(Attached { value: Box::new(make(self)), next: OnceLock::new() }));
        loop {
            // Two that prepare at once: the first to fill the place wins; of another type, ours goes behind it.
            let here = place.get_or_init(|| made.take().unwrap_or_else(|| unreachable!("filled once only")));
            if let Some(value) = here.value.downcast_ref() {
                return value;
            }
            place = &here.next;
        }
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
