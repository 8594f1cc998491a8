//! Credentials that nobody has: how many of them an address may show. What memory answers for never comes by here, so that
//! a known key pays nothing for it, neither time nor budget.

use super::{Peer, Reject, Snapshot};
use crate::clock::Moment;
use crate::limiter::{Addresses, Charge};
use http::HeaderMap;

/// Whoever shows a credential that memory does not have. Nothing is worked out until it has to be.
#[derive(Clone, Copy, Debug)]
pub struct Stranger<'a> {
    budgets: Option<&'a Addresses>,
    peer: &'a Peer,
    headers: &'a HeaderMap,
    now: Moment,
}

impl<'a> Stranger<'a> {
    /// The client of a request, whose address `peer` knows by `headers`.
    pub fn new(snapshot: &'a Snapshot, peer: &'a Peer, headers: &'a HeaderMap, now: Moment) -> Self {
        Self { budgets: snapshot.strangers.as_deref(), peer, headers, now }
    }

    /// Pays for a look-up in the store before it is made, so that a thousand at once are not a thousand look-ups. Whoever
    /// finds a key by it gives the charge back.
    ///
    /// # Errors
    /// [`Reject::UnknownKeys`] when the address has nothing left.
    pub(super) fn pay(&self) -> Result<Option<Charge<'a>>, Reject> {
        let client = || self.peer.client(self.headers);
        let paid = self.budgets.map(|budgets| budgets.charge(client(), self.now)).transpose();
        paid.map_err(|verdict| Reject::UnknownKeys { retry_after_s: verdict.retry_after_s })
    }

    /// Pays for a credential that is known to be nobody's, and says how it is refused.
    pub(super) fn refused(&self) -> Reject {
        self.pay().map_or_else(|reject| reject, |_| Reject::UnknownKey)
    }
}
