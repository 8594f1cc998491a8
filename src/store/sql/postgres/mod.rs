//! The store on a PostgreSQL server, for several gateways at once.

mod connect;
#[cfg(test)]
pub(in crate::store) mod tests;
pub(super) mod tls;

use super::db::{Connection, Health, Patience, Session, Target};
use super::threads::Threads;
use super::watch::{Place, Watch};
use super::{Counters, Database};
use crate::config::PostgresStore;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// What the edge waits for: it stops accepting keys when it does not hear for longer. A connection that was cut off silently
/// is given up, and opened anew, well within a usual lease.
const EDGE: Patience = Patience { statement: Duration::from_secs(2), connect: Duration::from_secs(4) };
/// What people wait for.
const PEOPLE: Patience = Patience { statement: Duration::from_secs(15), connect: Duration::from_secs(5) };
/// Most time for a job of the edge, its waiting for its turn included.
const EDGE_JOB: Duration = Duration::from_secs(8);
/// Most time for a job of people.
const JOB: Duration = Duration::from_secs(30);

impl Database {
    /// Connects to a server, makes what is missing in its database, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can not be reached or used, [`StoreError::TooNew`] when a newer version made the
    /// tables.
    pub fn connect(settings: &PostgresStore) -> Result<Self, StoreError> {
        let this = Self::to(settings)?;
        wait(&this.writers, connect::migrate)?;
        Ok(this)
    }

    /// Connects to a server whose tables are as they are to be; `None` when there are none. Every write fails.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`StoreError::TooOld`] when an older version made the tables.
    pub fn connect_read_only(settings: &PostgresStore) -> Result<Option<Self>, StoreError> {
        let mut settings = settings.clone();
        settings.read_only = true;
        let this = Self::to(&settings)?;
        Ok(wait(&this.writers, connect::look)?.then_some(this))
    }

    fn to(settings: &PostgresStore) -> Result<Self, StoreError> {
        let target = target(settings)?;
        let some = |count: usize, patience| -> Vec<Connection> {
            let session = || Connection::Postgres(Box::new(Session::new(Arc::clone(&target), patience)));
            (0..count).map(|_| session()).collect()
        };
        let (writers, askers) = (share(settings.connections), share(settings.connections));
        // One counts, and one tells that this node is there.
        let readers = settings.connections.saturating_sub(2 + writers + askers).max(1);
        Ok(Self {
            readers: Threads::start("store-read", some(readers, EDGE), Some(EDGE_JOB))?,
            askers: Threads::start("store-ask", some(askers, PEOPLE), Some(JOB))?,
            counters: Counters::Apart(Threads::start("store-count", some(1, PEOPLE), Some(JOB))?),
            writers: Threads::start("store-write", some(writers, PEOPLE), Some(JOB))?,
            enroller: Threads::start("store-enrol", some(1, EDGE), Some(EDGE_JOB))?,
            watch: Watch::new(Place::Server(target)),
        })
    }
}

/// A connection that reads what is there; `None` when there are no tables. For who is in no runtime.
pub(super) fn existing(settings: &PostgresStore) -> Result<Option<Connection>, StoreError> {
    let settings = PostgresStore { read_only: true, ..settings.clone() };
    let connection = alone(target(&settings)?);
    Ok(connect::look(&connection)?.then_some(connection))
}

/// A connection that writes, with the tables made. For who is in no runtime.
pub(super) fn made(settings: &PostgresStore) -> Result<Connection, StoreError> {
    let connection = alone(target(settings)?);
    connect::migrate(&connection)?;
    Ok(connection)
}

fn alone(target: Arc<Target>) -> Connection {
    Connection::Postgres(Box::new(Session::new(target, PEOPLE)))
}

fn target(settings: &PostgresStore) -> Result<Arc<Target>, StoreError> {
    Ok(Arc::new(Target {
        config: connect::configuration(settings),
        tls: tls::Connector::new(settings).map_err(|error| StoreError::Unavailable(Box::new(error)))?,
        health: Health::default(),
    }))
}

/// The writers' and the askers' part of all connections: what writes takes its turn anyway.
fn share(connections: usize) -> usize {
    (connections / 4).max(1)
}

/// Does a job and waits for it, on a thread of its own: who opens a store may be within a runtime, where nothing waits.
fn wait<T: Send + 'static>(
    threads: &Threads,
    job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, answer) = std::sync::mpsc::channel();
    drop(threads.run_long(move |connection| {
        let _ = sender.send(job(connection));
        Ok(())
    }));
    answer.recv().unwrap_or_else(|gone| Err(StoreError::Unavailable(Box::new(gone))))
}
