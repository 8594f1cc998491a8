//! Keys by a code of their text: a key that was found by its digest once is found again without its SHA-256, which
//! on a processor without instructions for it costs as much as the rest of a decision.
//!
//! A code is 96 bits of two hashes with random keys of this process; the text itself is not kept. A third of them stands in
//! the table, to be compared before the entry is touched; the others, a SipHash, in the entry, and say where in the table it
//! belongs. Another text has the code of a key with a chance of 2^-64 at most for each, and there is no way to look for one
//! but sending requests.
//!
//! What is found here is only a hint. An entry that leaves the index is revoked before it leaves this table, and
//! one that is revoked is not found; so that what is found is exactly what the index by digest would have answered.
//! The table changes under the gate's lock only. It may forget what it likes: then the digest is computed once more.

use super::Entry;
use super::gate::{Gate, Inner};
use crate::prefetch;
use arc_swap::ArcSwapOption;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Places looked at for one code, from the one that it points to: four or five processor cache lines, of which the first nearly
/// always has it.
const WINDOW: usize = 16;

/// Bytes of a processor cache line.
const LINE: isize = 64;

/// Places of the smallest table.
const LEAST: usize = 4096;

/// Tables that there can be one after the other, each twice as large as the one before.
const LEVELS: usize = 40;

/// What stands for a key's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The part that its entry has.
    pub(super) mark: u64,
    /// The part that its place has.
    pub(super) tag: u32,
}

/// One of the table's places.
#[derive(Debug, Default)]
struct Place {
    tag: AtomicU32,
    /// How many processor cache lines behind its entry [`Entry::whereabouts`] is: nothing depends on its being right.
    near: AtomicU32,
    entry: ArcSwapOption<Entry>,
}

/// The table. Readers take no lock.
#[derive(Debug)]
pub(super) struct Codes {
    siphash: RandomState,
    beside: foldhash::quality::RandomState,
    /// Tables that were outgrown stay, empty: together they are no larger than the present one.
    levels: [OnceLock<Box<[Place]>>; LEVELS],
    level: AtomicUsize,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            siphash: RandomState::new(),
            beside: Default::default(),
            levels: [const { OnceLock::new() }; LEVELS],
            level: AtomicUsize::new(0),
        }
    }
}

impl Codes {
    /// The code of a key's text.
    pub(super) fn of(&self, key: &[u8]) -> Code {
        let mut siphash = self.siphash.build_hasher();
        siphash.write(key);
        let mut beside = self.beside.build_hasher();
        beside.write(key);
        Code { mark: siphash.finish(), tag: beside.finish() as u32 }
    }

    /// Begins to look for a code that will be asked for in a moment.
    pub(super) fn expect(&self, code: Code) {
        if let Some(table) = self.table().filter(|table| !table.is_empty()) {
            // Not seldom the next place or the one after it has it, on the next line.
            let place = prefetch::address(&table[home(table, code.mark)]);
            prefetch::line(place);
            prefetch::line(place + 64);
        }
    }

    /// Goes on with it, once the place has had time to come.
    pub(super) fn approach(&self, code: Code) {
        let Some(table) = self.table() else { return };
        let tagged = |place: &&Place| place.tag.load(Ordering::Relaxed) == code.tag;
        if let Some(place) = window(table, code.mark).find(tagged)
            && let Some(entry) = &*place.entry.load()
        {
            prefetch::line(place.whereabouts(entry));
            entry.fetch();
        }
    }

    /// The key with this code, as long as it is in the index.
    pub(super) fn find(&self, code: Code) -> Option<Arc<Entry>> {
        let tagged = |place: &&Place| place.tag.load(Ordering::Relaxed) == code.tag;
        for place in window(self.table()?, code.mark).filter(tagged) {
            // The place may have been given to another key since its tag was read: the entry decides.
            if let Some(entry) = &*place.entry.load()
                && entry.stands_for(code)
            {
                // Counted later, when the decision has been made.
                entry.fetch_slot();
                return Some(Arc::clone(entry));
            }
        }
        None
    }

