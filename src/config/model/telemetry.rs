//! What the configuration says of logs and traces.

use std::path::PathBuf;

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The access log.
    pub access_log: AccessLog,
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
