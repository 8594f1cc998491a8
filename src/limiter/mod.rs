//! The rate limiter: buckets that are lock-free to take from, named by who is limited. No HTTP, no SQL, no clock.

use std::num::NonZeroU32;
use std::time::Duration;

/// How a rate is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A bucket `requests` deep, refilled evenly with `requests` per `per`.
    TokenBucket,
    /// Never more than `requests` in any stretch of `per`.
    SlidingWindow,
    /// `requests` in each clock-aligned window of `per`.
    FixedWindow,
}

/// How many requests in what time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Requests in one period, and the depth of the bucket.
    pub requests: NonZeroU32,
    /// The period; never zero.
    pub per: Duration,
    /// How it is counted.
    pub algorithm: Algorithm,
}

/// Placeholder until the limiter is here.
#[derive(Debug, Default)]
pub struct Limiter;

impl Limiter {
    /// An empty limiter.
    pub fn new() -> Self {
        Self
    }

    /// The bucket of that name.
    pub fn bucket(&self, _name: &str) -> std::sync::Arc<Bucket> {
        std::sync::Arc::new(Bucket)
    }
}

/// Placeholder until the limiter is here.
#[derive(Debug)]
pub struct Bucket;
