//! The end of a process: told by a signal, or because another one has taken over. What is under way is finished.

use super::handover::{Failed, Giving, Successor};
use super::supervisor;
use super::{Gateway, Parts, lock};
use crate::listen::worker::Stage;
use crate::telemetry::log::chain;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedMutexGuard, watch};

/// How long the workers have to hear that they accept no more.
const SETTLE: Duration = Duration::from_millis(10);

/// The signals that end a process. From the first call on they do not end it by themselves.
#[derive(Debug)]
pub(super) struct Signals {
    /// Hand over to a new process.
    hand_over: Signal,
}

/// Those that end it: listened to from when it accepts, so that until then they end a start that hangs by themselves.
#[derive(Debug)]
pub(super) struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Must be called inside a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { hand_over: signal(SignalKind::user_defined2())? })
    }
}

impl Stops {
    /// Must be called inside a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Why it ends.
enum Ending {
    /// It was told to.
    Stopped,
    /// This process goes on; the present one takes no other configuration.
    HandedOver(Successor, OwnedMutexGuard<()>),
}

impl Gateway {
    /// Serves until SIGINT or SIGTERM comes, or until another process has taken over on SIGUSR2; then drains. A second
    /// SIGINT or SIGTERM ends it at once.
    pub fn until_stopped(mut self) {
        let ending = self.control.block_on(ending(&self.parts, &mut self.signals, &mut self.stops));
        self.end(ending);
    }

