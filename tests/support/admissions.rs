//! Requests sent to several gateways at once, and what was let in when: the bound of a bucket holds in every window.

use super::client::Connection;
use super::{Reply, get, wait};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// Nanoseconds at which it was sent, and at which its answer had come.
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) reply: Reply,
}

/// Sends requests to all gateways, `per_gateway` connections to each, until told to stop. Each connection waits `pause`
/// between two requests.
pub(crate) fn under_load(
    gateways: &[SocketAddr],
    per_gateway: usize,
    pause: Duration,
    target: &'static str,
    key: &str,
    meanwhile: impl FnOnce(),
) -> Vec<Attempt> {
    let (over, attempts) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for address in gateways {
            for _ in 0..per_gateway {
                let (over, attempts) = (&over, &attempts);
                scope.spawn(move || {
                    let mut connection = Connection::open(*address);
                    let mut own = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        own.push(attempt(&mut connection, target, key));
                        std::thread::sleep(pause);
                    }
                    attempts.lock().expect("attempts").append(&mut own);
                });
            }
        }
        meanwhile();
        over.store(true, Ordering::Relaxed);
    });
    attempts.into_inner().expect("attempts")
}

/// Sends one request.
pub(crate) fn attempt(connection: &mut Connection, target: &str, key: &str) -> Attempt {
    let sent = wait::now().mono_ns;
    let reply = connection.send(&get(target).key(key));
    Attempt { sent, answered: wait::now().mono_ns, reply }
}

/// How many were let in.
pub(crate) fn admitted(attempts: &[Attempt]) -> usize {
    attempts.iter().filter(|attempt| attempt.reply.status == 200).count()
}

/// Fails when, in any time, more was let in than a token bucket holds and gets back meanwhile. What was sent and answered
/// between two moments was decided between them.
#[track_caller]
pub(crate) fn assert_within_bound(attempts: &[Attempt], depth: u32, per: Duration) {
    assert_within_bound_and(attempts, depth, per, 0.0);
}

/// The same, with `more` requests that may be let in besides.
#[track_caller]
pub(crate) fn assert_within_bound_and(attempts: &[Attempt], depth: u32, per: Duration, more: f64) {
    let mut let_in: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.reply.status == 200).collect();
    let_in.sort_by_key(|attempt| attempt.answered);
    let rate = f64::from(depth) / per.as_nanos() as f64;
    for begin in let_in.iter().map(|attempt| attempt.sent) {
        let inside = let_in.iter().filter(|attempt| attempt.sent >= begin);
        for (before, last) in inside.enumerate() {
            let bound = f64::from(depth) + more + rate * (last.answered - begin) as f64;
            let count = before + 1;
            assert!(
                count as f64 <= bound,
                "{count} were let in within {:?}, of at most {bound:.2}",
                Duration::from_nanos(last.answered - begin)
            );
        }
    }
}
