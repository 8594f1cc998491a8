//! What runs beside the request path: following the store, writing usage, sweeping, metrics, reloads.

use super::build::node_name;
use super::{Parts, acme, admin, lock, memory, process, sightings};
use crate::clock::Moment;
use crate::config::watch::{Prints, Watcher, watch};
use crate::control::acme::Certificates;
use crate::control::traces::Exporter;
use crate::control::webhooks::{First, Now};
use crate::control::{operations, signing};
use crate::listen::tls::Termination;
use crate::store::cache::Position;
use crate::store::journal::Flushed;
use crate::store::nodes::beat;
use crate::telemetry::log::chain;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How often the store is asked what has changed, when it does not say by itself that something has.
const FOLLOW: Duration = Duration::from_millis(100);
/// How long to wait before the keys are loaded again, when that has failed.
const AGAIN: Duration = Duration::from_secs(5);
/// How often usage is written and state is swept.
const SECOND: Duration = Duration::from_secs(1);
/// The uses of so many keys are written each second, however long it takes.
const FEW: usize = 1000;
/// When so many slots of keys that are held no more wait to be sent, it is not waited for the next part.
const MOST_WAITING: usize = 65_536;
/// Of more of them, the time between two writings is so many times what one takes,
const USAGE_SHARE: u32 = 32;
/// but no longer than this.
const USAGE_LATEST: Duration = Duration::from_secs(30);
/// How often signing keys are looked at: one that was made elsewhere is published, and signs, this much late at most.
const SIGNING: Duration = Duration::from_secs(2);
/// How often expiring keys are looked at.
const MINUTE: Duration = Duration::from_secs(60);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Starts all of it; it ends with the control runtime. What is returned ends when it is told to, by
/// `winding_down`.
pub(super) fn start(
    parts: &Arc<Parts>,
    files: Vec<PathBuf>,
    prints: &Prints,
    obtained: Certificates,
) -> io::Result<Vec<JoinHandle<()>>> {
    let watching = Watching::start(parts, files, prints);
    admin::start(parts)?;
    scrape_hook(parts);
    parts.shared.metrics.set_config_since(parts.shared.clock.now());
    certificates(parts);
    sightings::start(parts);
    traces(parts);
    let hangup = signal(SignalKind::hangup())?;
    tokio::spawn(follow(parts.clone()));
    tokio::spawn(tend(parts.clone()));
    tokio::spawn(fill(parts.clone()));
    tokio::spawn(each_second(parts.clone()));
    tokio::spawn(memory::watch(parts.clone()));
    tokio::spawn(each_minute(parts.clone()));
    tokio::spawn(sign(parts.clone()));
    tokio::spawn(reloads(parts.clone(), hangup, watching));
    let certificates = acme::run(parts.clone(), obtained);
    let shared = parts.shared.clone();
    let now: Now = Arc::new(move || shared.clock.now());
    let shared = parts.shared.clone();
    // Not in two processes at once: both would do the same.
    let first: First = Arc::new(move || shared.tokens.is_first(shared.clock.now()));
    let stop = || parts.winding_down.subscribe();
    let webhooks = parts.webhooks.clone().run(now.clone(), first.clone(), stop());
    let operations = operations::run(parts.domain.clone(), now, first, stop());
    let beside = parts.beside.clone();
    let certificates = async move {
        beside.yielded().await;
        certificates.await;
    };
    Ok(vec![tokio::spawn(webhooks), tokio::spawn(operations), tokio::spawn(certificates)])
}

/// Sends traces; ends by [`Running::finish`](crate::control::traces::Running::finish).
fn traces(parts: &Arc<Parts>) {
    let Some(spans) = lock(&parts.spans).take() else { return };
    let of = parts.clone();
    let configured = Box::new(move || of.config.load().telemetry.traces.clone());
    let exporter = Exporter::new(spans, configured, node_name(), &parts.shared.metrics);
    *lock(&parts.exporter) = Some(exporter.start());
}

