//! Waiting with an end: time as the suite reads it, and polling until something holds.

use portcullis::clock::{Clock, Moment};
use std::sync::OnceLock;
use std::time::Duration;

/// The present moment, on the same kind of clock that the gateway reads.
pub(crate) fn now() -> Moment {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(Clock::new).now()
}

/// Polls until `look` finds something, for at most `limit`.
pub(crate) fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if now().since(start) > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Polls until `holds`, and fails the test after ten seconds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    assert!(poll(Duration::from_secs(10), || holds().then_some(())).is_some(), "never came about: {what}");
}
