//! Connections to backend services: each worker has its own, and drives them from the request that uses them.
//!
//! A checked-out HTTP/1.1 connection is polled by the request's own future and later by the answer's body, so that
//! a request costs no task and no hop through a queue. HTTP/2 connections are shared and have a task of their own.

mod added;
mod balance;
pub mod body;
mod bounds;
mod connect;
pub mod dns;
mod eject;
pub mod h1;
mod h2;
mod head;
mod health;
mod lane;
mod overlay;
mod place;
mod pool;
mod retry;
mod services;
pub mod spool;
mod steps;
pub mod tls;
mod tunnel;

pub use added::Added;
pub use body::{Answer, Outgoing};
pub use h2::Local;
pub use head::{Displaced, Head};
pub use health::{CheckError, Streak};
pub use overlay::Overlay;
pub use place::{Place, Target};
pub use pool::Pools;
pub use services::{Services, TlsError};
pub use steps::{Step, Steps, What};

use crate::config::{Balance, Eject, Health, Scheme, Timeouts, Upstream};
use crate::deadline::{Deadlines, Elapsed};
use crate::telemetry::metrics::Counter;
use bounds::Bounds;
use http::Response;
use lane::{Lane, Places, Ticket};
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection: refused, unreachable, no such name, TLS failed.
    #[error("could not connect to {endpoint}")]
    Connect {
        /// Where to.
        endpoint: Arc<str>,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection took longer than `timeouts.connect`.
    #[error("connecting to {0} took longer than timeouts.connect")]
    ConnectTimeout(Arc<str>),
    /// It broke before the head of an answer was read, or spoke no HTTP.
    #[error("the connection to {endpoint} broke")]
    Broke {
        /// Where to.
        endpoint: Arc<str>,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer within `timeouts.response`.
    #[error("{0} gave no answer within timeouts.response")]
    ResponseTimeout(Arc<str>),
    /// It speaks HTTP/2 only, on which protocols are not switched.
    #[error("{0} is an h2c endpoint, which has no HTTP/1.1 to switch protocols on")]
    NoHttp1(Arc<str>),
    /// Active checks say that no endpoint is well.
    #[error("no endpoint of the upstream {0} is healthy")]
    NoneHealthy(Arc<str>),
    /// No endpoint has an address yet.
    #[error("no endpoint of the upstream {0} has an address: its names do not resolve")]
    Unresolved(Arc<str>),
    /// As many requests as `limits` allows are under way, and as many wait.
    #[error("the upstream {0} has limits.max_requests under way, and limits.max_queued waiting")]
    Full(Arc<str>),
    /// None of those under way has ended in time.
    #[error("a request for the upstream {0} has waited for limits.queue_timeout")]
    QueueTimeout(Arc<str>),
}

/// An upstream, ready to be sent to. Shared by all workers.
#[derive(Debug)]
pub struct Service {
    id: u64,
    /// Its name in the configuration.
    pub name: Arc<str>,
    config: Upstream,
    targets: Vec<Arc<Target>>,
    places: watch::Sender<Places>,
    /// Its places change with what its names resolve to.
    resolves: bool,
    /// It has, or may come to have, more than one place.
    several: bool,
    timeouts: Timeouts,
    balance: Balance,
    eject: Option<Eject>,
    health: Option<Health>,
    retry: Option<retry::Policy>,
    bounds: Option<Arc<Bounds>>,
    /// Until then some place is not as the others, in monotonic nanoseconds.
    troubled_until_ns: AtomicU64,
    ejecting: Mutex<()>,
    /// A name has been asked for without success.
    unresolvable: AtomicBool,
    counts: Counts,
}

/// What is counted of an upstream, all of it rare.
#[derive(Debug)]
struct Counts {
    retries: Arc<Counter>,
    exhausted: Arc<Counter>,
    over_budget: Arc<Counter>,
    ejections: Arc<Counter>,
    full: Arc<Counter>,
    queue_timeout: Arc<Counter>,
    none_healthy: Arc<Counter>,
}

/// What is to be sent, but for its body, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// The worker's connections.
    pub pools: &'a Rc<Pools>,
    /// The worker's time-outs.
    pub deadlines: &'a Rc<Deadlines>,
    /// The request's head.
    pub head: &'a Head,
    /// The client's address, where [`Service::asks_for_address`].
    pub from: Option<IpAddr>,
}

impl Errand<'_> {
    /// Notes the beginning of a step, of a request that is traced.
    fn begin(&self, what: What) -> Option<usize> {
        self.head.steps.as_ref().map(|steps| steps.begin(what))
    }

    /// Notes its end.
    fn end(&self, step: Option<usize>, failed: bool) {
        if let (Some(steps), Some(step)) = (&self.head.steps, step) {
            steps.end(step, failed);
        }
    }
}

/// A request that was not answered.
#[derive(Debug)]
struct Undelivered {
    error: UpstreamError,
    /// Its body, where nothing has been taken of it.
    body: Option<Outgoing>,
    /// The request's body broke off, or stalled.
    fault_of_client: bool,
}

/// What came of sending a request once.
type Sent = Result<Response<Box<Answer>>, Box<Undelivered>>;

impl Undelivered {
    /// On the heap: it is rare, and must not make what every request hands on large.
    fn new(error: UpstreamError, body: Option<Outgoing>) -> Box<Self> {
        Box::new(Self { error, body, fault_of_client: false })
    }

