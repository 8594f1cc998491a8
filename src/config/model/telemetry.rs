//! What the configuration says of logs and traces.

use crate::config::HttpUrl;
use crate::token::Secret;
use http::HeaderName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The access log.
    pub access_log: AccessLog,
    /// Traces; none where nobody collects them.
    pub traces: Option<Arc<Traces>>,
}

/// The access log: one JSON object a line.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// Where it goes.
    pub path: LogPath,
    /// Share of requests that are logged, 0 to 1. Default 1.
    pub sample: f64,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPath {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// This file, appended to, opened anew on SIGHUP.
    File(PathBuf),
}

/// Traces of requests, and who collects them.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// Where they are sent.
    pub collector: Collector,
    /// Share of requests that are traced although nobody asks for it, 0 to 1. Default 0.01.
    pub sample: f64,
    /// Share of those whose client says that it traces them, 0 to 1. Default 1.
    pub requested: f64,
    /// What collectors know this gateway by. Default `portcullis`.
    pub service_name: Box<str>,
    /// To connect, send and be answered, all together. Default 10 s.
    pub timeout: Duration,
}

/// A collector that speaks OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Where it is; its path is that of the traces.
    pub url: HttpUrl,
    /// Fields that it wants to see.
    pub headers: Vec<(HeaderName, Secret)>,
}
