//! Exemplars: for each bucket of a route's durations, the last request in it that was traced, so that a slow bucket leads
//! to a trace. Only the OpenMetrics format has them.

use super::cells::{BUCKETS, bucket_of};
use super::exposition::{Family, Values};
use crate::telemetry::traces::TraceId;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A request that stands for those of its bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exemplar {
    trace: TraceId,
    /// How long it took, in seconds.
    value_s: f64,
    /// When it ended, in milliseconds since 1970.
    at_ms: u64,
}

/// The last one of each bucket.
pub(super) type Exemplars = [Option<Exemplar>; BUCKETS];

/// Written by requests that are traced, and read by the scrape.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Option<Box<Exemplars>>>);

impl Latest {
    /// Notes a request, unless somebody else is at it: it never waits.
    pub(super) fn note(&self, trace: TraceId, took: Duration, at_ms: u64) {
        let Ok(mut latest) = self.0.try_lock() else { return };
        let latest = latest.get_or_insert_with(Box::default);
        latest[bucket_of(took)] = Some(Exemplar { trace, value_s: took.as_secs_f64(), at_ms });
    }

    pub(super) fn all(&self) -> Option<Box<Exemplars>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Puts the exemplars behind the lines of their buckets. The library that writes these has no way to be given any.
pub(super) fn insert(text: &str, families: &[Family]) -> String {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" histogram")) else {
            continue;
        };
        let family = families.iter().find(|family| family.name == name);
        let Some(Values::Histograms(series)) = family.map(|family| &family.values) else { continue };
        // The buckets stand in the order in which they were handed over.
        let mut exemplars = series.iter().flat_map(|(_, value)| {
            (0..BUCKETS).map(|bucket| value.exemplars.as_ref().and_then(|all| all[bucket]))
        });
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            out.push_str(line);
            if line[name.len()..].starts_with("_bucket")
                && let Some(Some(Exemplar { trace, value_s, at_ms })) = exemplars.next()
            {
                let at_s = at_ms as f64 / 1000.0;
                // Writing to a string does not fail.
                let _ = write!(out, " # {{trace_id=\"{trace:032x}\"}} {value_s} {at_s:.3}");
            }
            out.push('\n');
        }
    }
    out
}
