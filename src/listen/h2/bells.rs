//! Who of one connection has something to do. All its streams are polled by its own task, each with a waker of its own, so
//! that no stream needs a task, and what several of them say goes out in one piece.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What was woken. Shared with wakers, which may be anywhere.
#[derive(Debug, Default)]
pub(super) struct Bells {
    rung: Mutex<Rung>,
}

#[derive(Debug, Default)]
struct Rung {
    streams: Vec<usize>,
    /// The connection itself: something came, or is to be written.
    connection: bool,
    /// Its task is running, and looks here before it rests.
    attended: bool,
    task: Option<Waker>,
}

/// One stream's.
#[derive(Debug)]
struct Bell {
    stream: usize,
    rung: AtomicBool,
    bells: Arc<Bells>,
}

/// A stream's bell, as the connection holds it.
#[derive(Debug)]
pub(super) struct Handle {
    bell: Arc<Bell>,
    pub(super) waker: Waker,
}

impl Bells {
    fn lock(&self) -> MutexGuard<'_, Rung> {
        // Nothing panics while it is held.
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, what: impl FnOnce(&mut Rung)) {
        let mut rung = self.lock();
        what(&mut rung);
        let task = if rung.attended { None } else { rung.task.clone() };
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The connection's task is at work, and is not to be woken for now.
    pub(super) fn attend(&self, task: &Waker) {
        let mut rung = self.lock();
        rung.attended = true;
        if !rung.task.as_ref().is_some_and(|held| held.will_wake(task)) {
            rung.task = Some(task.clone());
        }
    }

    /// What was woken since this was asked last: the connection, and the streams that are added to `streams`.
    pub(super) fn take(&self, streams: &mut Vec<usize>) -> bool {
        let mut rung = self.lock();
        streams.append(&mut rung.streams);
        std::mem::take(&mut rung.connection)
    }

    /// The task rests, and is to be woken again; at once when there is still something, here or elsewhere (`more`).
    pub(super) fn rest(&self, more: bool) {
        let mut rung = self.lock();
        rung.attended = false;
        let task = if more || rung.connection || !rung.streams.is_empty() { rung.task.clone() } else { None };
        drop(rung);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// A bell for a stream.
    pub(super) fn hang(self: &Arc<Self>, stream: usize) -> Handle {
        let bell = Arc::new(Bell { stream, rung: AtomicBool::new(false), bells: self.clone() });
        Handle { waker: bell.clone().into(), bell }
    }
}

impl Handle {
    /// It is answered: what happens from now on rings it again.
    pub(super) fn answer(&self) {
        self.bell.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bells {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring(|rung| rung.connection = true);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bells.ring(|rung| rung.streams.push(self.stream));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_bell_is_heard_once_and_none_is_missed() {
        let (task, bells, mut due) = (Arc::new(Task::default()), Arc::new(Bells::default()), Vec::new());
        let woken = || task.0.swap(0, Ordering::Relaxed);
        let (one, other) = (bells.hang(1), bells.hang(2));
        bells.attend(&Waker::from(task.clone()));
        one.waker.wake_by_ref();
        one.waker.wake_by_ref();
        assert_eq!(woken(), 0, "it is at work");
        assert!(!bells.take(&mut due));
        assert_eq!(due, [1]);
        due.clear();
        bells.rest(false);
        assert_eq!(woken(), 0, "there is nothing more");
        one.waker.wake_by_ref();
        assert_eq!(woken(), 0, "it has not been answered");
        other.waker.wake_by_ref();
        assert_eq!(woken(), 1);
        Waker::from(bells.clone()).wake();
        assert_eq!(woken(), 1);
        bells.attend(&Waker::from(task.clone()));
        assert!(bells.take(&mut due));
        assert_eq!(due, [2]);
        due.clear();
        one.answer();
        bells.rest(true);
        assert_eq!(woken(), 1, "there is something elsewhere");
        bells.attend(&Waker::from(task.clone()));
        one.waker.wake_by_ref();
        bells.rest(false);
        assert_eq!(woken(), 1, "it came while it was at work");
        assert!(!bells.take(&mut due));
        assert_eq!(due, [1]);
    }
}
