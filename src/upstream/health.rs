//! Active checks: one request, and what its outcome means for a place. Who asks when is `app::upstreams`.

use super::lane::Places;
use super::place::Place;
use super::{Service, tls};
use crate::config::{Health, Scheme};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No connection, or TLS failed.
    #[error("it can not be connected to")]
    Connect(#[from] std::io::Error),
    /// It broke off, or spoke no HTTP.
    #[error("it gave no answer")]
    Exchange(#[from] hyper::Error),
    /// It took longer than `health.timeout`.
    #[error("it gave no answer within health.timeout")]
    Timeout,
    /// Not what is expected of a healthy endpoint.
    #[error("it answered {0}")]
    Status(StatusCode),
}

/// What a run of checks has shown, in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streak {
    successes: u32,
    failures: u32,
}

impl Service {
    /// The active checks that are configured.
    pub fn health(&self) -> Option<&Health> {
        self.health.as_ref()
    }

    /// Tells of changes of its places.
    pub fn watch(&self) -> watch::Receiver<Places> {
        self.places.subscribe()
    }

    /// Asks a place once, on a connection of its own.
    ///
    /// # Errors
    /// [`CheckError`] when it is not healthy.
    pub async fn check(&self, place: &Place, health: &Health, usual: &tls::Client) -> Result<(), CheckError> {
        let checked = tokio::time::timeout(health.timeout, ask(place, health, usual)).await;
        let status = checked.map_err(|_| CheckError::Timeout)??;
        let good = match health.expected_status {
            Some(expected) => status == expected,
            None => (200..400).contains(&status.as_u16()),
        };
        if good { Ok(()) } else { Err(CheckError::Status(status)) }
    }

    /// Takes note of a check: true when the place has become healthy or unhealthy by it. The first check of a place
    /// decides alone.
    pub fn checked(&self, place: &Place, health: &Health, streak: &mut Streak, healthy: bool) -> bool {
        let standing = &place.standing;
        *streak = match healthy {
            true => Streak { successes: streak.successes.saturating_add(1), failures: 0 },
            false => Streak { successes: 0, failures: streak.failures.saturating_add(1) },
        };
        let first = !standing.checked.swap(true, Ordering::Relaxed);
        let enough =
            streak.successes >= health.healthy_after || streak.failures >= health.unhealthy_after || first;
        if !enough || standing.is_healthy() == healthy {
            return false;
        }
        standing.unhealthy.store(!healthy, Ordering::Relaxed);
        self.take_stock();
        true
    }

    /// Forgets what checks have found: there are none any more that could find otherwise.
    pub fn forget_checks(&self) {
        for place in self.places().iter() {
            place.standing.unhealthy.store(false, Ordering::Relaxed);
            place.standing.checked.store(false, Ordering::Relaxed);
        }
        self.take_stock();
    }

    /// Reads the standing of all places anew.
    pub(super) fn take_stock(&self) {
        let _one = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.places();
        let until = |place: &std::sync::Arc<Place>| match place.standing.is_healthy() {
            true => {
                let out = place.standing.out_until_ns.load(Ordering::Relaxed);
                out.max(place.standing.ramp_until_ns.load(Ordering::Relaxed))
            }
            false => u64::MAX,
        };
        self.troubled_until_ns.store(places.iter().map(until).max().unwrap_or(0), Ordering::Relaxed);
    }
}

async fn ask(place: &Place, health: &Health, usual: &tls::Client) -> Result<StatusCode, CheckError> {
    let target = &place.target;
    let tcp = TcpStream::connect(place.address).await?;
    match target.endpoint.scheme {
        Scheme::Http => over_http1(tcp, place, health).await,
        Scheme::H2c => over_http2(tcp, place, health).await,
        Scheme::Https => {
            let client = target.tls.as_ref().unwrap_or(usual);
            match client.handshake(&target.server_name, tcp).await? {
                (stream, true) => over_http2(stream, place, health).await,
                (stream, false) => over_http1(stream, place, health).await,
            }
        }
    }
}

async fn over_http1<S>(stream: S, place: &Place, health: &Health) -> Result<StatusCode, CheckError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = request(health, None);
    request.headers_mut().insert(HOST, place.target.host.clone());
    tokio::select! {
        biased;
        answer = sender.send_request(request) => Ok(answer?.status()),
        // Ends before the answer only when it broke, which the answer then says.
        Err(error) = driver => Err(error.into()),
    }
}

async fn over_http2<S>(stream: S, place: &Place, health: &Health) -> Result<StatusCode, CheckError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let request = request(health, Some(place));
    tokio::select! {
        biased;
        answer = sender.send_request(request) => Ok(answer?.status()),
        Err(error) = driver => Err(error.into()),
    }
}

fn request(health: &Health, http2_to: Option<&Place>) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    let uri = match http2_to {
        None => health.path.parse(),
        Some(place) => {
            let scheme = if place.target.endpoint.scheme == Scheme::Https { "https" } else { "http" };
            format!("{scheme}://{}{}", place.target.authority, health.path).parse()
        }
    };
    // The configuration holds only paths that are valid in a URL.
    *request.uri_mut() = uri.unwrap_or_else(|_| Uri::from_static("/"));
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("portcullis-health-check"));
    request
}
