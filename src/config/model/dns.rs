//! What the configuration says of resolving names.

use std::net::SocketAddr;
use std::time::Duration;

/// How names of endpoints are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Who is asked; the system's `/etc/resolv.conf` says it when there is none.
    pub servers: Vec<SocketAddr>,
    /// How long one server may take to answer. Default 2 s.
    pub timeout: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(2) }
    }
}
