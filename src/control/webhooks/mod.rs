//! Delivers events: what the outbox holds is sent, signed, until it is acknowledged or a day has passed.
//!
//! At least once: an attempt that was under way when the process died is made again. What is under way is known to this
//! process only, so that of several on one store only the first one delivers.

mod guard;
mod schedule;
mod send;
mod sign;

pub use guard::Guard;
pub use send::{Resolve, Resolved, SendError, SystemResolver};
pub use sign::{is_secret, new_secret};

use crate::clock::Moment;
use crate::config::{self, HttpUrl};
use crate::store::StoreError;
use crate::store::management::{Attempt, Attempted, Due, Management};
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Metrics;
use arc_swap::ArcSwap;
use send::{Message, Sender};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

/// Deliveries under way to one endpoint, and to all: who hangs keeps only these waiting.
const FOR_EACH: u32 = 4;
const FOR_ALL: usize = 256;
/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long what is under way may take when the process ends.
const DRAIN: Duration = Duration::from_secs(5);
/// The answer of an endpoint that wants no more.
const GONE: u16 = 410;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Finished deliveries that are kept, for how long and how many of each endpoint.
const KEPT_MS: u64 = 7 * DAY_MS;
const KEPT: u32 = 1000;
/// How often the result of an attempt is offered to a store that does not answer.
const WRITES: usize = 5;

/// Reads the clock.
pub type Now = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Whether this process does what one of those on a store has to do for all.
pub type First = Arc<dyn Fn() -> bool + Send + Sync>;

/// The deliverer.
#[derive(Debug)]
pub struct Webhooks {
    store: Arc<dyn Management>,
    settings: ArcSwap<Settings>,
    sender: Sender,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Settings {
    guard: Guard,
    timeout: Duration,
}

impl Settings {
    fn new(section: &config::Webhooks) -> Self {
        Self { guard: Guard::new(section.allow_networks.clone()), timeout: section.timeout }
    }
}

/// What is under way.
#[derive(Debug, Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    named: HashMap<Id, (u64, String)>,
}

/// When the regular work is done next, in nanoseconds of the monotonic clock.
#[derive(Debug, Default)]
struct Turns {
    queue: u64,
    expiring: u64,
    sweep: u64,
}

impl Webhooks {
    /// A deliverer of a store's outbox.
    pub fn new(
        store: Arc<dyn Management>,
        section: &config::Webhooks,
        resolver: Box<dyn Resolve>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let settings = ArcSwap::from_pointee(Settings::new(section));
        Self { store, settings, sender: Sender::new(resolver), metrics }
    }

    /// Goes by another configuration from now on.
    pub fn replace(&self, section: &config::Webhooks) {
        self.settings.store(Arc::new(Settings::new(section)));
    }

    /// Delivers, while this is the `first` process, until `stop` says so, and then until what is under way has ended or taken
    /// too long.
    pub async fn run(self: Arc<Self>, now: Now, first: First, mut stop: watch::Receiver<bool>) {
        let (mut under_way, mut turns, mut failing) = (UnderWay::default(), Turns::default(), false);
        while !*stop.borrow_and_update() {
            let looked = match first() {
                true => self.look(&now, &mut under_way, &mut turns).await,
                false => Ok(()),
            };
            if let Err(error) = &looked
                && !failing
            {
                tracing::error!(cause = %chain(error), "webhooks are not delivered: the store does not answer");
            }
            failing = looked.is_err();
            tokio::select! {
                // Only when there is one: an empty set is ready at once.
                Some(done) = under_way.tasks.join_next_with_id(), if !under_way.tasks.is_empty() => {
                    under_way.ended(done);
                }
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => {}
            }
        }
        let rest = async { while under_way.tasks.join_next().await.is_some() {} };
        // What is not done by then is done after the next start.
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }

