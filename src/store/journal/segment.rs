//! A stretch of the journal's file, mapped into memory: an array of counters.

use super::Usage;
use crate::prefetch;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots of one segment.
pub(super) const SLOTS: usize = 16_384;
/// Words of one slot: row, total, last use, and the total that the store has seen, for this process alone. One cache line
/// has two of them.
const WORDS: usize = 4;
/// Bytes of one slot in the file.
pub(super) const SLOT_BYTES: usize = WORDS * size_of::<u64>();
const SEGMENT_BYTES: usize = SLOTS * SLOT_BYTES;

#[derive(Debug)]
pub(super) struct Segment {
    map: memmap2::MmapRaw,
    /// Number of the first slot.
    first: u32,
}

impl Segment {
    /// Lengthens `file`, which has so many segments, by some more, and maps those.
    pub(super) fn append(file: &File, segments: usize, more: usize) -> io::Result<Vec<Self>> {
        // Real zeros, on the disk before the first use: a hole would turn a full disk into a SIGBUS at a store.
        let zeros = vec![0; SEGMENT_BYTES];
        for index in segments..segments + more {
            file.write_all_at(&zeros, (index * SEGMENT_BYTES) as u64)?;
        }
        if more > 0 {
            file.sync_all()?;
        }
        (segments..segments + more).map(|index| Self::map(file, index)).collect()
    }

    fn map(file: &File, index: usize) -> io::Result<Self> {
        let offset = (index * SEGMENT_BYTES) as u64;
        let map = memmap2::MmapOptions::new().offset(offset).len(SEGMENT_BYTES).map_raw(file)?;
        Ok(Self { map, first: u32::try_from(index * SLOTS).map_err(io::Error::other)? })
    }

    /// The numbers of its slots.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        self.first..self.first + SLOTS as u32
    }

    #[expect(unsafe_code, reason = "the mapping is memory that only atomics touch")]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, SEGMENT_BYTES long and lives as long as `self`; every bit pattern is a
        // valid u64; this process touches it through these atomics only, and other processes only read the file: to
        // recover it once its owner's lock is free, or for a backup while it is not.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), SLOTS * WORDS) }
    }

    fn slot(&self, number: u32) -> &[AtomicU64] {
        let start = (number - self.first) as usize * WORDS;
        &self.words()[start..start + WORDS]
    }

    /// Gives a slot to a key. All that was counted in it before must be in the store.
    pub(super) fn assign(&self, number: u32, row: u64) {
        let slot = self.slot(number);
        // The old owner's last use goes first, or a crash in between would make it the new owner's.
        slot[2].store(0, Ordering::Release);
        slot[0].store(row, Ordering::Release);
    }

    /// One addition and one store, on one cache line.
    pub(super) fn count(&self, number: u32, now_ms: u64) {
        let slot = self.slot(number);
        slot[2].store(now_ms, Ordering::Relaxed);
        slot[1].fetch_add(1, Ordering::Release);
    }

    /// Where a slot is, for [`crate::prefetch`].
    pub(super) fn address(&self, number: u32) -> usize {
        prefetch::address(&self.slot(number)[0])
    }

    /// Whom it counts for.
    pub(super) fn row(&self, number: u32) -> u64 {
        self.slot(number)[0].load(Ordering::Relaxed)
    }

    pub(super) fn last_used_ms(&self, number: u32) -> u64 {
        self.slot(number)[2].load(Ordering::Relaxed)
    }

    /// What the store has not seen.
    pub(super) fn unsent(&self) -> impl Iterator<Item = Usage> {
        (self.first..).zip(self.words().chunks_exact(WORDS)).filter_map(|(number, slot)| {
            let total = slot[1].load(Ordering::Acquire);
            (total != slot[3].load(Ordering::Relaxed)).then(|| {
                let [row, last_used_ms] = [0, 2].map(|word| slot[word].load(Ordering::Relaxed));
                Usage { slot: number, row, total, last_used_ms }
            })
        })
    }

    /// The store has seen so much of a slot. Only under the lock of flushes.
    pub(super) fn set_sent(&self, number: u32, total: u64) {
        self.slot(number)[3].store(total, Ordering::Relaxed);
    }

    /// Whether the store has seen all of a slot that nobody counts in any more.
    pub(super) fn is_sent(&self, number: u32) -> bool {
        let slot = self.slot(number);
        slot[1].load(Ordering::Acquire) == slot[3].load(Ordering::Relaxed)
    }
}

/// Reads the slots of a journal's file that were used.
pub(super) fn read(bytes: &[u8]) -> Vec<Usage> {
    let slots = (0u32..).zip(bytes.chunks_exact(SLOT_BYTES));
    slots
        .map(|(slot, bytes)| {
            let word = |at: usize| {
                let mut word = [0; 8];
                word.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
                u64::from_ne_bytes(word)
            };
            Usage { slot, row: word(0), total: word(1), last_used_ms: word(2) }
        })
        .filter(|usage| usage.total > 0)
        .collect()
}
