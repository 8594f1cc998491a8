//! What the configuration says of pages of other origins: CORS (Fetch, 3.2).

use http::{HeaderName, Method};
use std::sync::Arc;
use std::time::Duration;

/// Which pages of other origins may read an API's answers, and what they may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages.
    pub origins: Origins,
    /// Methods; empty means all that a route may name.
    pub methods: Vec<Method>,
    /// Header fields that a page may send, beside those that need no leave.
    pub headers: AllowedHeaders,
    /// Header fields that a page may read, beside those that the gateway itself sets.
    pub expose: Vec<HeaderName>,
    /// Whether cookies may be sent along.
    pub credentials: bool,
    /// How long a browser may remember. Default 10 m.
    pub max_age: Duration,
}

/// Whose pages are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's.
    Any,
    /// Those of these origins.
    These(Vec<OriginPattern>),
}

/// An origin: scheme, host and port as browsers write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This one.
    Exact(Arc<str>),
    /// Any with one label or more before the host: `https://` and `.example.com:8443`.
    Subdomains(Arc<str>, Arc<str>),
}

impl OriginPattern {
    /// Whether an origin, as a browser writes it, is one of these.
    pub fn holds(&self, origin: &[u8]) -> bool {
        let is_label = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        match self {
            Self::Exact(text) => origin == text.as_bytes(),
            Self::Subdomains(scheme, rest) => origin
                .strip_prefix(scheme.as_bytes())
                .and_then(|host| host.strip_suffix(rest.as_bytes()))
                .is_some_and(|labels| !labels.is_empty() && labels.iter().all(is_label)),
        }
    }
}

/// Which header fields a page may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHeaders {
    /// Whichever it asks for.
    Any,
    /// These.
    These(Vec<HeaderName>),
}
