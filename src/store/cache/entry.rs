//! What is held of one key and of one person.

use super::codes::Code;
use super::organization::OrganizationCell;
use crate::clock::Moment;
use crate::limiter::Bucket;
use crate::prefetch;
use crate::store::journal::Slot;
use crate::store::{LiveSession, TokenRecord, UserRecord};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of an `Arc`'s two counts, before what it holds.
const COUNTS: usize = 2 * size_of::<usize>();

/// One key, with everything a request needs of it. In this order, so that what a decision reads lies together.
#[derive(Debug)]
#[repr(C)]
pub struct Entry {
    /// What [`Codes`](super::codes::Codes) finds it by; zero until it has one.
    code: [AtomicU64; 2],
    revoked: AtomicBool,
    /// Seconds since 1970.
    loaded_s: u32,
    /// Its rate limit.
    pub bucket: Arc<Bucket>,
    slot: Slot,
    /// As the store had it.
    pub record: TokenRecord,
    /// Its organization, as it is now.
    pub organization: Arc<OrganizationCell>,
}

impl Entry {
    pub(super) fn new(
        record: TokenRecord,
        organization: Arc<OrganizationCell>,
        bucket: Arc<Bucket>,
        slot: Slot,
        now: Moment,
    ) -> Self {
        let (code, revoked) = (Default::default(), AtomicBool::new(false));
        let loaded_s = u32::try_from(now.unix_s()).unwrap_or(u32::MAX);
        Self { code, revoked, loaded_s, bucket, slot, record, organization }
    }

    /// The code of its text, once it was found by it. Whoever got here by the table of codes sees it whole, because it
    /// was set before the entry was put there.
    pub(super) fn code(&self) -> Code {
        let [high, low] = &self.code;
        Code { high: high.load(Ordering::Relaxed), low: low.load(Ordering::Relaxed) }
    }

    /// Only under the gate's lock.
    pub(super) fn set_code(&self, code: Code) {
        self.code[0].store(code.high, Ordering::Relaxed);
        self.code[1].store(code.low, Ordering::Relaxed);
    }

    /// Whether it is the one with this code, and in the index.
    pub(super) fn stands_for(&self, code: Code) -> bool {
        self.code() == code && !self.revoked()
    }

    /// Begins to bring in what a decision reads of it, from the count before it to its version.
    pub(super) fn fetch(&self) {
        let (first, last) = (prefetch::address(&self.code), prefetch::address(&self.record.version));
        prefetch::line(first - COUNTS);
        prefetch::line(first - COUNTS + 64);
        prefetch::line(last);
    }

    /// Where its bucket and its counter are, for [`crate::prefetch`].
    pub(super) fn whereabouts(&self) -> [usize; 2] {
        [prefetch::address(&*self.bucket), self.slot.address()]
    }

    /// Counts one use; it survives the death of the process from here on.
    pub fn count_use(&self, now: Moment) {
        self.slot.count(now);
    }

    /// Whether this entry has left the index: the key was altered, regenerated or removed since, or had to make room.
    /// What is still open on its strength has to ask again.
    pub fn revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Latest use in this process, or else when it was loaded; milliseconds since 1970.
    pub(super) fn last_wanted_ms(&self) -> u64 {
        self.slot.last_used_ms().max(u64::from(self.loaded_s) * 1000)
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

    /// Three processor cache lines, with the two counts before it; what a decision reads is in the first two.
    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 3 * 64 - 16, "{}", size_of::<Entry>());
    }
}
