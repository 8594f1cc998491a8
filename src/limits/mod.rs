//! Limits that several nodes count together, in Redis or Valkey.
//!
//! The arithmetic is in the scripts, which run there, one atomic step for each decision or for each block of permits; what a
//! node knows and does by itself is in [`limiter`](crate::limiter), which knows no I/O. Here is what connects the two: each
//! worker has one connection of its own, over which all its questions go without waiting for each other's answers
//! ([`Client`]); a bound on every wait; and a circuit that stops asking when there was no answer ([`Circuit`]).

mod call;
mod circuit;
mod client;
mod held;
mod link;

pub use client::{Client, Decided, Subject};

use crate::config::SharedLimits;
use crate::limiter::NamesKey;
use crate::telemetry::metrics::LimitsCells;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// What all workers of a node have in common.
#[derive(Debug)]
pub struct Node {
    /// Under which it holds permits; another one in each process.
    name: Box<str>,
    /// How many nodes there are, as far as somebody has said.
    live: AtomicU32,
    /// Workers that get no answer.
    away: AtomicUsize,
    cells: Arc<LimitsCells>,
}

impl Node {
    /// A node that nobody has heard of.
    pub fn new(cells: Arc<LimitsCells>) -> Arc<Self> {
        let name = format!("{:032x}", u128::from_ne_bytes(NamesKey::random().0)).into();
        Arc::new(Self { name, live: AtomicU32::new(1), away: AtomicUsize::new(0), cells })
    }

    /// Sets how many nodes are alive, this one included.
    pub fn set_live(&self, nodes: u32) {
        self.live.store(nodes.max(1), Ordering::Relaxed);
    }

    /// With how many nodes to count while nothing is heard of them: those that are alive, but no fewer than configured.
    fn live(&self, config: &SharedLimits) -> u32 {
        self.live.load(Ordering::Relaxed).max(config.nodes.get())
    }
}
