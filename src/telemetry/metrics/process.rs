//! What is published of the process itself, and of the bounds that its configuration sets: what other numbers are
//! measured by.

use super::exposition::{Family, Values};
use super::{Metrics, lock};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The process and its bounds, as they are when somebody scrapes.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whether `/readyz` says that requests are served.
    pub ready: bool,
    /// For how long keys are accepted while the store does not answer.
    pub max_staleness: Duration,
    /// Most keys in memory.
    pub cache_capacity: usize,
    /// Bytes of memory over which no connection is taken, where there is such a bound.
    pub memory_limit: Option<u64>,
    /// When the process began, seconds of Unix time.
    pub started_s: f64,
    /// Processor time that it has used, in seconds; what the system does not tell is absent, here and below.
    pub cpu_s: Option<f64>,
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// How many it may have open.
    pub most_files: Option<u64>,
}

impl Metrics {
    /// Sets what the process and its bounds are like.
    pub fn set_standing(&self, standing: Standing) {
        *lock(&self.standing) = standing;
    }

    /// Counts nodes that were found silent for so long that they are told not to accept keys.
    pub fn nodes_lost(&self, nodes: usize) {
        self.nodes_lost.add(nodes as u64);
    }

    /// Sets how many workers have hung for so long that they are not expected to go on.
    pub fn set_workers_hung(&self, workers: usize) {
        self.workers_hung.store(workers, Ordering::Relaxed);
    }

    /// Whether there is such a worker.
    pub fn workers_hang(&self) -> bool {
        self.workers_hung.load(Ordering::Relaxed) > 0
    }

    pub(super) fn process_families(&self) -> Vec<Family> {
        let it = lock(&self.standing).clone();
        let whole = |number: u64| number as f64;
        vec![
            Family {
                name: "portcullis_build_info",
                help: "The version that runs; always 1.",
                labels: &["version"],
                values: Values::Gauges(vec![(vec![env!("CARGO_PKG_VERSION").into()], 1.0)]),
            },
            one("portcullis_ready", "Whether /readyz says that requests are served.", Some(it.ready.into())),
            one(
                "portcullis_workers_hung",
                "Workers that have not come round for ten seconds.",
                Some(whole(self.workers_hung.load(Ordering::Relaxed) as u64)),
            ),
            one(
                "portcullis_store_max_staleness_seconds",
                "For how long keys are accepted while the store does not answer.",
                Some(it.max_staleness.as_secs_f64()),
            ),
            one(
                "portcullis_token_cache_capacity",
                "Most keys in the cache.",
                Some(whole(it.cache_capacity as u64)),
            ),
            one(
                "portcullis_memory_limit_bytes",
                "Resident memory over which no connection is taken; absent where there is no limit.",
                it.memory_limit.map(whole),
            ),
            Family {
                name: "portcullis_nodes_lost",
                help: "Nodes that this one found silent for too long, so that they may accept no key.",
                labels: &[],
                values: Values::Counters(vec![(Vec::new(), self.nodes_lost.value())]),
            },
            one("process_start_time_seconds", "When the process began, in Unix time.", Some(it.started_s)),
            Family {
                name: "process_cpu_seconds",
                help: "Processor time that the process has used, user and system.",
                labels: &[],
                values: Values::Sums(it.cpu_s.map(|seconds| (Vec::new(), seconds)).into_iter().collect()),
            },
            one("process_open_fds", "Files and sockets that the process has open.", it.open_files.map(whole)),
            one("process_max_fds", "Files and sockets that it may have open.", it.most_files.map(whole)),
        ]
    }
}

fn one(name: &'static str, help: &'static str, value: Option<f64>) -> Family {
    let values = Values::Gauges(value.map(|value| (Vec::new(), value)).into_iter().collect());
    Family { name, help, labels: &[], values }
}
