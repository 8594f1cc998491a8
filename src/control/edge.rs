//! Who acts on what is written, as far as operations wait for it: what takes something away has to be in force before it
//! is answered.

use super::domain::DomainError;
use crate::clock::{Clock, Moment};
use crate::store::StoreError;
use crate::store::cache::{Position, Tokens};
use crate::store::management::Management;
use crate::store::nodes::{Node, Roll, Task};
use crate::telemetry::log::chain;
use crate::token::TokenId;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the edge is asked to catch up with the store, and how long is waited in between.
const CONFIRMATIONS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);
/// How long is waited between two looks at who has told that they have caught up: at first, and at most.
const LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(20);
/// For how long a look serves others who wait.
const SHARED: Duration = Duration::from_millis(5);
/// Who waits at a terminal is told so after this.
const UNTOLD: Duration = Duration::from_millis(500);

/// Who acts on what is written: the nodes on the store's roll, of which this process may be one.
#[derive(Clone)]
pub struct Edge {
    store: Arc<dyn Management>,
    clock: Arc<Clock>,
    /// The keys of this process, if it accepts any.
    here: Option<Arc<Tokens>>,
    roll: Arc<Mutex<Roll>>,
    /// The latest look at the roll, shared by all who wait.
    looked: Arc<tokio::sync::Mutex<Option<Looked>>>,
    /// Told before a long wait, with how long it may take.
    waiting: Option<fn(Duration)>,
}

/// How many nodes there are.
#[derive(Clone, Copy, Debug)]
pub struct Census {
    /// On the roll.
    pub all: usize,
    /// Of them, those that are heard of.
    pub heard: usize,
    /// Those that were found silent by this look.
    pub lost: usize,
}

/// A look at the roll.
struct Looked {
    /// The time before it.
    began: Moment,
    nodes: Vec<Node>,
    /// Which of them is this process.
    own: Option<Box<str>>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("here", &self.here).finish_non_exhaustive()
    }
}

/// What a change does to those who could do something before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// They still can.
    Adds,
    /// They can not, or not all of it.
    TakesAway,
}

/// How far a change is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Wherever keys are accepted.
    Everywhere,
    /// Here, and not for certain everywhere else: [`Edge::spread`] with the sequence waits for the rest.
    Underway(u64),
}

impl Edge {
    /// The edge of this process, which accepts keys by `tokens`, and of the others on its store.
    pub fn here(store: Arc<dyn Management>, tokens: Arc<Tokens>) -> Self {
        Self {
            store,
            clock: Arc::default(),
            here: Some(tokens),
            roll: Arc::default(),
            looked: Arc::default(),
            waiting: None,
        }
    }

    /// The edge of other processes on a store. `waiting` is told before a long wait, with how long it may take.
    pub fn elsewhere(store: Arc<dyn Management>, waiting: fn(Duration)) -> Self {
        Self {
            store,
            clock: Arc::default(),
            here: None,
            roll: Arc::default(),
            looked: Arc::default(),
            waiting: Some(waiting),
        }
    }