/// Brings the keys in, beside the requests.
async fn fill(parts: Arc<Parts>) {
    let shared = &parts.shared;
    let start = shared.clock.now();
    loop {
        match shared.tokens.fill(shared.clock.now()).await {
            Ok(keys) => {
                let took = shared.clock.now().since(start);
                shared.metrics.set_cache_loaded(took);
                tracing::info!(keys, ms = took.as_millis(), "the keys are loaded");
                return;
            }
            Err(error) => {
                tracing::error!(cause = %chain(&error), "the keys could not be loaded; each is looked up when it is asked for, all are tried again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Follows the store's changes; a store that does not answer makes the keys stale.
async fn follow(parts: Arc<Parts>) {
    let followed = watch::Sender::new(None);
    tokio::spawn(tell(parts.clone(), followed.subscribe()));
    let (shared, mut failing) = (&parts.shared, false);
    loop {
        match shared.tokens.synchronise(shared.clock.now()).await {
            Ok(_) if failing => {
                tracing::info!("the store answers again");
                failing = false;
            }
            Err(error) if !failing => {
                tracing::error!(cause = %chain(&error), "the store does not answer; keys are accepted for max_staleness more");
                failing = true;
            }
            Ok(_) | Err(_) => {}
        }
        let position = shared.tokens.position().await;
        followed.send_if_modified(|told| {
            let news = told.as_ref() != Some(&position);
            *told = Some(position);
            news
        });
        if parts.store.changed(FOLLOW).await.is_err() {
            tokio::time::sleep(FOLLOW).await;
        }
    }
}

/// Tells the other nodes how far this one has followed, and now and then that it is there. Apart from following, which must not
/// wait until something can be written.
async fn tell(parts: Arc<Parts>, mut followed: watch::Receiver<Option<Position>>) {
    let mut failing = false;
    loop {
        let position = followed.borrow_and_update().clone();
        // Who can not read is not there: others need not wait for it for ever.
        let fresh = parts.shared.tokens.fresh(parts.shared.clock.now());
        if let Some(Position { node: Some(node), change }) = position.filter(|_| fresh) {
            let told = parts.store.tell(&node, change, parts.shared.clock.now().unix_ms).await;
            if let Err(error) = &told
                && !failing
            {
                tracing::error!(cause = %chain(error), "the other nodes can not be told that this one is there");
            }
            failing = told.is_err();
        }
        let pause = if failing { FOLLOW } else { beat(parts.config.load().store.max_staleness) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            told = followed.changed(), if !failing => if told.is_err() { return },
        }
    }
}

/// Looks after the other nodes.
async fn tend(parts: Arc<Parts>) {
    loop {
        match parts.edge.tend().await {
            Ok(roll) => {
                parts.shared.metrics.set_nodes(roll.heard);
                parts.shared.metrics.nodes_lost(roll.lost);
                // With those that are silent: they may accept until they are struck.
                parts.shared.node.set_live(u32::try_from(roll.all.max(1)).unwrap_or(u32::MAX));
            }
            // Whoever follows the store says so.
            Err(error) => {
                tracing::debug!(cause = %chain(&error), "the other nodes could not be looked after")
            }
        }
        tokio::time::sleep(SECOND).await;
    }
}

async fn each_second(parts: Arc<Parts>) {
    tokio::spawn(write_usage(parts.clone()));
    tokio::spawn(write_refusals(parts.clone()));
    tokio::spawn(keep_history(parts.clone()));
    tokio::spawn(keep_audit(parts.clone()));
    for turn in 0.. {
        tokio::time::sleep(SECOND).await;
        parts.shared.clock.resync();
        let now = parts.shared.clock.now();
        parts.shared.tokens.sweep(now);
        parts.shared.limiter.sweep_some(turn, now);
        parts.shared.signatures.tend(now.unix_s(), parts.config.load().jwt.upstream.ttl.as_secs());
    }
}

/// Writes what keys were refused for, each second.
async fn write_refusals(parts: Arc<Parts>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(SECOND).await;
        let written = parts.shared.tokens.flush_refusals().await;
        if let Err(error) = &written
            && !failing
        {
            tracing::error!(cause = %chain(error), "refusals could not be written; they are kept, as many as there is room for, and tried again");
        }
        failing = written.is_err();
    }
}

/// Waits until it is for this node to do what one node does for all: what one has forgotten is forgotten.
async fn until_first(parts: &Parts) -> Moment {
    loop {
        let now = parts.shared.clock.now();
        if parts.shared.tokens.is_first(now) {
            return now;
        }
        tokio::time::sleep(SECOND).await;
    }
}

/// Has the history of uses kept as the configuration says, and forgets what is too old.
async fn keep_history(parts: Arc<Parts>) {
    loop {
        let now = until_first(&parts).await;
        if let Err(error) = parts.store.keep_history(parts.config.load().store.history, now.unix_ms).await {
            tracing::warn!(cause = %chain(&error), "the history of uses could not be looked after");
        }
        tokio::time::sleep(MINUTE).await;
    }
}

/// Forgets what is too old of the audit log, where it is not kept forever.
async fn keep_audit(parts: Arc<Parts>) {
    loop {
        let now = until_first(&parts).await;
        if let Some(keep) = parts.config.load().store.audit {
            let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
            if let Err(error) = parts.store.forget_audit(now.unix_ms.saturating_sub(keep_ms)).await {
                tracing::warn!(cause = %chain(&error), "what is too old of the audit log could not be removed");
            }
        }
        tokio::time::sleep(MINUTE).await;
    }
}

/// Writes what was counted, each second; a part at a time, and less often, when so many keys are in use that it takes long:
/// a million of them each ten minutes or so. Nothing is lost meanwhile, and whoever asks for a key's uses has them written.
async fn write_usage(parts: Arc<Parts>) {
    let mut pause = SECOND;
    let mut round = parts.shared.clock.now();
    loop {
        tokio::time::sleep(pause).await;
        let start = parts.shared.clock.now();
        pause = SECOND;
        let flushed = parts.shared.tokens.flush_some_usage().await;
        if flushed.as_ref().is_ok_and(Flushed::is_last) {
            // What was counted before the first part of the round is written now.
            parts.usage_written.store(round.mono_ns, Ordering::Relaxed);
            round = parts.shared.clock.now();
        }
        match flushed {
            // Keys come and go: until the slots of those that went are sent, the journal grows instead.
            Ok(flushed) if flushed.waiting > MOST_WAITING => pause = Duration::ZERO,
            Ok(flushed) if flushed.slots > FEW => {
                let took = parts.shared.clock.now().since(start);
                pause = (took * USAGE_SHARE).clamp(SECOND, USAGE_LATEST);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(cause = %chain(&error), "usage could not be written; it is kept and tried again");
            }
        }
    }
}

async fn each_minute(parts: Arc<Parts>) {
    loop {
        expiring(&parts, parts.shared.clock.now()).await;
        tokio::time::sleep(MINUTE).await;
    }
}

/// Follows the signing keys.
async fn sign(parts: Arc<Parts>) {
    let mut is_well = true;
    loop {
        let identity = parts.config.load().jwt.upstream.clone();
        let looked = signing::ring(&*parts.store, &identity, parts.shared.clock.now()).await;
        // Said once: a store that is away for an hour is no news every other second.
        if let Err(error) = &looked
            && is_well
        {
            tracing::error!(cause = %chain(error), "the signing keys could not be looked at");
        }
        is_well = looked.is_ok();
        if let Ok(ring) = looked {
            parts.ring.store(Arc::new(ring));
        }
        tokio::time::sleep(SIGNING).await;
    }
}

async fn expiring(parts: &Parts, now: Moment) {
    for (label, days) in [("1d", 1), ("7d", 7), ("30d", 30)] {
        match parts.store.expiring(now.unix_ms, now.unix_ms + days * DAY_MS).await {
            Ok(count) => parts.shared.metrics.set_tokens_expiring(label, count),
            Err(error) => tracing::warn!(cause = %chain(&error), "expiring keys could not be counted"),
        }
    }
}

fn scrape_hook(parts: &Arc<Parts>) {
    // Weak: the metrics belong to what the hook looks at.
    let weak = Arc::downgrade(parts);
    let started = parts.shared.clock.now();
    parts.shared.metrics.on_scrape(move |metrics| {
        let Some(parts) = weak.upgrade() else { return };
        metrics.set_standing(process::standing(&parts, started));
        let tokens = &parts.shared.tokens;
        let now = parts.shared.clock.now();
        let stats = tokens.stats();
        metrics.set_cache_entries(stats.entries, stats.filled);
        expiries(&parts);
        if let Ok(bytes) = memory::resident() {
            metrics.set_resident(bytes);
        }
        metrics.set_store(tokens.fresh(now), tokens.staleness(now));
        let written_ns = parts.usage_written.load(Ordering::Relaxed);
        let unwritten = Duration::from_nanos(now.mono_ns.saturating_sub(written_ns));
        metrics.set_usage(unwritten, tokens.refusals().dropped());
        let connections = parts.store.connections();
        metrics.set_store_connections(connections.open, connections.opened, connections.failed);
        parts.upstreams.publish(&parts.shared.clock);
    });
}

/// Says which files hold no certificate that can be shown, so that an older one is.
pub(super) fn certificates(parts: &Parts) {
    let terminations = terminations(parts);
    let outdated: Vec<_> = terminations.iter().flat_map(|tls| tls.outdated()).collect();
    for error in &outdated {
        tracing::error!("a certificate stays as it was, because its files can not be used: {error}");
    }
    parts.shared.metrics.set_certificates_outdated(outdated.len());
}

/// Publishes when each certificate ends.
fn expiries(parts: &Parts) {
    // Of several for one name, as with keys of two kinds, the first to end is what somebody has to know.
    let mut ends = BTreeMap::<Box<str>, i64>::new();
    for expiry in terminations(parts).iter().flat_map(|tls| tls.expiries()) {
        let Some(not_after) = expiry.not_after else { continue };
        ends.entry(expiry.name).and_modify(|end| *end = not_after.min(*end)).or_insert(not_after);
    }
    parts.shared.metrics.set_certificates(ends.iter().map(|(name, end)| (&**name, *end)));
}

fn terminations(parts: &Parts) -> Vec<Arc<Termination>> {
    parts.listeners.terminations().into_iter().chain(parts.admin.tls.load_full()).collect()
}

/// The files that a reload reads, watched.
struct Watching {
    files: Vec<PathBuf>,
    changed: mpsc::Receiver<()>,
    /// Watches until it is dropped.
    _watcher: Watcher,
}

impl Watching {
    /// `None` when there is no file to reload from.
    fn start(parts: &Parts, files: Vec<PathBuf>, prints: &Prints) -> Option<Self> {
        parts.file.as_ref().map(|_| Self::over(files, prints))
    }

    fn over(files: Vec<PathBuf>, prints: &Prints) -> Self {
        let (watcher, changed) = watch(files.clone(), prints);
        Self { files, changed, _watcher: watcher }
    }
}

/// Reloads on SIGHUP and when one of the files changes; SIGHUP also opens the access log anew.
async fn reloads(parts: Arc<Parts>, mut hangup: Signal, mut watching: Option<Watching>) {
    parts.listeners.opened().await;
    loop {
        let changed = async {
            match &mut watching {
                Some(watching) => watching.changed.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = hangup.recv() => match signal {
                Some(()) => lock(&parts.access_log).reopen(),
                None => return,
            },
            told = changed => if told.is_none() { return },
            () = parts.listeners.closed() => break,
        }
        let Some(file) = &parts.file else { continue };
        // A process that takes over has read the configuration: this one stays at what it has handed on.
        let _alone = tokio::select! {
            biased;
            () = parts.listeners.closed() => break,
            alone = parts.changing.lock() => alone,
        };
        match parts.reload(file) {
            Ok(taken) => {
                taken.log(file);
                if watching.as_ref().is_some_and(|watching| watching.files != taken.files) {
                    watching = Some(Watching::over(taken.files, &taken.prints));
                }
            }
            Err(error) => {
                tracing::error!("the configuration in {} was not taken over: {error}", file.display())
            }
        }
    }
    // What ends takes no other configuration; it still writes its log.
    while hangup.recv().await.is_some() {
        lock(&parts.access_log).reopen();
    }
}
