//! Whether every worker goes on: `/healthz` answers 503 when one has hung for ten seconds, so that whoever supervises the
//! process starts it again. When the control side hangs, `/healthz` does not answer at all.
//!
//! Where systemd's watchdog asks (`sd_watchdog_enabled(3)`), it is told as long as all of them go on. When one does not,
//! nothing is told, and systemd starts the process again after `WatchdogSec=`.
//!
//! A store or a backend that does not answer is no reason for either: what waits for one goes on with everything else.

use super::{Parts, supervisor};
use crate::deadline::TICK;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often systemd is told in the time that it waits. One look that comes late must not be the end.
const LOOKS: u32 = 4;
/// A worker is to have come round between two looks.
const SHORTEST: Duration = TICK.saturating_mul(2);
/// How long a worker may not come round before it hangs for good; a busy machine holds one up for much less.
const HANGS: Duration = Duration::from_secs(10);

/// The rounds of a worker, counted by itself.
pub(super) type Rounds = Arc<AtomicU64>;

/// A worker, as it was at the last look.
struct Watched {
    rounds: Rounds,
    seen: Option<u64>,
    /// Looks in a row at which it had not come round.
    still: u32,
}

impl Watched {
    /// Whether it has come round since the last look.
    fn goes_on(&mut self) -> bool {
        let now = Some(self.rounds.load(Ordering::Relaxed));
        self.still = if now == self.seen { self.still.saturating_add(1) } else { 0 };
        self.seen = now;
        self.still == 0
    }
}

/// Looks at the workers for as long as the process serves.
///
/// It is a task of the control side, whose word it needs: a timer of its own would go on when nothing else does.
pub(super) fn start(parts: &Arc<Parts>, workers: Vec<Rounds>) {
    let own = std::process::id();
    let limit = asked_for(std::env::var_os("WATCHDOG_USEC"), std::env::var_os("WATCHDOG_PID"), own);
    let workers = workers.into_iter().map(|rounds| Watched { rounds, seen: None, still: 0 });
    tokio::spawn(watch(parts.clone(), workers.collect(), limit));
}

async fn watch(parts: Arc<Parts>, mut workers: Vec<Watched>, limit: Option<Duration>) {
    let pause = (limit.unwrap_or(HANGS) / LOOKS).clamp(SHORTEST, HANGS);
    let mut well = true;
    // What drains has another limit, `TimeoutStopSec=`, and after a hand-over it is the new process that is watched.
    while !parts.draining.load(Ordering::Relaxed) {
        let still: Vec<usize> = workers
            .iter_mut()
            .enumerate()
            .filter_map(|(index, worker)| (!worker.goes_on()).then_some(index))
            .collect();
        if still.is_empty() && limit.is_some() {
            supervisor::tell("WATCHDOG=1");
        } else if !still.is_empty() && well {
            tracing::error!(workers = ?still, "workers hang: unless they go on, what supervises this process is to start it again");
        }
        well = still.is_empty();
        let hung = workers.iter().filter(|worker| pause * worker.still >= HANGS).count();
        parts.shared.metrics.set_workers_hung(hung);
        tokio::time::sleep(pause).await;
    }
    parts.shared.metrics.set_workers_hung(0);
}

/// How long systemd waits for a word of this process; `None` when it does not.
fn asked_for(limit: Option<OsString>, of: Option<OsString>, own: u32) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if of.is_some_and(|of| number(of) != Some(own.into())) {
        return None;
    }
    limit.and_then(number).filter(|&microseconds| microseconds > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_process_that_is_meant_is_watched() {
        let asked = |limit: &str, of: Option<&str>| asked_for(Some(limit.into()), of.map(Into::into), 7);
        assert_eq!(asked("2000000", None), Some(Duration::from_secs(2)));
        assert_eq!(asked("2000000", Some("7")), Some(Duration::from_secs(2)));
        assert_eq!(asked("2000000", Some("8")), None);
        assert_eq!(asked("2000000", Some("")), None);
        assert_eq!(asked("0", None), None);
        assert_eq!(asked("soon", None), None);
        assert_eq!(asked_for(None, Some("7".into()), 7), None);
    }
}
