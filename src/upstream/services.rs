//! All upstreams of a configuration. What is unchanged from one configuration to the next is taken over as it is: its
//! connections, what is known of its health, its counts.

use super::bounds::Bounds;
use super::lane::Places;
use super::place::{Place, Target};
use super::retry::Policy;
use super::{Counts, Service, tls};
use crate::config::{Endpoint, Upstream, UpstreamTls};
use crate::telemetry::metrics::Metrics;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Why an upstream's TLS can not be used.
#[derive(Debug, thiserror::Error)]
#[error("`upstreams.{upstream}.tls` can not be used: {source}")]
pub struct TlsError {
    upstream: Arc<str>,
    #[source]
    source: std::io::Error,
}

/// The upstreams, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Services(Vec<Arc<Service>>);

impl std::ops::Deref for Services {
    type Target = [Arc<Service>];

    fn deref(&self) -> &[Arc<Service>] {
        &self.0
    }
}

impl Services {
    /// Prepares the upstreams of a configuration; `previous` are those of the configuration in force.
    ///
    /// # Errors
    /// [`TlsError`] when certificates or keys are not what TLS can use.
    pub fn new(
        upstreams: &[Upstream],
        previous: &[Arc<Service>],
        metrics: &Metrics,
    ) -> Result<Self, TlsError> {
        let services = upstreams.iter().map(|upstream| {
            let before = previous.iter().find(|service| service.name == upstream.name);
            match before {
                Some(before) if before.config == *upstream => Ok(before.clone()),
                before => Service::new(upstream, before.map(|before| &**before), metrics).map(Arc::new),
            }
        });
        services.collect::<Result<_, _>>().map(Self)
    }
}

/// How an endpoint fares.
#[derive(Debug)]
pub struct Report<'a> {
    /// The endpoint.
    pub target: &'a Arc<Target>,
    /// At least one of its addresses is healthy and not left alone.
    pub takes_requests: bool,
    /// How many addresses it has.
    pub addresses: usize,
}

impl Service {
    fn new(upstream: &Upstream, before: Option<&Self>, metrics: &Metrics) -> Result<Self, TlsError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let targets = Self::prepare(upstream, before)?;
        let places = known_places(&targets, before);
        let resolves = targets.iter().any(|target| target.endpoint.address().is_none());
        let several = resolves || targets.len() > 1;
        let bounds = upstream.limits.map(|limits| match before.and_then(|before| before.bounds.as_ref()) {
            Some(bounds) if *bounds.limits() == limits => bounds.clone(),
            _ => Arc::new(Bounds::new(limits)),
        });
        let service = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: upstream.name.clone(),
            config: upstream.clone(),
            targets,
            places: watch::Sender::new(places),
            resolves,
            several,
            timeouts: upstream.timeouts,
            balance: upstream.balance,
            eject: upstream.eject,
            health: upstream.health.clone(),
            retry: Policy::new(upstream.retry.as_ref(), several),
            bounds,
            troubled_until_ns: AtomicU64::new(0),
            ejecting: Mutex::default(),
            unresolvable: AtomicBool::new(false),
            counts: Counts::new(&upstream.name, metrics),
        };
        service.take_stock();
        Ok(service)
    }

    /// The endpoints; those that were there before with the same TLS are the same ones.
    fn prepare(upstream: &Upstream, before: Option<&Self>) -> Result<Vec<Arc<Target>>, TlsError> {
        let same_tls = |before: &&Self| before.config.tls == upstream.tls;
        let before = before.filter(same_tls);
        let kept = |endpoint: &Endpoint| {
            before
                .and_then(|before| before.targets.iter().find(|target| target.endpoint == *endpoint).cloned())
        };
        let settings = upstream.tls.as_ref();
        let client = settings.filter(|tls| differs(tls)).map(tls::Client::with).transpose();
        let client = client.map_err(|source| TlsError { upstream: upstream.name.clone(), source })?;
        let server_name = settings.and_then(|tls| tls.server_name.as_ref());
        let made = |endpoint: &Endpoint| Arc::new(Target::new(endpoint, server_name, client.clone()));
        Ok(upstream
            .endpoints
            .iter()
            .map(|endpoint| kept(endpoint).unwrap_or_else(|| made(endpoint)))
            .collect())
    }

    /// How each endpoint fares: whether it takes requests, and how many addresses it has.
    pub fn report(&self, now_ns: u64) -> Vec<Report<'_>> {
        let places = self.places();
        let report = |target| {
            let own = || places.iter().filter(move |place| Arc::ptr_eq(&place.target, target));
            let takes = |place: &Arc<Place>| place.standing.is_healthy() && !place.standing.is_out(now_ns);
            Report { target, takes_requests: own().any(takes), addresses: own().count() }
        };
        self.targets.iter().map(report).collect()
    }

    /// Requests that wait, and requests under way, where `limits` bounds them.
    pub fn load(&self) -> Option<(usize, usize)> {
        self.bounds.as_ref().map(|bounds| (bounds.queued(), bounds.under_way()))
    }

    /// A name has resolved: true when it has other addresses than before. Places of addresses that stay are the same ones.
    pub fn resolved(&self, target: &Arc<Target>, addresses: &[IpAddr]) -> bool {
        let changed = self.places.send_if_modified(|places| {
            let (own, others): (Vec<_>, Vec<_>) =
                places.iter().cloned().partition(|place| Arc::ptr_eq(&place.target, target));
            if own.iter().map(|place| place.address.ip()).eq(addresses.iter().copied()) {
                return false;
            }
            let same = |address| own.iter().find(|place| place.address.ip() == address).cloned();
            let now = addresses
                .iter()
                .map(|address| same(*address).unwrap_or_else(|| Place::new(target, *address)));
            *places = now.chain(others).collect();
            true
        });
        if changed {
            self.take_stock();
        }
        changed
    }

    /// A name could not be resolved.
    pub fn unresolved(&self) {
        self.unresolvable.store(true, Ordering::Relaxed);
    }

    /// Tells it from all others, those of the same name in other configurations included.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The places that it has now.
    pub fn places(&self) -> Places {
        self.places.borrow().clone()
    }
}

/// Whether more than the name differs from the usual.
fn differs(tls: &UpstreamTls) -> bool {
    tls.authorities.is_some() || tls.certificate.is_some()
}

/// The places of endpoints that are addresses, and of names that were resolved before.
fn known_places(targets: &[Arc<Target>], before: Option<&Service>) -> Places {
    let before = before.map(Service::places);
    let places = targets.iter().flat_map(|target| {
        let same = |place: &&Arc<Place>| Arc::ptr_eq(&place.target, target);
        let kept: Vec<Arc<Place>> = before.iter().flat_map(|all| all.iter().filter(same).cloned()).collect();
        match target.endpoint.address() {
            Some(address) if kept.is_empty() => vec![Place::new(target, address)],
            _ => kept,
        }
    });
    places.collect()
}

impl Counts {
    fn new(upstream: &str, metrics: &Metrics) -> Self {
        Self {
            retries: metrics.upstream_retries(upstream),
            exhausted: metrics.upstream_retries_exhausted(upstream, "attempts"),
            over_budget: metrics.upstream_retries_exhausted(upstream, "budget"),
            ejections: metrics.upstream_ejections(upstream),
            full: metrics.upstream_refused(upstream, "full"),
            queue_timeout: metrics.upstream_refused(upstream, "queue_timeout"),
            none_healthy: metrics.upstream_refused(upstream, "none_healthy"),
        }
    }
}
