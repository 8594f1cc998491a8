//! Builds every part from a configuration, starts them, reloads them, drains them, hands over to a new process.

mod acme;
mod admin;
mod background;
mod build;
mod control;
mod descriptors;
mod drain;
mod error;
pub mod explain;
mod handover;
mod inherited;
mod listeners;
mod memory;
mod process;
mod reload;
mod sightings;
mod supervisor;
mod upstreams;
mod watchdog;

pub use error::StartError;
pub use handover::NotTaken;
pub use inherited::{InheritError, Inheritance};
pub use reload::ReloadError;

use crate::config::diff::Outline;
use crate::config::{Config, Loaded};
use crate::control::domain::{Domain, Edge};
use crate::control::health::Health;
use crate::control::http::Api;
use crate::control::traces;
use crate::control::webhooks::Webhooks;
use crate::limiter::NamesKey;
use crate::listen::tls::Termination;
use crate::listen::worker::{self, Stage, Start};
use crate::listen::{self, Bound};
use crate::pipeline::{Shared, Sighting};
use crate::store::management::Management;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Span;
use crate::token::signer::KeyRing;
use arc_swap::{ArcSwap, ArcSwapOption};
use drain::{Signals, Stops};
use handover::Beside;
use listeners::Listeners;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use supervisor::{PidDraft, PidFile};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use watchdog::Rounds;

/// How long a process that takes over waits for its keys. Less than the one before it is patient.
const LOADING: Duration = Duration::from_secs(30);

/// What reload, background work, drain and hand-over share.
#[derive(Debug)]
struct Parts {
    config: ArcSwap<Config>,
    /// The configuration as it stands in its file.
    outline: ArcSwap<Outline>,
    /// The file to reload from, when there is one.
    file: Option<PathBuf>,
    shared: Arc<Shared>,
    listeners: Listeners,
    admin: Admin,
    ring: Arc<ArcSwap<KeyRing>>,
    store: Arc<dyn Management>,
    api: Arc<Api>,
    domain: Arc<Domain>,
    edge: Edge,
    webhooks: Arc<Webhooks>,
    upstreams: Arc<upstreams::Upstreams>,
    /// True: what runs in steps begins no further one.
    winding_down: watch::Sender<bool>,
    /// What workers see of where keys are used from; taken by whoever looks at it.
    seen: Mutex<Option<mpsc::Receiver<Sighting>>>,
    /// What workers leave of requests that are traced; taken by whoever sends it.
    spans: Mutex<Option<mpsc::Receiver<Vec<Span>>>>,
    exporter: Mutex<Option<traces::Running>>,
    /// Up to when all uses are in the store, monotonic nanoseconds.
    usage_written: AtomicU64,
    access_log: Mutex<AccessLog>,
    health: Health,
    stage: watch::Sender<Stage>,
    draining: Arc<AtomicBool>,
    beside: Beside,
    /// Held by a reload, and by a hand-over until it has failed or the process ends.
    changing: Arc<tokio::sync::Mutex<()>>,
}

/// The admin listener.
#[derive(Debug)]
struct Admin {
    tls: ArcSwapOption<Termination>,
    /// Second handles of its sockets, for a hand-over.
    sockets: Mutex<Vec<Bound>>,
    /// True: another process answers from now on.
    left: watch::Sender<bool>,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    parts: Arc<Parts>,
    control: Runtime,
    workers: Vec<JoinHandle<io::Result<()>>>,
    /// What has to come to an end of its own before the control runtime does.
    stepwise: Vec<tokio::task::JoinHandle<()>>,
    signals: Signals,
    stops: Stops,
    pid_file: Option<PidFile>,
}

