//! What the request path holds: what all workers share, and what each has of its own.

use super::beside::ControlSide;
use super::challenge::Challenges;
use super::exchange::Exchanges;
use super::identity::Identities;
use super::ids::Ids;
use super::route::Router;
use super::sightings::{Noticed, Sightings};
use super::trace::Sampling;
use crate::clock::{Clock, Moment};
use crate::config::{Config, LimitsBackend, Mode, SharedLimits, UpstreamIdentity};
use crate::deadline::Deadlines;
use crate::limiter::{Addresses, Limiter};
use crate::limits::{Client, Node};
use crate::store::cache::Tokens;
use crate::telemetry::Traces;
use crate::telemetry::access_log::LogWriter;
use crate::telemetry::metrics::Metrics;
use crate::token::Signatures;
use crate::token::jwt::ClientTokens;
use crate::token::signer::KeyRing;
use crate::upstream::{Pools, Service};
use arc_swap::ArcSwap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What all workers share. On the request path it is only read.
#[derive(Debug)]
pub struct Shared {
    /// The one clock.
    pub clock: Clock,
    /// The keys.
    pub tokens: Arc<Tokens>,
    /// The limits.
    pub limiter: Arc<Limiter>,
    /// This node, among those that count limits together.
    pub node: Arc<Node>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Answers the endpoints that are served beside the request path; none where nothing is served.
    pub control: Option<Arc<dyn ControlSide>>,
    /// What identities were signed with lately.
    pub signatures: Signatures,
    /// From which addresses keys are used.
    pub sightings: Sightings,
    /// What authorities of certificates want to see on listeners without TLS.
    pub challenges: Challenges,
    /// Where traces go, where somebody collects them.
    pub traces: Option<Traces>,
    /// Memory is over its ceiling: nobody new is let in.
    pub pressed: AtomicBool,
    snapshot: ArcSwap<Snapshot>,
    /// Grows with each new snapshot, so that a worker sees by one load whether its own is still the newest.
    version: AtomicU64,
}

/// A configuration, ready to serve requests by. A request keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    /// Paths and what they lead to.
    pub router: Router,
    /// Where limits are counted for several nodes; none where each process counts for itself.
    pub shared_limits: Option<Arc<SharedLimits>>,
    /// What addresses may show of credentials that nobody has; none when that is not limited.
    pub strangers: Option<Arc<Addresses>>,
    /// Whether an address that has shown more is refused, or only counted.
    pub strangers_mode: Mode,
    /// Client-facing JWTs.
    pub client_tokens: ClientTokens,
    /// How identities are made.
    pub identity: UpstreamIdentity,
    /// What they are signed with.
    pub ring: Arc<ArcSwap<KeyRing>>,
    /// Which requests are traced; none where no trace is collected.
    pub sampling: Option<Sampling>,
}

impl Snapshot {
    /// Prepares a configuration; `services` are its upstreams.
    pub fn new(
        config: &Config,
        services: &[Arc<Service>],
        ring: Arc<ArcSwap<KeyRing>>,
        limiter: &Limiter,
        metrics: &Metrics,
    ) -> Self {
        let shared_limits = match &config.limits.backend {
            LimitsBackend::Local => None,
            LimitsBackend::Shared(shared) => Some(shared.clone()),
        };
        Self {
            shared_limits,
            router: Router::new(&config.apis, services, limiter, metrics),
            strangers_mode: config.limits.unknown_keys_mode,
            strangers: limiter.addresses(config.limits.unknown_keys.as_ref()),
            client_tokens: ClientTokens::new(&config.jwt.secret, config.jwt.other_secret.as_ref()),
            identity: config.jwt.upstream.clone(),
            ring,
            sampling: config.telemetry.traces.as_deref().map(Sampling::new),
        }
    }
}

/// The snapshot that a worker serves by, counted by the worker alone, so that workers do not contend for its count.
#[derive(Debug)]
pub struct Current(Arc<Snapshot>);

impl std::ops::Deref for Current {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl Shared {
    /// Begins with this snapshot.
    pub fn new(
        clock: Clock,
        tokens: Arc<Tokens>,
        limiter: Arc<Limiter>,
        metrics: Arc<Metrics>,
        snapshot: Snapshot,
    ) -> Self {
        let snapshot = ArcSwap::from_pointee(snapshot);
        let (control, sightings) = (None, Sightings::default());
        let (challenges, version) = (Challenges::default(), AtomicU64::new(1));
        let (pressed, node) = (AtomicBool::new(false), Node::new(metrics.limits()));
        // As many as there are keys, and half of it again, so that most find room where they look for it.
        let signatures = Signatures::new(tokens.capacity() / 2 * 3);
        Self {
            clock,
            tokens,
            limiter,
            node,
            metrics,
            control,
            signatures,
            sightings,
            challenges,
            traces: None,
            pressed,
            snapshot,
            version,
        }
    }

