//! Connections to backend services: each worker has its own, and drives them from the request that uses them.
//!
//! A checked-out HTTP/1.1 connection is polled by the request's own future and later by the answer's body, so that
//! a request costs no task and no hop through a queue. HTTP/2 connections are shared and have a task of their own.

pub mod body;
mod connect;
pub mod h1;
mod h2;
mod head;
mod pool;
pub mod spool;
pub mod tls;
mod tunnel;

pub use body::{Answer, Outgoing};
pub use h2::Local;
pub use head::{Head, Prepared};
pub use pool::Pools;

use crate::config::{Endpoint, Scheme, Timeouts, Upstream};
use crate::deadline::{Deadlines, Elapsed};
use http::{HeaderValue, Response};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection: refused, unreachable, no such name, TLS failed.
    #[error("could not connect to {endpoint}")]
    Connect {
        /// Where to.
        endpoint: Arc<str>,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection took longer than `timeouts.connect`.
    #[error("connecting to {0} took longer than timeouts.connect")]
    ConnectTimeout(Arc<str>),
    /// It broke before the head of an answer was read, or spoke no HTTP.
    #[error("the connection to {endpoint} broke")]
    Broke {
        /// Where to.
        endpoint: Arc<str>,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer within `timeouts.response`.
    #[error("{0} gave no answer within timeouts.response")]
    ResponseTimeout(Arc<str>),
}

/// An upstream, ready to be sent to. Shared by all workers.
#[derive(Debug)]
pub struct Service {
    /// Its name in the configuration.
    pub name: Arc<str>,
    endpoints: Vec<Target>,
    timeouts: Timeouts,
    next: AtomicUsize,
}

/// One endpoint with what is prepared for it.
#[derive(Debug)]
pub(crate) struct Target {
    endpoint: Endpoint,
    /// For `Host`, and to name it in a log.
    authority: Arc<str>,
    host: HeaderValue,
}

impl Service {
    /// Prepares an upstream.
    pub fn new(upstream: &Upstream) -> Self {
        let endpoints = upstream.endpoints.iter().map(Target::new).collect();
        Self {
            name: upstream.name.clone(),
            endpoints,
            timeouts: upstream.timeouts,
            next: AtomicUsize::new(0),
        }
    }

    /// Where it runs.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().map(|target| &target.endpoint)
    }

    /// How long both sides of a switched connection may be silent.
    pub fn tunnel_idle(&self) -> Duration {
        self.timeouts.tunnel
    }

    /// The endpoint whose turn it is. Balancing by load, health and retries find their place here.
    fn pick(&self) -> &Target {
        match self.endpoints.as_slice() {
            [only] => only,
            many => &many[self.next.fetch_add(1, Ordering::Relaxed) % many.len()],
        }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is no answer; dropping the future closes or resets what it used.
    pub async fn send(
        &self,
        pools: &Rc<Pools>,
        deadlines: &Rc<Deadlines>,
        head: &Head,
        body: Outgoing,
    ) -> Result<Response<Answer>, UpstreamError> {
        let (target, time, passage) = (self.pick(), self.timeouts.response, body.passage());
        let sent = match target.endpoint.scheme {
            Scheme::Http => {
                let work = pin!(h1::send(self, target, pools, deadlines, head, body));
                patiently(deadlines, time, passage, work).await
            }
            _ if body.upgrade().is_some() => {
                let mut work = Box::pin(tunnel::send(self, target, pools, deadlines, head, body));
                patiently(deadlines, time, passage, work.as_mut()).await
            }
            Scheme::H2c | Scheme::Https => {
                let mut work = Box::pin(h2::send(self, target, pools, deadlines, head, body));
                patiently(deadlines, time, passage, work.as_mut()).await
            }
        };
        sent.unwrap_or_else(|_| Err(UpstreamError::ResponseTimeout(target.authority.clone())))
    }
}

/// Waits for `work` for `time` after the last byte of the request's body went through: a large upload over a slow line
/// is no upstream that does not answer.
async fn patiently<F: Future>(
    deadlines: &Deadlines,
    time: Duration,
    passage: Option<Rc<body::Passage>>,
    mut work: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    let mut passed = 0;
    loop {
        let done = deadlines.within(time, work.as_mut()).await;
        let now = passage.as_ref().map_or(0, |passage| passage.bytes.get());
        if done.is_ok() || now == passed {
            return done;
        }
        passed = now;
    }
}

impl Target {
    fn new(endpoint: &Endpoint) -> Self {
        let default_port = match endpoint.scheme {
            Scheme::Http | Scheme::H2c => 80,
            Scheme::Https => 443,
        };
        let host = match endpoint.host.contains(':') {
            true => format!("[{}]", endpoint.host),
            false => endpoint.host.to_string(),
        };
        let authority = match endpoint.port == default_port {
            true => host,
            false => format!("{host}:{}", endpoint.port),
        };
        Self {
            endpoint: endpoint.clone(),
            // The configuration holds only hosts that are valid in a URL.
            host: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("upstream")),
            authority: authority.into(),
        }
    }
}