    /// Finds this entry by this code from now on. It has to be in the index.
    pub(super) fn remember(&self, _gate: &mut Inner, code: Code, entry: &Arc<Entry>) {
        let Some(table) = self.table() else { return };
        if entry.revoked() || window(table, code.mark).any(|place| place.holds(entry)) {
            return;
        }
        entry.set_code(code);
        enter(table, code, entry);
    }

    /// Forgets an entry.
    pub(super) fn forget(&self, _gate: &mut Inner, entry: &Arc<Entry>) {
        // Without a code, the search ends in vain where such a code would be.
        let Some(table) = self.table() else { return };
        for place in window(table, entry.mark()).filter(|place| place.holds(entry)) {
            place.entry.store(None);
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self, _gate: &mut Inner) {
        self.table().into_iter().for_each(empty);
    }

    /// Makes room for so many keys. A table that replaces another one begins empty: each key's digest is computed once
    /// more, rather than that everyone waits while all are moved.
    pub(super) fn fit(&self, gate: &Gate, keys: usize) {
        let outgrown = self.table();
        let held = outgrown.map_or(0, <[Place]>::len);
        if held >= LEAST.max(keys + keys / 8) {
            return;
        }
        let level = self.level.load(Ordering::Acquire) + usize::from(outgrown.is_some());
        let Some(next) = self.levels.get(level) else { return };
        let places = (keys + keys / 2).max(held * 2).max(LEAST);
        next.get_or_init(|| (0..places).map(|_| Place::default()).collect());
        {
            // So that nothing is entered into the old one any more.
            let _gate = gate.lock();
            self.level.store(level, Ordering::Release);
        }
        outgrown.into_iter().for_each(empty);
    }

    /// How many keys are found by their code.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let places = self.levels.iter().filter_map(OnceLock::get).flatten();
        places.filter(|place| place.entry.load().is_some()).count()
    }

    fn table(&self) -> Option<&[Place]> {
        self.levels[self.level.load(Ordering::Acquire)].get().map(AsRef::as_ref)
    }
}

impl Place {
    /// As [`Entry::whereabouts`], from the entry's address alone: the entry itself has not come yet.
    fn whereabouts(&self, entry: &Arc<Entry>) -> usize {
        // Either may be the lower one.
        let lines = self.near.load(Ordering::Relaxed).cast_signed() as isize;
        Arc::as_ptr(entry).addr().wrapping_add_signed(lines * LINE)
    }

    fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.entry.load().as_ref().is_some_and(|held| Arc::ptr_eq(held, entry))
    }
}

fn lines_between(entry: &Arc<Entry>) -> u32 {
    let bytes = entry.whereabouts().wrapping_sub(Arc::as_ptr(entry).addr()).cast_signed();
    (bytes.div_euclid(LINE) as i32).cast_unsigned()
}

/// The places where the code with this mark may be.
fn window(table: &[Place], mark: u64) -> impl Iterator<Item = &Place> {
    let (before, from) = table.split_at(home(table, mark));
    from.iter().chain(before).take(WINDOW)
}

/// The high bits of a product are the mark's share of the table, whatever its size.
fn home(table: &[Place], mark: u64) -> usize {
    ((u128::from(mark) * table.len() as u128) >> 64) as usize
}

/// Takes the first free place; in a full window the first one, whose key is found by its digest then.
fn enter(table: &[Place], code: Code, entry: &Arc<Entry>) {
    let free = window(table, code.mark).find(|place| place.entry.load().is_none());
    if let Some(place) = free.or_else(|| window(table, code.mark).next()) {
        place.near.store(lines_between(entry), Ordering::Relaxed);
        place.tag.store(code.tag, Ordering::Relaxed);
        place.entry.store(Some(Arc::clone(entry)));
    }
}

fn empty(table: &[Place]) {
    table.iter().filter(|place| place.entry.load().is_some()).for_each(|place| place.entry.store(None));
}
