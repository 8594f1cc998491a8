//! The index as a node of its store: on the roll, telling what it has forgotten, off it again.

use super::{Options, Tokens};
use crate::clock::Moment;
use crate::store::journal::Journal;
use crate::store::nodes::NewNode;
use crate::store::{ChangeId, Store, StoreError};
use crate::token::random_id;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far an index has followed its store, and as whom.
#[derive(Debug)]
pub(super) struct Following {
    /// The change up to which it is complete.
    pub(super) change: ChangeId,
    /// Its place on the roll; `None` for one by which nobody accepts keys.
    pub(super) member: Option<Member>,
    /// Whether it has left the roll, for good.
    pub(super) left: bool,
}

/// A place on the roll.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: Box<str>,
    name: String,
    journal: String,
    lease: Duration,
}

/// Up to where an index has forgotten what changed, and under which id it is on the roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// `None` when it is on no roll.
    pub node: Option<Box<str>>,
    /// The newest change that it has followed.
    pub change: ChangeId,
}

impl Following {
    /// Joins, if under a name, and notes where the store is then.
    pub(super) async fn begin(
        store: &dyn Store,
        name: Option<String>,
        journal: &Journal,
        options: &Options,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let member = name.map(|name| Member {
            id: "".into(),
            name,
            journal: journal.id().to_owned(),
            lease: options.max_staleness,
        });
        let mut following = Self { change: ChangeId::default(), member, left: false };
        following.join(store, now).await?;
        // After joining: who commits a change later finds this node on the roll. Before anything else is read: what
        // changes while that is done is then applied by the first synchronisation.
        following.change = store.newest_change().await?;
        Ok(following)
    }

    /// Goes on the roll, with another id each time: nothing that was said of an earlier one is meant.
    pub(super) async fn join(&mut self, store: &dyn Store, now: Moment) -> Result<(), StoreError> {
        let Some(member) = &mut self.member else { return Ok(()) };
        let id = random_id().map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let node = NewNode {
            id: id.into(),
            journal: member.journal.clone(),
            name: member.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lease: member.lease,
            joined_ms: now.unix_ms,
        };
        store.enrol(&node).await?;
        member.id = node.id;
        Ok(())
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.member.as_ref().map(|member| &*member.id)
    }
}

impl Tokens {
    /// Where it is, for telling so to others.
    pub async fn position(&self) -> Position {
        let following = self.following.lock().await;
        Position { node: following.id().map(Into::into), change: following.change }
    }

    /// Whether this node does what one node has to do for all of its store. Not for longer than it may accept keys: no other
    /// one begins before that.
    pub fn is_first(&self, now: Moment) -> bool {
        self.first.load(Ordering::Relaxed) && self.fresh(now)
    }

    /// Leaves to the others what one node does for all.
    ///
    /// # Errors
    /// The store's; the others then take over when this one has been silent for long enough.
    pub async fn step_back(&self) -> Result<(), StoreError> {
        self.first.store(false, Ordering::Relaxed);
        match self.position().await.node {
            Some(node) => self.store.step_back(&node).await,
            None => Ok(()),
        }
    }

    /// Leaves the roll. From then on nothing in the index can be relied upon.
    ///
    /// # Errors
    /// The store's; whoever takes a key away then waits until this node has been silent for long enough.
    pub async fn leave_roll(&self) -> Result<(), StoreError> {
        let mut following = self.following.lock().await;
        following.left = true;
        self.synchronised_ns.store(0, Ordering::SeqCst);
        match following.member.take() {
            Some(member) => self.store.strike(&member.id).await,
            None => Ok(()),
        }
    }
}
