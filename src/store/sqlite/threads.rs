//! Threads that own connections and do jobs for asynchronous callers.

use crate::store::{Answer, StoreError};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Some threads over one queue. Dropping it lets them finish what is queued, and waits for that.
#[derive(Debug)]
pub(super) struct Threads {
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the store gave up on this")]
struct GaveUp;

impl Threads {
    /// One thread for each connection.
    pub(super) fn start(name: &str, connections: Vec<Connection>) -> Result<Self, StoreError> {
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
        Ok(Self { queue: Some(queue), threads })
    }

    /// Has `job` done. It is done even when the answer is not waited for.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that has gone away is none of our business.
            let _ = sender.send(job(connection));
        });
        // A queue without threads drops the job, and with it the sender: the answer then says so.
        let _ = self.queue.as_ref().map(|queue| queue.send(job));
        Box::pin(
            async move { answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(GaveUp)))) },
        )
    }
}

fn work(mut connection: Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            // A job that panics is answered by its sender's end; its transaction is rolled back as it unwinds, and the
            // thread goes on, because without it the gateway would have to stop accepting keys.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&mut connection)))),
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
