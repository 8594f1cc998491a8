//! HTTP/1.1 to upstreams: a connection that the request's own future drives, and then its answer's body.
//!
//! Head and first body bytes are written in one piece, nothing is handed to a task, and a request is kept until the
//! first byte of its answer, so that it can be sent again when a connection that waited turns out to be closed.
//! Reading is done by `httparse` ([`decode`]); what is written is in [`encode`].

#[doc(hidden)]
pub mod bench;
mod connection;
mod decode;
mod encode;
#[doc(hidden)]
pub mod fuzzing;
mod hop;

pub(super) use connection::Connection;

use super::body::{Answer, BodyError, Lease};
use super::connect::{Stream, connect};
use super::lane::Lane;
use super::{Errand, Outgoing, Sent, Service, Target, Undelivered, UpstreamError};
use connection::Failed;
use http::{HeaderMap, Response, StatusCode};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use tokio::task::unconstrained;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The answer could not be read.
    #[error(transparent)]
    Wire(#[from] crate::wire::Error),
    /// The request's body could not be had to its end.
    #[error("the request's body ended early")]
    Body(#[from] Box<BodyError>),
}

/// Sends on a waiting connection, or on a new one.
pub(super) async fn send(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>, mut body: Outgoing) -> Sent {
    while let Some(mut connection) = lane.checkout() {
        // Whatever its task has done already: a budget that is spent would let every connection look alive.
        if !unconstrained(poll_fn(|cx| Poll::Ready(connection.is_alive(cx)))).await {
            continue;
        }
        match connection.exchange(&lane.place.target, errand.head, body).await {
            Ok(head) => return Ok(finish(service, lane, errand, connection, head)),
            Err(mut failed) => match failed.again.take() {
                Some(unsent) => body = unsent,
                None => return Err(undelivered(&lane.place.target, *failed)),
            },
        }
    }
    Box::pin(send_anew(service, lane, errand, body)).await
}

/// Sends on a new connection.
async fn send_anew(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>, body: Outgoing) -> Sent {
    match connect(service, lane, errand).await {
        Ok(connected) => send_on(service, lane, errand, connected.stream, body).await,
        Err(error) => Err(Undelivered::new(error, Some(body))),
    }
}

/// Sends on a new byte stream.
pub(super) async fn send_on(
    service: &Service,
    lane: &Rc<Lane>,
    errand: Errand<'_>,
    stream: Stream,
    body: Outgoing,
) -> Sent {
    let mut connection = Box::new(Connection::new(stream, errand.pools.scratch.clone()));
    match connection.exchange(&lane.place.target, errand.head, body).await {
        Ok(head) => Ok(finish(service, lane, errand, connection, head)),
        Err(failed) => Err(undelivered(&lane.place.target, *failed)),
    }
}

fn undelivered(target: &Target, failed: Failed) -> Box<Undelivered> {
    let fault_of_client = matches!(failed.error, ExchangeError::Body(_));
    Box::new(Undelivered { error: broke(target, failed.error), body: failed.again, fault_of_client })
}

pub(super) fn broke(target: &Target, error: impl std::error::Error + Send + Sync + 'static) -> UpstreamError {
    UpstreamError::Broke { endpoint: target.authority.clone(), source: Box::new(error) }
}

fn finish(
    service: &Service,
    lane: &Rc<Lane>,
    errand: Errand<'_>,
    connection: Box<Connection>,
    (status, fields): (StatusCode, HeaderMap),
) -> Response<Box<Answer>> {
    let idle = service.timeouts.idle;
    let lease = Lease::new(connection, lane.clone(), idle);
    // On the heap, because it is handed on often from here.
    let mut response = Response::new(Box::new(Answer::h1(lease, errand.deadlines.clone(), idle)));
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
