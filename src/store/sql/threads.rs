//! Threads that own connections and do jobs for asynchronous callers.

use super::db::Connection;
use crate::store::{Answer, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Some threads over one queue. Dropping it lets them finish what is queued, and waits for that.
#[derive(Debug)]
pub(super) struct Threads {
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Most time that a job takes, its waiting included.
    most: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
#[error("the store gave up on this")]
struct GaveUp;

#[derive(Debug, thiserror::Error)]
#[error("the store did not get to it within {} s", .0.as_secs())]
struct TookTooLong(Duration);

impl Threads {
    /// One thread for each connection. A job takes at most so long; a file of one's own always answers.
    pub(super) fn start(
        name: &str,
        connections: Vec<Connection>,
        most: Option<Duration>,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for connection in connections {
            let jobs = Arc::clone(&jobs);
            let thread = Builder::new()
                .name(name.to_owned())
                .spawn(move || work(connection, &jobs))
                .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            threads.push(thread);
        }
        Ok(Self { queue: Some(queue), threads, most })
    }

    /// Has `job` done. It is done even when the answer is not waited for. When it takes too long, the answer is that it
    /// did; a job that was not begun by then is not done at all.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let given_up = Arc::new(AtomicBool::new(false));
        let answer = self.queue(Arc::clone(&given_up), job);
        let Some(most) = self.most else { return answer };
        Box::pin(async move {
            tokio::time::timeout(most, answer).await.unwrap_or_else(|_| {
                given_up.store(true, Ordering::Relaxed);
                Err(StoreError::Unavailable(Box::new(TookTooLong(most))))
            })
        })
    }

    /// Has `job` done, however long it takes.
    pub(super) fn run_long<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.queue(Arc::default(), job)
    }

    fn queue<T: Send + 'static>(
        &self,
        given_up: Arc<AtomicBool>,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if !given_up.load(Ordering::Relaxed) {
                // A caller that has gone away is none of our business.
                let _ = sender.send(job(connection));
            }
        });
        // A queue without threads drops the job, and with it the sender: the answer then says so.
        let _ = self.queue.as_ref().map(|queue| queue.send(job));
        Box::pin(
            async move { answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(GaveUp)))) },
        )
    }
}

fn work(connection: Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            // A job that panics is answered by its sender's end; its transaction is rolled back as it unwinds, and the
            // thread goes on, because without it the gateway would have to stop accepting keys.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&connection)))),
            Err(_) => return,
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
