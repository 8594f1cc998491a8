//! Makes every part from a configuration; nothing runs yet.

use super::control::Control;
use super::error::StartError;
use super::handover::Beside;
use super::listeners::Listeners;
use super::upstreams::Upstreams;
use super::{Admin, Parts};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::diff::Outline;
use crate::control::domain::{Domain, Edge};
use crate::control::health::Health;
use crate::control::http::Api;
use crate::control::sessions::Sessions;
use crate::control::signing;
use crate::control::webhooks::{SystemResolver, Webhooks};
use crate::limiter::{Limiter, NamesKey};
use crate::listen::worker::Stage;
use crate::pipeline::{Shared, Sightings, Snapshot};
use crate::store::cache::{Options, Tokens};
use crate::store::journal::{Journal, recover};
use crate::store::{self, Store, StoreError};
use crate::telemetry::Traces;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What is there before.
pub(super) struct Given<'g> {
    pub(super) file: Option<&'g Path>,
    pub(super) outline: Outline,
    pub(super) metrics: Arc<Metrics>,
    pub(super) listeners: Listeners,
    pub(super) admin: Admin,
    pub(super) beside: Beside,
    pub(super) names: NamesKey,
    pub(super) control: Handle,
}

/// Opens the store, loads the keys, makes the rest.
///
/// # Errors
/// [`StartError`]
pub(super) async fn parts(config: Config, given: Given<'_>) -> Result<Parts, StartError> {
    let Given { file, outline, metrics, listeners, admin, beside, names, control } = given;
    let clock = Clock::new();
    let limiter = Arc::new(Limiter::with_key(names));
    let store = store::open(&config.store.url)?;
    let edge: Arc<dyn Store> = store.clone();
    let tokens = open_tokens(&config, &edge, &limiter, control.clone(), &clock).await?;
    let ring = signing::ring(&*store, &config.jwt.upstream, clock.now()).await?;
    let ring = Arc::new(ArcSwap::from_pointee(ring));
    let upstreams = Upstreams::start(&config, &metrics)?;
    let snapshot = Snapshot::new(&config, &upstreams.services(), ring.clone(), &limiter, &metrics);
    let access_log =
        AccessLog::open(&config.telemetry.access_log, &metrics).map_err(StartError::AccessLog)?;
    let draining = Arc::new(AtomicBool::new(false));
    let health = Health { tokens: tokens.clone(), metrics: metrics.clone(), draining: draining.clone() };
    let edge = Edge::here(store.clone(), tokens.clone());
    let domain = Arc::new(Domain::new(store.clone(), edge.clone()));
    let sessions = Sessions::new(store.clone(), edge.clone(), &config.jwt, config.accounts);
    let api = Arc::new(Api::new(domain.clone(), sessions));
    api.replace(&config);
    let resolver = Box::new(SystemResolver);
    let webhooks = Webhooks::new(store.clone(), &config.webhooks, resolver, metrics.clone());
    let control = Arc::new(Control { api: api.clone(), runtime: control });
    let (sightings, seen) = Sightings::new();
    let (traces, spans) = Traces::new(metrics.spans("dropped"));
    let usage_written = AtomicU64::new(clock.now().mono_ns);
    let shared = Shared::new(clock, tokens, limiter, metrics, snapshot);
    let shared = shared.with_control(control).with_sightings(sightings).with_traces(traces);
    Ok(Parts {
        shared: Arc::new(shared),
        api,
        domain,
        edge,
        webhooks: Arc::new(webhooks),
        upstreams,
        winding_down: watch::Sender::new(false),
        seen: Mutex::new(Some(seen)),
        spans: Mutex::new(Some(spans)),
        exporter: Mutex::default(),
        usage_written,
        file: file.map(Path::to_path_buf),
        config: ArcSwap::from_pointee(config),
        outline: ArcSwap::from_pointee(outline),
        access_log: Mutex::new(access_log),
        stage: watch::Sender::new(Stage::Running),
        listeners,
        admin,
        ring,
        store,
        health,
        draining,
        beside,
        changing: Arc::default(),
    })
}

/// How long a start waits until what earlier processes have counted is added up. What a million keys have counted takes
/// longer, and goes on beside.
const ADDING_UP: Duration = Duration::from_millis(300);
/// How often that is tried where the store refuses it, and how long after.
const TRIES: usize = 360;
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// Adds up what an earlier process counted and could not hand on. The keys come later, by [`Tokens::fill`].
async fn open_tokens(
    config: &Config,
    store: &Arc<dyn Store>,
    limiter: &Arc<Limiter>,
    control: Handle,
    clock: &Clock,
) -> Result<Arc<Tokens>, StartError> {
    let folder = store::usage_folder(&config.store.url);
    if let Some(history) = config.store.history {
        // Before anything is added up that belongs into it.
        store.keep_history(Some(history), clock.now().unix_ms).await?;
    }
    recover_usage(folder.clone(), store.clone(), &control).await?;
    let journal = Journal::open(&folder).map_err(|source| StartError::Journal { folder, source })?;
    let options = Options {
        capacity: config.store.cache_capacity,
        negative_ttl: config.store.negative_ttl,
        max_staleness: config.store.max_staleness,
    };
    Ok(Tokens::open(
        store.clone(),
        journal,
        limiter.clone(),
        options,
        Some(node_name()),
        control,
        clock.now(),
    )
    .await?)
}

async fn recover_usage(folder: PathBuf, store: Arc<dyn Store>, control: &Handle) -> Result<(), StoreError> {
    let mut adding_up = control.spawn(async move {
        let mut tries = 0;
        loop {
            match recover(&folder, &*store).await {
                Ok(0) => return Ok(()),
                Ok(journals) => {
                    tracing::info!(journals, "added up usage that an earlier process had counted");
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!(cause = %chain(&error), "usage that an earlier process had counted could not be added up");
                    tries += 1;
                    if tries == TRIES {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    });
    match tokio::time::timeout(ADDING_UP, &mut adding_up).await {
        Ok(Ok(recovered)) => recovered,
        Ok(Err(gone)) => Err(StoreError::Unavailable(Box::new(gone))),
        Err(_) => Ok(()),
    }
}

/// What people call this node.
pub(super) fn node_name() -> String {
    let host = rustix::system::uname();
    format!("{}, process {}", host.nodename().to_string_lossy(), std::process::id())
}
