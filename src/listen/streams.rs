//! The tasks of an HTTP/2 connection's streams, each with an end: a client that never opens its window for an answer holds
//! the answer, and the upstream that sends it, no longer than one that never reads.

use crate::deadline::Deadlines;
use pin_project_lite::pin_project;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How far the answer to one stream is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It has begun.
    pub(super) answered: Rc<Cell<bool>>,
    /// Since when it waits for the client; monotonic nanoseconds. None while it waits for the upstream.
    pub(super) since_ns: Cell<Option<u64>>,
}

/// The progress of the stream that was begun last: hyper makes a stream's task right behind the call of its service.
#[derive(Debug, Default)]
pub(super) struct Latest(pub(super) RefCell<Option<Rc<Progress>>>);

/// Runs the tasks of streams on the worker's own runtime, each as long as its client moves within `most`.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) latest: Rc<Latest>,
    pub(super) deadlines: Rc<Deadlines>,
    pub(super) most: Duration,
}

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        match self.latest.0.take() {
            Some(progress) => {
                let (deadlines, most) = (self.deadlines.clone(), self.most);
                tokio::task::spawn_local(Bounded { task, progress, deadlines, most, slot: None });
            }
            None => drop(tokio::task::spawn_local(task)),
        }
    }
}

pin_project! {
    /// A stream's task. Ended early, it resets its stream.
    struct Bounded<F> {
        #[pin]
        task: F,
        progress: Rc<Progress>,
        deadlines: Rc<Deadlines>,
        most: Duration,
        slot: Option<usize>,
    }

    impl<F> PinnedDrop for Bounded<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.deadlines.disarm(this.slot);
        }
    }
}

impl<F: Future> Future for Bounded<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.task.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.deadlines.disarm(this.slot);
        let Some(since_ns) = this.progress.since_ns.get() else { return Poll::Pending };
        let waited = Duration::from_nanos(this.deadlines.now_ns().saturating_sub(since_ns));
        match this.most.checked_sub(waited) {
            Some(left) => this.deadlines.arm(this.slot, left, cx),
            None => Poll::Ready(()),
        }
    }
}
