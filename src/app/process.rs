//! What the system and the configuration say about the process, for whoever scrapes.

use super::Parts;
use crate::clock::Moment;
use crate::telemetry::metrics::Standing;
use rustix::process::{Resource, getrlimit};

/// How it is now; `started` is when it began to serve.
pub(super) fn standing(parts: &Parts, started: Moment) -> Standing {
    let config = parts.config.load();
    Standing {
        ready: parts.health.is_ready(parts.shared.clock.now()),
        max_staleness: config.store.max_staleness,
        cache_capacity: config.store.cache_capacity.get(),
        memory_limit: config.limits.memory,
        started_s: started.unix_ms as f64 / 1000.0,
        cpu_s: cpu_s(),
        open_files: open_files(),
        most_files: getrlimit(Resource::Nofile).current,
    }
}

/// Since Linux 6.2 the folder's size is the number (proc_pid_fd(5)); to list a hundred thousand of them at each scrape takes long.
fn open_files() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    match std::fs::metadata(FOLDER).ok()?.len() {
        0 => Some(std::fs::read_dir(FOLDER).ok()?.count() as u64),
        files => Some(files),
    }
}

/// Processor time of all threads so far, user and system, from `/proc/self/stat`.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in brackets, may have blanks; what follows it has none.
    let (_, fields) = text.rsplit_once(") ")?;
    let ticks = |field: usize| fields.split(' ').nth(field)?.parse::<u64>().ok();
    // `utime` and `stime`, the 14th and 15th of proc_pid_stat(5), of which two stand before.
    let used = ticks(11)? + ticks(12)?;
    Some(used as f64 / rustix::param::clock_ticks_per_second() as f64)
}
