//! What one worker asks, and what it does when there is no answer.

use super::Node;
use super::call::{self, Keys};
use super::circuit::Circuit;
use super::held::{Held, Holding};
use super::link::Link;
use crate::clock::{Clock, Moment};
use crate::config::{BackendFailure, Counting, SharedLimits};
use crate::limiter::{Algorithm, Bucket, Leased, Limit, Slot, Told, Verdict};
use crate::telemetry::metrics::{LimitsAsked, LimitsDecided};
use redis::RedisError;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;

/// Longest that a worker's end waits until its permits are given back.
const FAREWELL: Duration = Duration::from_millis(250);

/// Ticks without an answer after which the worker looks for itself: a second.
const SILENCE: u32 = 10;

/// To open a connection and to try it.
const OPENING: Duration = Duration::from_secs(3);

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// By which the bucket is known to all nodes.
    pub id: &'s str,
    /// The API that the limit is of.
    pub api: &'s str,
    /// What this node knows of the bucket.
    pub bucket: &'s Arc<Bucket>,
    /// Which of its limits.
    pub slot: Slot,
    /// The limit.
    pub limit: &'s Limit,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It passes or does not.
    Verdict(Verdict),
    /// Nobody could say.
    Unknown,
}

/// A worker's connection, with what it knows of its state.
#[derive(Debug)]
pub struct Client {
    config: Arc<SharedLimits>,
    node: Arc<Node>,
    /// The worker's number, for the metrics.
    shard: usize,
    phase: watch::Sender<Phase>,
    link: RefCell<Option<Link>>,
    /// Grows with each connection, so that a failure of an old one is not taken for one of the new one.
    generation: Cell<u64>,
    circuit: RefCell<Circuit>,
    trying: Cell<bool>,
    /// Ticks since the last answer.
    silent: Cell<u32>,
    held: RefCell<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first attempt is under way: requests wait for it, as they would for an answer.
    Connecting,
    /// There is a connection.
    Up,
    /// There is none. Nobody waits.
    Away,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("there was no answer within {0:?}")]
    Late(Duration),
    #[error("{0}")]
    Refused(#[from] RedisError),
    /// Known before: nobody asked.
    #[error("there is no connection")]
    Away,
}

impl Client {
    /// A client that connects with its first tick.
    pub fn new(config: Arc<SharedLimits>, node: Arc<Node>, shard: usize) -> Rc<Self> {
        node.cells.begins(config.on_failure == BackendFailure::Deny);
        Rc::new(Self {
            config,
            node,
            shard,
            phase: watch::Sender::new(Phase::Connecting),
            link: RefCell::default(),
            generation: Cell::new(0),
            circuit: RefCell::new(Circuit::new()),
            trying: Cell::new(false),
            silent: Cell::new(0),
            held: RefCell::default(),
        })
    }

    /// Decides what needs no answer: by a permit in hand, or because there would be none. Waits for nobody.
    pub fn at_once(self: &Rc<Self>, subject: &Subject<'_>, now: Moment) -> Option<Decided> {
        if self.leases(subject.limit) {
            let leased = subject.bucket.take_leased(subject.slot, subject.limit, now);
            if let Leased::Low(_) = leased {
                self.ask_ahead(subject, now);
            }
            if let Leased::Decided(verdict) | Leased::Low(verdict) = leased {
                self.node.cells.decided(self.shard, LimitsDecided::Lease);
                return Some(Decided::Verdict(verdict));
            }
        }
        (*self.phase.borrow() == Phase::Away).then(|| self.alone(subject, now))
    }

    /// Asks, and decides by itself where there is no answer in time.
    pub async fn ask(self: &Rc<Self>, subject: &Subject<'_>, clock: &Clock) -> Decided {
        let begun = clock.now();
        let keys = Keys::new(&self.config.prefix, subject.id, subject.api);
        let answer = self.within(self.answer(subject, &keys, begun)).await;
        let after = clock.now();
        match answer {
            Ok(verdict) => {
                self.node.cells.asked(self.shard, LimitsAsked::Ok, after.since(begun));
                self.node.cells.decided(self.shard, LimitsDecided::Backend);
                Decided::Verdict(verdict)
            }
            Err(_) => self.alone(subject, after),
        }
    }

    async fn answer(
        self: &Rc<Self>,
        subject: &Subject<'_>,
        keys: &Keys,
        now: Moment,
    ) -> Result<Verdict, NoAnswer> {
        let Subject { bucket, slot, limit, .. } = *subject;
        if self.leases(limit)
            && let Some(verdict) = self.block(subject, keys, now, true).await?
        {
            return Ok(verdict);
        }
        let mut link = self.link().await.ok_or(NoAnswer::Away)?;
        let claim = bucket.claim(slot, limit, self.nodes(), now);
        let told = call::decide(&mut link, keys, limit, &claim).await?;
        Ok(bucket.tell(slot, limit, &told, &claim, now))
    }

