//! Signatures that may be used again: of the keys of many clients, with little memory for each, shared by all workers.
//!
//! A signature is found by a hash with a random key over all that it says and who signs it: 64 bits are compared, and as many say where it stands. So there is
//! nothing to forget when a record changes: what is said then has no signature yet. And what is found is put behind what is
//! to be said now: a signature that is somebody else's would prove nothing.
//!
//! The token itself is not kept, it is four times as large. Readers take no lock: a place is a handful of atomic words under
//! a counter that is odd while one of them is written.

use arc_swap::{ArcSwap, ArcSwapOption};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a signature, with each of the algorithms that there are.
pub(super) const SIGNATURE: usize = 64;
/// Places of the smallest table.
const LEAST: usize = 1024;
/// Places looked at for one code, from the one that it points to.
const WINDOW: usize = 8;
/// A table grows when one of so many of its signatures had to make room: each is made once more, which costs as much as a
/// whole request.
const MOST_DISPLACED: usize = 32;
/// Words of a place: its state, the tag, eight of the signature.
const WORDS: usize = 10;
/// Set in the state while a place is written.
const BUSY: u64 = 1 << 63;
/// The state's low half is when it was signed, the rest of it counts how often the place was written.
const WRITTEN_ONCE: u64 = 1 << 32;

/// What a signature is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    home: u64,
    tag: u64,
}

impl Code {
    fn bytes(self) -> [u8; 16] {
        (u128::from(self.home) << 64 | u128::from(self.tag)).to_be_bytes()
    }
}

/// A signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// When it was made, seconds since 1970.
    pub(super) iat: u32,
    pub(super) signature: [u8; SIGNATURE],
}

/// The signatures of this process.
#[derive(Debug)]
pub struct Signatures {
    hasher: SipHasher13,
    most: usize,
    table: ArcSwap<Table>,
    /// Signatures that were still good and had to make room, since the table is as large as it is.
    displaced: AtomicUsize,
    /// Signatures that were kept since [`tend`](Self::tend) looked last.
    kept: AtomicUsize,
    times: Mutex<Times>,
}

/// Seconds since 1970.
#[derive(Debug, Default)]
struct Times {
    /// When the table was made.
    table: u64,
    /// When a signature was kept last.
    kept: u64,
}

#[derive(Debug)]
struct Table {
    places: Box<[Place]>,
    /// The smaller one before it, as long as something in it may be good; behind it those before that.
    outgrown: ArcSwapOption<Table>,
}

#[derive(Debug, Default)]
struct Place([AtomicU64; WORDS]);

impl Signatures {
    /// None yet, and never more than so many: 80 bytes each.
    pub fn new(most: usize) -> Self {
        let random = RandomState::new();
        let mut key = [0; 16];
        key[..8].copy_from_slice(&random.hash_one(0).to_ne_bytes());
        key[8..].copy_from_slice(&random.hash_one(1).to_ne_bytes());
        Self {
            hasher: SipHasher13::new_with_key(&key),
            most: most.max(LEAST),
            table: ArcSwap::from_pointee(Table::new(LEAST, None)),
            displaced: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            times: Mutex::default(),
        }
    }

    /// What the signature of this is found by. Parts are told from each other by their lengths.
    pub(super) fn code(&self, parts: &[&[u8]]) -> Code {
        let mut hasher = self.hasher;
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        let hash = hasher.finish128();
        Code { home: hash.h1, tag: hash.h2 }
    }

    /// An id for the token with this code that is signed at this moment: nobody else's, not to be guessed, and not to be kept.
    pub(super) fn id(&self, code: Code, iat: u32) -> [u8; 16] {
        self.code(&[&code.home.to_ne_bytes(), &code.tag.to_ne_bytes(), &iat.to_ne_bytes()]).bytes()
    }

    /// The signature with this code, if it was made at `since_s` (seconds since 1970) or later.
    pub(super) fn find(&self, code: Code, since_s: u64) -> Option<Signed> {
        let table = self.table.load();
        let good = |signed: &Signed| u64::from(signed.iat) >= since_s;
        if let Some(signed) = table.find(code).filter(good) {
            return Some(signed);
        }
        let mut outgrown = table.outgrown.load_full();
        while let Some(before) = outgrown {
            if let Some(signed) = before.find(code).filter(good) {
                // It moves, as those do that are used. That is no new one.
                table.keep(code, &signed, since_s);
                return Some(signed);
            }
            outgrown = before.outgrown.load_full();
        }
        None
    }

