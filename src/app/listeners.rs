//! The listeners of the data path as they come and go, with the sockets that a new process would be handed.

use super::inherited::Inherited;
use super::lock;
use crate::config::{Config, Listener};
use crate::listen::tls::{self, CertificateError, Obtained, Termination};
use crate::listen::worker::Listening;
use crate::listen::{self, Admission, BindError, Bound, Endpoint};
use crate::telemetry::metrics::Metrics;
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

/// How long connections that are half-way in have to come in, after no new ones may begin.
const ARRIVE: Duration = Duration::from_millis(200);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    held: Mutex<Vec<Held>>,
    workers: Mutex<Vec<UnboundedSender<Listening>>>,
    /// Altered only while `held` is locked.
    phase: watch::Sender<Phase>,
    /// Certificates that come while they listen.
    obtained: Arc<Obtained>,
}

/// How far they are, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Before the first plan was carried out.
    #[default]
    Before,
    Open,
    /// The process ends: none is opened any more, because nobody would serve it.
    Closed,
}

/// One of them.
#[derive(Debug)]
struct Held {
    endpoint: Arc<Endpoint>,
    /// Second handles; the workers have the first.
    sockets: Vec<Bound>,
}

/// What a configuration makes of them; to be [taken over](Listeners::alter) or dropped.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each listener: the one that is there already, or its sockets.
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Keep(Arc<Endpoint>, Option<Arc<Termination>>),
    Open(Arc<Endpoint>, Vec<Bound>),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// An address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// They were closed.
    #[error("this process is ending")]
    Ending,
}

impl Listeners {
    /// Opens what is new in `config`. Nothing is altered yet.
    ///
    /// # Errors
    /// [`PlanError`]
    pub(super) fn plan(
        &self,
        config: &Config,
        inherited: &mut Inherited,
        metrics: &Metrics,
    ) -> Result<Plan, PlanError> {
        let held = lock(&self.held);
        if *self.phase.borrow() == Phase::Closed {
            return Err(PlanError::Ending);
        }
        let mut present: Vec<_> = held.iter().map(|held| &held.endpoint).collect();
        let mut steps = Vec::new();
        for listener in &config.listeners {
            let known = present.iter().position(|endpoint| endpoint.address == listener.address);
            let known = known.map(|index| present.swap_remove(index));
            let before = known.and_then(|endpoint| endpoint.tls());
            let tls = listener.tls.as_ref();
            let tls = tls
                .map(|tls| Termination::new(tls, tls::HTTP, &self.obtained, before.as_deref()))
                .transpose()?;
            steps.push(match known {
                Some(endpoint) => Step::Keep(endpoint.clone(), tls),
                None => {
                    let sockets = sockets(listener.address, config.workers.get(), inherited)?;
                    Step::Open(endpoint(listener, tls, metrics), sockets)
                }
            });
        }
        Ok(Plan { steps })
    }

    /// Where they look certificates up that come while they listen.
    pub(super) fn obtained(&self) -> Arc<Obtained> {
        self.obtained.clone()
    }

    /// The TLS of each that has it, as new connections see it.
    pub(super) fn terminations(&self) -> Vec<Arc<Termination>> {
        lock(&self.held).iter().filter_map(|held| held.endpoint.tls()).collect()
    }

    /// Has these workers accept.
    pub(super) fn serve_by(&self, workers: Vec<UnboundedSender<Listening>>) {
        *lock(&self.workers) = workers;
    }

    /// Carries a plan out, unless the process ends meanwhile. What `config` has no more is closed in a moment, in a task of
    /// the present runtime.
    pub(super) fn alter(&self, plan: Plan, config: &Config) {
        let mut held = lock(&self.held);
        if *self.phase.borrow() == Phase::Closed {
            return;
        }
        let mut before = std::mem::take(&mut *held);
        for (step, listener) in plan.steps.into_iter().zip(&config.listeners) {
            match step {
                Step::Keep(endpoint, tls) => {
                    endpoint.replace(listener, tls);
                    let index = before.iter().position(|held| Arc::ptr_eq(&held.endpoint, &endpoint));
                    held.extend(index.map(|index| before.swap_remove(index)));
                }
                Step::Open(endpoint, sockets) => held.push(self.open(endpoint, sockets)),
            }
        }
        self.phase.send_replace(Phase::Open);
        if !before.is_empty() {
            tokio::spawn(close(before));
        }
    }

