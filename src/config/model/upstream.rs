//! What the file says of a backend service: where it runs, how it is chosen, watched, bounded and spoken to.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A backend service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name in the file; also its label in metrics.
    pub name: Arc<str>,
    /// Where it runs; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// Which endpoint gets a request.
    pub balance: Balance,
    /// When a request is sent again; `None` where the file says nothing, which leaves what is always safe.
    pub retry: Option<Retry>,
    /// When an endpoint that fails requests is left alone.
    pub eject: Option<Eject>,
    /// Active checks.
    pub health: Option<Health>,
    /// How many requests it gets at once.
    pub limits: Option<UpstreamLimits>,
    /// How TLS to it differs from the usual.
    pub tls: Option<UpstreamTls>,
}

/// One address of a backend service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// How to speak to it.
    pub scheme: Scheme,
    /// Host name or IP address, without brackets.
    pub host: Arc<str>,
    /// Port; the scheme's default when the URL names none.
    pub port: u16,
}

impl Endpoint {
    /// The address, where the host is one and no name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// How to speak to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP/1.1.
    Http,
    /// TLS, HTTP/2 or HTTP/1.1 by ALPN.
    Https,
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3).
    H2c,
}

impl Scheme {
    /// As it stands in a URL of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }
}

/// How long to wait for a backend service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included. Default 2 s.
    pub connect: Duration,
    /// From the request's last byte to the answer's head. Default 30 s.
    pub response: Duration,
    /// Between two pieces of an answer's body, and the age at which an unused connection is closed. Default 60 s.
    pub idle: Duration,
    /// How long both sides of a switched connection (WebSocket) may be silent. Default 10 min.
    pub tunnel: Duration,
}

/// Which endpoint gets a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balance {
    /// Of two at random, the one with fewer requests under way.
    #[default]
    LeastRequests,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The same one for the same client address, as long as it takes requests.
    IpHash,
}

impl Balance {
    /// In the order of the schema.
    pub const ALL: [Self; 4] = [Self::LeastRequests, Self::RoundRobin, Self::Random, Self::IpHash];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        crate::config::schema::BALANCES[self as usize]
    }
}

/// When a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first included. Default 2.
    pub attempts: u32,
    /// After what.
    pub on: RetryOn,
    /// Most retries, in percent of the requests of the last ten seconds. Default 20.
    pub budget_percent: u8,
}

/// After what a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RetryOn {
    /// No connection came about.
    pub connect: bool,
    /// The connection broke before an answer.
    pub reset: bool,
    /// No answer within `timeouts.response`.
    pub timeout: bool,
    /// Answers with these status codes.
    pub statuses: Vec<u16>,
}

/// When an endpoint that fails requests is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eject {
    /// Failures in a row. Default 5.
    pub consecutive_failures: u32,
    /// For how long, the first time. Default 30 s.
    pub period: Duration,
    /// Most endpoints that are left alone at once, in percent; never all of them. Default 50.
    pub max_ejected_percent: u8,
}

/// Active checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Path and query that is asked for.
    pub path: Arc<str>,
    /// From one check to the next. Default 5 s.
    pub interval: Duration,
    /// For a check as a whole. Default 2 s.
    pub timeout: Duration,
    /// Failures in a row that take an endpoint out. Default 3.
    pub unhealthy_after: u32,
    /// Successes in a row that bring it back. Default 2.
    pub healthy_after: u32,
    /// The status of a healthy endpoint; any of 200 to 399 by default.
    pub expected_status: Option<u16>,
    /// What becomes of requests while no endpoint is healthy. Default: refused.
    pub none_healthy: NoneHealthy,
}

/// What becomes of requests while no endpoint is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NoneHealthy {
    /// 503 at once.
    #[default]
    Refuse,
    /// Sent to any endpoint, as if there were no checks.
    Try,
}

/// How many requests a service gets at once, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Under way at once.
    pub max_requests: NonZeroUsize,
    /// Waiting for one of those to end. Default 0.
    pub max_queued: usize,
    /// How long one waits. Default 1 s.
    pub queue_timeout: Duration,
}

/// How TLS to a service differs from the usual. Contents of files are part of it, so that a changed file is a changed
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UpstreamTls {
    /// PEM of the authorities that are trusted, in place of the system's.
    pub authorities: Option<PemFile>,
    /// The certificate that is shown to the service, and its key.
    pub certificate: Option<(PemFile, PemFile)>,
    /// The name that is asked for (SNI) and that its certificate has to carry, in place of the endpoint's host.
    pub server_name: Option<Arc<str>>,
}

/// A PEM file as it was when the configuration was read.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    /// Where.
    pub path: PathBuf,
    /// What it held; may be a private key.
    pub content: Arc<[u8]>,
}

impl std::fmt::Debug for PemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemFile").field("path", &self.path).field("content", &"redacted").finish()
    }
}
