//! Requests that would go on in another protocol, to endpoints where HTTP/2 is usual: they need a connection that speaks
//! HTTP/1.1, and have it to themselves.

use super::connect::connect_http1;
use super::lane::Lane;
use super::{Errand, Outgoing, Sent, Service, Undelivered, UpstreamError, h1};
use crate::config::Scheme;
use std::rc::Rc;

/// Sends on a connection of its own.
pub(super) async fn send(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>, body: Outgoing) -> Sent {
    let target = &lane.place.target;
    if target.endpoint.scheme == Scheme::H2c {
        return Err(Undelivered::new(UpstreamError::NoHttp1(target.authority.clone()), Some(body)));
    }
    match connect_http1(service, lane, errand).await {
        Ok(stream) => h1::send_on(service, lane, errand, stream, body).await,
        Err(error) => Err(Undelivered::new(error, Some(body))),
    }
}
