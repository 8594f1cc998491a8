//! One request to a collector.

use crate::config;
use crate::control::post::{self, Answered};
use crate::telemetry::traces::otlp;
use crate::upstream::tls;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Most bytes of an answer.
const ANSWER_MOST: usize = 64 * 1024;

/// Why a collector has not taken what it was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// No connection, or no TLS on it.
    #[error("could not connect")]
    Connect(#[source] io::Error),
    /// The connection broke, or what came is no HTTP.
    #[error("the connection broke")]
    Broke(#[source] hyper::Error),
    /// It took too long.
    #[error("no answer came within telemetry.traces.timeout")]
    TimedOut,
    /// It does not want them.
    #[error("answered with {status}")]
    Status {
        /// What it says.
        status: StatusCode,
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// Configured values that make no request.
    #[error("telemetry.traces makes no request")]
    Unusable(#[source] http::Error),
}

impl SendError {
    /// How long to wait before the same is sent again, `pause` unless the collector says; none where that is no use.
    pub(super) fn again_after(&self, pause: Duration) -> Option<Duration> {
        match self {
            Self::Connect(_) | Self::Broke(_) | Self::TimedOut => Some(pause),
            Self::Status { status, wait } => match status.as_u16() {
                429 | 502 | 503 | 504 => Some(wait.unwrap_or(pause)),
                _ => None,
            },
            Self::Unusable(_) => None,
        }
    }
}

/// Sends to collectors.
#[derive(Debug)]
pub(super) struct Sender {
    tls: tls::Client,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self { tls: tls::Client::http1() }
    }

    /// Sends encoded spans; gives how many of them were not taken, and why.
    ///
    /// # Errors
    /// [`SendError`]
    pub(super) async fn send(
        &self,
        config: &config::Traces,
        body: Bytes,
    ) -> Result<Option<(u64, String)>, SendError> {
        let sent = tokio::time::timeout(config.timeout, self.exchange(&config.collector, body)).await;
        sent.unwrap_or(Err(SendError::TimedOut))
    }

    async fn exchange(
        &self,
        collector: &config::Collector,
        body: Bytes,
    ) -> Result<Option<(u64, String)>, SendError> {
        let url = &collector.url;
        let mut request = Request::post(&url.path)
            .header(HOST, &url.authority)
            .header(USER_AGENT, concat!("Portcullis/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, otlp::CONTENT_TYPE);
        for (name, value) in &collector.headers {
            request = request.header(name, value.expose());
        }
        let request = request.body(Full::new(body)).map_err(SendError::Unusable)?;
        let tcp = TcpStream::connect((&*url.host, url.port)).await.map_err(SendError::Connect)?;
        let answered = if url.secure {
            let (tls, _) = self.tls.handshake(&url.host, tcp).await.map_err(SendError::Connect)?;
            post::exchange(TokioIo::new(tls), request).await
        } else {
            post::exchange(TokioIo::new(tcp), request).await
        };
        read(answered.map_err(SendError::Broke)?).await
    }
}

async fn read(mut answered: Answered) -> Result<Option<(u64, String)>, SendError> {
    let response = &mut answered.response;
    let status = response.status();
    if !status.is_success() {
        let wait = response.headers().get(RETRY_AFTER).and_then(seconds);
        return Err(SendError::Status { status, wait });
    }
    // Taken all the same when what it says besides can not be read.
    let body = Limited::new(response.body_mut(), ANSWER_MOST).collect().await;
    Ok(body.ok().and_then(|body| otlp::rejected(&body.to_bytes())))
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    Some(Duration::from_secs(value.to_str().ok()?.trim().parse().ok()?))
}
