//! Builds every part from a configuration, starts them, reloads them, drains them.

mod admin;
mod background;
mod control;
pub mod explain;
mod reload;
mod sightings;
mod upstreams;

pub use reload::ReloadError;

use crate::clock::Clock;
use crate::config::{Config, Listener, Loaded};
use crate::control::domain::{Domain, Edge};
use crate::control::health::Health;
use crate::control::http::Api;
use crate::control::sessions::Sessions;
use crate::control::signing::{self, SigningError};
use crate::control::webhooks::{SystemResolver, Webhooks};
use crate::limiter::Limiter;
use crate::listen::tls::CertificateError;
use crate::listen::worker::{self, Stage, Start};
use crate::listen::{self, BindError, Endpoint};
use crate::pipeline::{Shared, Sighting, Sightings, Snapshot};
use crate::store::cache::{Options, Tokens};
use crate::store::journal::{Journal, recover};
use crate::store::management::Management;
use crate::store::{self, Store, StoreError};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Metrics;
use crate::token::signer::KeyRing;
use crate::upstream::TlsError;
use arc_swap::ArcSwap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// How long requests that are under way may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(30);

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken.
    #[error("{0}\n  help: stop what listens there, or change the address in the configuration")]
    Bind(#[from] BindError),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS to an upstream.
    #[error(transparent)]
    Upstream(#[from] TlsError),
    /// The store.
    #[error("the store can not be opened: {}", chain(.0))]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error("the identity signing keys can not be used: {}", chain(.0))]
    Signing(#[from] SigningError),
    /// The usage journal.
    #[error("the usage journal in {} can not be written: {source}", folder.display())]
    Journal {
        /// Where it would be.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The access log.
    #[error("the access log can not be opened: {0}")]
    AccessLog(#[source] io::Error),
    /// Threads or runtimes.
    #[error("the system refuses threads or timers: {0}")]
    System(#[source] io::Error),
}

/// What reload, background work and drain share.
#[derive(Debug)]
struct Parts {
    config: ArcSwap<Config>,
    /// The file to reload from, when there is one.
    file: Option<PathBuf>,
    shared: Arc<Shared>,
    endpoints: Vec<Arc<Endpoint>>,
    ring: Arc<ArcSwap<KeyRing>>,
    store: Arc<dyn Management>,
    api: Arc<Api>,
    domain: Arc<Domain>,
    webhooks: Arc<Webhooks>,
    upstreams: Arc<upstreams::Upstreams>,
    /// True: what runs in steps begins no further one.
    winding_down: watch::Sender<bool>,
    /// What workers see of where keys are used from; taken by whoever looks at it.
    seen: Mutex<Option<mpsc::Receiver<Sighting>>>,
    access_log: Mutex<AccessLog>,
    health: Health,
    stage: watch::Sender<Stage>,
    draining: Arc<AtomicBool>,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    parts: Arc<Parts>,
    control: Runtime,
    workers: Vec<JoinHandle<io::Result<()>>>,
    /// What has to come to an end of its own before the control runtime does.
    stepwise: Vec<tokio::task::JoinHandle<()>>,
}

impl Gateway {
    /// Starts everything; when this returns, the listeners accept. `file` is reloaded when it changes and on SIGHUP.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(loaded: Loaded, file: Option<&Path>) -> Result<Self, StartError> {
        listen::tls::install_provider();
        let Loaded { config, files } = loaded;
        let control = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("control")
            .enable_all()
            .build()
            .map_err(StartError::System)?;
        // Addresses first: a second process on the same ports must not touch the store.
        let sockets = Sockets::open(&config)?;
        if let Ok(address) = sockets.admin.local_addr() {
            tracing::info!(%address, "listening for operators");
        }
        let parts = Arc::new(control.block_on(build(config, file, control.handle().clone()))?);
        let workers = spawn_workers(&parts, sockets.listeners)?;
        let started = control.block_on(background::start(&parts, sockets.admin, files));
        let stepwise = started.map_err(StartError::System)?;
        Ok(Self { parts, control, workers, stepwise })
    }

    /// Waits for SIGINT or SIGTERM, then drains. A second signal ends at once.
    ///
    /// # Errors
    /// When a signal handler can not be installed.
    pub fn until_stopped(self) -> io::Result<()> {
        self.control.block_on(background::stop_signal())?;
        tracing::info!("draining: no new connections, requests under way are finished");
        let parts = self.parts.clone();
        self.control.spawn(async move {
            let _ = tokio::time::timeout(DRAIN, background::stop_signal()).await;
            parts.stage.send_replace(Stage::Closing);
        });
        self.shutdown();
        Ok(())
    }

    /// Drains and ends.
    pub fn shutdown(self) {
        let Self { parts, control, workers, stepwise } = self;
        parts.draining.store(true, Ordering::Relaxed);
        parts.stage.send_if_modified(|stage| {
            let later = *stage < Stage::Draining;
            if later {
                *stage = Stage::Draining;
            }
            later
        });
        for worker in workers {
            if let Ok(Err(error)) = worker.join() {
                tracing::error!(%error, "a worker ended with an error");
            }
        }
        parts.winding_down.send_replace(true);
        for task in stepwise {
            if let Err(error) = control.block_on(task) {
                tracing::error!(%error, "webhooks or operations ended badly; what is not done is done at the next start");
            }
        }
        if let Err(error) = control.block_on(parts.shared.tokens.flush_usage()) {
            tracing::error!(cause = %chain(&error), "usage is kept in the journal and added up at the next start");
        }
        control.shutdown_timeout(Duration::from_secs(1));
        lock(&parts.access_log).shutdown();
        tracing::info!("stopped");
    }

    /// Where it listens, in the order of the configuration; with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.parts.endpoints.iter().map(|endpoint| endpoint.address).collect()
    }
}

/// All listening sockets.
struct Sockets {
    /// For each listener, one socket a worker.
    listeners: Vec<Vec<TcpListener>>,
    admin: TcpListener,
}

impl Sockets {
    fn open(config: &Config) -> Result<Self, BindError> {
        let workers = config.workers.get();
        let listeners: Result<Vec<_>, _> =
            config.listeners.iter().map(|listener| listen::bind(listener.address, workers)).collect();
        let admin = listen::bind(config.admin.address, 1)?.remove(0);
        Ok(Self { listeners: listeners?, admin })
    }
}

async fn build(
    config: Config,
    file: Option<&Path>,
    control: tokio::runtime::Handle,
) -> Result<Parts, StartError> {
    let clock = Clock::new();
    let metrics = Metrics::new(config.workers.get());
    let limiter = Arc::new(Limiter::new());
    let store = store::open(&config.store.url)?;
    let edge: Arc<dyn Store> = store.clone();
    let tokens = open_tokens(&config, &edge, &limiter, control.clone(), &clock).await?;
    let ring = signing::ring(&*store, &config.jwt.upstream, clock.now()).await?;
    let ring = Arc::new(ArcSwap::from_pointee(ring));
    let upstreams = upstreams::Upstreams::start(&config, &metrics)?;
    let snapshot = Snapshot::new(&config, &upstreams.services(), ring.clone(), &limiter, &metrics);
    let endpoints = endpoints(&config, &metrics)?;
    let access_log =
        AccessLog::open(&config.telemetry.access_log, &metrics).map_err(StartError::AccessLog)?;
    let draining = Arc::new(AtomicBool::new(false));
    let health = Health { tokens: tokens.clone(), metrics: metrics.clone(), draining: draining.clone() };
    let edge = Edge::Here(tokens.clone());
    let domain = Arc::new(Domain::new(store.clone(), edge.clone()));
    let sessions = Sessions::new(store.clone(), edge, &config.jwt, config.accounts);
    let api = Arc::new(Api::new(domain.clone(), sessions));
    api.replace(&config);
    let resolver = Box::new(SystemResolver);
    let webhooks = Webhooks::new(store.clone(), &config.webhooks, resolver, metrics.clone());
    let control = Arc::new(control::Control { api: api.clone(), runtime: control });
    let (sightings, seen) = Sightings::new();
    let shared = Shared::new(clock, tokens, limiter, metrics, snapshot);
    let shared = shared.with_control(control).with_sightings(sightings);
    Ok(Parts {
        shared: Arc::new(shared),
        api,
        domain,
        webhooks: Arc::new(webhooks),
        upstreams,
        winding_down: watch::Sender::new(false),
        seen: Mutex::new(Some(seen)),
        file: file.map(Path::to_path_buf),
        config: ArcSwap::from_pointee(config),
        access_log: Mutex::new(access_log),
        stage: watch::Sender::new(Stage::Running),
        endpoints,
        ring,
        store,
        health,
        draining,
    })
}

/// Adds up what an earlier process counted and could not hand on, then loads the keys.
async fn open_tokens(
    config: &Config,
    store: &Arc<dyn Store>,
    limiter: &Arc<Limiter>,
    control: tokio::runtime::Handle,
    clock: &Clock,
) -> Result<Arc<Tokens>, StartError> {
    let folder = store::usage_folder(&config.store.url);
    let recovered = recover(&folder, &**store).await?;
    if recovered > 0 {
        tracing::info!(journals = recovered, "added up usage that an earlier process had counted");
    }
    let journal = Journal::open(&folder).map_err(|source| StartError::Journal { folder, source })?;
    let options = Options {
        capacity: config.store.cache_capacity,
        negative_ttl: config.store.negative_ttl,
        max_staleness: config.store.max_staleness,
    };
    Ok(Tokens::open(store.clone(), journal, limiter.clone(), options, control, clock.now()).await?)
}

fn endpoints(config: &Config, metrics: &Metrics) -> Result<Vec<Arc<Endpoint>>, CertificateError> {
    let endpoint = |listener: &Listener| {
        let tls = listener.tls.as_ref().map(listen::tls::server_config).transpose()?;
        let gauge = metrics.listener(&listener.address.to_string());
        Ok(Arc::new(Endpoint::new(listener, tls, gauge)))
    };
    config.listeners.iter().map(endpoint).collect()
}

fn spawn_workers(
    parts: &Arc<Parts>,
    listeners: Vec<Vec<TcpListener>>,
) -> Result<Vec<JoinHandle<io::Result<()>>>, StartError> {
    let tls = parts.upstreams.tls();
    let mut by_listener: Vec<_> = listeners.into_iter().map(Vec::into_iter).collect();
    let mut workers = Vec::new();
    for index in 0..parts.config.load().workers.get() {
        let own = by_listener.iter_mut().filter_map(Iterator::next);
        let start = Start {
            index,
            shared: parts.shared.clone(),
            sockets: parts.endpoints.iter().cloned().zip(own).collect(),
            log: lock(&parts.access_log).writer(),
            tls: tls.clone(),
            stage: parts.stage.subscribe(),
        };
        workers.push(worker::spawn(start).map_err(StartError::System)?);
    }
    Ok(workers)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
