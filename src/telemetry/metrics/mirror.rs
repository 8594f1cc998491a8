//! What became of the copies of a route's requests.

use super::cells::{Counters, Sharded};

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// Its upstream answered, whatever it said.
    Sent,
    /// There was no answer.
    Failed,
    /// Too many others were under way.
    Busy,
    /// The body was too large to be kept, or had not come to its end when the real answer was there.
    BodyTooLarge,
}

impl Mirrored {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Sent, "sent"),
        (Self::Failed, "failed"),
        (Self::Busy, "busy"),
        (Self::BodyTooLarge, "body_too_large"),
    ];
}

/// The cells of one route's copies.
#[derive(Debug)]
pub struct MirrorCells(Sharded<Counters>);

impl MirrorCells {
    pub(super) fn new(shards: usize) -> Self {
        Self(Sharded::new(shards))
    }

    /// Counts a copy. For `shard` see [`super::RouteCells::finished`].
    pub fn mirrored(&self, shard: usize, what: Mirrored) {
        self.0.of(shard).increment(what as usize);
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sum = |what: Mirrored| self.0.all().map(|shard| shard.value(what as usize)).sum();
        Mirrored::ALL.into_iter().map(move |(what, label)| (label, sum(what)))
    }
}