    /// A request whose body did not come to its end says nothing of an endpoint once it was connected to: a client that
    /// stalls must not be able to have endpoints left alone.
    fn look_at(&mut self, passage: &body::Passage) {
        let connected =
            !matches!(self.error, UpstreamError::Connect { .. } | UpstreamError::ConnectTimeout(_));
        self.fault_of_client |= connected && self.body.is_none() && !passage.ended.get();
    }
}

impl Service {
    /// Its endpoints, in the order of the configuration.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// How a request's endpoint is chosen.
    pub fn balance(&self) -> Balance {
        self.balance
    }

    /// How long both sides of a switched connection may be silent.
    pub fn tunnel_idle(&self) -> Duration {
        self.timeouts.tunnel
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is no answer; dropping the future closes or resets what it used.
    pub async fn send(
        &self,
        errand: Errand<'_>,
        body: Outgoing,
    ) -> Result<Response<Box<Answer>>, UpstreamError> {
        let permit = match &self.bounds {
            None => None,
            Some(bounds) => {
                let step = errand.begin(What::Queue);
                let entered = bounds.enter(&self.name, errand.deadlines).await;
                errand.end(step, entered.is_err());
                Some(self.counted(entered)?)
            }
        };
        let desk = errand.pools.desk(self);
        let lane = match self.pick(&desk, &errand, &[]) {
            Err(UpstreamError::Unresolved(_)) => Box::pin(self.first_place(&desk, errand)).await?,
            picked => self.counted(picked)?,
        };
        let mut ticket = Ticket::new(lane.clone(), permit);
        let mut sent = match &self.retry {
            None => self.attempt(&lane, errand, body).await,
            Some(policy) => {
                if policy.budgeted {
                    desk.budget.count(errand.deadlines.now_ns());
                }
                let copy = policy.copy(&errand.head.method, &body);
                let sent = self.attempt(&lane, errand, body).await;
                if policy.wants(&sent) {
                    let again;
                    // Boxed: it is rare, and must not make the future of every request large.
                    (again, ticket) = Box::pin(self.again(policy, &desk, errand, ticket, sent, copy)).await;
                    again
                } else {
                    sent
                }
            }
        };
        if let Ok(response) = &mut sent {
            response.body_mut().hold(ticket);
        }
        sent.map_err(|undelivered| undelivered.error)
    }

    /// The first place that there is: right after the start, names may not have been resolved yet.
    async fn first_place(&self, desk: &lane::Desk, errand: Errand<'_>) -> Result<Rc<Lane>, UpstreamError> {
        if !self.unresolvable.load(Ordering::Relaxed) {
            let mut places = self.places.subscribe();
            let work = Box::pin(places.wait_for(|places| !places.is_empty()));
            let _ = errand.deadlines.within(self.timeouts.connect, work).await;
        }
        errand.pools.renew(desk);
        self.counted(self.pick(desk, &errand, &[]))
    }

    /// Sends a request once.
    async fn attempt(&self, lane: &Rc<Lane>, errand: Errand<'_>, body: Outgoing) -> Sent {
        let step = errand.begin(What::Attempt(lane.place.address));
        let (time, passage) = (errand.head.timeout.unwrap_or(self.timeouts.response), body.passage());
        // Until the switch nothing is asked of the client.
        let switches = body.upgrade().is_some();
        let target = &lane.place.target;
        let sent = match target.endpoint.scheme {
            Scheme::Http => {
                let work = pin!(h1::send(self, lane, errand, body));
                patiently(errand.deadlines, time, passage.as_deref(), work).await
            }
            _ if body.upgrade().is_some() => {
                let mut work = Box::pin(tunnel::send(self, lane, errand, body));
                patiently(errand.deadlines, time, passage.as_deref(), work.as_mut()).await
            }
            Scheme::H2c | Scheme::Https => {
                let mut work = Box::pin(h2::send(self, lane, errand, body));
                patiently(errand.deadlines, time, passage.as_deref(), work.as_mut()).await
            }
        };
        let mut sent = match sent {
            Ok(sent) => sent,
            Err(Elapsed) => {
                Err(Undelivered::new(UpstreamError::ResponseTimeout(target.authority.clone()), None))
            }
        };
        if let (Err(undelivered), Some(passage), false) = (&mut sent, &passage, switches) {
            undelivered.look_at(passage);
        }
        self.judge(lane, &sent, errand.deadlines.now_ns());
        errand.end(step, sent.is_err());
        sent
    }

    /// Counts what is refused before it is sent.
    fn counted<T>(&self, result: Result<T, UpstreamError>) -> Result<T, UpstreamError> {
        match &result {
            Err(UpstreamError::Full(_)) => self.counts.full.increment(),
            Err(UpstreamError::QueueTimeout(_)) => self.counts.queue_timeout.increment(),
            Err(UpstreamError::NoneHealthy(_)) => self.counts.none_healthy.increment(),
            _ => {}
        }
        result
    }
}

/// Waits for `work` for `time` after the last byte of the request's body went through: a large upload over a slow line
/// is no upstream that does not answer.
async fn patiently<F: Future>(
    deadlines: &Deadlines,
    time: Duration,
    passage: Option<&body::Passage>,
    mut work: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    let mut passed = 0;
    loop {
        let done = deadlines.within(time, work.as_mut()).await;
        let now = passage.map_or(0, |passage| passage.bytes.get());
        if done.is_ok() || now == passed {
            return done;
        }
        passed = now;
    }
}