    /// Keeps a signature. Those made before `since_s` make room first, then the oldest.
    pub(super) fn keep(&self, code: Code, signed: &Signed, since_s: u64) {
        if self.table.load().keep(code, signed, since_s) {
            self.displaced.fetch_add(1, Ordering::Relaxed);
        }
        self.kept.fetch_add(1, Ordering::Relaxed);
    }

    /// Fits the table to what is in use. To be called about once a second, by one who may take some milliseconds. A
    /// signature is good for `life_s` at most.
    pub fn tend(&self, now_s: u64, life_s: u64) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if self.kept.swap(0, Ordering::Relaxed) > 0 {
            times.kept = now_s;
        }
        let table = self.table.load_full();
        let places = table.places.len();
        if now_s > times.kept.saturating_add(life_s) && places > LEAST {
            return self.replace(&mut times, now_s, Table::new(LEAST, None));
        }
        let displaced = self.displaced.load(Ordering::Relaxed);
        if displaced > places / MOST_DISPLACED && places < self.most {
            let wanted = (places + displaced).max(places * 2);
            // Not to end just below the most: so those that were outgrown take no more together than the last one.
            let wanted = if wanted > self.most / 2 { self.most } else { wanted };
            return self.replace(&mut times, now_s, Table::new(wanted, Some(table)));
        }
        if now_s > times.table.saturating_add(life_s) {
            times.table = now_s;
            table.outgrown.store(None);
            self.displaced.store(0, Ordering::Relaxed);
        }
    }

    fn replace(&self, times: &mut Times, now_s: u64, table: Table) {
        self.table.store(Arc::new(table));
        self.displaced.store(0, Ordering::Relaxed);
        times.table = now_s;
    }

    /// Places that there are.
    #[cfg(test)]
    fn places(&self) -> usize {
        self.table.load().places.len()
    }
}

impl Table {
    fn new(places: usize, outgrown: Option<Arc<Self>>) -> Self {
        let places = (0..places).map(|_| Place::default()).collect();
        Self { places, outgrown: ArcSwapOption::new(outgrown) }
    }

    /// The places where this code may be. The high bits of a product are the hash's share of the table, whatever its size.
    fn window(&self, code: Code) -> impl Iterator<Item = &Place> {
        let home = ((u128::from(code.home) * self.places.len() as u128) >> 64) as usize;
        let (before, from) = self.places.split_at(home);
        from.iter().chain(before).take(WINDOW)
    }

    fn find(&self, code: Code) -> Option<Signed> {
        self.window(code).find_map(|place| place.read(code.tag))
    }

    /// Whether one that is still good had to make room.
    fn keep(&self, code: Code, signed: &Signed, since_s: u64) -> bool {
        let mut oldest: Option<(u64, &Place)> = None;
        for place in self.window(code) {
            let iat = place.iat();
            if place.tag() == code.tag || iat < since_s {
                place.write(code.tag, signed);
                return false;
            }
            if oldest.is_none_or(|(found, _)| iat < found) {
                oldest = Some((iat, place));
            }
        }
        oldest.is_some_and(|(_, place)| place.write(code.tag, signed))
    }
}

impl Place {
    fn tag(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    /// 0 where there is none yet.
    fn iat(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed) & u64::from(u32::MAX)
    }

    /// What is here, if it has this tag and is not being written.
    fn read(&self, tag: u64) -> Option<Signed> {
        let state = self.0[0].load(Ordering::Acquire);
        let iat = state as u32;
        if self.tag() != tag || state & BUSY != 0 || iat == 0 {
            return None;
        }
        let mut signature = [0; SIGNATURE];
        for (bytes, word) in signature.chunks_exact_mut(8).zip(&self.0[2..]) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        // Nothing above happens after this look: the state is the same only if nothing was written meanwhile.
        fence(Ordering::Acquire);
        if self.tag() != tag || self.0[0].load(Ordering::Relaxed) != state {
            return None;
        }
        Some(Signed { iat, signature })
    }

