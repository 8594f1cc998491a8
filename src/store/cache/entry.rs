//! What is held of one key and of one person.

use super::codes::Code;
use super::organization::{OrganizationCell, OrganizationView};
use crate::clock::Moment;
use crate::limiter::Bucket;
use crate::prefetch;
use crate::store::journal::Slot;
use crate::store::{LiveSession, Terms, TokenRecord, UserRecord};
use crate::token::{Digest, TokenId};
use arc_swap::Guard;
use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of an `Arc`'s two counts, before what it holds.
const COUNTS: usize = 2 * size_of::<usize>();

/// One key, with everything a request needs of it: two processor cache lines, with the two counts before it. In this order,
/// so that the first of them has what comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Entry {
    /// What [`Codes`](super::codes::Codes) finds it by; zero until it has one.
    mark: AtomicU64,
    /// Its rate limit.
    pub bucket: Arc<Bucket>,
    /// As the store had it.
    pub record: Held,
    slot: Slot,
}

/// A key's [`TokenRecord`] without what no request needs.
#[derive(Debug)]
#[repr(C)]
pub struct Held {
    /// What it grants, and its organization as it is now.
    pub terms: Arc<Standing>,
    /// [`NEVER`] where it does not expire.
    expires_ms: u64,
    version: u32,
    /// [`TokenRecord::active`]
    pub active: bool,
    /// [`TokenRecord::retiring`]
    pub retiring: bool,
    /// That it has left the index. In here, because there is room.
    revoked: AtomicBool,
    /// [`TokenRecord::id`]
    pub id: TokenId,
    /// [`TokenRecord::digest`]
    pub digest: Digest,
}

/// Beyond any moment that there is a date for.
const NEVER: u64 = u64::MAX;

impl Held {
    /// Instant of expiry, milliseconds since 1970; `None` never.
    pub fn expires_ms(&self) -> Option<u64> {
        (self.expires_ms != NEVER).then_some(self.expires_ms)
    }

    /// [`TokenRecord::version`]
    pub fn version(&self) -> u64 {
        self.version.into()
    }
}

/// What many keys have in common: their terms, and the organization that these are of.
#[derive(Debug)]
pub struct Standing {
    terms: Terms,
    pub(super) organization: Arc<OrganizationCell>,
}

impl Standing {
    pub(super) fn new(terms: Terms, organization: Arc<OrganizationCell>) -> Self {
        Self { terms, organization }
    }
}

impl Deref for Standing {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

impl Borrow<Terms> for Standing {
    fn borrow(&self) -> &Terms {
        &self.terms
    }
}

impl Entry {
    /// `None` when the record has a version beyond what is ever reached.
    pub(super) fn new(
        record: TokenRecord,
        terms: Arc<Standing>,
        bucket: Arc<Bucket>,
        slot: Slot,
    ) -> Option<Self> {
        let record = Held {
            terms,
            expires_ms: record.expires_ms.unwrap_or(NEVER),
            version: u32::try_from(record.version).ok()?,
            active: record.active,
            retiring: record.retiring,
            revoked: AtomicBool::new(false),
            id: record.id,
            digest: record.digest,
        };
        Some(Self { mark: AtomicU64::new(0), bucket, record, slot })
    }

    /// Its organization, as it is now. Takes no lock.
    pub fn organization(&self) -> Guard<Arc<OrganizationView>> {
        self.record.terms.organization.load()
    }

    /// The number under which its uses are counted.
    pub fn row(&self) -> u64 {
        self.slot.row()
    }

    /// The mark of its code, once it was found by it. Whoever got here by the table of codes sees it, because it was set
    /// before the entry was put there.
    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Ordering::Relaxed)
    }

    /// Only under the gate's lock.
    pub(super) fn set_code(&self, code: Code) {
        self.mark.store(code.mark, Ordering::Relaxed);
    }

    /// Whether it is the one with this code, as far as its mark tells, and in the index.
    pub(super) fn stands_for(&self, code: Code) -> bool {
        self.mark() == code.mark && !self.revoked()
    }

    /// Begins to bring it in, with the counts before it.
    pub(super) fn fetch(&self) {
        let first = prefetch::address(&self.mark) - COUNTS;
        prefetch::line(first);
        prefetch::line(first + 64);
    }

    /// Begins to bring in the counter of its uses.
    pub(super) fn fetch_slot(&self) {
        prefetch::line(self.slot.address());
    }

    /// Where its bucket is, for [`crate::prefetch`].
    pub(super) fn whereabouts(&self) -> usize {
        prefetch::address(&*self.bucket)
    }

    /// Counts one use; it survives the death of the process from here on.
    pub fn count_use(&self, now: Moment) {
        self.slot.count(now);
    }

    /// Whether this entry has left the index: the key was altered, regenerated or removed since, or had to make room.
    /// What is still open on its strength has to ask again.
    pub fn revoked(&self) -> bool {
        self.record.revoked.load(Ordering::Acquire)
    }

    pub(super) fn revoke(&self) {
        self.record.revoked.store(true, Ordering::Release);
    }

    /// Latest use in this process, or else when it was loaded; milliseconds since 1970.
    pub(super) fn last_wanted_ms(&self) -> u64 {
        self.slot.last_wanted_ms()
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

impl SessionEntry {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processor cache lines, with the two counts before it.
    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 2 * 64 - COUNTS, "{}", size_of::<Entry>());
    }
}
