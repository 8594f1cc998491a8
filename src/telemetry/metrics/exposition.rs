//! The text that a scrape gets. The only file that knows `prometheus-client`, which writes the format.

use super::cells::{BOUNDS_S, Distribution};
use super::exemplar;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4, which everything reads.
    #[default]
    Prometheus,
}

impl Format {
    /// The format to answer with, from the request's `Accept`.
    pub fn accepted(accept: Option<&str>) -> Self {
        let open = |accept: &str| accept.contains("application/openmetrics-text");
        if accept.is_some_and(open) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The answer's `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All series of one name.
#[derive(Debug)]
pub(super) struct Family {
    /// Without the `_total` of counters.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) values: Values,
}

/// A series' label values and its value.
pub(super) type Labelled<V> = (Vec<Box<str>>, V);

#[derive(Debug)]
pub(super) enum Values {
    Counters(Vec<Labelled<u64>>),
    /// Counters that are no whole numbers.
    Sums(Vec<Labelled<f64>>),
    Gauges(Vec<Labelled<f64>>),
    Histograms(Vec<Labelled<Distribution>>),
}

/// Writes the families in `format`.
pub(super) fn write(families: Vec<Family>, format: Format) -> String {
    let families = Arc::new(families);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(families.clone())));
    let mut text = String::new();
    // Writing to a string does not fail; a family that the library refuses would end the text early.
    if let Err(error) = text::encode(&mut text, &registry) {
        tracing::error!(%error, "metrics are incomplete");
    }
    match format {
        Format::OpenMetrics => exemplar::insert(&text, &families),
        Format::Prometheus => to_prometheus(&text),
    }
}

/// In the older format a counter's family carries the `_total` of its samples, and there is no end mark.
fn to_prometheus(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let counter = line
            .strip_prefix("# TYPE ")
            .or_else(|| line.strip_prefix("# HELP ").and_then(|_| lines.peek()?.strip_prefix("# TYPE ")));
        let counter = counter.and_then(|family| family.strip_suffix(" counter"));
        match counter {
            Some(name) => out.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            None if line == "# EOF" => break,
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[derive(Debug)]
struct Scrape(Arc<Vec<Family>>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let metric_type = match self.values {
            Values::Counters(_) | Values::Sums(_) => MetricType::Counter,
            Values::Gauges(_) => MetricType::Gauge,
            Values::Histograms(_) => MetricType::Histogram,
        };
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, metric_type)?;
        match &self.values {
            Values::Counters(all) => self.each(&mut metric, all, |metric, value| {
                metric.encode_counter::<NoLabelSet, u64, f64>(value, None)
            }),
            Values::Sums(all) => self.each(&mut metric, all, |metric, value| {
                metric.encode_counter::<NoLabelSet, f64, f64>(value, None)
            }),
            Values::Gauges(all) => self.each(&mut metric, all, |metric, value| {
                let whole = *value as i64;
                if whole as f64 == *value { metric.encode_gauge(&whole) } else { metric.encode_gauge(value) }
            }),
            Values::Histograms(all) => self.each(&mut metric, all, |metric, value| {
                let bounds = BOUNDS_S.into_iter().chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(value.buckets).collect();
                let count = value.buckets.iter().sum();
                metric.encode_histogram::<NoLabelSet>(value.sum_s, count, &buckets, None)
            }),
        }
    }

    fn each<V>(
        &self,
        metric: &mut MetricEncoder<'_>,
        all: &[Labelled<V>],
        encode: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        for (values, value) in all {
            let labels: Vec<(&str, &str)> =
                self.labels.iter().copied().zip(values.iter().map(|value| &**value)).collect();
            match labels.is_empty() {
                // Else the library writes empty braces.
                true => encode(metric, value)?,
                false => encode(&mut metric.encode_family(&labels)?, value)?,
            }
        }
        Ok(())
    }
}
