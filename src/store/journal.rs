//! Counts uses of keys so that a `kill -9` at any moment loses none and counts none twice.
//!
//! A counter lives in a file mapped into memory: what was added is the kernel's at that instant, whatever happens
//! to the process. The store adds up, in one transaction, what it has not yet seen of each counter.
//!
//! **A slot's total only grows**, also when the slot is given to another key: its new owner goes on from the old
//! one's total, all of which the store has seen by then. So `total - seen(journal, slot)` is always the present
//! owner's, and nothing has to be reset in two places at once.

mod flush;
mod recover;
mod segment;
#[cfg(test)]
mod tests;

pub use flush::Flushed;
pub use recover::{Counted, counted, in_use, recover};

use super::Usage;
use crate::clock::Moment;
use segment::{SLOTS, Segment};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const EXTENSION: &str = "journal";

/// The usage journal of this process. Cloning it gives another handle on the same one.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: String,
    path: PathBuf,
    lease: Arc<Lease>,
    slots: Mutex<Slots>,
    /// Held while the file grows: apart from `slots`, so that only those wait for the disk for whom no slot is left.
    growing: Mutex<()>,
    /// The row with which the next [`flush_some`](Journal::flush_some) begins. Locked while uses are sent: a second one who
    /// does it at the same time would free slots on the strength of totals that the first has read before.
    flushing: tokio::sync::Mutex<u64>,
}

/// What stays as long as there is a slot of the journal.
#[derive(Debug)]
struct Lease {
    /// Holds the advisory lock that tells other processes that this journal has a living owner.
    file: File,
    /// Slots whose owner is gone, but whose last uses the store may not have seen. Apart from [`Slots`]: an
    /// entry may be dropped by a worker, which must not wait for whoever hands out slots.
    retired: Mutex<Vec<u32>>,
}

/// A segment, and what its slots need: one pointer for each of a million slots.
#[derive(Debug)]
struct Leased {
    segment: Segment,
    lease: Arc<Lease>,
}

#[derive(Debug, Default)]
struct Slots {
    segments: Vec<Arc<Leased>>,
    /// Slots that nobody owns and that are flushed.
    free: Vec<u32>,
}

impl Journal {
    /// Starts a journal in `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// When the folder or the file can not be made, or the disk is full.
    pub fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let (id, path, file) = loop {
            if let Some(new) = create(folder)? {
                break new;
            }
        };
        let journal = Self(Arc::new(Shared {
            id,
            path,
            lease: Arc::new(Lease { file, retired: Mutex::default() }),
            slots: Mutex::default(),
            growing: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        }));
        journal.reserve(1)?;
        Ok(journal)
    }

    /// A counter for the key with this [`row`](super::TokenRecord::row). May wait for the disk.
    ///
    /// # Errors
    /// When the file would have to grow and can not, for instance because the disk is full.
    pub fn slot(&self, row: u64, now: Moment) -> io::Result<Slot> {
        loop {
            if let Some(slot) = self.free_slot(row, now) {
                return Ok(slot);
            }
            self.reserve(1)?;
        }
    }

    fn free_slot(&self, row: u64, now: Moment) -> Option<Slot> {
        let mut slots = lock(&self.0.slots);
        let number = slots.free.pop()?;
        let leased = Arc::clone(&slots.segments[number as usize / SLOTS]);
        leased.segment.assign(number, row);
        let since_s = u32::try_from(now.unix_s()).unwrap_or(u32::MAX);
        Some(Slot { leased, number, since_s })
    }

    /// Sees to it that there are so many counters to be had. Waits for the disk, as long as they last nobody else does.
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    pub fn reserve(&self, wanted: usize) -> io::Result<()> {
        let _growing = lock(&self.0.growing);
        let (free, segments) = {
            let slots = lock(&self.0.slots);
            (slots.free.len(), slots.segments.len())
        };
        let missing = wanted.saturating_sub(free).div_ceil(SLOTS);
        let appended = Segment::append(&self.0.lease.file, segments, missing)?;
        lock(&self.0.slots).take_in(appended, &self.0.lease);
        Ok(())
    }

    /// Its name, under which the store remembers what it has seen.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

/// Makes and locks a journal's file; `None` when a recovering process was quicker to lock it than we were.
fn create(folder: &Path) -> io::Result<Option<(String, PathBuf, File)>> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let path = folder.join(format!("{id}.{EXTENSION}"));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    match file.try_lock() {
        // Whoever recovers a journal renames it under its lock: if the name is still there, the file is ours.
        Ok(()) => Ok(path.exists().then_some((id, path, file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Nothing in here panics half-way through a change, so that a poisoned state is still a good one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slots {
    fn take_in(&mut self, appended: Vec<Segment>, lease: &Arc<Lease>) {
        for segment in appended {
            self.free.extend(segment.numbers().rev());
            self.segments.push(Arc::new(Leased { segment, lease: Arc::clone(lease) }));
        }
    }
}

/// The counter of one key. Dropping it gives it back once its uses are in the store.
pub struct Slot {
    leased: Arc<Leased>,
    number: u32,
    /// When it was handed out, seconds since 1970.
    since_s: u32,
}

impl Slot {
    /// Counts one use. Waits for nothing.
    pub fn count(&self, now: Moment) {
        self.leased.segment.count(self.number, now.unix_ms);
    }

    /// Where it is, for [`crate::prefetch`].
    pub(super) fn address(&self) -> usize {
        self.leased.segment.address(self.number)
    }

    /// Latest use, or else when it was handed out; milliseconds since 1970.
    pub fn last_wanted_ms(&self) -> u64 {
        self.leased.segment.last_used_ms(self.number).max(u64::from(self.since_s) * 1000)
    }

    /// The number that it counts for.
    pub fn row(&self) -> u64 {
        self.leased.segment.row(self.number)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.leased.lease.retired).push(self.number);
    }
}