impl Gateway {
    /// Starts everything; when this returns, the listeners accept. `file` is reloaded when it changes and on SIGHUP.
    /// Whoever watches over the process, or hands over to it, is told that it is ready; `pid_file` has the process's number
    /// then, until it ends.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(
        loaded: Loaded,
        file: Option<&Path>,
        pid_file: Option<&Path>,
        inheritance: Inheritance,
    ) -> Result<Self, StartError> {
        listen::tls::install_provider();
        let Loaded { config, files, prints, outline } = loaded;
        descriptors::raise(&config);
        let Inheritance { mut sockets, predecessor } = inheritance;
        let control = control_runtime()?;
        let signals = control.block_on(async { Signals::new() }).map_err(StartError::System)?;
        let metrics = Metrics::new(config.workers.get());
        let listeners = Listeners::default();
        // Addresses first: a second process on the same ports must not touch the store.
        let plan = listeners.plan(&config, &mut sockets, &metrics)?;
        let admin = Admin::new(&config, &mut sockets)?;
        let unused = sockets.left();
        match &predecessor {
            None => sockets.all_taken(&config)?,
            Some(predecessor) => metrics.set_handovers(predecessor.so_far),
        }
        // After a hand-over it would be too late to find that it can not be written.
        let pid_draft = pid_file.map(pid_draft).transpose()?;
        let beside = Beside::new(predecessor.is_some());
        let given = build::Given {
            file,
            outline,
            metrics,
            listeners,
            admin,
            beside,
            names: predecessor.as_ref().map_or_else(NamesKey::random, |predecessor| predecessor.names),
            control: control.handle().clone(),
        };
        let parts = Arc::new(control.block_on(build::parts(config, given))?);
        let (workers, rounds) = spawn_workers(&parts)?;
        let stepwise = control.block_on(async {
            let certificates = acme::restored(&parts).await;
            background::start(&parts, files, &prints, certificates)
        });
        let stepwise = stepwise.map_err(StartError::System)?;
        if let Some(predecessor) = predecessor {
            // It serves meanwhile: nothing is gained by letting its clients wait for the store.
            let filled = async { tokio::time::timeout(LOADING, parts.shared.tokens.filled()).await };
            if control.block_on(filled).is_err() {
                tracing::warn!("the keys take long to load: taking over without all of them");
            }
            if let Some(counted) = predecessor.relieve(&unused) {
                parts.shared.limiter.take_over(&counted, parts.shared.clock.now());
            }
            predecessor.follow(parts.beside.clone()).map_err(StartError::System)?;
            parts.shared.metrics.handed_over(true);
        }
        // Before anybody is told: who hears that it is ready may end it at once, and it has to drain then.
        let stops = control.block_on(async { Stops::new() }).map_err(StartError::System)?;
        control.block_on(async { parts.listeners.alter(plan, &parts.config.load()) });
        let pid_file = pid_draft.and_then(PidDraft::put);
        supervisor::tell(&format!("READY=1\nMAINPID={}\nSTATUS=serving", std::process::id()));
        control.block_on(async { watchdog::start(&parts, rounds) });
        Ok(Self { parts, control, workers, stepwise, signals, stops, pid_file })
    }

    /// Where it listens, in the order of the configuration; with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.parts.listeners.addresses()
    }
}

fn pid_draft(path: &Path) -> Result<PidDraft, StartError> {
    PidDraft::write(path).map_err(|source| StartError::PidFile { path: path.to_owned(), source })
}

fn control_runtime() -> Result<Runtime, StartError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("control").enable_all().build().map_err(StartError::System)
}

/// The workers, and how often each has come round.
type Workers = (Vec<JoinHandle<io::Result<()>>>, Vec<Rounds>);

fn spawn_workers(parts: &Arc<Parts>) -> Result<Workers, StartError> {
    let tls = parts.upstreams.tls();
    let (mut workers, mut senders, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..parts.config.load().workers.get() {
        let (sender, listening) = mpsc::unbounded_channel();
        let counted = Rounds::default();
        let start = Start {
            index,
            shared: parts.shared.clone(),
            listening,
            log: lock(&parts.access_log).writer(),
            tls: tls.clone(),
            stage: parts.stage.subscribe(),
            rounds: counted.clone(),
        };
        workers.push(worker::spawn(start).map_err(StartError::System)?);
        senders.push(sender);
        rounds.push(counted);
    }
    parts.listeners.serve_by(senders);
    Ok((workers, rounds))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
