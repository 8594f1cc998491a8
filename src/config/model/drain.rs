//! What the configuration says of how the process ends.

use std::time::Duration;

/// How the process ends on SIGTERM, or when another one has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long it goes on accepting after `/readyz` has said that it drains. Default 0.
    pub delay: Duration,
    /// How long what is under way may take to end, after that. Default 30 s.
    pub timeout: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { delay: Duration::ZERO, timeout: Duration::from_secs(30) }
    }
}
