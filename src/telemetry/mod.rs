//! What the gateway says about itself: metrics, the access log, its own log, and what must never be in any of them.

pub mod metrics;

pub use metrics::Metrics;
