//! Requests that would go on in another protocol, to endpoints where HTTP/2 is usual: they need a connection that speaks
//! HTTP/1.1, and have it to themselves.

use super::body::Answer;
use super::connect::connect_http1;
use super::{Head, Outgoing, Pools, Service, Target, UpstreamError, h1};
use crate::config::Scheme;
use crate::deadline::Deadlines;
use http::Response;
use std::rc::Rc;

/// Sends on a connection of its own.
pub(super) async fn send(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    head: &Head,
    body: Outgoing,
) -> Result<Response<Answer>, UpstreamError> {
    if target.endpoint.scheme == Scheme::H2c {
        return Err(UpstreamError::Connect {
            endpoint: target.authority.clone(),
            source: "an h2c endpoint has no HTTP/1.1 to switch protocols on".into(),
        });
    }
    let stream = connect_http1(service, target, pools, deadlines).await?;
    h1::send_on(service, target, pools, deadlines, stream, head, body).await
}
