//! What the configuration says of backend services.

use std::sync::Arc;
use std::time::Duration;

/// A backend service.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name in the file; also its label in metrics.
    pub name: Arc<str>,
    /// Where it runs; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How long to wait for it.
    pub timeouts: Timeouts,
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
