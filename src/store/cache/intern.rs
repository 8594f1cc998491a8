//! What many keys have in common, held once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values kept without looking whether anybody still holds them.
const LEAST: usize = 4096;

/// Gives values that have the same key the same allocation, and forgets those that nobody else holds.
#[derive(Debug)]
pub(super) struct Interner<K, T>(Mutex<Seen<K, T>>);

#[derive(Debug)]
struct Seen<K, T> {
    values: HashSet<Keyed<K, T>>,
    /// At so many, those that nobody holds go.
    sweep_at: usize,
}

/// A value, found by the key that it has itself.
#[derive(Debug)]
struct Keyed<K, T>(Arc<T>, PhantomData<K>);

impl<K, T: Borrow<K>> Borrow<K> for Keyed<K, T> {
    fn borrow(&self) -> &K {
        (*self.0).borrow()
    }
}

impl<K: Hash, T: Borrow<K>> Hash for Keyed<K, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        <Self as Borrow<K>>::borrow(self).hash(state);
    }
}

impl<K: Eq, T: Borrow<K>> PartialEq for Keyed<K, T> {
    fn eq(&self, other: &Self) -> bool {
        <Self as Borrow<K>>::borrow(self) == <Self as Borrow<K>>::borrow(other)
    }
}

impl<K: Eq, T: Borrow<K>> Eq for Keyed<K, T> {}

impl<K, T> Default for Interner<K, T> {
    fn default() -> Self {
        Self(Mutex::new(Seen { values: HashSet::new(), sweep_at: LEAST }))
    }
}

impl<K: Eq + Hash, T: Borrow<K>> Interner<K, T> {
    /// The first value seen that has this key; made by `make` when there is none.
    pub(super) fn shared(&self, key: &K, make: impl FnOnce() -> T) -> Arc<T> {
        let mut seen = self.lock();
        if let Some(Keyed(shared, _)) = seen.values.get(key) {
            return Arc::clone(shared);
        }
        if seen.values.len() >= seen.sweep_at {
            seen.values.retain(|Keyed(value, _)| Arc::strong_count(value) > 1);
            // Twice as many as are in use: each sweep is paid for by as many insertions.
            seen.sweep_at = LEAST.max(seen.values.len() * 2);
        }
        let value = Arc::new(make());
        seen.values.insert(Keyed(Arc::clone(&value), PhantomData));
        value
    }

    // A set is whole between two calls, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Seen<K, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_become_one_and_those_that_nobody_holds_are_forgotten() {
        let interner = Interner::<i32, i32>::default();
        let first = interner.shared(&7, || 7);
        assert!(Arc::ptr_eq(&interner.shared(&7, || panic!("there is one")), &first));
        for number in 0..100_000 {
            interner.shared(&number, || number);
        }
        assert!(interner.lock().values.len() <= LEAST);
        let held: Vec<_> = (0..10_000).map(|number| interner.shared(&number, || number)).collect();
        for (number, held) in (0..).zip(&held) {
            assert!(Arc::ptr_eq(&interner.shared(&number, || panic!("there is one")), held));
        }
        assert!(Arc::ptr_eq(&interner.shared(&7, || panic!("there is one")), &first));
    }
}
