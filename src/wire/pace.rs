//! How long a client may take over a body: between two pieces, and on the whole.
//!
//! Only the time counts in which somebody waits for the client, so that a slow upstream is not the client's fault. There
//! is no timer per body: whoever waits is woken by the worker's tick ([`Deadlines`]).

use crate::config::BodyPace;
use crate::deadline::Deadlines;
use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a body may be late on the whole before its rate is looked at: a slow start is no attack.
const GRACE: Duration = Duration::from_secs(5);
const SECOND_NS: u64 = 1_000_000_000;

/// One body's pace.
#[derive(Debug)]
pub struct Pace {
    deadlines: Rc<Deadlines>,
    least: BodyPace,
    /// The answer has begun: from then on it is a conversation, whose silences mean nothing.
    answered: Rc<Cell<bool>>,
    slot: Option<usize>,
    since_ns: Option<u64>,
    waited_ns: u64,
    bytes: u64,
}

impl Pace {
    /// Of a body that has not begun; `answered` becomes true with its answer's head.
    pub fn new(deadlines: &Rc<Deadlines>, least: BodyPace, answered: &Rc<Cell<bool>>) -> Self {
        Self {
            deadlines: deadlines.clone(),
            least,
            answered: answered.clone(),
            slot: None,
            since_ns: None,
            waited_ns: 0,
            bytes: 0,
        }
    }

    /// So many bytes have come, or the body has ended.
    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(since_ns) = self.since_ns.take() {
            self.waited_ns += self.deadlines.now_ns().saturating_sub(since_ns);
        }
        self.deadlines.disarm(&mut self.slot);
    }

    /// Nothing has come; ready when that is too slow.
    pub(super) fn wait(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.answered.get() {
            self.came(0);
            return Poll::Pending;
        }
        if self.since_ns.is_none() {
            self.since_ns = Some(self.deadlines.now_ns());
        }
        let left = self.left();
        // Who sends a byte in each tick would never be late for any one of them.
        if left.is_zero() {
            return Poll::Ready(());
        }
        self.deadlines.arm(&mut self.slot, left, cx)
    }

    /// How long the present wait may last.
    fn left(&self) -> Duration {
        let Some(earned_ns) = self.bytes.saturating_mul(SECOND_NS).checked_div(self.least.rate) else {
            return self.least.timeout;
        };
        let earned = GRACE.saturating_add(Duration::from_nanos(earned_ns));
        self.least.timeout.min(earned.saturating_sub(Duration::from_nanos(self.waited_ns)))
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.deadlines.disarm(&mut self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Lets `bytes` come each `every` seconds; the second in which that was too slow, of `most`.
    fn ends(least: BodyPace, bytes: usize, every: u64, most: u64) -> Option<u64> {
        let (deadlines, answered) = (Rc::new(Deadlines::default()), Rc::default());
        let mut pace = Pace::new(&deadlines, least, &answered);
        let cx = Context::from_waker(Waker::noop());
        for second in 0..most {
            deadlines.tick(second * SECOND_NS);
            if second > 0 && second % every == 0 {
                pace.came(bytes);
            }
            if pace.wait(&cx).is_ready() {
                return Some(second);
            }
        }
        None
    }

    #[test]
    fn a_body_may_be_slow_but_not_too_slow() {
        let least = BodyPace { timeout: Duration::from_secs(30), rate: 240 };
        assert_eq!(ends(least, 240, 1, 1000), None);
        assert_eq!(ends(least, 1, 1, 1000), Some(6));
        assert_eq!(ends(least, 480, 4, 1000), Some(10), "half of the rate");
        assert_eq!(ends(BodyPace { rate: 0, ..least }, 1, 20, 1000), None);
        assert_eq!(ends(BodyPace { rate: 0, ..least }, 1, 40, 1000), Some(31));
    }

    #[test]
    fn nobody_is_hurried_once_the_answer_has_begun() {
        let (deadlines, answered) = (Rc::new(Deadlines::default()), Rc::new(Cell::new(false)));
        let mut pace =
            Pace::new(&deadlines, BodyPace { timeout: Duration::from_secs(1), rate: 240 }, &answered);
        let cx = Context::from_waker(Waker::noop());
        assert!(pace.wait(&cx).is_pending());
        answered.set(true);
        deadlines.tick(3600 * SECOND_NS);
        assert!(pace.wait(&cx).is_pending());
    }
}
