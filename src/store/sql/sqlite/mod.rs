//! The embedded store: a file. One thread writes, two read for the edge and two for people; each has its own connection.

mod connect;
#[cfg(test)]
mod tests;

pub use super::Database as Sqlite;
pub(super) use connect::{SCHEMA, existing, watcher};

use super::db::Connection;
use super::threads::Threads;
use super::watch::{Place, Watch};
use super::{Counters, Database, Turns};
use crate::store::StoreError;
use std::path::Path;

const READERS: usize = 2;

/// The connection that writes to a file, which is made when it is missing.
pub(super) fn made(path: &Path) -> Result<Connection, StoreError> {
    connect::create_private(path).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    connect::writer(path)
}

impl Database {
    /// Opens the database file, makes it and its folder when missing (readable by their owner only), and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] when a newer version made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = made(path)?;
        let readers = || (0..READERS).map(|_| connect::reader(path)).collect::<Result<Vec<_>, _>>();
        Self::of(path, [readers()?, readers()?, vec![connect::enroller(path)?], vec![writer]])
    }

    /// Opens the database file as it is; `None` when there is none. Every write fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] and [`StoreError::TooOld`] when
    /// another version made it.
    pub fn open_read_only(path: &Path) -> Result<Option<Self>, StoreError> {
        let open = || connect::existing(path);
        let (Some(reader), Some(asker), Some(enroller), Some(writer)) = (open()?, open()?, open()?, open()?)
        else {
            return Ok(None);
        };
        Self::of(path, [vec![reader], vec![asker], vec![enroller], vec![writer]]).map(Some)
    }

    fn of(path: &Path, connections: [Vec<Connection>; 4]) -> Result<Self, StoreError> {
        let [readers, askers, enrollers, writers] = connections;
        Ok(Self {
            writers: Threads::start("store-write", writers, None)?,
            readers: Threads::start("store-read", readers, None)?,
            askers: Threads::start("store-ask", askers, None)?,
            counters: Counters::Writer(Turns::new()),
            enroller: Threads::start("store-enrol", enrollers, None)?,
            watch: Watch::new(Place::File(path.to_owned())),
        })
    }
}
