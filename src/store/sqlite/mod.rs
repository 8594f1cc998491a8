//! The embedded store. One thread writes, two read; each has its own connection, and jobs come over a channel.

mod addresses;
mod audit;
mod certificates;
mod changes;
mod connect;
mod deliveries;
mod directory;
mod import;
mod invitations;
mod management;
mod members;
mod nodes;
mod operations;
mod organizations;
mod outbox;
mod password;
mod people;
mod projects;
mod refresh;
mod roles;
mod row;
mod second_factor;
mod sessions;
mod signing_keys;
#[cfg(test)]
mod tests;
mod threads;
mod tokens;
mod usage;
mod users;
mod webhooks;

use super::import::{Fixture, Imported};
use super::{
    Answer, LiveSession, Organization, SigningKey, Store, StoreError, TokenRecord, TokenRow, Usage,
    UserRecord,
};
use crate::token::{Digest, OrganizationId, TokenId, UserId};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;
use threads::Threads;

const READERS: usize = 2;

/// A SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    /// Before the writer, so that they are closed before it: the last connection to be closed writes the log back into
    /// the database, and of two readers that close at once neither would.
    readers: Threads,
    /// What people ask for takes as long as they like, and comes as often. What the edge asks for must not wait for it: a
    /// store that does not answer the edge in time has it accept no key at all.
    askers: Threads,
    writer: Threads,
    /// What nodes tell of themselves does not wait until something else is written for good.
    enroller: Threads,
}

impl Sqlite {
    /// Opens the database file, makes it and its folder when missing (readable by their owner only), and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] when a newer version made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        connect::create_private(path).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let writer = connect::writer(path)?;
        let readers = || (0..READERS).map(|_| connect::reader(path)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            writer: Threads::start("store-write", vec![writer])?,
            enroller: Threads::start("store-enrol", vec![connect::enroller(path)?])?,
            readers: Threads::start("store-read", readers()?)?,
            askers: Threads::start("store-ask", readers()?)?,
        })
    }

    /// Opens the database file as it is; `None` when there is none. Every write fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] and [`StoreError::TooOld`] when
    /// another version made it.
    pub fn open_read_only(path: &Path) -> Result<Option<Self>, StoreError> {
        let open = || connect::existing(path);
        let (Some(reader), Some(asker), Some(writer), Some(enroller)) = (open()?, open()?, open()?, open()?)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            readers: Threads::start("store-read", vec![reader])?,
            askers: Threads::start("store-ask", vec![asker])?,
            writer: Threads::start("store-write", vec![writer])?,
            enroller: Threads::start("store-enrol", vec![enroller])?,
        }))
    }

    fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.readers.run(move |connection| in_snapshot(connection, job))
    }

    /// Reads for people.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.askers.run(move |connection| in_snapshot(connection, job))
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.writer.run(move |connection| in_transaction(connection, job))
    }

    fn on_roll<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.enroller.run(move |connection| in_transaction(connection, job))
    }
}

/// Runs `job` on one snapshot for all of its statements.
fn in_snapshot<T>(
    connection: &mut Connection,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    job(&connection.transaction_with_behavior(TransactionBehavior::Deferred)?)
}

/// Runs `job` in a transaction that is rolled back when it fails.
fn in_transaction<T>(
    connection: &mut Connection,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // IMMEDIATE: another process's writer is waited for here, and not half-way through.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = job(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl Store for Sqlite {
    fn token_by_digest(&self, digest: Digest) -> Answer<'_, Option<TokenRecord>> {
        self.read(move |db| tokens::by_digest(db, &digest))
    }

    fn token_by_id<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<TokenRecord>> {
        let id = id.clone();
        self.read(move |db| tokens::by_id(db, &id))
    }

    fn token_rows(&self, after: u64, most: usize) -> Answer<'_, Vec<TokenRow>> {
        self.ask(move |db| tokens::rows_after(db, after, most))
    }

    fn tokens(&self, rows: Vec<u64>) -> Answer<'_, Vec<TokenRecord>> {
        self.ask(move |db| tokens::by_rows(db, rows))
    }

    fn organization<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<Organization>> {
        let id = id.clone();
        self.read(move |db| organizations::by_id(db, &id))
    }

    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<UserRecord>> {
        let id = id.clone();
        self.read(move |db| users::by_id(db, &id))
    }

    fn live_session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<LiveSession>> {
        let id = id.to_owned();
        self.read(move |db| sessions::live(db, &id))
    }

    fn import<'a>(&'a self, fixture: &'a Fixture, now_ms: u64) -> Answer<'a, Imported> {
        let fixture = fixture.clone();
        self.writer.run(move |connection| {
            // Before the transaction: hashing takes its time, during which nobody else could write.
            let passwords = password::prepare(connection, &fixture)?;
            in_transaction(connection, |db| import::all(db, &fixture, &passwords, now_ms))
        })
    }

    fn newest_change(&self) -> Answer<'_, u64> {
        self.read(|db| changes::newest(db))
    }

    fn add_usage<'a>(&'a self, journal: &'a str, batch: Vec<Usage>) -> Answer<'a, ()> {
        let journal = journal.to_owned();
        self.write(move |db| usage::add(db, &journal, &batch))
    }

    fn usage<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>> {
        let id = id.clone();
        self.read(move |db| usage::of(db, &id))
    }

    fn forget_journal<'a>(&'a self, journal: &'a str) -> Answer<'a, ()> {
        let forget = move || {
            let journal = journal.to_owned();
            self.write(move |db| usage::forget_some(db, &journal))
        };
        Box::pin(async move {
            while forget().await? {}
            Ok(())
        })
    }

    fn signing_keys(&self, now_ms: u64) -> Answer<'_, Vec<SigningKey>> {
        self.read(move |db| signing_keys::unretired(db, now_ms))
    }

    fn add_signing_key<'a>(&'a self, key: SigningKey, older_retire_ms: u64) -> Answer<'a, ()> {
        self.write(move |db| signing_keys::add(db, &key, older_retire_ms))
    }

    fn expiring(&self, from_ms: u64, until_ms: u64) -> Answer<'_, u64> {
        self.read(move |db| tokens::expiring(db, from_ms, until_ms))
    }
}
