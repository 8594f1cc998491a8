//! What many keys have in common, held once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values kept without looking whether anybody still holds them.
const LEAST: usize = 4096;

/// Gives equal values the same allocation, and forgets those that nobody else holds.
#[derive(Debug)]
pub(super) struct Interner<T>(Mutex<Seen<T>>);

#[derive(Debug)]
struct Seen<T> {
    values: HashSet<Arc<T>>,
    /// At so many, those that nobody holds go.
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::new(Seen { values: HashSet::new(), sweep_at: LEAST }))
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The first value seen that equals `value`.
    pub(super) fn shared(&self, value: &Arc<T>) -> Arc<T> {
        let mut seen = self.lock();
        if let Some(shared) = seen.values.get(value) {
            return Arc::clone(shared);
        }
        if seen.values.len() >= seen.sweep_at {
            seen.values.retain(|value| Arc::strong_count(value) > 1);
            // Twice as many as are in use: each sweep is paid for by as many insertions.
            seen.sweep_at = LEAST.max(seen.values.len() * 2);
        }
        seen.values.insert(Arc::clone(value));
        Arc::clone(value)
    }

    // A set is whole between two calls, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Seen<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_become_one_and_those_that_nobody_holds_are_forgotten() {
        let interner = Interner::default();
        let first = Arc::new(7);
        interner.shared(&first);
        assert!(Arc::ptr_eq(&interner.shared(&Arc::new(7)), &first));
        for number in 0..100_000 {
            interner.shared(&Arc::new(number));
        }
        assert!(interner.lock().values.len() <= LEAST);
        let held: Vec<_> = (0..10_000).map(|number| interner.shared(&Arc::new(number))).collect();
        for (number, held) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(&interner.shared(&Arc::new(number)), held));
        }
        assert!(Arc::ptr_eq(&interner.shared(&Arc::new(7)), &first));
    }
}
