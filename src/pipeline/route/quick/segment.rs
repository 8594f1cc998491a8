//! Segments of a path, read eight bytes at a time: where one ends and what it hashes to is found in one pass.

const SLASHES: u64 = 0x2f2f_2f2f_2f2f_2f2f;
/// Upper and lower case become one. Other characters that do, too, only look alike without need.
const FOLD: u64 = 0x2020_2020_2020_2020;
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// One segment of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    start: usize,
    /// The place behind its last byte: of a slash, or of nothing.
    pub(super) end: usize,
    /// The same for all spellings of one word in upper and lower case.
    pub(super) hash: u32,
    /// The last of its [`words`].
    last: u64,
}

impl Segment {
    /// What stands from `start` on, up to a slash or the end of the text.
    #[inline(always)]
    pub(super) fn at(text: &[u8], start: usize) -> Self {
        let (mut at, mut hash) = (start, 0_u64);
        loop {
            let (last, length) = before_slash(word(text, at));
            hash = (hash.rotate_left(29) ^ (last | FOLD)).wrapping_mul(ODD);
            at += length;
            if length < 8 {
                return Self { start, end: at, hash: (hash >> 32) as u32, last };
            }
        }
    }

    /// Whether these are its [`words`]. No text has a byte that is zero.
    #[inline(always)]
    pub(super) fn is(&self, text: &[u8], words: &[u64]) -> bool {
        let Some((last, full)) = words.split_last() else { return false };
        let chunks = text.get(self.start..self.end).unwrap_or_default().as_chunks::<8>().0;
        if *last != self.last || full.len() != chunks.len() {
            return false;
        }
        for (chunk, word) in chunks.iter().zip(full) {
            if u64::from_le_bytes(*chunk) != *word {
                return false;
            }
        }
        true
    }
}

/// The words of a text without a slash: of eight bytes each, and the last of fewer, or of none, and of zeros.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = u64> {
    (0..=text.len() / 8).map(|number| before_slash(word(text, number * 8)).0)
}

/// Where the segment from here on ends.
#[inline(always)]
pub(super) fn end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let (_, length) = before_slash(word(text, at));
        at += length;
        if length < 8 {
            return at;
        }
    }
}

/// Eight bytes from here on, slashes behind the end of the text.
#[inline(always)]
fn word(text: &[u8], at: usize) -> u64 {
    if let Some(chunk) = text.get(at..at + 8).and_then(|chunk| chunk.first_chunk()) {
        return u64::from_le_bytes(*chunk);
    }
    let rest = text.len().saturating_sub(at);
    let bytes = match text.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => whole(text),
    };
    // In two steps: none may be of all 64 bits.
    let lost = 8 * (7 - rest);
    (bytes >> lost >> 8) | !(u64::MAX >> lost >> 8) & SLASHES
}

/// A text of less than eight bytes, at the upper end of a word.
#[cold]
fn whole(text: &[u8]) -> u64 {
    text.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)) << (8 * (8 - text.len()) % 64)
}

/// The bytes of a word before its first slash, and how many they are.
#[inline(always)]
fn before_slash(word: u64) -> (u64, usize) {
    let others = word ^ SLASHES;
    // The lowest bit that is set stands at the first byte that is zero.
    let zeros = others.wrapping_sub(0x0101_0101_0101_0101) & !others & 0x8080_8080_8080_8080;
    let first = zeros & zeros.wrapping_neg();
    (word & (first >> 7).wrapping_sub(1), zeros.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str, start: usize) -> (&str, u32) {
        let segment = Segment::at(text.as_bytes(), start);
        (&text[start..segment.end], segment.hash)
    }

    #[test]
    fn a_segment_is_found_wherever_it_stands() {
        for length in 0..40 {
            let name = "0123456789abcdefghijklmnopqrstuvwxyzABCD"[..length].to_owned();
            let alone = segment(&name, 0);
            assert_eq!(alone.0, name);
            for before in 0..20 {
                for behind in ["", "/", "/x", "/resource-3", "//"] {
                    let text = format!("{}{name}{behind}", "/".repeat(before));
                    assert_eq!(segment(&text, before), alone, "{text}");
                    let label: Vec<u64> = words(name.as_bytes()).collect();
                    assert!(Segment::at(text.as_bytes(), before).is(text.as_bytes(), &label), "{text}");
                }
            }
        }
    }

    #[test]
    fn words_differ_and_their_cases_do_not() {
        let hash = |text: &str| segment(text, 0).1;
        assert_eq!(hash("projectUsers-of-Everyone"), hash("PROJECTuSERS-OF-eVERYONE"));
        let all: std::collections::HashSet<u32> =
            (0..20_000).map(|n| hash(&format!("resource-{n}"))).collect();
        assert_eq!(all.len(), 20_000, "as many as there are words");
        for (one, other) in [("a", "aa"), ("resource-1", "resource-2"), ("12345678", "1234567"), ("", "a")] {
            assert_ne!(hash(one), hash(other));
            let label: Vec<u64> = words(one.as_bytes()).collect();
            let other_one = Segment::at(other.as_bytes(), 0);
            assert!(!other_one.is(other.as_bytes(), &label), "{one} {other}");
        }
    }
}