    /// With somebody who answers the endpoints beside the request path.
    #[must_use]
    pub fn with_control(self, control: Arc<dyn ControlSide>) -> Self {
        Self { control: Some(control), ..self }
    }

    /// With somebody who looks at where keys are used from.
    #[must_use]
    pub fn with_sightings(self, sightings: Sightings) -> Self {
        Self { sightings, ..self }
    }

    /// With somebody who takes traces.
    #[must_use]
    pub fn with_traces(self, traces: Traces) -> Self {
        Self { traces: Some(traces), ..self }
    }

    /// Puts another snapshot in its place: requests that begin from now on see it whole.
    pub fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// A connection to where limits are counted, and the newest configuration that it is good for.
type Counting = (Arc<SharedLimits>, Rc<Client>);

/// One worker's own things. Nothing here is seen by another thread.
#[derive(Debug)]
pub struct Worker {
    /// Its number, and its shard of the metrics.
    pub index: usize,
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Its upstream connections.
    pub pools: Rc<Pools>,
    /// Its time-outs.
    pub deadlines: Rc<Deadlines>,
    pub(super) ids: Ids,
    pub(super) identities: Identities,
    pub(super) noticed: Noticed,
    /// How many copies of requests are under way.
    pub(super) copies: Rc<Cell<usize>>,
    pub(super) exchanges: Exchanges,
    /// Its connection to where limits are counted for several nodes.
    limits: RefCell<Option<Counting>>,
    /// Whoever waits for something that no deadline bounds has to be woken too.
    woken: Cell<bool>,
    /// Its end of the access log.
    pub log: RefCell<LogWriter>,
    snapshot: RefCell<Rc<Current>>,
    version: Cell<u64>,
}

impl Worker {
    /// A worker with nothing in hand.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn new(
        index: usize,
        shared: Arc<Shared>,
        pools: Rc<Pools>,
        log: LogWriter,
    ) -> Result<Rc<Self>, aws_lc_rs::error::Unspecified> {
        let version = shared.version.load(Ordering::Acquire);
        let snapshot = Rc::new(Current(shared.snapshot.load_full()));
        Ok(Rc::new(Self {
            index,
            pools,
            deadlines: Rc::default(),
            ids: Ids::new()?,
            identities: Identities::default(),
            noticed: Noticed::default(),
            copies: Rc::default(),
            exchanges: Exchanges::default(),
            limits: RefCell::default(),
            woken: Cell::new(false),
            log: RefCell::new(log),
            snapshot: RefCell::new(snapshot),
            version: Cell::new(version),
            shared,
        }))
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Rc<Current> {
        let version = self.shared.version.load(Ordering::Acquire);
        if version != self.version.get() {
            *self.snapshot.borrow_mut() = Rc::new(Current(self.shared.snapshot.load_full()));
            self.version.set(version);
            self.identities.clear();
        }
        self.snapshot.borrow().clone()
    }

    /// The connection to where limits are counted for several nodes.
    pub(super) fn limits(&self, config: &Arc<SharedLimits>) -> Rc<Client> {
        let mut limits = self.limits.borrow_mut();
        match &mut *limits {
            Some((known, client)) if Arc::ptr_eq(known, config) => client.clone(),
            // A reload that leaves all of it as it was leaves the connection as well.
            Some((known, client)) if known == config => {
                *known = config.clone();
                client.clone()
            }
            _ => {
                let now = self.shared.clock.now();
                let client = Client::new(config.clone(), self.shared.node.clone(), self.index);
                if let Some((_, before)) = limits.replace((config.clone(), client.clone())) {
                    tokio::task::spawn_local(before.farewell(now));
                }
                client.tick(now);
                client
            }
        }
    }

    /// Connects, disconnects, or looks after what there is.
    fn tick_limits(&self, now: Moment) {
        match self.snapshot().shared_limits.as_ref() {
            Some(config) => self.limits(config).tick(now),
            None => {
                if let Some((_, before)) = self.limits.take() {
                    tokio::task::spawn_local(before.farewell(now));
                }
            }
        }
    }

    /// Gives back what others can use, at the worker's end.
    pub async fn farewell(&self) {
        let client = self.limits.take();
        if let Some((_, client)) = client {
            client.farewell(self.shared.clock.now()).await;
        }
    }

    /// Has everybody who waits look whether they may go on.
    pub(super) fn wake(&self) {
        self.deadlines.wake();
        self.woken.set(true);
    }

    /// Whether connections that wait for their client have to look whether they may go on.
    pub fn take_woken(&self) -> bool {
        self.woken.take()
    }

    /// What has to be done now and then; about every [`crate::deadline::TICK`]. `second` is true about once a second.
    pub fn tick(self: &Rc<Self>, second: bool) {
        let now = self.shared.clock.now();
        self.deadlines.tick(now.mono_ns);
        self.tick_limits(now);
        if second {
            self.pools.tick(now);
            self.log.borrow_mut().tick();
            self.identities.sweep(now);
            if self.exchanges.review(self, now) {
                self.wake();
            }
        }
    }
}
