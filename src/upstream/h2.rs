//! HTTP/2 exchanges: one shared connection per endpoint and worker. An `https` endpoint that has no HTTP/2 falls back
//! to HTTP/1.1, whose connections are pooled as for `http`.

use super::body::Answer;
use super::connect::{Stream, connect};
use super::{Head, Outgoing, Pools, Service, Target, UpstreamError, h1};
use crate::config::Scheme;
use crate::deadline::Deadlines;
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
pub(super) async fn send(
    service: &Service,
    target: &Target,
    pools: &Rc<Pools>,
    deadlines: &Rc<Deadlines>,
    head: &Head,
    mut body: Outgoing,
) -> Result<Response<Answer>, UpstreamError> {
    if let Some(sender) = pools.shared(&target.endpoint) {
        match exchange(service, target, deadlines, sender, head, body).await {
            Ok(response) => return Ok(response),
            // The connection was going away before the request was on it.
            Err(Failed::Unsent(unsent)) => body = *unsent,
            Err(Failed::Broke(error)) => return Err(error),
        }
    } else if target.endpoint.scheme == Scheme::Https && pools.has_idle(&target.endpoint) {
        return h1::send(service, target, pools, deadlines, head, body).await;
    }
    let connected = connect(service, target, pools, deadlines).await?;
    if !connected.h2 {
        return h1::send_on(service, target, pools, deadlines, connected.stream, head, body).await;
    }
    let sender = open(target, connected.stream).await?;
    pools.share(&target.endpoint, sender.clone());
    match exchange(service, target, deadlines, sender, head, body).await {
        Ok(response) => Ok(response),
        Err(Failed::Broke(error)) => Err(error),
        Err(Failed::Unsent(_)) => Err(UpstreamError::Connect {
            endpoint: target.authority.clone(),
            source: "it closed the HTTP/2 connection at once".into(),
        }),
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
    deadlines: &Rc<Deadlines>,
    mut sender: http2::SendRequest<Outgoing>,
    head: &Head,
    body: Outgoing,
) -> Result<Response<Answer>, Failed> {
    if sender.ready().await.is_err() {
        return Err(Failed::Unsent(Box::new(body)));
    }
    match sender.try_send_request(request(target, head, body)).await {
        Ok(response) => Ok(response.map(|body| Answer::h2(body, deadlines.clone(), service.timeouts.idle))),
        Err(mut error) => match error.take_message() {
            Some(request) => Err(Failed::Unsent(Box::new(request.into_body()))),
            None => Err(Failed::Broke(h1::broke(target, error.into_error()))),
        },
    }
}

/// HTTP/2 names scheme and authority in pseudo-header fields, which hyper takes from the URI (RFC 9113, 8.3.1).
fn request(target: &Target, head: &Head, body: Outgoing) -> Request<Outgoing> {
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
