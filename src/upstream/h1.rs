//! HTTP/1.1 exchanges on a connection that the request's own future drives.

use super::body::{Answer, Lease};
use super::connect::{Io, connect};
use super::{Outgoing, Pools, Service, Target, UpstreamError};
use crate::deadline::Deadlines;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Why an exchange failed, and the request if nothing of it was sent; boxed because that is rare and large.
type Failed = (hyper::Error, Option<Box<Request<Outgoing>>>);

/// A connection with its driver; nothing else polls it.
pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: Pin<Box<http1::Connection<Io, Outgoing>>>,
    /// The driver has finished: the connection is closed.
    ended: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection {{ ended: {} }}", self.ended)
    }
}

impl Connection {
    pub(super) async fn open(io: Io) -> Result<Self, hyper::Error> {
        let (sender, driver) = http1::Builder::new().handshake(io).await?;
        Ok(Self { sender, driver: Box::pin(driver), ended: false })
    }

    /// Lets the connection read and write. An error reaches the exchange by its own way.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.ended && self.driver.as_mut().poll(cx).is_ready() {
            self.ended = true;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ended || self.sender.is_closed()
    }

    /// Whether a request may be sent, after one poll: a connection that the peer has closed, or that is still busy
    /// with the end of its last exchange, may not.
    fn ready(&mut self) -> bool {
        // Nobody is to be woken by what follows: [`Connection::exchange`] drives the connection in the same turn.
        let cx = &mut Context::from_waker(Waker::noop());
        self.drive(cx);
        !self.ended && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// One exchange, up to the head of the answer.
    fn exchange(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failed>> {
        // Handed over here, and not in an `async fn`, which would hold the request twice.
        let answer = self.sender.try_send_request(request);
        let (driver, ended) = (&mut self.driver, &mut self.ended);
        async move {
            let mut answer = pin!(answer);
            // The answer comes only while the connection is driven, which is done here: waking ourselves for it would
            // cost one more turn of the whole client connection.
            let unwoken = &mut Context::from_waker(Waker::noop());
            poll_fn(|cx| {
                if !*ended && driver.as_mut().poll(cx).is_ready() {
                    *ended = true;
                }
                let answered = answer.as_mut().poll(unwoken).map_err(|mut error| {
                    let unsent = error.take_message().map(Box::new);
                    (error.into_error(), unsent)
                });
                if answered.is_ready() && !*ended && driver.as_mut().poll(unwoken).is_ready() {
                    *ended = true;
                }
                answered
            })
            .await
        }
    }
}

/// Sends on a waiting connection, or on a new one.
pub(super) async fn send(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    mut request: Request<Outgoing>,
) -> Result<Response<Answer>, UpstreamError> {
    while let Some(mut connection) = pools.checkout(&target.endpoint) {
        if !connection.ready() {
            continue;
        }
        match connection.exchange(request).await {
            Ok(response) => return Ok(finish(service, target, pools, deadlines, connection, response)),
            // Nothing of it was written: the connection was closing, another is as good.
            Err((_, Some(unsent))) => request = *unsent,
            Err((source, None)) => return Err(broke(target, source)),
        }
    }
    Box::pin(send_anew(service, target, pools, deadlines, request)).await
}

/// Sends on a new connection.
async fn send_anew(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    request: Request<Outgoing>,
) -> Result<Response<Answer>, UpstreamError> {
    let connected = connect(service, target, pools, deadlines).await?;
    send_on(service, target, pools, deadlines, connected.io, request).await
}

/// Sends on a new byte stream.
pub(super) async fn send_on(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    io: Io,
    request: Request<Outgoing>,
) -> Result<Response<Answer>, UpstreamError> {
    let mut connection = Connection::open(io).await.map_err(|source| broke(target, source))?;
    match connection.exchange(request).await {
        Ok(response) => Ok(finish(service, target, pools, deadlines, connection, response)),
        Err((source, _)) => Err(broke(target, source)),
    }
}

pub(super) fn broke(target: &Target, source: hyper::Error) -> UpstreamError {
    UpstreamError::Broke { endpoint: target.authority.clone(), source }
}

fn finish(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    connection: Connection,
    response: Response<Incoming>,
) -> Response<Answer> {
    let idle = service.timeouts.idle;
    let lease = Lease::new(connection, pools, target.endpoint.clone(), idle);
    response.map(|incoming| Answer::new(incoming, Some(lease), deadlines.clone(), idle))
}
