//! What one worker has prepared for those that come often. In four ways of so many sets: whoever finds the four taken gets
//! in when it comes twice, with none of the others in between. So that a million keys in random order, of which none comes
//! soon again, drive nobody out and cost no memory.

/// Sets; a power of two.
const SETS: usize = 4096;
const WAYS: usize = 4;
/// Parts in which [`Busy::sweep`] goes over them.
const SWEEPS: usize = 64;

/// Values by a random hash of what they are of.
#[derive(Debug)]
pub(super) struct Busy<T> {
    sets: Box<[Set<T>]>,
    swept: usize,
}

#[derive(Debug)]
struct Set<T> {
    tags: [u64; WAYS],
    values: [Option<Box<T>>; WAYS],
    /// Who came last and found no room.
    wanted: u64,
    /// Whose turn it is to make room.
    turn: u8,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { tags: [0; WAYS], values: [const { None }; WAYS], wanted: 0, turn: 0 }
    }
}

impl<T> Default for Busy<T> {
    /// Without memory, until there is a value.
    fn default() -> Self {
        Self { sets: Box::default(), swept: 0 }
    }
}

impl<T> Busy<T> {
    /// The value of this tag. It may be another's: tags can agree.
    pub(super) fn find(&self, tag: u64) -> Option<&T> {
        let set = self.sets.get(home(tag))?;
        let way = set.tags.iter().zip(&set.values).find(|(held, value)| **held == tag && value.is_some());
        way?.1.as_deref()
    }

    /// Makes and keeps a value, in place of one with this tag or one that is over, if there is room for it.
    pub(super) fn keep(&mut self, tag: u64, is_over: impl Fn(&T) -> bool, make: impl FnOnce() -> T) {
        if self.sets.is_empty() {
            self.sets = (0..SETS).map(|_| Set::default()).collect();
        }
        let set = &mut self.sets[home(tag)];
        let free = |way: &usize| set.values[*way].as_deref().is_none_or(&is_over);
        let same = (0..WAYS).find(|way| set.tags[*way] == tag);
        let way = match same.or_else(|| (0..WAYS).find(free)) {
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
        set.tags[way] = tag;
        set.values[way] = Some(Box::new(make()));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what is over, in one of [`SWEEPS`] parts of all there is.
    pub(super) fn sweep(&mut self, is_over: impl Fn(&T) -> bool) {
        self.swept = (self.swept + 1) % SWEEPS;
        for set in self.sets.iter_mut().skip(self.swept).step_by(SWEEPS) {
            for value in &mut set.values {
                if value.as_deref().is_some_and(&is_over) {
                    *value = None;
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

    fn held(busy: &Busy<u64>) -> Vec<u64> {
        (0..100).filter(|number| busy.find(tag(*number)) == Some(number)).collect()
    }

    #[test]
    fn who_comes_once_drives_nobody_out_and_who_comes_twice_does() {
        let mut busy = Busy::<u64>::default();
        assert_eq!(busy.find(0), None);
        for number in 0..50 {
            busy.keep(tag(number), |_| false, || number);
        }
        assert_eq!(held(&busy), [0, 1, 2, 3]);
        busy.keep(tag(49), |_| false, || 49);
        assert_eq!(held(&busy).len(), 4);
        assert_eq!(busy.find(tag(49)), Some(&49));
        busy.keep(tag(50), |_| false, || 50);
        busy.keep(tag(51), |_| false, || 51);
        busy.keep(tag(50), |_| false, || 50);
        assert_eq!(busy.find(tag(50)), None);
        assert_eq!(busy.find(0), None, "an empty place is nobody's, whatever its tag");
    }

    #[test]
    fn what_is_over_makes_room_and_is_swept() {
        let mut busy = Busy::<u64>::default();
        for number in 0..4 {
            busy.keep(tag(number), |_| false, || number);
        }
        busy.keep(tag(5), |value| *value == 2, || 5);
        assert_eq!(held(&busy), [0, 1, 3, 5]);
        busy.keep(tag(5), |_| false, || 99);
        assert_eq!(busy.find(tag(5)), Some(&99));
        (0..SWEEPS).for_each(|_| busy.sweep(|value| *value < 2));
        assert_eq!(held(&busy), [3]);
        busy.clear();
        assert!(held(&busy).is_empty());
    }
}
