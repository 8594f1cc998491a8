//! HTTP/1.1 to upstreams: a connection that the request's own future drives, and then its answer's body.
//!
//! Head and first body bytes are written in one piece, nothing is handed to a task, and a request is kept until the
//! first byte of its answer, so that it can be sent again when a connection that waited turns out to be closed.
//! Reading is done by `httparse` ([`decode`]); what is written is in [`encode`].

mod connection;
mod decode;
mod encode;

pub(super) use connection::Connection;

use super::body::{Answer, BodyError, Lease};
use super::connect::{Stream, connect};
use super::{Head, Outgoing, Pools, Service, Target, UpstreamError};
use crate::deadline::Deadlines;
use connection::Failed;
use http::Response;
use std::rc::Rc;

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
pub(super) async fn send(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    head: &Head,
    mut body: Outgoing,
) -> Result<Response<Answer>, UpstreamError> {
    while let Some(mut connection) = pools.checkout(&target.endpoint) {
        if !connection.is_alive() {
            continue;
        }
        match connection.exchange(target, head, body).await {
            Ok(response) => return Ok(finish(service, target, pools, deadlines, connection, response)),
            Err(Failed { again: Some(unsent), .. }) => body = unsent,
            Err(Failed { error, again: None }) => return Err(broke(target, error)),
        }
    }
    Box::pin(send_anew(service, target, pools, deadlines, head, body)).await
}

/// Sends on a new connection.
async fn send_anew(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    head: &Head,
    body: Outgoing,
) -> Result<Response<Answer>, UpstreamError> {
    let connected = connect(service, target, pools, deadlines).await?;
    send_on(service, target, pools, deadlines, connected.stream, head, body).await
}

/// Sends on a new byte stream.
pub(super) async fn send_on(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    stream: Stream,
    head: &Head,
    body: Outgoing,
) -> Result<Response<Answer>, UpstreamError> {
    let mut connection = Box::new(Connection::new(stream, pools.scratch.clone()));
    match connection.exchange(target, head, body).await {
        Ok(response) => Ok(finish(service, target, pools, deadlines, connection, response)),
        Err(Failed { error, .. }) => Err(broke(target, error)),
    }
}

pub(super) fn broke(target: &Target, error: impl std::error::Error + Send + Sync + 'static) -> UpstreamError {
    UpstreamError::Broke { endpoint: target.authority.clone(), source: Box::new(error) }
}

fn finish(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    connection: Box<Connection>,
    response: Response<()>,
) -> Response<Answer> {
    let idle = service.timeouts.idle;
    let lease = Lease::new(connection, pools, target.endpoint.clone(), idle);
    response.map(|()| Answer::h1(lease, deadlines.clone(), idle))
}