    /// Asks for a block of permits; `None` where somebody does, or where there are none for this kind of limit.
    async fn block(
        self: &Rc<Self>,
        subject: &Subject<'_>,
        keys: &Keys,
        now: Moment,
        own: bool,
    ) -> Result<Option<Verdict>, NoAnswer> {
        let Subject { bucket, slot, limit, .. } = *subject;
        let mut link = self.link().await.ok_or(NoAnswer::Away)?;
        let Some(asking) = bucket.ask(slot, now) else { return Ok(None) };
        let claim = bucket.claim(slot, limit, self.nodes(), now);
        let granted = call::lease(&mut link, keys, limit, &claim, &self.node.name, &asking).await?;
        let Some((granted, told)) = granted else { return Ok(None) };
        bucket.tell(slot, limit, &told, &claim, now);
        let verdict = bucket.leased(asking, granted, own, &told, now);
        if granted > 1 {
            let holding = Holding { bucket: bucket.clone(), slot, limit: *limit, keys: keys.clone() };
            self.held.borrow_mut().keep(holding);
        }
        Ok(Some(verdict))
    }

    /// Asks for the next block while there are permits in hand.
    fn ask_ahead(self: &Rc<Self>, subject: &Subject<'_>, now: Moment) {
        if *self.phase.borrow() != Phase::Up {
            return;
        }
        let Subject { slot, limit, .. } = *subject;
        let (client, bucket, limit) = (self.clone(), subject.bucket.clone(), *limit);
        let (id, api): (Box<str>, Box<str>) = (subject.id.into(), subject.api.into());
        spawn_local(async move {
            let subject = Subject { id: &id, api: &api, bucket: &bucket, slot, limit: &limit };
            let keys = Keys::new(&client.config.prefix, &id, &api);
            let block = client.block(&subject, &keys, now, false);
            let _ = client.within(block).await;
        });
    }

