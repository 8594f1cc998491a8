//! HTTP/2 exchanges: one shared connection per endpoint and worker. An `https` endpoint that has no HTTP/2 falls back
//! to HTTP/1.1, whose connections are pooled as for `http`.

use super::body::Answer;
use super::connect::{Stream, connect};
use super::lane::Lane;
use super::{Errand, Outgoing, Sent, Service, Target, Undelivered, UpstreamError, h1};
use crate::config::Scheme;
use http::{Request, Response, Uri, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::rc::Rc;

/// Runs the tasks of HTTP/2 connections on the worker's own runtime.
#[derive(Clone, Debug)]
pub struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// Sends on the shared connection, opening it where there is none.
pub(super) async fn send(service: &Service, lane: &Rc<Lane>, errand: Errand<'_>, mut body: Outgoing) -> Sent {
    let target = &lane.place.target;
    if let Some(sender) = lane.shared() {
        match exchange(service, target, errand, sender, body).await {
            Ok(response) => return Ok(response),
            // The connection was going away before the request was on it.
            Err(Failed::Unsent(unsent)) => body = *unsent,
            Err(Failed::Broke(error)) => return Err(Undelivered::new(error, None)),
        }
    } else if target.endpoint.scheme == Scheme::Https && lane.has_idle() {
        return h1::send(service, lane, errand, body).await;
    }
    let connected = match connect(service, lane, errand).await {
        Ok(connected) => connected,
        Err(error) => return Err(Undelivered::new(error, Some(body))),
    };
    if !connected.h2 {
        return h1::send_on(service, lane, errand, connected.stream, body).await;
    }
    let sender = match open(target, connected.stream).await {
        Ok(sender) => sender,
        Err(error) => return Err(Undelivered::new(error, Some(body))),
    };
    lane.share(sender.clone());
    match exchange(service, target, errand, sender, body).await {
        Ok(response) => Ok(response),
        Err(Failed::Broke(error)) => Err(Undelivered::new(error, None)),
        Err(Failed::Unsent(body)) => {
            let source = "it closed the HTTP/2 connection at once".into();
            let error = UpstreamError::Connect { endpoint: target.authority.clone(), source };
            Err(Undelivered::new(error, Some(*body)))
        }
    }
}

async fn open(target: &Target, stream: Stream) -> Result<http2::SendRequest<Outgoing>, UpstreamError> {
    let handshake = http2::Builder::new(Local).timer(TokioTimer::new()).handshake(TokioIo::new(stream)).await;
    let (sender, driver) = handshake.map_err(|source| h1::broke(target, source))?;
    let authority = target.authority.clone();
    // Ends when the last sender is dropped or the peer closes.
    tokio::task::spawn_local(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%authority, %error, "an HTTP/2 upstream connection ended");
        }
    });
    Ok(sender)
}

enum Failed {
    Unsent(Box<Outgoing>),
    Broke(UpstreamError),
}

async fn exchange(
    service: &Service,
    target: &Target,
    errand: Errand<'_>,
    mut sender: http2::SendRequest<Outgoing>,
    body: Outgoing,
) -> Result<Response<Answer>, Failed> {
    if sender.ready().await.is_err() {
        return Err(Failed::Unsent(Box::new(body)));
    }
    match sender.try_send_request(request(target, errand, body)).await {
        Ok(response) => {
            let idle = service.timeouts.idle;
            Ok(response.map(|body| Answer::h2(body, errand.deadlines.clone(), idle)))
        }
        Err(mut error) => match error.take_message() {
            Some(request) => Err(Failed::Unsent(Box::new(request.into_body()))),
            None => Err(Failed::Broke(h1::broke(target, error.into_error()))),
        },
    }
}

/// HTTP/2 names scheme and authority in pseudo-header fields, which hyper takes from the URI (RFC 9113, 8.3.1).
fn request(target: &Target, errand: Errand<'_>, body: Outgoing) -> Request<Outgoing> {
    let head = errand.head;
    let scheme = match target.endpoint.scheme {
        Scheme::Https => "https",
        Scheme::Http | Scheme::H2c => "http",
    };
    let path = head.target.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(scheme).authority(&*target.authority).path_and_query(path).build();
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    // All three parts are valid each by itself.
    *request.uri_mut() = uri.unwrap_or_else(|_| head.target.clone());
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.fields();
    request
}
