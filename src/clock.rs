//! The one place that reads the clock. Everything below `listen`, `pipeline` and `control` takes a [`Moment`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One instant, on both clocks: monotonic for limits and time-outs, civil for expiry and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Nanoseconds on a monotonic clock that starts with the process (at one hour, so that subtracting is safe).
    pub mono_ns: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
}

impl Moment {
    /// Whole seconds since 1970, rounded down.
    pub fn unix_s(self) -> u64 {
        self.unix_ms / 1000
    }

    /// This moment and `by` more, on both clocks.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Self {
            mono_ns: self.mono_ns.saturating_add(ns),
            unix_ms: self.unix_ms.saturating_add(ns / 1_000_000),
        }
    }

    /// Time from `earlier` to this moment on the monotonic clock; zero when `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.mono_ns.saturating_sub(earlier.mono_ns))
    }
}

/// Reads monotonic time once per call and derives civil time from it, so that a request pays for one clock.
///
/// [`Clock::resync`] follows steps of the system's civil clock; the control side calls it every second.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// Civil time minus monotonic time, in nanoseconds.
    offset_ns: AtomicI64,
}

const HEAD_START_NS: u64 = 3_600_000_000_000;

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn new() -> Self {
        let clock = Self { start: Instant::now(), offset_ns: AtomicI64::new(0) };
        clock.resync();
        clock
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        let mono_ns = self.mono_ns();
        let unix_ns = (mono_ns as i64).saturating_add(self.offset_ns.load(Ordering::Relaxed));
        Moment { mono_ns, unix_ms: u64::try_from(unix_ns / 1_000_000).unwrap_or(0) }
    }

    /// Nanoseconds from 1970 to a moment of this clock.
    pub fn unix_ns(&self, at: Moment) -> u64 {
        let unix_ns = (at.mono_ns as i64).saturating_add(self.offset_ns.load(Ordering::Relaxed));
        u64::try_from(unix_ns).unwrap_or(0)
    }

    /// Takes over the system's civil time, which an administrator or NTP may have stepped.
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn resync(&self) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ns = i64::try_from(unix.as_nanos()).unwrap_or(i64::MAX);
        self.offset_ns.store(unix_ns.saturating_sub(self.mono_ns() as i64), Ordering::Relaxed);
    }

    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    fn mono_ns(&self) -> u64 {
        let since = Instant::now().duration_since(self.start).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX - HEAD_START_NS) + HEAD_START_NS
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
