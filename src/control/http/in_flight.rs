//! How much one caller has going on at once. What is done for one takes memory and the store's time from all others: whoever
//! asks for much in parallel is told to wait, and nobody else.

use crate::control::domain::DomainError;
use bytes::Bytes;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// When to ask again.
const WAIT: Duration = Duration::from_secs(1);

/// What each caller has going on.
#[derive(Debug)]
pub(super) struct InFlight<C: Hash + Eq> {
    most: u32,
    counts: Arc<Mutex<HashMap<C, u32>>>,
}

/// One thing that is going on, until this is dropped.
#[derive(Debug)]
pub(super) struct One<C: Hash + Eq> {
    of: C,
    counts: Arc<Mutex<HashMap<C, u32>>>,
}

impl<C: Hash + Eq + Clone> InFlight<C> {
    /// So many of each caller at once.
    pub(super) fn new(most: u32) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// Begins one.
    ///
    /// # Errors
    /// [`DomainError::TooManyAttempts`]
    pub(super) fn begin(&self, of: &C) -> Result<One<C>, DomainError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(of.clone()).or_default();
        if *count >= self.most {
            return Err(DomainError::TooManyAttempts(WAIT));
        }
        *count += 1;
        Ok(One { of: of.clone(), counts: Arc::clone(&self.counts) })
    }
}

impl<C: Hash + Eq + Send + 'static> One<C> {
    /// A body that is in memory until its last byte is taken, and counts as long.
    pub(super) fn body(self, text: String) -> Bytes {
        Bytes::from_owner(Held { text, _one: self })
    }
}

impl<C: Hash + Eq> Drop for One<C> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

struct Held<C: Hash + Eq> {
    text: String,
    _one: One<C>,
}

impl<C: Hash + Eq> AsRef<[u8]> for Held<C> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_counts_as_long_as_a_part_of_it_is_held() {
        let files = InFlight::new(2);
        let first = files.begin(&"o1").unwrap().body("x".to_owned());
        let part = first.slice(..1);
        let second = files.begin(&"o1").unwrap();
        assert!(files.begin(&"o1").is_err());
        assert!(files.begin(&"o2").is_ok());
        drop(first);
        assert!(files.begin(&"o1").is_err(), "a part of it is still held");
        drop(part);
        drop(files.begin(&"o1").unwrap());
        drop(second);
        assert!(files.counts.lock().unwrap().is_empty());
    }
}
