//! Where requests go: an endpoint of the configuration, and each of its addresses with how it fares.

use crate::config::{Endpoint, Scheme};
use http::HeaderValue;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// An endpoint of the configuration with what is prepared for it.
#[derive(Debug)]
pub struct Target {
    pub(super) endpoint: Endpoint,
    /// For `Host`, and to name it in a log.
    pub(super) authority: Arc<str>,
    pub(super) host: HeaderValue,
    /// The name for SNI and for the check of its certificate.
    pub(super) server_name: Arc<str>,
    /// Where TLS to it is not the usual.
    pub(super) tls: Option<super::tls::Client>,
}

/// One address of an endpoint: what requests are balanced over. Shared by all workers, which mostly read it.
#[derive(Debug)]
pub struct Place {
    pub(super) id: u64,
    pub(super) target: Arc<Target>,
    pub(super) address: SocketAddr,
    /// The same in every process, for the choice by client address.
    pub(super) key: u64,
    pub(super) standing: Standing,
}

/// How a place fares. Written rarely, and read by every choice.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Active checks say that it is not well.
    pub(super) unhealthy: AtomicBool,
    /// Active checks have looked at it.
    pub(super) checked: AtomicBool,
    /// Requests in a row that failed.
    pub(super) failures: AtomicU32,
    /// Ejections in a row.
    pub(super) ejections: AtomicU32,
    /// Somebody was told that it is left alone.
    pub(super) announced: AtomicBool,
    /// It is left alone until then, in monotonic nanoseconds.
    pub(super) out_until_ns: AtomicU64,
    /// From then on it gets its whole share again.
    pub(super) ramp_until_ns: AtomicU64,
}

/// The least share that a place gets when it has come back, of what the others get.
const LEAST_SHARE: f64 = 0.1;

impl Standing {
    /// Whether active checks let it take requests.
    pub(super) fn is_healthy(&self) -> bool {
        !self.unhealthy.load(Ordering::Relaxed)
    }

    /// Whether it is left alone.
    pub(super) fn is_out(&self, now_ns: u64) -> bool {
        now_ns < self.out_until_ns.load(Ordering::Relaxed)
    }

    /// Whether this request may go there. `dice` gives a number from 0 to 1.
    pub(super) fn admits(&self, now_ns: u64, dice: impl FnOnce() -> f64) -> bool {
        let (out, ramp) =
            (self.out_until_ns.load(Ordering::Relaxed), self.ramp_until_ns.load(Ordering::Relaxed));
        if now_ns < out || !self.is_healthy() {
            return false;
        }
        if now_ns >= ramp || ramp <= out {
            return true;
        }
        let share = (now_ns - out) as f64 / (ramp - out) as f64;
        dice() < share.max(LEAST_SHARE)
    }

    /// Leaves it alone for `period`, and gives it its share back over as long a time.
    pub(super) fn eject(&self, now_ns: u64, period: Duration) {
        let period = nanos(period);
        self.out_until_ns.store(now_ns.saturating_add(period), Ordering::Relaxed);
        self.ramp_until_ns.store(now_ns.saturating_add(period).saturating_add(period), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        self.announced.store(true, Ordering::Relaxed);
    }

    /// Leaves it alone for a moment, without a grudge.
    pub(super) fn pause(&self, now_ns: u64, period: Duration) {
        self.out_until_ns.fetch_max(now_ns.saturating_add(nanos(period)), Ordering::Relaxed);
    }
}

impl Target {
    pub(super) fn new(
        endpoint: &Endpoint,
        server_name: Option<&Arc<str>>,
        tls: Option<super::tls::Client>,
    ) -> Self {
        let default_port = match endpoint.scheme {
            Scheme::Http | Scheme::H2c => 80,
            Scheme::Https => 443,
        };
        let host = match endpoint.host.contains(':') {
            true => format!("[{}]", endpoint.host),
            false => endpoint.host.to_string(),
        };
        let authority = match endpoint.port == default_port {
            true => host,
            false => format!("{host}:{}", endpoint.port),
        };
        Self {
            // The configuration holds only hosts that are valid in a URL.
            host: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("upstream")),
            authority: authority.into(),
            server_name: server_name.unwrap_or(&endpoint.host).clone(),
            endpoint: endpoint.clone(),
            tls,
        }
    }

    /// As the configuration writes it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.endpoint.scheme.as_str(), self.authority)
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its name for logs.
    pub fn authority(&self) -> &Arc<str> {
        &self.authority
    }
}

impl Place {
    pub(super) fn new(target: &Arc<Target>, address: IpAddr) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let address = SocketAddr::new(address, target.endpoint.port);
        let name = format!("{} {address}", target.url());
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            target: target.clone(),
            address,
            key: hash(name.as_bytes()),
            standing: Standing::default(),
        })
    }

    /// Tells it from all others.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The endpoint that it is an address of.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Its name for logs: the endpoint, and which address of it where that says more.
    pub fn name(&self) -> String {
        match self.target.endpoint.address() {
            None => format!("{} ({})", self.target.url(), self.address),
            Some(_) => self.target.url(),
        }
    }
}

/// FNV-1a: the same in every process and every version.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn who_was_ejected_comes_back_slowly() {
        let standing = Standing::default();
        assert!(standing.admits(0, || 0.99));
        standing.eject(100 * S, Duration::from_secs(10));
        assert!(!standing.admits(109 * S, || 0.0) && standing.is_out(109 * S));
        let admitted = |at: u64, dice: f64| standing.admits(at * S, || dice);
        assert_eq!((admitted(110, 0.05), admitted(110, 0.2)), (true, false));
        assert_eq!((admitted(115, 0.49), admitted(115, 0.51)), (true, false));
        assert!(admitted(120, 0.99));
    }

    #[test]
    fn a_pause_ends_at_once_and_shortens_no_ejection() {
        let standing = Standing::default();
        standing.pause(0, Duration::from_secs(1));
        assert!(!standing.admits(S - 1, || 0.0) && standing.admits(S, || 0.99));
        standing.eject(0, Duration::from_secs(30));
        standing.pause(0, Duration::from_secs(1));
        assert!(!standing.admits(2 * S, || 0.0));
    }
}
