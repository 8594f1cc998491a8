//! Digests of keys that came a moment ago, so that a busy key is not hashed for each of its requests.
//!
//! A worker remembers a digest under a code of the key's text, made with random keys of its own: SipHash-1-3, and a
//! second, faster hash beside it. The text itself is not kept. Another text has the code of a remembered one with a chance
//! of 2^-64 at most, and there is no way to look for one but sending requests. What is found is only a digest, which is
//! then looked up like any other: nothing here can be stale.

use crate::token::Digest;
use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

/// Digests remembered by one worker; a power of two.
const SLOTS: usize = 4096;

/// A digest and the code that it is found under.
type Slot = Option<((u64, u64), Digest)>;

/// One worker's memory of digests.
#[derive(Debug)]
pub(super) struct Digests {
    siphash: RandomState,
    beside: foldhash::quality::RandomState,
    slots: RefCell<Box<[Slot]>>,
}

impl Default for Digests {
    fn default() -> Self {
        let slots = vec![None; SLOTS].into_boxed_slice();
        Self { siphash: RandomState::new(), beside: Default::default(), slots: RefCell::new(slots) }
    }
}

impl Digests {
    /// The digest of a key's text.
    pub(super) fn of(&self, key: &str) -> Digest {
        let code = (self.siphash.hash_one(key.as_bytes()), self.beside.hash_one(key.as_bytes()));
        let slot = &mut self.slots.borrow_mut()[code.0 as usize % SLOTS];
        match slot {
            Some((held, digest)) if *held == code => *digest,
            _ => slot.insert((code, Digest::of(key))).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_the_first_and_the_second_time() {
        let digests = Digests::default();
        for round in 0..2 {
            for number in 0..10_000 {
                let key = format!("ocr_{number}");
                assert_eq!(digests.of(&key), Digest::of(&key), "round {round}");
            }
        }
    }
}
