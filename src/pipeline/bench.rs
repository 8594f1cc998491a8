//! What the bench of the stages measures of the pipeline and is not public by itself. Nothing else uses it.

use super::authenticate::{Known, Recalled, recall};
use super::credential::{self, Foreseen};
use super::route::Routed;
use super::{Grant, Peer, Trail, Worker, swap};
use crate::upstream::{Head, Service};
use crate::wire::{Fields, Request};

/// Whose key it is that a request shows, as memory tells.
pub fn known(
    worker: &Worker,
    routed: &Routed<'_>,
    fields: &Fields,
    foreseen: Option<Foreseen>,
    trail: &Trail,
) -> Option<Known> {
    match recall(worker, credential::extract(routed, fields).ok()?, foreseen, trail.at()).ok()? {
        Recalled::Known(known) => Some(known),
        Recalled::Open(_) => None,
    }
}

/// The head that an upstream gets.
pub fn swapped(
    worker: &Worker,
    peer: &Peer,
    routed: &Routed<'_>,
    grant: &Grant,
    to: &Service,
    mut request: Request,
    trail: &Trail,
) -> Option<Head> {
    swap::credentials(worker, peer, routed, grant, to, &mut request, trail)
        .ok()
        .map(swap::Outbound::into_head)
}
