//! Credentials that nobody has: how many of them an address may show. What memory answers for never comes by here, so that
//! a known key pays nothing for it, neither time nor budget.

use super::observe::Trail;
use super::route::Routed;
use super::{Peer, Reject, Snapshot};
use crate::clock::Moment;
use crate::config::Mode;
use crate::limiter::{Addresses, Charge};
use crate::telemetry::metrics::{ApiCells, Policy};
use crate::wire::Fields;

/// Whoever shows a credential that memory does not have. Nothing is worked out until it has to be.
#[derive(Clone, Copy, Debug)]
pub struct Stranger<'a> {
    budgets: Option<&'a Addresses>,
    peer: &'a Peer,
    fields: &'a Fields,
    now: Moment,
    /// Where it is counted that an address has nothing left, and which worker counts; none where it is refused then.
    observing: Option<(&'a ApiCells, usize)>,
}

impl<'a> Stranger<'a> {
    /// The client of a request, whose address `peer` knows by `fields`.
    pub fn new(
        snapshot: &'a Snapshot,
        routed: &Routed<'a>,
        peer: &'a Peer,
        fields: &'a Fields,
        trail: &Trail,
    ) -> Self {
        let cells = || (&*routed.api.cells, trail.shard());
        let observing = (snapshot.strangers_mode == Mode::Observe).then(cells);
        Self { budgets: snapshot.strangers.as_deref(), peer, fields, now: trail.at(), observing }
    }

    /// Pays for a look-up in the store before it is made, so that a thousand at once are not a thousand look-ups. Whoever
    /// finds a key by it gives the charge back.
    ///
    /// # Errors
    /// [`Reject::UnknownKeys`] when the address has nothing left.
    pub(super) fn pay(&self) -> Result<Option<Charge<'a>>, Reject> {
        let client = || self.peer.client(self.fields);
        let paid = self.budgets.map(|budgets| budgets.charge(client(), self.now)).transpose();
        if let (Err(_), Some((cells, shard))) = (&paid, self.observing) {
            cells.observed(shard, Policy::UnknownKeys);
            return Ok(None);
        }
        paid.map_err(|verdict| Reject::UnknownKeys { retry_after_s: verdict.retry_after_s })
    }

    /// Pays for a credential that is known to be nobody's, and says how it is refused.
    pub(super) fn refused(&self) -> Reject {
        self.pay().map_or_else(|reject| reject, |_| Reject::UnknownKey)
    }
}
