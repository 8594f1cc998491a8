//! systemd's watchdog (`sd_watchdog_enabled(3)`): as long as every worker and the control side go on, systemd is told so.
//! When one of them does not, nothing is told, and systemd starts the process again after `WatchdogSec=`.
//!
//! A store or a backend that does not answer is no reason for that: what waits for one goes on with everything else.

use super::{Parts, supervisor};
use crate::deadline::TICK;
use std::ffi::OsString;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often it is told in the time that systemd waits. One look that comes late must not be the end.
const LOOKS: u32 = 4;
/// A worker is to have come round between two looks.
const SHORTEST: Duration = TICK.saturating_mul(2);

/// The rounds of a worker, counted by itself.
pub(super) type Rounds = Arc<AtomicU64>;

/// Looks at the workers for as long as the process serves, if systemd asks for it.
///
/// It is a task of the control side, whose word it needs: a timer of its own would go on when nothing else does.
pub(super) fn start(parts: &Arc<Parts>, workers: Vec<Rounds>) {
    let own = std::process::id();
    let Some(limit) = asked_for(std::env::var_os("WATCHDOG_USEC"), std::env::var_os("WATCHDOG_PID"), own)
    else {
        return;
    };
    tokio::spawn(watch(parts.clone(), workers, (limit / LOOKS).max(SHORTEST)));
}

async fn watch(parts: Arc<Parts>, workers: Vec<Rounds>, pause: Duration) {
    let mut seen: Vec<Option<u64>> = vec![None; workers.len()];
    let mut well = true;
    // What drains has another limit, `TimeoutStopSec=`, and after a hand-over it is the new process that is watched.
    while !parts.draining.load(Ordering::Relaxed) {
        let rounds = workers.iter().map(|rounds| Some(rounds.load(Ordering::Relaxed)));
        let now: Vec<_> = rounds.collect();
        let hang: Vec<usize> = iter::zip(&now, &seen)
            .enumerate()
            .filter(|(_, (now, seen))| now == seen)
            .map(|(index, _)| index)
            .collect();
        if hang.is_empty() {
            supervisor::tell("WATCHDOG=1");
        } else if well {
            tracing::error!(workers = ?hang, "workers hang: systemd is not told that all is well until they go on");
        }
        well = hang.is_empty();
        seen = now;
        tokio::time::sleep(pause).await;
    }
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
