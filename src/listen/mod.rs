//! Connections: accepting them, TLS, HTTP/1.1 and HTTP/2, time-outs, drain. Nothing here knows a route.

mod client;
mod connection;
mod h1;
mod h2;
mod proxy_protocol;
mod socket;
pub mod tls;
mod watch;
pub mod worker;
mod x509;

pub use socket::{BindError, bind};

use crate::config::{Bounds, Listener};
use crate::telemetry::metrics::{Counter, Gauge, Metrics};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use std::net::SocketAddr;
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
    gauge: Arc<Gauge>,
    greetings: Greetings,
}

/// How connections begin, counted.
#[derive(Debug)]
struct Greetings {
    full: Arc<Counter>,
    resumed: Arc<Counter>,
    failed: Arc<Counter>,
    /// Closed for their PROXY header: it came from somebody who may not send one, or was none.
    untrusted: Arc<Counter>,
    malformed: Arc<Counter>,
}

/// What a new connection is held to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TLS, or plain.
    pub tls: Option<Arc<tls::Termination>>,
    /// Peers that may set `X-Forwarded-For`, or send a PROXY header.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether each connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// Bounds on what a client may send.
    pub bounds: Bounds,
}

impl Endpoint {
    /// A listener with its first settings.
    pub fn new(listener: &Listener, tls: Option<Arc<tls::Termination>>, metrics: &Metrics) -> Self {
        let label = listener.address.to_string();
        Self {
            address: listener.address,
            settings: ArcSwap::from_pointee(Settings::new(listener, tls)),
            open: AtomicUsize::new(0),
            gauge: metrics.listener(&label),
            greetings: Greetings::new(&label, metrics),
        }
    }

    /// Other settings, for the connections that come from now on.
    pub fn replace(&self, listener: &Listener, tls: Option<Arc<tls::Termination>>) {
        self.settings.store(Arc::new(Settings::new(listener, tls)));
    }

    /// Its TLS as new connections see it.
    pub fn tls(&self) -> Option<Arc<tls::Termination>> {
        self.settings.load().tls.clone()
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Counts a connection in; `None` when there are as many as there may be.
    fn enter(self: &Arc<Self>, most: usize) -> Option<Open> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.gauge.add(1.0);
        Some(Open { endpoint: self.clone() })
    }
}

impl Settings {
    fn new(listener: &Listener, tls: Option<Arc<tls::Termination>>) -> Self {
        Self {
            tls,
            trusted_proxies: listener.trusted_proxies.clone(),
            proxy_protocol: listener.proxy_protocol,
            bounds: listener.bounds.clone(),
        }
    }

    /// See [`Listener::forwarders`].
    fn forwarders(&self) -> &[IpNet] {
        if self.proxy_protocol { &[] } else { &self.trusted_proxies }
    }
}

impl Greetings {
    fn new(listener: &str, metrics: &Metrics) -> Self {
        let handshakes = |result| metrics.tls_handshakes(listener, result);
        let refused = |reason| metrics.proxy_headers_refused(listener, reason);
        Self {
            full: handshakes("full"),
            resumed: handshakes("resumed"),
            failed: handshakes("failed"),
            untrusted: refused("untrusted"),
            malformed: refused("malformed"),
        }
    }
}

/// One open connection's place; given back when dropped.
#[derive(Debug)]
struct Open {
    endpoint: Arc<Endpoint>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.endpoint.open.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.gauge.add(-1.0);
    }
}