    /// Waits until every node acts on all that was written before.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    pub async fn in_force(&self) -> Result<(), DomainError> {
        self.confirm(self.clock.now(), Effect::TakesAway).await
    }

    /// Waits until the edge acts on all that was written before. What only adds something is in force here, and a moment
    /// later elsewhere. `now` is a time before the call.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    pub(super) async fn confirm(&self, now: Moment, effect: Effect) -> Result<(), DomainError> {
        match self.begin(now, effect, None).await? {
            Spread::Everywhere => Ok(()),
            Spread::Underway(sequence) => self.spread(sequence).await,
        }
    }

    /// As [`confirm`](Self::confirm), for as long as `patience` lasts.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`]
    pub(super) async fn begin(
        &self,
        now: Moment,
        effect: Effect,
        patience: Option<Duration>,
    ) -> Result<Spread, DomainError> {
        let sequence = self.caught_up(now).await.map_err(DomainError::Unconfirmed)?;
        if effect == Effect::Adds {
            return Ok(Spread::Everywhere);
        }
        match patience {
            None => self.spread(sequence).await.map(|()| Spread::Everywhere),
            Some(patience) => match tokio::time::timeout(patience, self.spread(sequence)).await {
                Ok(spread) => spread.map(|()| Spread::Everywhere),
                Err(_) => Ok(Spread::Underway(sequence)),
            },
        }
    }

    /// Waits until no other node accepts anything by what was before the change `sequence`, which has been committed.
    ///
    /// # Errors
    /// [`DomainError::Unconfirmed`] when the store did not answer for too long.
    pub(super) async fn spread(&self, sequence: u64) -> Result<(), DomainError> {
        let since = self.clock.now();
        let (mut look, mut failures, mut told) = (LOOK, 0, self.waiting.is_none());
        loop {
            match self.left(sequence, since).await {
                Ok(None) => return Ok(()),
                Ok(Some(left)) => {
                    failures = 0;
                    if !told && self.clock.now().since(since) > UNTOLD {
                        told = true;
                        self.waiting.inspect(|tell| tell(left));
                    }
                    tokio::time::sleep(look.min(left)).await;
                    look = (look * 2).min(LONGEST_LOOK);
                }
                Err(error) => {
                    failures += 1;
                    if failures == CONFIRMATIONS {
                        return Err(DomainError::Unconfirmed(error));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn left(&self, sequence: u64, since: Moment) -> Result<Option<Duration>, StoreError> {
        let mut looked = self.looked.lock().await;
        let now = self.clock.now();
        // However many wait, the store is asked for one of them; but by each after its own change was committed.
        let shared =
            looked.take().filter(|it| it.began.mono_ns >= since.mono_ns && now.since(it.began) < SHARED);
        let look = match shared {
            Some(look) => look,
            None => {
                let (nodes, own) = self.nodes().await?;
                Looked { began: now, nodes, own }
            }
        };
        let look = looked.insert(look);
        let now = self.clock.now();
        Ok(self.roll().wait(&look.nodes, look.own.as_deref(), sequence, since, now))
    }

    /// The roll as it is, taken note of; and which of it is this process.
    async fn nodes(&self) -> Result<(Vec<Node>, Option<Box<str>>), StoreError> {
        let nodes = self.store.nodes().await?;
        let own = match &self.here {
            Some(tokens) => tokens.position().await.node,
            None => None,
        };
        self.roll().observe(&nodes, self.clock.now());
        Ok((nodes, own))
    }

    /// Looks after the others on the roll: who has been silent for too long is doubted, and who can not accept anything
    /// any more is taken off. Gives how many nodes there are.
    ///
    /// # Errors
    /// The store's.
    pub async fn tend(&self) -> Result<Census, StoreError> {
        let (nodes, own) = self.nodes().await?;
        let tasks = self.roll().tasks(&nodes, own.as_deref(), self.clock.now());
        let named =
            |id: &str| nodes.iter().find(|node| *node.id == *id).map_or("", |node| node.name.as_str());
        let mut lost = 0;
        for task in tasks {
            match task {
                Task::Doubt { node, beats } => {
                    tracing::warn!(
                        node = named(&node),
                        "a node has been silent for too long: it may accept no key until it is heard of again"
                    );
                    self.store.doubt(&node, beats).await?;
                    lost += 1;
                }
                Task::Strike { node } => {
                    tracing::warn!(node = named(&node), "a silent node is taken off the roll");
                    self.store.strike(&node).await?;
                }
            }
        }
        let heard = nodes.iter().filter(|node| !node.doubted).count();
        Ok(Census { all: nodes.len(), heard, lost })
    }

    /// Has the uses that were counted so far added up, so that what is read next shows them.
    pub(super) async fn settle_usage(&self) {
        if let Some(tokens) = &self.here {
            settled(tokens.flush_usage().await);
        }
    }

    /// As [`settle_usage`](Self::settle_usage), of these keys.
    pub(super) async fn settle_usage_of(&self, keys: &[TokenId]) {
        if let Some(tokens) = &self.here {
            settled(tokens.flush_usage_of(keys).await);
        }
    }

    /// As [`settle_usage_of`](Self::settle_usage_of), with what this key was refused for.
    pub(super) async fn settle_history_of(&self, key: &TokenId) {
        let Some(tokens) = &self.here else { return };
        self.settle_usage_of(std::slice::from_ref(key)).await;
        settled(tokens.flush_refusals().await.map(|()| 0));
    }

    /// Follows the store up to now; gives the change up to which.
    async fn caught_up(&self, now: Moment) -> Result<u64, StoreError> {
        let Some(tokens) = &self.here else {
            return self.store.newest_change().await.map(|newest| newest.sequence);
        };
        let mut attempt = 1;
        loop {
            match tokens.synchronise(now).await {
                Ok(_) => match tokens.position().await {
                    Position { node: Some(_), change } => return Ok(change.sequence),
                    // It follows nothing any more, and can not say how far the change has come.
                    Position { node: None, .. } => {
                        return Err(StoreError::Unavailable("this process ends".into()));
                    }
                },
                Err(error) if attempt == CONFIRMATIONS => return Err(error),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            attempt += 1;
        }
    }

    // Nothing panics under it, and a half-made note is none that does harm.
    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settled(flushed: Result<usize, StoreError>) -> usize {
    flushed.unwrap_or_else(|error| {
        // What is shown is then older by what is not yet written; it is kept and tried again.
        tracing::warn!(cause = %chain(&error), "usage could not be written before keys were shown");
        0
    })
}