    /// Whether it was written: not when somebody else is at it, whose signature is as good as ours.
    fn write(&self, tag: u64, signed: &Signed) -> bool {
        let state = self.0[0].load(Ordering::Relaxed);
        if state & BUSY != 0
            || self.0[0].compare_exchange(state, state | BUSY, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return false;
        }
        // Nothing below is seen before it is seen that the place is busy.
        fence(Ordering::Release);
        self.0[1].store(tag, Ordering::Relaxed);
        for (word, bytes) in self.0[2..].iter().zip(signed.signature.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(eight), Ordering::Relaxed);
        }
        let written = (state & !u64::from(u32::MAX)).wrapping_add(WRITTEN_ONCE) & !BUSY;
        self.0[0].store(written | u64::from(signed.iat), Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Every byte of it follows from its number.
    fn signed(number: u64, iat: u32) -> Signed {
        let mut signature = [0; SIGNATURE];
        for bytes in signature.chunks_exact_mut(8) {
            bytes.copy_from_slice(&number.to_ne_bytes());
        }
        Signed { iat, signature }
    }

    fn code(signatures: &Signatures, number: u64) -> Code {
        signatures.code(&[&number.to_ne_bytes()])
    }

    #[test]
    fn a_signature_is_found_by_all_of_what_it_says_for_as_long_as_it_is_good() {
        let signatures = Signatures::new(0);
        let mine = signatures.code(&[b"head", b"payload"]);
        signatures.keep(mine, &signed(7, 1000), 500);
        assert_eq!(signatures.find(mine, 1000), Some(signed(7, 1000)));
        assert_eq!(signatures.find(mine, 1001), None);
        for other in [&[b"head".as_slice(), b"payloae"], &[b"headp", b"ayload"], &[b"headpayload", b""]] {
            assert_eq!(signatures.find(signatures.code(other), 0), None, "{other:?}");
        }
        signatures.keep(mine, &signed(8, 1200), 1100);
        assert_eq!(signatures.find(mine, 1000), Some(signed(8, 1200)));
        assert_ne!(Signatures::new(0).code(&[b"head", b"payload"]), mine, "hashed with a key of its own");
    }

    #[test]
    fn it_grows_with_what_is_in_use_and_shrinks_when_nothing_is() {
        let signatures = Signatures::new(50_000);
        let mut now = 10_000;
        for turn in 0..20 {
            for number in 0..30_000 {
                let code = code(&signatures, number);
                if signatures.find(code, now - 240).is_none() {
                    signatures.keep(code, &signed(number, now as u32), now - 240);
                }
            }
            now += 1;
            signatures.tend(now, 240);
            assert!(signatures.places() <= 50_000, "turn {turn}");
        }
        let held = (0..30_000).filter(|number| signatures.find(code(&signatures, *number), 0).is_some());
        assert!(held.count() > 29_000);
        // In use until now.
        signatures.keep(code(&signatures, 0), &signed(0, now as u32), now - 240);
        signatures.tend(now, 240);
        signatures.tend(now + 240, 240);
        assert!(signatures.places() > LEAST);
        signatures.tend(now + 241, 240);
        assert_eq!(signatures.places(), LEAST);
    }

    #[test]
    fn what_was_signed_while_it_grew_is_found_until_it_is_over() {
        let signatures = Signatures::new(200_000);
        let (keys, began) = (100_000, 10_000);
        for number in 0..keys {
            signatures.keep(code(&signatures, number), &signed(number, began), 0);
            if number % 5_000 == 0 {
                signatures.tend(began.into(), 240);
            }
        }
        assert!(signatures.places() > keys as usize);
        let lost =
            (0..keys).filter(|number| signatures.find(code(&signatures, *number), 0).is_none()).count();
        // Those of the first moment, for which there was no room yet, and some of each table.
        assert!(lost < 5_000 + keys as usize / MOST_DISPLACED, "{lost}");
        signatures.tend(u64::from(began) + 241, 240);
        assert!(signatures.table.load().outgrown.load().is_none());
    }

    #[test]
    fn what_is_read_while_others_write_is_whole() {
        let signatures = Signatures::new(0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let (signatures, stop) = (&signatures, &stop);
                scope.spawn(move || {
                    let mut number = writer;
                    while !stop.load(Ordering::Relaxed) {
                        // Few codes, so that places are contended for; each has a signature that says whose it is.
                        number += 2;
                        signatures.keep(
                            code(signatures, number % 16),
                            &signed(number, 1 + number as u32 % 1000),
                            0,
                        );
                    }
                });
            }
            let mut found = 0;
            while found < 200_000 {
                for number in 0..16 {
                    let Some(read) = signatures.find(code(&signatures, number), 0) else { continue };
                    let whose = u64::from_ne_bytes(read.signature[..8].try_into().unwrap());
                    assert_eq!((read, whose % 16), (signed(whose, 1 + whose as u32 % 1000), number));
                    found += 1;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
