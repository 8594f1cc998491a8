//! Coarse time-outs: one tick per worker instead of one timer per request.
//!
//! A wait is a slot with a waker; [`Deadlines::tick`], called about every [`TICK`], wakes those that are over.
//! A wait may therefore end up to one tick late, never early.

use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How often a worker ticks.
pub const TICK: Duration = Duration::from_millis(100);

/// The waits of one worker.
#[derive(Debug, Default)]
pub struct Deadlines {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Monotonic nanoseconds at the last tick.
    now_ns: u64,
    slots: Vec<Slot>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Slot {
    at_ns: u64,
    waker: Option<Waker>,
}

/// The time was over before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time was over")]
pub struct Elapsed;

impl Deadlines {
    /// Moves time on and wakes what is over.
    pub fn tick(&self, now_ns: u64) {
        let mut due = Vec::new();
        {
            let mut inner = self.inner.borrow_mut();
            inner.now_ns = now_ns;
            for slot in &mut inner.slots {
                if slot.at_ns <= now_ns
                    && let Some(waker) = slot.waker.take()
                {
                    due.push(waker);
                }
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// Monotonic nanoseconds at the last tick.
    pub fn now_ns(&self) -> u64 {
        self.inner.borrow().now_ns
    }

    /// Wakes all that wait, so that each looks whether it still has to.
    pub fn wake(&self) {
        let waiting: Vec<Waker> =
            self.inner.borrow_mut().slots.iter_mut().filter_map(|slot| slot.waker.take()).collect();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Runs `work` until it is done or `time` from the last tick (plus at most two ticks) is over; then the output is
    /// [`Elapsed`].
    pub fn within<F: Future>(&self, time: Duration, work: F) -> Within<'_, F> {
        Within { work, deadlines: self, time, slot: None }
    }

    /// A wait that can be kept in a body and started anew with each frame.
    pub fn arm(&self, slot: &mut Option<usize>, time: Duration, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.inner.borrow_mut();
        let now = inner.now_ns;
        let index = match *slot {
            Some(index) => index,
            None => {
                let at_ns = now.saturating_add(nanos(time)).saturating_add(nanos(TICK));
                let index = inner.reserve(at_ns);
                *slot = Some(index);
                index
            }
        };
        let entry = &mut inner.slots[index];
        if entry.at_ns <= now {
            return Poll::Ready(());
        }
        if !entry.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            entry.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Gives a slot back.
    pub fn disarm(&self, slot: &mut Option<usize>) {
        if let Some(index) = slot.take() {
            let mut inner = self.inner.borrow_mut();
            inner.slots[index] = Slot { at_ns: u64::MAX, waker: None };
            inner.free.push(index);
        }
    }
}

impl Inner {
    fn reserve(&mut self, at_ns: u64) -> usize {
        let slot = Slot { at_ns, waker: None };
        match self.free.pop() {
            Some(index) => {
                self.slots[index] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }
}

pin_project! {
    /// Work with a time-out. Not an `async fn`, which would hold the work twice.
    #[derive(Debug)]
    pub struct Within<'a, F> {
        #[pin]
        work: F,
        deadlines: &'a Deadlines,
        time: Duration,
        slot: Option<usize>,
    }

    impl<F> PinnedDrop for Within<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.deadlines.disarm(this.slot);
        }
    }
}

impl<F: Future> Future for Within<'_, F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.work.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => this.deadlines.arm(this.slot, *this.time, cx).map(|()| Err(Elapsed)),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[test]
    fn a_wait_ends_after_its_time_and_gives_its_slot_back() {
        let deadlines = Deadlines::default();
        deadlines.tick(1_000);
        let mut work = pin!(deadlines.within(Duration::from_secs(1), std::future::pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(work.as_mut().poll(&mut cx).is_pending());
        deadlines.tick(1_000_000_000);
        assert!(work.as_mut().poll(&mut cx).is_pending());
        deadlines.tick(1_100_002_000);
        assert_eq!(work.as_mut().poll(&mut cx), Poll::Ready(Err(Elapsed)));
    }

    #[test]
    fn work_that_is_done_wins() {
        let deadlines = Deadlines::default();
        let mut work = pin!(deadlines.within(Duration::ZERO, std::future::ready(7)));
        assert_eq!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(7)));
    }
}
