//! The keys as the request path sees them: an index in memory that never waits for the store for a key it holds.
//!
//! What makes "revoked means revoked" hold is in [`gate`]: every insertion is checked, under the lock under which
//! invalidations happen, against all invalidations since the store was asked.

mod codes;
mod entry;
mod fill;
mod follow;
mod gate;
mod intern;
mod load;
mod member;
mod names;
mod organization;
mod stats;
#[cfg(test)]
mod tests;

pub use codes::Code;
pub use entry::{Entry, Held, SessionEntry, Standing, UserEntry};
pub use load::LookupError;
pub use member::Position;
pub use organization::{OrganizationCell, OrganizationView};
pub use stats::Stats;

use super::history::{Pending, Refusals};
use super::journal::{Flushed, Journal};
use super::{Store, StoreError, Terms};
use crate::clock::Moment;
use crate::limiter::Limiter;
use crate::token::{Digest, ShownKey, TokenId, UserId};
use codes::Codes;
use gate::{Gate, Inner, Name};
use member::Following;
use names::{ByDigest, ById};
use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

type Map<K, V> = papaya::HashMap<K, V, foldhash::fast::RandomState>;

/// Most names that are remembered as unknown.
const NEGATIVE_CAPACITY: usize = 100_000;

/// Most values that are remembered as good ones that are not held.
const ABSENT_CAPACITY: usize = 100_000;

/// How much is held, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most keys held; beyond it those that were not used for longest go.
    pub capacity: NonZeroUsize,
    /// How long an unknown key is remembered as unknown.
    pub negative_ttl: Duration,
    /// How old the last successful synchronisation may be: see [`Tokens::fresh`].
    pub max_staleness: Duration,
}

/// What is known of a key without asking the store.
#[derive(Clone, Debug)]
pub enum Cached {
    /// This is it.
    Hit(Arc<Entry>),
    /// There was no such key a moment ago.
    Unknown,
    /// The store has to be asked: [`Tokens::find`].
    Miss,
}

/// The index over keys and people.
pub struct Tokens {
    store: Arc<dyn Store>,
    journal: Journal,
    refusals: Refusals,
    /// Those of them that are on their way to the store.
    unwritten: tokio::sync::Mutex<Pending>,
    limiter: Arc<Limiter>,
    options: Options,
    /// `max_staleness` of the options.
    max_staleness_ns: u64,
    runtime: tokio::runtime::Handle,
    /// What the index holds is in both of these; only ever changed together, and under the gate's lock.
    by_digest: Map<ByDigest, ()>,
    by_id: Map<ById, ()>,
    codes: Codes,
    users: Map<UserId, Arc<UserEntry>>,
    sessions: Map<Box<str>, Arc<SessionEntry>>,
    organizations: organization::Organizations,
    /// Names without a record, with the monotonic nanosecond at which each is asked for again.
    unknown: quick_cache::sync::Cache<Name, u64>,
    /// Values of keys that the store has or had, as it said itself, and the index does not hold: see
    /// [`heard_of`](Tokens::heard_of).
    absent: quick_cache::sync::Cache<Digest, ()>,
    gate: Gate,
    filling: fill::Filling,
    terms: intern::Interner<Terms, Standing>,
    /// How far it has followed the store, and as whom; locked while changes are applied.
    following: tokio::sync::Mutex<Following>,
    /// Start of the last successful synchronisation, monotonic nanoseconds; 0 when it can not be relied upon any more.
    synchronised_ns: AtomicU64,
    /// Whether it was then the first node of the store.
    first: AtomicBool,
}