    /// Begins what is due, and does the regular work whose turn it is.
    async fn look(
        self: &Arc<Self>,
        now: &Now,
        under_way: &mut UnderWay,
        turns: &mut Turns,
    ) -> Result<(), StoreError> {
        let at = now();
        if due(&mut turns.expiring, at, Duration::from_secs(60)) {
            self.store.tell_expiring(at.unix_ms).await?;
        }
        if due(&mut turns.sweep, at, Duration::from_secs(3600)) {
            let (hopeless, old) = (at.unix_ms.saturating_sub(2 * DAY_MS), at.unix_ms.saturating_sub(KEPT_MS));
            self.store.sweep_deliveries(at.unix_ms, hopeless, old, KEPT).await?;
        }
        if due(&mut turns.queue, at, Duration::from_secs(2)) {
            let queue = self.store.delivery_queue().await?;
            let age = at.unix_ms.saturating_sub(queue.oldest_ms.unwrap_or(at.unix_ms));
            self.metrics.set_webhook_queue(queue.length, Duration::from_millis(age));
        }
        for due in self.store.due_deliveries(at.unix_ms, FOR_EACH).await? {
            if under_way.has_room_for(&due) {
                under_way.begin(self.clone(), now.clone(), due);
            }
        }
        Ok(())
    }

    async fn deliver(&self, now: &Now, due: Due) {
        let settings = self.settings.load_full();
        let began = now();
        let outcome = self.attempt(&settings, &due, began).await;
        let ended = now();
        let attempt = Attempt {
            at_ms: began.unix_ms,
            duration_ms: u64::try_from(ended.since(began).as_millis()).unwrap_or(u64::MAX),
            status: match outcome {
                Ok(status) | Err(SendError::Status(status) | SendError::Redirect(status)) => Some(status),
                Err(_) => None,
            },
            error: outcome.err().map(|error| error.to_string()),
        };
        let mut chance = [128];
        // Without a random byte the wait is merely not spread.
        let _ = aws_lc_rs::rand::fill(&mut chance);
        let wait = outcome.err().and_then(|_| schedule::wait_after(due.attempts + 1, chance[0]));
        let next_ms = wait.map(|wait| ended.after(wait).unix_ms);
        self.metrics.webhook_attempted(match (outcome, next_ms) {
            (Ok(_), _) => "delivered",
            (Err(_), Some(_)) => "retried",
            (Err(_), None) => "given_up",
        });
        // 410 says that nobody wants this any more (Standard Webhooks): there is nothing to be patient for.
        let gone = outcome == Err(SendError::Status(GONE));
        let patience_since_ms = if gone { u64::MAX } else { ended.unix_ms.saturating_sub(DAY_MS) };
        self.write_down(Attempted { sequence: due.sequence, attempt, next_ms, patience_since_ms }).await;
    }

    async fn attempt(&self, settings: &Settings, due: &Due, at: Moment) -> Result<u16, SendError> {
        let target = HttpUrl::parse(&due.url).ok_or(SendError::Unusable)?;
        let signature = sign::signature(&due.secret, &due.event, at.unix_s(), &due.body);
        let signature = signature.ok_or(SendError::Unusable)?;
        let message = Message {
            target: &target,
            id: &due.event,
            timestamp_s: at.unix_s(),
            signature: &signature,
            body: due.body.clone().into(),
        };
        self.sender.send(&settings.guard, settings.timeout, &message).await
    }

    async fn write_down(&self, attempted: Attempted) {
        for _ in 0..WRITES {
            match self.store.attempted(attempted.clone()).await {
                Ok(false) => return,
                Ok(true) => {
                    tracing::warn!(
                        "a webhook endpoint was switched off: it had failed for a day, or wants no more"
                    );
                    return;
                }
                Err(error) => {
                    tracing::warn!(cause = %chain(&error), "the result of a webhook delivery could not be written");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl UnderWay {
    fn has_room_for(&self, due: &Due) -> bool {
        let same = self.named.values().filter(|(_, endpoint)| *endpoint == due.endpoint).count();
        let known = self.named.values().any(|(sequence, _)| *sequence == due.sequence);
        !known && same < FOR_EACH as usize && self.tasks.len() < FOR_ALL
    }

    fn begin(&mut self, webhooks: Arc<Webhooks>, now: Now, due: Due) {
        let name = (due.sequence, due.endpoint.clone());
        let task = self.tasks.spawn(async move { webhooks.deliver(&now, due).await });
        self.named.insert(task.id(), name);
    }

    fn ended(&mut self, done: Result<(Id, ()), JoinError>) {
        let id = match done {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(cause = %chain(&error), "a webhook delivery failed in a way that is nobody's plan");
                error.id()
            }
        };
        self.named.remove(&id);
    }
}

/// Whether it is this work's turn; if so, its next one is `every` from now.
fn due(turn: &mut u64, at: Moment, every: Duration) -> bool {
    let is = at.mono_ns >= *turn;
    if is {
        *turn = at.after(every).mono_ns;
    }
    is
}
