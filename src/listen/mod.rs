//! Connections: accepting them, TLS, HTTP/1.1 and HTTP/2, time-outs, drain. Nothing here knows a route.

mod client;
mod connection;
mod crowd;
#[doc(hidden)]
pub mod fuzzing;
mod h1;
mod h2;
mod proxy_protocol;
mod socket;
pub mod tls;
mod watch;
pub mod worker;
mod x509;

#[doc(hidden)]
pub use h1::bench;
pub use socket::{BindError, Bound, bind, join, listen, welcome};

use crate::config::{Bounds, Listener};
use crate::telemetry::metrics::{Counter, Gauge, Metrics};
use arc_swap::ArcSwap;
use crowd::{Crowd, Guest};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use tokio::sync::watch::{Receiver, Sender};

/// A client's byte stream.
type Stream = crate::wire::Stream<tls::ServerStream>;

/// A listener as all workers see it. Its settings change with a reload, its address does not.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    settings: ArcSwap<Settings>,
    /// Grows when connections of before are no longer what the listener is.
    era: AtomicU32,
    admission: Sender<Admission>,
    open: AtomicUsize,
    crowd: Crowd,
    gauge: Arc<Gauge>,
    greetings: Greetings,
}

/// How connections begin, counted.
#[derive(Debug)]
struct Greetings {
    /// Closed at accept because there were too many, in all or of their address.
    total: Arc<Counter>,
    crowded: Arc<Counter>,
    /// Closed at accept because memory was over its ceiling.
    pressed: Arc<Counter>,
    full: Arc<Counter>,
    resumed: Arc<Counter>,
    failed: Arc<Counter>,
    /// Closed for their PROXY header: it came from somebody who may not send one, or was none.
    untrusted: Arc<Counter>,
    malformed: Arc<Counter>,
}

/// Whether a listener takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// It does.
    Open,
    /// The system lets no new ones begin; those that it has are taken.
    Refusing,
    /// What is queued is taken, and the socket given up.
    Over,
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
    era: u32,
}

impl Endpoint {
    /// A listener with its first settings.
    pub fn new(listener: &Listener, tls: Option<Arc<tls::Termination>>, metrics: &Metrics) -> Self {
        let label = listener.address.to_string();
        Self {
            address: listener.address,
            settings: ArcSwap::from_pointee(Settings::new(listener, tls, 0)),
            era: AtomicU32::new(0),
            admission: Sender::new(Admission::Open),
            open: AtomicUsize::new(0),
            crowd: Crowd::default(),
            gauge: metrics.listener(&label),
            greetings: Greetings::new(&label, metrics),
        }
    }

    /// Other settings, for the connections that come from now on. Those that are open end with their next answer when
    /// something else is asked of new ones, or believed or told of them: encryption, certificates of their own, proxies.
    pub fn replace(&self, listener: &Listener, tls: Option<Arc<tls::Termination>>) {
        let era = self.era.load(Ordering::Relaxed);
        let mut settings = Settings::new(listener, tls, era);
        if !settings.same_terms(&self.settings.load()) {
            settings.era = era + 1;
        }
        let era = settings.era;
        self.settings.store(Arc::new(settings));
        self.era.store(era, Ordering::Relaxed);
    }

    /// Says whether it takes connections. When it does no longer, those that are open end with their next answer.
    pub fn admit(&self, admission: Admission) {
        self.admission.send_replace(admission);
        if admission == Admission::Over {
            self.era.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn admission(&self) -> Receiver<Admission> {
        self.admission.subscribe()
    }

    /// Its TLS as new connections see it.
    pub fn tls(&self) -> Option<Arc<tls::Termination>> {
        self.settings.load().tls.clone()
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Counts a connection in; `None` when there are as many as there may be, in all or of this address.
    fn enter(self: &Arc<Self>, settings: &Settings, from: IpAddr) -> Option<Open> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= settings.bounds.max_connections {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.greetings.total.increment();
            return None;
        }
        self.gauge.add(1.0);
        let mut open = Open { endpoint: self.clone(), guest: None };
        open.guest = self.guest(settings, from).ok()?;
        Some(open)
    }

    /// Counts a connection in for its address. Trusted proxies have no place there: their connections are everybody's.
    fn guest(self: &Arc<Self>, settings: &Settings, from: IpAddr) -> Result<Option<Guest>, Crowded> {
        let from = from.to_canonical();
        if settings.trusted_proxies.iter().any(|network| network.contains(&from)) {
            return Ok(None);
        }
        let guest = Guest::enter(self, from, settings.bounds.max_connections_per_address);
        if guest.is_none() {
            self.greetings.crowded.increment();
        }
        guest.map(Some).ok_or(Crowded)
    }
}

/// An address has as many connections as it may have.
#[derive(Debug, thiserror::Error)]
#[error("the address has as many connections as it may have")]
struct Crowded;

impl Settings {
    fn new(listener: &Listener, tls: Option<Arc<tls::Termination>>, era: u32) -> Self {
        Self {
            tls,
            trusted_proxies: listener.trusted_proxies.clone(),
            proxy_protocol: listener.proxy_protocol,
            bounds: listener.bounds.clone(),
            era,
        }
    }

    /// Whether connections that began under the others may go on under these.
    fn same_terms(&self, others: &Self) -> bool {
        let forwards = |settings: &Self| settings.tls.as_ref().is_some_and(|tls| tls.forwards_certificates());
        tls::same_terms(self.tls.as_deref(), others.tls.as_deref())
            && forwards(self) == forwards(others)
            && self.trusted_proxies == others.trusted_proxies
            && self.proxy_protocol == others.proxy_protocol
    }

    /// See [`Listener::forwarders`].
    fn forwarders(&self) -> &[IpNet] {
        if self.proxy_protocol { &[] } else { &self.trusted_proxies }
    }
}

/// Whether a connection is still what its listener takes.
#[derive(Debug)]
struct Standing {
    endpoint: Arc<Endpoint>,
    era: u32,
}

impl Standing {
    fn holds(&self) -> bool {
        self.endpoint.era.load(Ordering::Relaxed) == self.era
    }
}

impl Greetings {
    fn new(listener: &str, metrics: &Metrics) -> Self {
        let handshakes = |result| metrics.tls_handshakes(listener, result);
        let refused = |reason| metrics.proxy_headers_refused(listener, reason);
        Self {
            total: metrics.connections_refused(listener, "total"),
            crowded: metrics.connections_refused(listener, "address"),
            pressed: metrics.connections_refused(listener, "memory"),
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
    /// Its place among those of its address, where these are counted.
    guest: Option<Guest>,
}

impl Open {
    fn standing(&self, settings: &Settings) -> Standing {
        Standing { endpoint: self.endpoint.clone(), era: settings.era }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.endpoint.open.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.gauge.add(-1.0);
    }
}
