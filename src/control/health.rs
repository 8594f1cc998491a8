//! What an operator's machines ask on the admin listener: `/healthz`, `/readyz`, `/metrics`.

use crate::clock::{Clock, Moment};
use crate::config::Dialect;
use crate::dialect::{self, Fault};
use crate::store::cache::Tokens;
use crate::telemetry::metrics::{Format, Metrics};
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Some clients' connections are answered and others never: of no use to a balancer, and only a new start helps.
const HANGS: &str = r#"{"status":"a worker hangs"}"#;

/// What health is judged by.
#[derive(Debug)]
pub struct Health {
    /// The keys.
    pub tokens: Arc<Tokens>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// True from the moment the process begins to drain.
    pub draining: Arc<AtomicBool>,
}

impl Health {
    /// Answers a request to the admin listener.
    pub fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        clock: &Clock,
    ) -> Response<Full<Bytes>> {
        let known = matches!(path, "/healthz" | "/readyz" | "/metrics");
        if known && method != Method::GET && method != Method::HEAD {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "This path only has GET and HEAD.");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => self.alive(),
            "/readyz" => self.ready(clock),
            "/metrics" => self.metrics(headers),
            _ => refuse(
                StatusCode::NOT_FOUND,
                "The admin listener serves /healthz, /readyz, /metrics, /docs, /openapi.json and the control API.",
            ),
        }
    }

    fn alive(&self) -> Response<Full<Bytes>> {
        match self.metrics.workers_hang() {
            true => json(StatusCode::SERVICE_UNAVAILABLE, HANGS),
            false => json(StatusCode::OK, r#"{"status":"ok"}"#),
        }
    }

    fn ready(&self, clock: &Clock) -> Response<Full<Bytes>> {
        match self.hindrance(clock.now()) {
            Some(body) => json(StatusCode::SERVICE_UNAVAILABLE, body),
            None => json(StatusCode::OK, r#"{"status":"ready"}"#),
        }
    }

    /// Whether requests are served.
    pub fn is_ready(&self, now: Moment) -> bool {
        self.hindrance(now).is_none()
    }

    fn hindrance(&self, now: Moment) -> Option<&'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Some(r#"{"status":"draining"}"#);
        }
        if self.metrics.workers_hang() {
            return Some(HANGS);
        }
        if !self.tokens.fresh(now) {
            return Some(r#"{"status":"store out of reach"}"#);
        }
        self.metrics.limits().holds_up().then_some(r#"{"status":"limits backend out of reach"}"#)
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let format = Format::accepted(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
        let mut response = Response::new(Full::new(self.metrics.encode(format).into()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response
    }
}

fn json(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let rendered = dialect::render(Dialect::Problem, &Fault { status, message, field: None });
    let mut response = Response::new(Full::new(rendered.body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, rendered.content_type);
    response
}
