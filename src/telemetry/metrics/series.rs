//! Counters and gauges of the control side: rare to change, hence plain shared atomics behind handles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets the number.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1.0);
    }

    /// Takes one away.
    pub fn decrement(&self) {
        self.add(-1.0);
    }

    /// Adds `more`, which may be negative.
    pub fn add(&self, more: f64) {
        let add = |bits| Some((f64::from_bits(bits) + more).to_bits());
        // Cannot fail: the closure always answers.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The number.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Handles by the values of their labels.
#[derive(Debug)]
pub(super) struct Series<T>(Mutex<BTreeMap<Vec<Box<str>>, Arc<T>>>);

impl<T: Default> Series<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The handle for these labels, the same one each time.
    pub(super) fn of(&self, labels: &[&str]) -> Arc<T> {
        let key = labels.iter().map(|label| Box::from(*label)).collect();
        Arc::clone(self.lock().entry(key).or_default())
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Forgets those whose handle nobody holds: what they spoke of is gone.
    pub(super) fn forget_unheld(&self) {
        self.lock().retain(|_, handle| Arc::strong_count(handle) > 1);
    }

    pub(super) fn collect<V>(&self, value: impl Fn(&T) -> V) -> Vec<(Vec<Box<str>>, V)> {
        self.lock().iter().map(|(labels, handle)| (labels.clone(), value(handle))).collect()
    }

    // A map is whole between two calls, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<Box<str>>, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