impl fmt::Debug for Tokens {
    /// Sizes only: a million keys are no use in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// An index that is empty, and can be relied upon: what it does not hold is looked up. [`fill`](Self::fill) brings the keys
    /// in. With a `name` it goes on the store's roll of [`nodes`](crate::store::nodes), as whoever accepts keys by it has to.
    /// `runtime` is the control side's: look-ups run there. `now` is the time before the call.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        store: Arc<dyn Store>,
        journal: Journal,
        limiter: Arc<Limiter>,
        options: Options,
        name: Option<String>,
        runtime: tokio::runtime::Handle,
        now: Moment,
    ) -> Result<Arc<Self>, StoreError> {
        let following = Following::begin(&*store, name, &journal, &options, now).await?;
        Ok(Arc::new(Self {
            store,
            journal,
            refusals: Refusals::default(),
            unwritten: tokio::sync::Mutex::default(),
            limiter,
            options,
            max_staleness_ns: u64::try_from(options.max_staleness.as_nanos()).unwrap_or(u64::MAX),
            runtime,
            by_digest: Map::default(),
            by_id: Map::default(),
            codes: Codes::default(),
            users: Map::default(),
            sessions: Map::default(),
            organizations: organization::Organizations::default(),
            unknown: quick_cache::sync::Cache::new(NEGATIVE_CAPACITY),
            absent: quick_cache::sync::Cache::new(ABSENT_CAPACITY),
            gate: Gate::default(),
            filling: fill::Filling::default(),
            terms: intern::Interner::default(),
            following: tokio::sync::Mutex::new(following),
            synchronised_ns: AtomicU64::new(now.mono_ns),
            first: AtomicBool::new(false),
        }))
    }

    /// Begins to bring in what is known of a key that will be asked for in a moment: meanwhile there is other work.
    pub fn foresee(&self, key: ShownKey<'_>) -> Code {
        let code = self.codes.of(key.expose());
        self.codes.expect(code);
        code
    }

    /// Goes on with what [`foresee`](Self::foresee) began, when there has been some other work since.
    pub fn approach(&self, code: Code) {
        self.codes.approach(code);
    }

    /// What is known of the key with this value. Waits for nothing and takes no lock when it is held.
    pub fn cached(&self, key: ShownKey<'_>, now: Moment) -> Cached {
        self.cached_by(self.codes.of(key.expose()), key, now)
    }

    /// As [`cached`](Self::cached), with what [`foresee`](Self::foresee) said of this very key.
    pub fn cached_by(&self, code: Code, key: ShownKey<'_>, now: Moment) -> Cached {
        if let Some(entry) = self.codes.find(code) {
            return Cached::Hit(entry);
        }
        let digest = key.digest();
        match self.held(&digest) {
            Some(entry) => {
                self.remember(code, &entry);
                Cached::Hit(entry)
            }
            None => self.absent(&Name::Digest(digest), now),
        }
    }

    /// The key with this digest, from the index alone.
    fn held(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.by_digest.pin().get_key_value(digest).map(|(named, ())| Arc::clone(&named.0))
    }

    /// The key with this id, from the index alone.
    fn held_by_id(&self, id: &TokenId) -> Option<Arc<Entry>> {
        self.by_id.pin().get_key_value(id).map(|(named, ())| Arc::clone(&named.0))
    }

    /// Finds a key by its code from now on; or does so another time, when the index is being changed just now.
    fn remember(&self, code: Code, entry: &Arc<Entry>) {
        if let Some(mut gate) = self.gate.try_lock() {
            self.codes.remember(&mut gate, code, entry);
        }
    }

    /// Puts a key in, and those that had its names out.
    fn enter(&self, gate: &mut Inner, entry: &Arc<Entry>) {
        let mut older = [self.held(&entry.record.digest), None];
        self.by_digest.pin().insert(ByDigest(Arc::clone(entry)), ());
        // By its id a key is what it is by its present value.
        if !entry.record.retiring {
            older[1] = self.held_by_id(&entry.record.id);
            self.by_id.pin().insert(ById(Arc::clone(entry)), ());
        }
        for older in older.iter().flatten().filter(|older| !Arc::ptr_eq(older, entry)) {
            self.leave(gate, older);
        }
        // After they left: an older one may have had the same value.
        self.absent.remove(&entry.record.digest);
    }

    /// Takes a key out, under every name that is still its own, and tells those who hold it.
    fn leave(&self, gate: &mut Inner, entry: &Arc<Entry>) {
        entry.revoke();
        self.absent.insert(entry.record.digest, ());
        self.codes.forget(gate, entry);
        let _ =
            self.by_digest.pin().remove_if(&entry.record.digest, |named, ()| Arc::ptr_eq(&named.0, entry));
        let _ = self.by_id.pin().remove_if(&entry.record.id, |named, ()| Arc::ptr_eq(&named.0, entry));
    }

    /// What is known of the key with this id; as [`cached`](Self::cached).
    pub fn cached_by_id(&self, id: &TokenId, now: Moment) -> Cached {
        match self.held_by_id(id) {
            Some(entry) => Cached::Hit(entry),
            None => self.absent(&Name::Token(id.clone()), now),
        }
    }

    /// What a key that has left the index is now, by the value that it had.
    pub fn renewed(&self, entry: &Entry, now: Moment) -> Cached {
        match self.held(&entry.record.digest) {
            Some(entry) => Cached::Hit(entry),
            None => self.absent(&Name::Digest(entry.record.digest), now),
        }
    }

    /// Whether nothing has changed of a person and of their session since these were looked up.
    pub fn holds(&self, user: &Arc<UserEntry>, session: &Arc<SessionEntry>) -> bool {
        self.users.pin().get(&user.record.id).is_some_and(|held| Arc::ptr_eq(held, user))
            && self.sessions.pin().get(session.id()).is_some_and(|held| Arc::ptr_eq(held, session))
    }

    fn absent(&self, name: &Name, now: Moment) -> Cached {
        if self.known_unknown(name, now) {
            return Cached::Unknown;
        }
        Cached::Miss
    }

    /// Whether this value is held, or the store has named it lately, in a change or as a key that had to make room: then
    /// nobody made it up, and it is most likely good. Forgets some when there are too many. As long as the keys are still
    /// being brought in, it may be any of them.
    pub fn heard_of(&self, digest: &Digest) -> bool {
        // In this order: what comes to be held is held before it is taken from among the absent.
        self.filling.is_expected() || self.absent.get(digest).is_some() || self.held(digest).is_some()
    }

    fn known_unknown(&self, name: &Name, now: Moment) -> bool {
        self.unknown.get(name).is_some_and(|until_ns| now.mono_ns < until_ns)
    }

    /// Whether the index may be relied upon: false when the last successful synchronisation began longer than
    /// `max_staleness` ago. One load.
    pub fn fresh(&self, now: Moment) -> bool {
        let age_ns = now.mono_ns.saturating_sub(self.synchronised_ns.load(Ordering::Acquire));
        age_ns <= self.max_staleness_ns
    }

    /// How long ago the last successful synchronisation began.
    pub fn staleness(&self, now: Moment) -> Duration {
        Duration::from_nanos(now.mono_ns.saturating_sub(self.synchronised_ns.load(Ordering::Relaxed)))
    }

    /// Sends counted uses to the store, and returns how many keys had any.
    ///
    /// # Errors
    /// The store's; nothing is lost then.
    pub async fn flush_usage(&self) -> Result<usize, StoreError> {
        self.journal.flush(&*self.store).await
    }

    /// As [`flush_usage`](Self::flush_usage), a part each time, the next one.
    ///
    /// # Errors
    /// The store's; nothing is lost then.
    pub async fn flush_some_usage(&self) -> Result<Flushed, StoreError> {
        self.journal.flush_some(&*self.store).await
    }

    /// As [`flush_usage`](Self::flush_usage), of these keys alone.
    ///
    /// # Errors
    /// The store's; nothing is lost then.
    pub async fn flush_usage_of(&self, keys: &[TokenId]) -> Result<usize, StoreError> {
        let (mut rows, mut failed) = (HashSet::new(), Ok(0));
        for key in keys {
            match self.held_by_id(key) {
                Some(entry) => rows.extend([entry.row()]),
                // One that had to make room may have uses that are still to be sent.
                None => match self.store.token_by_id(key).await {
                    Ok(record) => rows.extend(record.map(|record| record.row)),
                    // The others all the same.
                    Err(error) => failed = Err(error),
                },
            }
        }
        let flushed = self.journal.flush_rows(&*self.store, &rows).await?;
        failed.map(|none: usize| none + flushed)
    }

    /// What keys were refused for, until it is written.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Sends counted refusals to the store.
    ///
    /// # Errors
    /// The store's; nothing is lost then.
    pub async fn flush_refusals(&self) -> Result<(), StoreError> {
        self.unwritten.lock().await.write(&self.refusals, &*self.store, self.journal.id()).await
    }

    /// The store itself, for what is not on the request path.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Most keys that it holds.
    pub fn capacity(&self) -> usize {
        self.options.capacity.get()
    }

    /// Sizes.
    pub fn stats(&self) -> Stats {
        Stats { entries: self.by_digest.len(), negatives: self.unknown.len(), filled: self.filling.is_done() }
    }
}
