//! Who has which bucket. Touched when a key is loaded, not per request.

use super::carry::Carried;
use super::quota::Quota;
use super::{Addresses, Bucket, Rate};
use crate::clock::Moment;
use siphasher::sip::SipHasher13;
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of an API's limit, which finds its cell in every bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u16);

/// What names are hashed with. Random, and kept from everybody but the process that takes over from this one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NamesKey(pub [u8; 16]);

impl NamesKey {
    /// Another one each time.
    pub fn random() -> Self {
        let word = || RandomState::new().hash_one(0);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&word().to_ne_bytes());
        key[8..].copy_from_slice(&word().to_ne_bytes());
        Self(key)
    }
}

impl std::fmt::Debug for NamesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NamesKey(..)")
    }
}

/// A bucket under its number, which it holds itself.
#[derive(Debug)]
struct Numbered(Arc<Bucket>);

impl Borrow<u64> for Numbered {
    fn borrow(&self) -> &u64 {
        self.0.number()
    }
}

impl Hash for Numbered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number().hash(state);
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.0.number() == other.0.number()
    }
}

impl Eq for Numbered {}

type Shard = HashSet<Numbered, foldhash::fast::RandomState>;

/// All buckets, by name. A million names are not kept: what is compared is their SipHash with a random key, so that two
/// names have one bucket with a chance of 2^-64.
#[derive(Debug)]
pub struct Limiter {
    shards: Box<[Mutex<Shard>]>,
    key: NamesKey,
    slots: Mutex<HashMap<Box<str>, Slot>>,
    addresses: Mutex<Option<Arc<Addresses>>>,
}

/// How many turns of [`Limiter::sweep_some`] come by every bucket.
pub const SWEEPS: usize = 16;

/// So many that a sweep, which holds one at a time, stops nobody for long.
const SHARDS: usize = 128;

impl Limiter {
    /// A limiter without buckets.
    pub fn new() -> Self {
        Self::with_key(NamesKey::random())
    }

    /// A limiter without buckets that can take over what another one with this key has counted.
    pub fn with_key(key: NamesKey) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, key, slots: Mutex::default(), addresses: Mutex::default() }
    }

    /// What it hashes names with.
    pub fn key(&self) -> NamesKey {
        self.key
    }

    /// The bucket of this name: the same one as long as anyone holds it or it is not full again.
    pub fn bucket(&self, name: &str) -> Arc<Bucket> {
        let mut hasher = SipHasher13::new_with_key(&self.key.0);
        name.hash(&mut hasher);
        self.numbered(hasher.finish())
    }

    fn numbered(&self, number: u64) -> Arc<Bucket> {
        let mut shard = lock(&self.shards[number as usize % SHARDS]);
        if let Some(Numbered(bucket)) = shard.get(&number) {
            return Arc::clone(bucket);
        }
        let bucket = Arc::new(Bucket::new(number));
        shard.insert(Numbered(Arc::clone(&bucket)));
        bucket
    }

    /// The slot of this API's limit: the same one for the same name, for ever.
    pub fn slot(&self, api: &str) -> Slot {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(api) {
            return *slot;
        }
        // Beyond 65,535 names of APIs in one process's life, the rest share a limit rather than have none.
        let slot = Slot(u16::try_from(slots.len()).unwrap_or(u16::MAX));
        slots.insert(api.into(), slot);
        slot
    }

    /// The budgets by address under this rate: the same ones for the same rate, so that a reload refills nothing; full
    /// ones when it is another rate.
    pub fn addresses(&self, rate: Option<&Rate>) -> Option<Arc<Addresses>> {
        let mut present = lock(&self.addresses);
        let same = |present: &Arc<Addresses>| rate == Some(present.rate());
        if !present.as_ref().is_some_and(same) {
            *present = rate.map(|rate| Arc::new(Addresses::new(rate)));
        }
        present.clone()
    }

    /// What is used of every limit at this moment, for the process that takes over.
    pub fn carried(&self, now: Moment) -> Carried {
        let mut apis: Vec<(Box<str>, Slot)> =
            lock(&self.slots).iter().map(|(name, slot)| (name.clone(), *slot)).collect();
        apis.sort_unstable_by_key(|(_, slot)| slot.0);
        let spent = |Numbered(bucket): &Numbered| {
            let cells = bucket.spent(now);
            (!cells.is_empty()).then(|| (*bucket.number(), cells))
        };
        let buckets =
            self.shards.iter().flat_map(|shard| lock(shard).iter().filter_map(spent).collect::<Vec<_>>());
        Carried {
            unix_ms: now.unix_ms,
            apis: apis.into_iter().map(|(name, slot)| (slot.0, name)).collect(),
            buckets: buckets.collect(),
        }
    }

    /// Takes over what a limiter with the same key had counted: nobody gets anything back because processes change.
    pub fn take_over(&self, carried: &Carried, now: Moment) {
        let slots: HashMap<u16, Slot> =
            carried.apis.iter().map(|(number, api)| (*number, self.slot(api))).collect();
        let late = now.unix_ms.saturating_sub(carried.unix_ms).saturating_mul(1_000_000);
        for (number, cells) in &carried.buckets {
            let bucket = self.numbered(*number);
            for cell in cells {
                if let (Some(slot), Some(quota)) = (slots.get(&cell.slot), Quota::from_word(cell.quota)) {
                    bucket.charge(*slot, quota, &cell.spent.later(late), now);
                }
            }
        }
    }

    /// Forgets the buckets that nobody holds and that are full again; answers how many.
    pub fn sweep(&self, now: Moment) -> usize {
        (0..SWEEPS).map(|turn| self.sweep_some(turn, now)).sum()
    }

    /// As [`sweep`](Self::sweep), for one of [`SWEEPS`] parts of all names: none of a million buckets is in a processor cache.
    pub fn sweep_some(&self, turn: usize, now: Moment) -> usize {
        let some = self.shards.iter().skip(turn % SWEEPS).step_by(SWEEPS);
        some.map(|shard| Self::sweep_shard(&mut lock(shard), now)).sum()
    }

    /// How many buckets there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[expect(clippy::mutable_key_type, reason = "a bucket's number never changes")]
    fn sweep_shard(shard: &mut Shard, now: Moment) -> usize {
        let before = shard.len();
        // Nobody can come to hold one meanwhile: buckets are handed out under the shard's lock only.
        shard.retain(|Numbered(bucket)| Arc::strong_count(bucket) > 1 || !bucket.is_full(now));
        if shard.capacity() / 4 > shard.len() {
            let len = shard.len();
            shard.shrink_to(len * 2);
        }
        before - shard.len()
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

// Nothing panics under these locks, and a map is whole between two calls anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
