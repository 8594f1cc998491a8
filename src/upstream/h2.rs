//! HTTP/2 exchanges: connections that requests of one worker share, one per place as long as its peer allows enough
//! streams, more when it does not. An `https` endpoint that has no HTTP/2 falls back to HTTP/1.1, whose connections are
//! pooled as for `http`.

use super::body::Answer;
use super::connect::{Stream, connect};
use super::lane::Lane;
use super::{Errand, Outgoing, Sent, Service, Target, Undelivered, UpstreamError, h1};
use crate::config::Scheme;
use http::{Request, Response, Uri, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Most connections of one worker to one place. Beyond them, requests wait for streams.
const MOST_CONNECTIONS: usize = 8;
/// How often a request waits for a connection that another one makes.
const MOST_WAITS: usize = 3;
/// How often a peer is asked for a sign of life while requests wait for it, and how long it may take.
const PING: Duration = Duration::from_secs(10);
/// How often a request is sent again that its peer has refused to look at.
const MOST_REFUSALS: usize = 3;

/// Runs the tasks of HTTP/2 connections on the worker's own runtime.
#[derive(Clone, Debug)]
pub struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// What hands requests to the connection; run by a task of its own.
type Driver = http2::Connection<TokioIo<Stream>, Outgoing, Local>;

/// A connection that requests share.
#[derive(Debug)]
pub(super) struct Shared {
    sender: http2::SendRequest<Outgoing>,
    /// Knows how many streams its peer allows at once, from the moment that its peer has said so; none when it has ended.
    driver: Rc<RefCell<Option<Driver>>>,
    open: Cell<usize>,
    used_ns: Cell<u64>,
}

impl Shared {
    /// Whether it takes another request at once.
    pub(super) fn has_room(&self) -> bool {
        let most = self.driver.borrow().as_ref().map_or(0, Driver::current_max_send_streams);
        !self.is_closed() && self.open.get() < most
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.driver.borrow().is_none()
    }

    /// Whether it is worth keeping.
    pub(super) fn is_wanted(&self, now_ns: u64, keep: Duration) -> bool {
        // Idle from the end of the last stream.
        if self.open.get() > 0 {
            self.used_ns.set(now_ns);
        }
        let idle = Duration::from_nanos(now_ns.saturating_sub(self.used_ns.get()));
        !self.is_closed() && idle < keep
    }

    /// Streams that are open.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }
}

/// A stream of a shared connection, until its answer has ended.
#[derive(Debug)]
pub(super) struct OpenStream(Rc<Shared>);

impl OpenStream {
    fn new(shared: Rc<Shared>, now_ns: u64) -> Self {
        shared.open.set(shared.open.get() + 1);
        shared.used_ns.set(now_ns);
        Self(shared)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Sends on a shared connection, opening one where none has room.
pub(super) async fn send(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>, mut body: Outgoing) -> Sent {
    let mut refusals = 0;
    loop {
        let shared = match obtain(service, lane, errand).await {
            Ok(Way::Shared(shared)) => shared,
            Ok(Way::Pooled) => return h1::send(service, lane, errand, body).await,
            Ok(Way::Http1(stream)) => return h1::send_on(service, lane, errand, *stream, body).await,
            Err(error) => return Err(Undelivered::new(error, Some(body))),
        };
        let error = match exchange(service, &lane.place.target, errand, shared, body).await {
            Ok(response) => return Ok(response),
            Err(Failed { error, body: None }) => return Err(Undelivered::new(error, None)),
            Err(Failed { error, body: Some(unsent) }) => {
                body = unsent;
                error
            }
        };
        // The connection was going away before the request was on it, or its peer has not looked at the request.
        refusals += 1;
        if refusals == MOST_REFUSALS {
            return Err(Undelivered::new(error, Some(body)));
        }
    }
}

/// How a request gets to its place.
enum Way {
    Shared(Rc<Shared>),
    /// A new stream to a peer that speaks HTTP/1.1 only.
    Http1(Box<Stream>),
    /// A waiting connection to such a peer.
    Pooled,
}

async fn obtain(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>) -> Result<Way, UpstreamError> {
    // Who comes while another request is connecting waits for that: a burst must not open a connection each. Who has
    // waited for nothing connects by itself, and nobody waits for a peer whose connections are not shared.
    for _ in 0..MOST_WAITS {
        if let Some(way) = present(lane) {
            return Ok(way);
        }
        let fruitless = lane.fruitless();
        if !lane.is_dialing() || lane.is_exclusive() {
            break;
        }
        lane.dialed().await;
        if lane.fruitless() != fruitless {
            break;
        }
    }
    if let Some(way) = present(lane) {
        return Ok(way);
    }
    let mut dialing = lane.dial();
    let connected = connect(service, lane, errand).await?;
    lane.set_exclusive(!connected.h2);
    if !connected.h2 {
        return Ok(Way::Http1(Box::new(connected.stream)));
    }
    let shared = Rc::new(open(&lane.place.target, connected.stream).await?);
    lane.share(shared.clone(), service.timeouts.idle);
    dialing.was_fruitful();
    Ok(Way::Shared(shared))
}

fn present(lane: &Lane) -> Option<Way> {
    if lane.place.target.endpoint.scheme == Scheme::Https && lane.has_idle() {
        return Some(Way::Pooled);
    }
    lane.shared(MOST_CONNECTIONS).map(Way::Shared)
}

async fn open(target: &Target, stream: Stream) -> Result<Shared, UpstreamError> {
    let mut builder = http2::Builder::new(Local);
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (sender, driver) = handshake.map_err(|source| h1::broke(target, source))?;
    let authority = target.authority.clone();
    let driver = Rc::new(RefCell::new(Some(driver)));
    let driven = driver.clone();
    // Ends when the last sender is dropped or the peer closes. It asks nobody who would look at it meanwhile.
    tokio::task::spawn_local(async move {
        let ended = poll_fn(|cx| match driven.borrow_mut().as_mut() {
            Some(driver) => Pin::new(driver).poll(cx),
            None => Poll::Ready(Ok(())),
        });
        let ended = ended.await;
        // With it go the requests that wait for it.
        drop(driven.take());
        if let Err(error) = ended {
            tracing::debug!(%authority, %error, "an HTTP/2 upstream connection ended");
        }
    });
    Ok(Shared { sender, driver, open: Cell::new(0), used_ns: Cell::new(0) })
}

struct Failed {
    error: UpstreamError,
    /// The request's body, where the request can be sent again whatever it is.
    body: Option<Outgoing>,
}

async fn exchange(
    service: &Service,
    target: &Target,
    errand: Errand<'_>,
    shared: Rc<Shared>,
    body: Outgoing,
) -> Result<Response<Box<Answer>>, Failed> {
    let stream = OpenStream::new(shared.clone(), errand.deadlines.now_ns());
    let mut sender = shared.sender.clone();
    if let Err(error) = sender.ready().await {
        return Err(Failed { error: unconnected(target, error), body: Some(body) });
    }
    let copy = body.again();
    match sender.try_send_request(request(target, errand, body)).await {
        Ok(response) => {
            let idle = service.timeouts.idle;
            Ok(response.map(|body| Box::new(Answer::h2(body, stream, errand.deadlines.clone(), idle))))
        }
        Err(mut error) => match error.take_message() {
            Some(request) => {
                let error = unconnected(target, error.into_error());
                Err(Failed { error, body: Some(request.into_body()) })
            }
            None => {
                let error = error.into_error();
                let body = copy.filter(|_| was_refused(&error));
                Err(Failed { error: h1::broke(target, error), body })
            }
        },
    }
}

fn unconnected(target: &Target, error: hyper::Error) -> UpstreamError {
    UpstreamError::Connect { endpoint: target.authority.clone(), source: error.into() }
}

/// Whether the peer says that it has not looked at the request (RFC 9113, 8.7): the stream was refused, or came after
/// the last one that a peer on its way out still serves.
fn was_refused(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let gone =
                error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
            return gone || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        }
        cause = error.source();
    }
    false
}

/// HTTP/2 names scheme and authority in pseudo-header fields, which hyper takes from the URI (RFC 9113, 8.3.1).
fn request(target: &Target, errand: Errand<'_>, body: Outgoing) -> Request<Outgoing> {
    let head = errand.head;
    let scheme = match target.endpoint.scheme {
        Scheme::Https => "https",
        Scheme::Http | Scheme::H2c => "http",
    };
    let uri =
        Uri::builder().scheme(scheme).authority(&*target.authority).path_and_query(&*head.target).build();
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    // All three parts are valid each by itself.
    *request.uri_mut() = uri.unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.fields();
    request
}