    fn end(self, ending: Ending) {
        let Self { parts, control, workers, stepwise, signals: _, stops, mut pid_file } = self;
        let mut at_once = cut_short(&control, stops, &parts);
        if let Ending::HandedOver(..) = ending
            && let Some(pid_file) = pid_file.take()
        {
            pid_file.leave();
        }
        parts.draining.store(true, Ordering::Relaxed);
        parts.winding_down.send_replace(true);
        let successor = control.block_on(leave(&parts, ending, &mut at_once));
        let timeout = parts.config.load().drain.timeout;
        let late = parts.clone();
        control.spawn(async move {
            tokio::time::sleep(timeout).await;
            late.stage.send_replace(Stage::Closing);
        });
        let wound_down = control.spawn(wind_down(parts.clone(), stepwise, successor));
        for worker in workers {
            if let Ok(Err(error)) = worker.join() {
                tracing::error!(%error, "a worker ended with an error");
            }
        }
        // The new process sees by its end of the line that this one lives: kept to the end.
        let _successor = control.block_on(async {
            tokio::select! {
                wound_down = wound_down => wound_down.ok().flatten(),
                _ = at_once.wait_for(|at_once| *at_once) => None,
            }
        });
        if let Some(exporter) = lock(&parts.exporter).take() {
            control.block_on(exporter.finish());
        }
        if let Err(error) = control.block_on(parts.shared.tokens.flush_usage()) {
            tracing::error!(cause = %chain(&error), "usage is kept in the journal and added up at the next start");
        }
        if let Err(error) = control.block_on(parts.shared.tokens.flush_refusals()) {
            tracing::error!(cause = %chain(&error), "the refusals of the last second are missing from the history of uses");
        }
        // No worker is left that could accept anything.
        if let Err(error) = control.block_on(parts.shared.tokens.leave_roll()) {
            tracing::warn!(cause = %chain(&error), "this node could not be taken off the roll: the others wait for it once more");
        }
        control.shutdown_timeout(Duration::from_secs(1));
        lock(&parts.access_log).shutdown();
        drop(pid_file);
        tracing::info!("stopped");
    }
}

/// True once it is told a second time to end.
fn cut_short(control: &Runtime, mut stops: Stops, parts: &Arc<Parts>) -> watch::Receiver<bool> {
    let (at_once, told) = watch::channel(false);
    let parts = parts.clone();
    control.spawn(async move {
        stops.next().await;
        tracing::warn!("told a second time to end: what is under way is cut");
        at_once.send_replace(true);
        parts.stage.send_replace(Stage::Closing);
        // Kept: that nobody can say so any more would be taken for the word itself.
        at_once.closed().await;
    });
    told
}

/// Waits until there is a reason to end.
async fn ending(parts: &Arc<Parts>, signals: &mut Signals, stops: &mut Stops) -> Ending {
    loop {
        tokio::select! {
            () = stops.next() => return Ending::Stopped,
            _ = signals.hand_over.recv() => {}
        }
        if parts.file.is_none() {
            continue;
        }
        let alone = parts.changing.clone().lock_owned().await;
        match hand_over(parts, stops).await {
            Ok(successor) => return Ending::HandedOver(successor, alone),
            Err(Failed::Stopped) => return Ending::Stopped,
            Err(error) => {
                parts.shared.metrics.handed_over(false);
                tracing::error!("no hand-over, this process goes on: {error}");
            }
        }
    }
}

/// Starts a new process and waits until it is ready.
async fn hand_over(parts: &Arc<Parts>, stops: &mut Stops) -> Result<Successor, Failed> {
    tracing::info!("handing over to a new process");
    let mut sockets = parts.listeners.sockets()?;
    sockets.push((parts.config.load().admin.address, parts.admin.sockets()?));
    let stopped = Arc::new(AtomicBool::new(false));
    let so_far = parts.shared.metrics.handovers();
    let names = parts.shared.limiter.key();
    let giving = Giving { sockets, so_far, names, stopped: stopped.clone() };
    let mut given = tokio::task::spawn_blocking(move || giving.run());
    let given = tokio::select! {
        given = &mut given => given,
        () = stops.next() => {
            stopped.store(true, Ordering::Relaxed);
            given.await
        }
    };
    given.map_err(|error| Failed::System(io::Error::other(error)))?
}

/// Stops accepting.
async fn leave(parts: &Parts, ending: Ending, at_once: &mut watch::Receiver<bool>) -> Option<Successor> {
    // Kept until the listeners are closed: no reload comes in between.
    let (successor, _alone) = match ending {
        Ending::HandedOver(successor, alone) => {
            supervisor::tell(&format!("MAINPID={}\nSTATUS=draining, the new process serves", successor.id));
            tracing::info!(
                process = successor.id,
                "the new process serves; this one finishes what is under way"
            );
            parts.admin.left.send_replace(true);
            (Some(successor), Some(alone))
        }
        Ending::Stopped => {
            supervisor::tell("STOPPING=1\nSTATUS=draining");
            let delay = parts.config.load().drain.delay;
            tracing::info!("draining: /readyz says so, requests under way are finished");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = at_once.wait_for(|at_once| *at_once) => {}
            }
            (None, None)
        }
    };
    parts.listeners.close(successor.as_ref().map(|successor| &*successor.unused)).await;
    parts.stage.send_if_modified(|stage| {
        let later = *stage < Stage::Draining;
        if later {
            *stage = Stage::Draining;
        }
        later
    });
    if let Some(successor) = &successor {
        // So that connections have been told that their present request is the last.
        tokio::time::sleep(SETTLE).await;
        let counted = parts.shared.limiter.carried(parts.shared.clock.now());
        if let Err(error) = successor.counted(&counted) {
            tracing::warn!(%error, "the new process could not be told what is used of the limits");
        }
    }
    successor
}

/// Waits for what was begun in steps, and leaves the further ones to the new process.
async fn wind_down(
    parts: Arc<Parts>,
    stepwise: Vec<tokio::task::JoinHandle<()>>,
    successor: Option<Successor>,
) -> Option<Successor> {
    for task in stepwise {
        if let Err(error) = task.await {
            tracing::error!(%error, "webhooks or operations ended badly; what is not done is done at the next start");
        }
    }
    if let Err(error) = parts.shared.tokens.step_back().await {
        tracing::warn!(cause = %chain(&error), "the other nodes could not be told that they go on with webhooks and operations");
    }
    successor.inspect(Successor::leave_to_it)
}
