//! Sends traces to their collector: what has come in a moment is sent together, and again where the collector may take it
//! later (OTLP 1, "OTLP/HTTP"). Nobody waits for it; what can not be sent is dropped, and counted.

mod send;

use crate::config;
use crate::telemetry::Metrics;
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Counter;
use crate::telemetry::traces::{Span, Value, otlp};
use send::{SendError, Sender};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often it is looked whether there is something to send.
const LOOK: Duration = Duration::from_millis(500);
/// Spans of one request to the collector, about.
const TOGETHER: usize = 512;
/// How often the same spans are sent, and how long it is waited before the second time; twice as long each time after.
const TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);
/// Longest wait that a collector may ask for.
const WAIT_MOST: Duration = Duration::from_secs(30);

/// Most characters of what a collector says of spans that it has not taken.
const REASON_MOST: usize = 200;
/// How long the last spans may take at the end of the process.
const FINISH: Duration = Duration::from_secs(3);

/// The configuration in force; none while nobody collects traces.
pub type Configured = Box<dyn Fn() -> Option<Arc<config::Traces>> + Send + Sync>;

/// Takes the spans of requests and sends them.
pub struct Exporter {
    waiting: Receiver<Vec<Span>>,
    configured: Configured,
    instance: String,
    sender: Sender,
    exported: Arc<Counter>,
    failed: Arc<Counter>,
    /// The last spans were not taken, or not all of them, which was told.
    failing: bool,
}

/// An exporter at work.
#[derive(Debug)]
pub struct Running {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Has what there is sent, unless that takes long. Nobody may leave anything any more.
    pub async fn finish(mut self) {
        // It is gone only if it has panicked.
        let _ = self.end.send(());
        if tokio::time::timeout(FINISH, &mut self.task).await.is_err() {
            tracing::warn!("the last traces could not be sent in time");
            self.task.abort();
        }
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Exporter {
    /// Sends what comes from `waiting`, as `configured` says at the time; `instance` tells this process from others.
    pub fn new(
        waiting: Receiver<Vec<Span>>,
        configured: Configured,
        instance: String,
        metrics: &Metrics,
    ) -> Self {
        let (exported, failed) = (metrics.spans("exported"), metrics.spans("failed"));
        Self { waiting, configured, instance, sender: Sender::new(), exported, failed, failing: false }
    }

    /// Goes on until it is told to end by [`Running::finish`].
    pub fn start(self) -> Running {
        let (end, ending) = oneshot::channel();
        Running { end, task: tokio::spawn(self.run(ending)) }
    }

    async fn run(mut self, mut ending: oneshot::Receiver<()>) {
        let mut tries = TRIES;
        loop {
            let spans = self.take();
            if !spans.is_empty() {
                self.send(spans, tries).await;
            } else if tries == 1 {
                return;
            } else {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    // What is left is sent; there is no time to do it twice.
                    _ = &mut ending => tries = 1,
                }
            }
        }
    }

    /// What waits, as far as it is sent together.
    fn take(&mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < TOGETHER
            && let Ok(more) = self.waiting.try_recv()
        {
            spans.extend(more);
        }
        spans
    }

    async fn send(&mut self, spans: Vec<Span>, tries: u32) {
        let count = spans.len() as u64;
        // It may have been taken out of the configuration since they began.
        let Some(config) = (self.configured)() else { return self.failed.add(count) };
        let body = otlp::export(&self.resource(&config), spans);
        match self.deliver(&config, body.into(), tries).await {
            Ok(rejected) => {
                let (rejected, reason) = rejected.unwrap_or_default();
                self.exported.add(count.saturating_sub(rejected));
                self.failed.add(rejected.min(count));
                let told = std::mem::replace(&mut self.failing, rejected > 0);
                if rejected > 0 && !told {
                    let reason: String = reason.chars().take(REASON_MOST).collect();
                    tracing::warn!(
                        spans = rejected,
                        reason,
                        "the collector has not taken some traces; this is told once until it takes all"
                    );
                }
            }
            Err(error) => {
                self.failed.add(count);
                if !std::mem::replace(&mut self.failing, true) {
                    let collector = &config.collector.url.authority;
                    tracing::warn!(%collector, cause = %chain(&error), "traces could not be sent and are dropped; this is told once until they can");
                }
            }
        }
    }

    /// Sends until it is taken, or there is no use in trying.
    async fn deliver(
        &self,
        config: &config::Traces,
        body: bytes::Bytes,
        tries: u32,
    ) -> Result<Option<(u64, String)>, SendError> {
        let (mut pause, mut left) = (AGAIN, tries);
        loop {
            left -= 1;
            let error = match self.sender.send(config, body.clone()).await {
                Ok(rejected) => return Ok(rejected),
                Err(error) => error,
            };
            let Some(wait) = error.again_after(pause).filter(|_| left > 0) else { return Err(error) };
            tokio::time::sleep(wait.min(WAIT_MOST)).await;
            pause *= 2;
        }
    }

    fn resource(&self, config: &config::Traces) -> [(&'static str, Value); 3] {
        [
            ("service.name", config.service_name.to_string().into()),
            ("service.version", env!("CARGO_PKG_VERSION").into()),
            ("service.instance.id", self.instance.clone().into()),
        ]
    }
}
