//! Lists that many keys have in common, held once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Most different values remembered. Beyond it all are forgotten, which costs memory and nothing else.
const MOST: usize = 4096;

/// Gives equal values the same allocation, for types whose clones share one.
#[derive(Debug)]
pub(super) struct Interner<T>(Mutex<HashSet<T>>);

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The first value seen that equals `value`.
    pub(super) fn shared(&self, value: &T) -> T {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = seen.get(value) {
            return shared.clone();
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(value.clone());
        value.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn equal_lists_become_one_and_many_different_ones_are_bounded() {
        let interner = Interner::default();
        let first: Arc<[u32]> = [7].into();
        interner.shared(&first);
        assert!(Arc::ptr_eq(&interner.shared(&[7].into()), &first));
        for number in 0..10_000 {
            interner.shared(&[number].into());
        }
        assert!(interner.0.lock().unwrap().len() <= MOST);
    }
}
