//! What the configuration says of events that people's own systems are told of.

use ipnet::IpNet;
use std::time::Duration;

/// Events that people's own systems are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Networks into which events may be sent although they are private or special, and over plain HTTP too.
    pub allow_networks: Vec<IpNet>,
    /// To resolve, connect, send and be answered, all together. Default 10 s.
    pub timeout: Duration,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { allow_networks: Vec::new(), timeout: Duration::from_secs(10) }
    }
}
