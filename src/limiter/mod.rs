//! The rate limiter: buckets that are lock-free to take from, named by who is limited. No HTTP, no SQL, no clock.
//!
//! A [`Limiter`] hands out [`Bucket`]s by name when a key is loaded; a request only touches the bucket it
//! already holds. One bucket has a cell per [`Slot`], that is per API with a limit of its own. Whoever has no name has the
//! budget of an address ([`Addresses`]).
//!
//! A bucket that several nodes share is counted elsewhere. What this node knows of it, and what it does when it hears nothing
//! any more, is in `shared`; permits that it holds ahead of time are in `lease`.

mod addresses;
mod bucket;
mod carry;
mod fixed_window;
mod lease;
mod quota;
mod registry;
mod shared;
mod sliding_window;
mod token_bucket;
mod verdict;

pub use addresses::{Addresses, Charge, network};
pub use bucket::{Bucket, Limit};
pub use carry::Carried;
pub use lease::{Asking, LIFE as LEASE_LIFE, Leased};
pub use registry::{Limiter, NamesKey, SWEEPS, Slot};
pub use shared::{Claim, Told};
pub use sliding_window::MAX_REQUESTS as SLIDING_WINDOW_MAX;
pub use verdict::Verdict;

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

#[cfg(test)]
mod tests;
