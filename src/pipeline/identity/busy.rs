//! What one worker has prepared for those that come often. In four ways of so many sets: whoever finds the four taken gets
//! in when it comes twice, with none of the others in between. So that a million keys in random order, of which none comes
//! soon again, drive nobody out and cost no memory.

/// Sets; a power of two.
const SETS: usize = 4096;
const WAYS: usize = 4;
/// Parts in which [`Busy::sweep`] goes over them.
const SWEEPS: usize = 64;

/// Values by a random hash of what they are of. Each is good until a second since 1970, which is looked at without the value:
/// that is elsewhere in memory.
#[derive(Debug)]
pub(super) struct Busy<T> {
    sets: Box<[Set<T>]>,
    swept: usize,
}

#[derive(Debug)]
struct Set<T> {
    tags: [u64; WAYS],
    /// Until when each is good; 0 where there is none.
    until_s: [u64; WAYS],
    values: [Option<Box<T>>; WAYS],
    /// Who came last and found no room.
    wanted: u64,
    /// Whose turn it is to make room.
    turn: u8,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { tags: [0; WAYS], until_s: [0; WAYS], values: [const { None }; WAYS], wanted: 0, turn: 0 }
    }
}

impl<T> Default for Busy<T> {
    /// Without memory, until there is a value.
    fn default() -> Self {
        Self { sets: Box::default(), swept: 0 }
    }
}

impl<T> Busy<T> {
    /// The value of this tag that is good now. It may be another's: tags can agree.
    pub(super) fn find(&self, tag: u64, now_s: u64) -> Option<&T> {
        let set = self.sets.get(home(tag))?;
        let way = (0..WAYS).find(|&way| set.tags[way] == tag && set.until_s[way] > now_s)?;
        set.values[way].as_deref()
    }

    /// Makes and keeps a value that is good until then, in place of one with this tag or one that is over, if there is room
    /// for it.
    pub(super) fn keep(&mut self, tag: u64, until_s: u64, now_s: u64, make: impl FnOnce() -> T) {
        if self.sets.is_empty() {
            self.sets = (0..SETS).map(|_| Set::default()).collect();
        }
        let set = &mut self.sets[home(tag)];
        let same = set.tags.iter().position(|held| *held == tag);
        let free = || set.until_s.iter().position(|held| *held <= now_s);
        let way = match same.or_else(free) {
            Some(way) => way,
            None if set.wanted == tag => {
                set.turn = (set.turn + 1) % WAYS as u8;
                usize::from(set.turn)
            }
            None => {
                set.wanted = tag;
                return;
            }
        };
        set.values[way] = Some(Box::new(make()));
        (set.tags[way], set.until_s[way]) = (tag, until_s);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what is over, in one of [`SWEEPS`] parts of all there is.
    pub(super) fn sweep(&mut self, now_s: u64) {
        self.swept = (self.swept + 1) % SWEEPS;
        for set in self.sets.iter_mut().skip(self.swept).step_by(SWEEPS) {
            for (value, until_s) in set.values.iter_mut().zip(&mut set.until_s) {
                if *until_s <= now_s {
                    (*value, *until_s) = (None, 0);
                }
            }
        }
    }
}

fn home(tag: u64) -> usize {
    (tag >> 32) as usize % SETS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tags of one set.
    fn tag(number: u64) -> u64 {
        7 << 32 | number
    }

    fn held(busy: &Busy<u64>, now_s: u64) -> Vec<u64> {
        (0..100).filter(|number| busy.find(tag(*number), now_s) == Some(number)).collect()
    }

    #[test]
    fn who_comes_once_drives_nobody_out_and_who_comes_twice_does() {
        let mut busy = Busy::<u64>::default();
        assert_eq!(busy.find(0, 0), None);
        for number in 0..50 {
            busy.keep(tag(number), 9, 1, || number);
        }
        assert_eq!(held(&busy, 1), [0, 1, 2, 3]);
        busy.keep(tag(49), 9, 1, || 49);
        assert_eq!(held(&busy, 1).len(), 4);
        assert_eq!(busy.find(tag(49), 1), Some(&49));
        busy.keep(tag(50), 9, 1, || 50);
        busy.keep(tag(51), 9, 1, || 51);
        busy.keep(tag(50), 9, 1, || 50);
        assert_eq!(busy.find(tag(50), 1), None);
        assert_eq!(busy.find(0, 1), None, "an empty place is nobody's, whatever its tag");
    }

    #[test]
    fn what_is_over_makes_room_and_is_swept() {
        let mut busy = Busy::<u64>::default();
        for number in 0..4 {
            busy.keep(tag(number), 10 + number, 1, || number);
        }
        assert_eq!(held(&busy, 11), [2, 3]);
        busy.keep(tag(5), 20, 10, || 5);
        assert_eq!(held(&busy, 1), [1, 2, 3, 5]);
        busy.keep(tag(5), 20, 10, || 99);
        assert_eq!(busy.find(tag(5), 19), Some(&99));
        assert_eq!(busy.find(tag(5), 20), None, "good until then, and not then");
        let values = |busy: &Busy<u64>| busy.sets.iter().flat_map(|set| &set.values).flatten().count();
        assert_eq!(values(&busy), 4);
        (0..SWEEPS).for_each(|_| busy.sweep(12));
        assert_eq!((values(&busy), held(&busy, 12)), (2, vec![3]));
        busy.clear();
        assert!(held(&busy, 0).is_empty());
    }
}
