//! What the gateway says about itself: metrics, the access log, traces, its own log, and what must never be in any of them.

pub mod access_log;
pub mod log;
pub mod metrics;
pub mod redact;
pub mod traces;

pub use access_log::{AccessLog, AccessRecord, LogWriter};
pub use metrics::Metrics;
pub use traces::Traces;