    /// Waits until the first plan was carried out: a second one has to know what there is.
    pub(super) async fn opened(&self) {
        self.phase(Phase::Open).await;
    }

    /// Waits until the process ends.
    pub(super) async fn closed(&self) {
        self.phase(Phase::Closed).await;
    }

    async fn phase(&self, phase: Phase) {
        // The sender is ours.
        let _ = self.phase.subscribe().wait_for(|present| *present >= phase).await;
    }

    /// Gives the sockets out, each to one worker.
    fn open(&self, endpoint: Arc<Endpoint>, sockets: Vec<Bound>) -> Held {
        let workers = lock(&self.workers);
        let mut kept = Vec::new();
        for (index, bound) in sockets.into_iter().enumerate() {
            if let Err(error) = listen::listen(&bound) {
                tracing::error!(listener = %endpoint.address, %error, "a worker has to go without a socket");
                continue;
            }
            match bound.try_clone() {
                Ok(clone) => kept.push(clone),
                Err(error) => tracing::warn!(%error, "a socket could not be prepared for a hand-over"),
            }
            let listening = Listening { endpoint: endpoint.clone(), bound };
            // A worker that is gone has ended with an error, which was logged.
            let _ = workers[index % workers.len()].send(listening);
        }
        Held { endpoint, sockets: kept }
    }

    /// Second handles of all sockets, by the address in the configuration.
    pub(super) fn sockets(&self) -> std::io::Result<Vec<(SocketAddr, Vec<Bound>)>> {
        let held = lock(&self.held);
        let clones = |held: &Held| {
            let clones: std::io::Result<_> = held.sockets.iter().map(Bound::try_clone).collect();
            Ok((held.endpoint.address, clones?))
        };
        held.iter().map(clones).collect()
    }

    /// Where they listen, with the ports that the system chose.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |held: &Held| {
            let bound = held.sockets.first().and_then(|bound| bound.socket.local_addr().ok());
            bound.unwrap_or(held.endpoint.address)
        };
        lock(&self.held).iter().map(address).collect()
    }

    /// Stops accepting, so that nothing that was begun is lost. Where another process goes on with the sockets, that is
    /// except at `unused`, they are only let go.
    pub(super) async fn close(&self, unused: Option<&[SocketAddr]>) {
        let held = {
            let mut held = lock(&self.held);
            self.phase.send_replace(Phase::Closed);
            std::mem::take(&mut *held)
        };
        let ends = |held: &Held| unused.is_none_or(|unused| unused.contains(&held.endpoint.address));
        let (ending, going_on): (Vec<_>, Vec<_>) = held.into_iter().partition(ends);
        going_on.iter().for_each(|held| held.endpoint.admit(Admission::Over));
        if !ending.is_empty() {
            close(ending).await;
        }
    }
}

/// Closes listeners that nobody goes on with.
async fn close(ending: Vec<Held>) {
    ending.iter().for_each(|held| held.endpoint.admit(Admission::Refusing));
    tokio::time::sleep(ARRIVE).await;
    ending.iter().for_each(|held| held.endpoint.admit(Admission::Over));
}

fn endpoint(listener: &Listener, tls: Option<Arc<Termination>>, metrics: &Metrics) -> Arc<Endpoint> {
    Arc::new(Endpoint::new(listener, tls, metrics))
}

/// At least one socket for each worker. Of those that were inherited all are used: somebody may wait in each.
pub(super) fn sockets(
    address: SocketAddr,
    workers: usize,
    inherited: &mut Inherited,
) -> Result<Vec<Bound>, BindError> {
    let Some(mut sockets) = inherited.take(address).filter(|sockets| !sockets.is_empty()) else {
        return listen::bind(address, workers);
    };
    let fail = |source| BindError { address, source };
    let missing = workers.saturating_sub(sockets.len());
    if SockRef::from(&sockets[0].socket).reuse_port().map_err(fail)? {
        let bound = sockets[0].socket.local_addr().map_err(fail)?;
        sockets.extend(listen::join(bound, missing)?);
    } else {
        // One queue for several workers.
        for index in 0..missing {
            sockets.push(sockets[index].try_clone().map_err(fail)?);
        }
    }
    Ok(sockets)
}
