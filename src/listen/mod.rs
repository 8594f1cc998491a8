//! Connections: accepting them, TLS, HTTP/1.1 and HTTP/2, time-outs, drain. Nothing here knows a route.

mod connection;
mod crowd;
mod h1;
mod h2;
mod socket;
mod streams;
pub mod tls;
mod watch;
pub mod worker;
mod x509;

pub use socket::{BindError, bind};

use crate::config::{Bounds, Listener};
use crate::telemetry::metrics::{Counter, Gauge};
use arc_swap::ArcSwap;
use crowd::{Crowd, Guest};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A client's byte stream.
type Stream = crate::wire::Stream<tls::ServerStream>;

/// A listener as all workers see it. Its settings change with a reload, its address does not.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    settings: ArcSwap<Settings>,
    open: AtomicUsize,
    crowd: Crowd,
    counts: Counts,
}

/// A listener's metrics.
#[derive(Debug)]
pub struct Counts {
    /// Connections that are open.
    pub open: Arc<Gauge>,
    /// Connections that were closed at accept because there were too many.
    pub full: Arc<Counter>,
    /// The same, because their address had too many.
    pub crowded: Arc<Counter>,
}

/// What a new connection is held to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TLS, or plain.
    pub tls: Option<Arc<tls::ServerConfig>>,
    /// Peers that may set `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// Bounds on what a client may send.
    pub bounds: Bounds,
}

impl Endpoint {
    /// A listener with its first settings.
    pub fn new(listener: &Listener, tls: Option<Arc<tls::ServerConfig>>, counts: Counts) -> Self {
        Self {
            address: listener.address,
            settings: ArcSwap::from_pointee(Settings::new(listener, tls)),
            open: AtomicUsize::new(0),
            crowd: Crowd::default(),
            counts,
        }
    }

    /// Other settings, for the connections that come from now on.
    pub fn replace(&self, listener: &Listener, tls: Option<Arc<tls::ServerConfig>>) {
        self.settings.store(Arc::new(Settings::new(listener, tls)));
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Counts a connection in; `None` when there are as many as there may be, in all or of this address.
    fn enter(self: &Arc<Self>, settings: &Settings, from: IpAddr) -> Option<Open> {
        let bounds = &settings.bounds;
        if self.open.fetch_add(1, Ordering::Relaxed) >= bounds.max_connections {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.counts.full.increment();
            return None;
        }
        self.counts.open.add(1.0);
        let mut open = Open { endpoint: self.clone(), guest: None };
        // A trusted proxy's connections are those of everybody behind it.
        let from = from.to_canonical();
        if !settings.trusted_proxies.iter().any(|network| network.contains(&from)) {
            open.guest = Guest::enter(self, from, bounds.max_connections_per_address);
            if open.guest.is_none() {
                self.counts.crowded.increment();
                return None;
            }
        }
        Some(open)
    }
}

impl Settings {
    fn new(listener: &Listener, tls: Option<Arc<tls::ServerConfig>>) -> Self {
        Self { tls, trusted_proxies: listener.trusted_proxies.clone(), bounds: listener.bounds.clone() }
    }
}

/// One open connection's place; given back when dropped.
#[derive(Debug)]
struct Open {
    endpoint: Arc<Endpoint>,
    /// Its place among those of its address, where these are counted.
    guest: Option<Guest>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.endpoint.open.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.counts.open.add(-1.0);
    }
}