    /// Runs a question, but not for longer than a request may wait. Whoever gets no answer opens the circuit.
    async fn within<T>(&self, question: impl Future<Output = Result<T, NoAnswer>>) -> Result<T, NoAnswer> {
        let generation = self.generation.get();
        let answer = match timeout(self.config.timeout, question).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Late(self.config.timeout)),
        };
        if answer.is_ok() {
            self.silent.set(0);
        }
        if let Err(error) = &answer
            && !matches!(error, NoAnswer::Away)
        {
            let late = matches!(error, NoAnswer::Late(_));
            let asked = if late { LimitsAsked::Timeout } else { LimitsAsked::Error };
            self.node.cells.asked(self.shard, asked, self.config.timeout);
            if generation == self.generation.get() {
                self.leave(error);
            }
        }
        answer
    }

    /// The connection; waits for the first one.
    async fn link(&self) -> Option<Link> {
        if *self.phase.borrow() == Phase::Connecting {
            let mut phase = self.phase.subscribe();
            // The sender is this client's own.
            let _ = phase.wait_for(|phase| *phase != Phase::Connecting).await;
        }
        self.link.borrow().clone()
    }

    /// What decides without the others.
    fn alone(&self, subject: &Subject<'_>, now: Moment) -> Decided {
        let Subject { bucket, slot, limit, .. } = *subject;
        let (by, decided) = match self.config.on_failure {
            BackendFailure::Local => {
                (LimitsDecided::Local, Decided::Verdict(bucket.alone(slot, limit, self.nodes(), now)))
            }
            BackendFailure::Allow => {
                let verdict = bucket.peek(slot, *limit, now);
                let passes = Verdict { allowed: true, retry_after_s: 0, ..verdict };
                (LimitsDecided::Allow, Decided::Verdict(passes))
            }
            BackendFailure::Deny => (LimitsDecided::Deny, Decided::Unknown),
        };
        self.node.cells.decided(self.shard, by);
        decided
    }

    fn nodes(&self) -> u32 {
        self.node.live(&self.config)
    }

    /// Blocks are for token buckets: the other algorithms ask when each request is, which a permit does not say.
    fn leases(&self, limit: &Limit) -> bool {
        self.config.counting == Counting::Leased && limit.algorithm() == Algorithm::TokenBucket
    }

    /// What has to be done now and then; about every [`crate::deadline::TICK`].
    pub fn tick(self: &Rc<Self>, now: Moment) {
        if *self.phase.borrow() == Phase::Up {
            self.circuit.borrow_mut().is_good();
            self.silent.set(self.silent.get() + 1);
            if self.silent.get() == SILENCE {
                let client = self.clone();
                spawn_local(async move { client.look().await });
            }
        } else if !self.trying.get() && self.circuit.borrow_mut().is_due() {
            self.trying.set(true);
            let client = self.clone();
            spawn_local(async move { client.open().await });
        }
        for holding in self.held.borrow_mut().idle(now) {
            let client = self.clone();
            spawn_local(async move { client.give_back(&holding, now).await });
        }
    }

    /// Finds out whether there still is an answer, so that no request has to when there is none.
    async fn look(&self) {
        let Some(mut link) = self.link.borrow().clone() else { return };
        let _ = self.within(async { self.try_out(&mut link).await }).await;
    }

    async fn open(&self) {
        let opened = timeout(OPENING, async {
            let mut link = Link::open(&self.config).await?;
            timeout(self.config.timeout.max(LEAST_TRIAL), self.try_out(&mut link))
                .await
                .map_err(|_| NoAnswer::Late(self.config.timeout))??;
            Ok::<_, NoAnswer>(link)
        });
        let opened = opened.await.unwrap_or(Err(NoAnswer::Late(OPENING)));
        self.trying.set(false);
        match opened {
            Ok(link) => self.arrive(link),
            Err(error) => self.leave(&error),
        }
    }

    /// A decision about nobody's bucket: whoever may not run scripts, or not write, gets no further than this.
    async fn try_out(&self, link: &mut Link) -> Result<Told, NoAnswer> {
        let keys = Keys::new(&self.config.prefix, "probe", "");
        let rate = crate::limiter::Rate {
            requests: std::num::NonZeroU32::MAX,
            per: Duration::from_secs(1),
            algorithm: Algorithm::TokenBucket,
        };
        Ok(call::decide(link, &keys, &Limit::from(&rate), &Default::default()).await?)
    }

    fn arrive(&self, link: Link) {
        *self.link.borrow_mut() = Some(link);
        self.generation.set(self.generation.get() + 1);
        let before = self.phase.send_replace(Phase::Up);
        self.node.cells.arrived();
        let last = before == Phase::Away && self.node.away.fetch_sub(1, Ordering::Relaxed) == 1;
        if last {
            tracing::info!("the limits backend answers again: limits are counted over all nodes");
        }
    }

    fn leave(&self, error: &NoAnswer) {
        // Dropped: nothing that is still on its way is waited for.
        *self.link.borrow_mut() = None;
        self.generation.set(self.generation.get() + 1);
        self.circuit.borrow_mut().fail();
        self.silent.set(0);
        let before = self.phase.send_replace(Phase::Away);
        if before == Phase::Up {
            self.node.cells.left();
        }
        let first = before != Phase::Away && self.node.away.fetch_add(1, Ordering::Relaxed) == 0;
        if first {
            let until = match self.config.on_failure {
                BackendFailure::Local => "each node grants its share of the limits",
                BackendFailure::Allow => "everything passes",
                BackendFailure::Deny => "requests with a limit are answered 503",
            };
            tracing::error!(cause = %error, "the limits backend does not answer; until it does, {until}");
        }
    }

    async fn give_back(self: Rc<Self>, holding: &Holding, now: Moment) {
        let Holding { bucket, slot, limit, keys } = holding;
        let Some(mut link) = self.link.borrow().clone() else { return };
        let Some(asking) = bucket.give_back(*slot, now) else { return };
        let claim = bucket.claim(*slot, limit, self.nodes(), now);
        let given = self.within(async {
            Ok(call::lease(&mut link, keys, limit, &claim, &self.node.name, &asking).await?)
        });
        if let Ok(Some((_, told))) = given.await {
            bucket.tell(*slot, limit, &told, &claim, now);
        }
    }

    /// Gives everything back, at the end of a worker or of a configuration.
    pub async fn farewell(self: Rc<Self>, now: Moment) {
        let all = self.held.borrow_mut().all();
        let each = async {
            for holding in all {
                self.clone().give_back(&holding, now).await;
            }
        };
        let _ = timeout(FAREWELL, each).await;
    }
}

/// A new connection has to answer in this time, or in that of a request where that is longer.
const LEAST_TRIAL: Duration = Duration::from_millis(20);

impl Drop for Client {
    fn drop(&mut self) {
        match *self.phase.borrow() {
            Phase::Up => self.node.cells.left(),
            Phase::Away => {
                self.node.away.fetch_sub(1, Ordering::Relaxed);
            }
            Phase::Connecting => {}
        }
        self.node.cells.ends();
    }
}
