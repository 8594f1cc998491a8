//! Who accepts keys on this store: the roll of nodes, and what has to be known of them before a key that was taken away
//! may be called dead. The argument is in `docs/revocation.md`.
//!
//! A node is on the roll before it accepts its first key. Whatever it accepts rests on its latest reading of the store,
//! no older than its *lease*; a reading only counts when it shows the node on the roll and not doubted. It tells the
//! roll up to which change it has forgotten. So whoever has committed a change waits, for each node on the roll, for
//! the first of: it has told so; a lease has passed since the commit; a lease has passed since it was first seen to be
//! doubted; it is off the roll.

#[cfg(test)]
mod model;
mod roll;

pub use roll::{Roll, Task, beat};

use super::{Answer, Change, ChangeId};
use std::time::Duration;

/// A node that is to be on the roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Another one for each time that it joins.
    pub id: Box<str>,
    /// The name of its usage journal, of which somebody else can tell that the process is gone.
    pub journal: String,
    /// What people call it: the machine and the process.
    pub name: String,
    /// The version of Portcullis.
    pub version: String,
    /// How long it accepts keys after a reading of the store.
    pub lease: Duration,
    /// Milliseconds since 1970, for people.
    pub joined_ms: u64,
}

/// A node on the roll.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its [`NewNode::id`].
    pub id: Box<str>,
    /// Its place in the order of joining.
    pub number: u64,
    /// [`NewNode::name`]
    pub name: String,
    /// [`NewNode::version`]
    pub version: String,
    /// [`NewNode::lease`]
    pub lease: Duration,
    /// The change up to which it has told that it holds nothing older.
    pub applied: u64,
    /// How often it has told.
    pub beats: u64,
    /// Whether somebody has not heard of it for too long: it may not accept on what it reads from then on.
    pub doubted: bool,
    /// Whether it leaves what one node does for all to the others.
    pub stepped_back: bool,
    /// When it joined, milliseconds since 1970, by its own clock: for people.
    pub joined_ms: u64,
    /// When it last told, milliseconds since 1970, by its own clock: for people.
    pub told_ms: u64,
}

/// What a node reads of the store, all at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The changes after those that it knows, oldest first.
    pub changes: Vec<Change>,
    /// Whether the node is on the roll and not doubted.
    pub member: bool,
    /// Whether it is the first of those that do for all what one node has to do, such as sending webhooks.
    pub first: bool,
}

/// The roll, as a database keeps it. What is told here need not survive a power cut, which no node survives either.
pub trait Nodes {
    /// Puts a node on the roll.
    fn enrol<'a>(&'a self, node: &'a NewNode) -> Answer<'a, ()>;
    /// What there is to know for a node (nobody, where there is none) that knows the changes up to `known`.
    fn read_as<'a>(&'a self, node: Option<&'a str>, known: ChangeId) -> Answer<'a, Reading>;
    /// Has a node tell that it is there, and that it holds nothing older than the change `applied`, which is only taken down of
    /// a change that the store has. Nothing when it is not on the roll.
    fn tell<'a>(&'a self, node: &'a str, applied: ChangeId, at_ms: u64) -> Answer<'a, ()>;
    /// The whole roll, in the order of joining.
    fn nodes(&self) -> Answer<'_, Vec<Node>>;
    /// Doubts a node, unless it has told more often than `beats` times.
    fn doubt<'a>(&'a self, node: &'a str, beats: u64) -> Answer<'a, ()>;
    /// Has a node leave to the others what one node does for all.
    fn step_back<'a>(&'a self, node: &'a str) -> Answer<'a, ()>;
    /// Takes a node off the roll. Only when it accepts no key any more.
    fn strike<'a>(&'a self, node: &'a str) -> Answer<'a, ()>;
    /// Takes every node with this journal off the roll. Only when its process is gone.
    fn strike_owner<'a>(&'a self, journal: &'a str) -> Answer<'a, ()>;
}
