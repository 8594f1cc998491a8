//! The store over SQL, of one file (SQLite) or of a server (PostgreSQL): every query is written once, in the file of its
//! entity, and [`db`] hides which database it runs on. Threads own the connections, and jobs come over a channel.

mod addresses;
mod audit;
mod certificates;
mod changes;
pub(in crate::store) mod copy;
pub(in crate::store) mod db;
mod deliveries;
mod directory;
mod erasure;
mod history;
mod import;
mod invitations;
mod management;
mod members;
mod nodes;
mod operations;
mod organizations;
mod outbox;
mod partial_logins;
mod password;
mod people;
pub(in crate::store) mod postgres;
mod projects;
mod refresh;
mod roles;
mod row;
mod schema;
mod second_factor;
mod sessions;
mod signing_keys;
pub mod sqlite;
mod threads;
mod tokens;
mod usage;
mod users;
mod watch;
mod webhooks;

use super::history::{History, Refused, Subject};
use super::import::{Fixture, Imported};
use super::{
    Answer, ChangeId, Connections, LiveSession, Organization, SigningKey, Store, StoreError, TokenRecord,
    TokenRow, Usage, UserRecord,
};
use crate::clock::Clock;
use crate::token::{Digest, OrganizationId, TokenId, UserId};
use db::{Connection, Lock};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use threads::Threads;
use watch::Watch;

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Before the writers, so that they are closed before them: the last connection to a file to be closed writes the log
    /// back into it, and of two readers that close at once neither would.
    readers: Threads,
    /// What people ask for takes as long as they like, and comes as often. What the edge asks for must not wait for it: a
    /// store that does not answer the edge in time has it accept no key at all.
    askers: Threads,
    counters: Counters,
    /// What nodes tell of themselves does not wait until something else is written for good.
    enroller: Threads,
    watch: Watch,
    writers: Threads,
}

/// Who writes what is counted.
#[derive(Debug)]
enum Counters {
    /// Threads of their own: it need not wait for what is written otherwise.
    Apart(Threads),
    /// The writer: a file has one at a time, whichever process it belongs to.
    Writer(Turns),
}

/// Leaves a file to others now and then. Who waits for it looks again after some milliseconds, later on after a tenth of a
/// second, so that it has to be free for a part of the time and not only for the instant between two transactions.
#[derive(Debug)]
struct Turns {
    clock: Clock,
    /// Until when it is left to others; nanoseconds of the clock.
    until_ns: AtomicU64,
}

impl Turns {
    fn new() -> Self {
        Self { clock: Clock::new(), until_ns: AtomicU64::new(0) }
    }

    /// Does `job` when the file has been left to others for as long as the one before took.
    async fn take<F: Future>(&self, job: impl FnOnce() -> F) -> F::Output {
        let left_ns = self.until_ns.load(Ordering::Relaxed).saturating_sub(self.clock.now().mono_ns);
        if left_ns > 0 {
            tokio::time::sleep(Duration::from_nanos(left_ns)).await;
        }
        let start = self.clock.now();
        let answer = job().await;
        let end = self.clock.now();
        self.until_ns.store(2 * end.mono_ns - start.mono_ns, Ordering::Relaxed);
        answer
    }
}

impl Database {
    fn read<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.readers.run(|connection| connection.snapshot(job))
    }

    /// Reads for people.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.askers.run(|connection| connection.snapshot(job))
    }

    /// Writes what may be a change that caches follow: see [`Lock::Changes`].
    fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.writers.run(|connection| connection.transaction(Lock::Changes, job))
    }

    /// Writes what no cache follows, and waits for nobody who writes what they do.
    fn write_apart<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.writers.run(|connection| connection.transaction(Lock::Nothing, job))
    }

    /// Writes what a node tells. It waits for nobody: who does not tell in time has to stop accepting keys.
    fn on_roll<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.enroller.run(|connection| connection.statement(job))
    }

    /// Writes somebody onto the roll: see [`Lock::Roll`].
    fn join_roll<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.enroller.run(|connection| connection.transaction(Lock::Roll, job))
    }

    /// Writes what was counted in a journal: nothing that anybody follows. A million keys take hundreds of these, one after
    /// another, while others have to tell that they are there.
    fn count<T: Send + 'static>(
        &self,
        journal: String,
        job: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let job = move |connection: &Connection| connection.transaction(Lock::Journal(&journal), job);
        match &self.counters {
            Counters::Apart(threads) => threads.run(job),
            Counters::Writer(turns) => Box::pin(turns.take(|| self.writers.run(job))),
        }
    }
}

impl Store for Database {
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
        self.ask(move |db| tokens::by_rows(db, rows.clone()))
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
        self.writers.run_long(move |connection| {
            // Before the transaction: hashing takes its time, during which nobody else could write.
            let stored = connection.snapshot(|db| password::stored(db, &fixture))?;
            let passwords = password::hashed(&fixture, stored)?;
            connection.transaction(Lock::Changes, |db| import::all(db, &fixture, &passwords, now_ms))
        })
    }

    fn newest_change(&self) -> Answer<'_, ChangeId> {
        self.read(changes::newest)
    }

    fn add_usage<'a>(&'a self, journal: &'a str, batch: Vec<Usage>) -> Answer<'a, ()> {
        let journal = journal.to_owned();
        self.count(journal.clone(), move |db| usage::add(db, &journal, &batch))
    }

    fn add_refusals<'a>(&'a self, journal: &'a str, number: u64, batch: Vec<Refused>) -> Answer<'a, ()> {
        let journal = journal.to_owned();
        self.count(journal.clone(), move |db| history::add_refusals(db, &journal, number, &batch))
    }

    fn keep_history(&self, keep: Option<Duration>, now_ms: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            self.write_apart(move |db| history::keep(db, keep, now_ms)).await?;
            while self.write_apart(move |db| history::forget_some(db, now_ms)).await? {}
            Ok(())
        })
    }

    fn history<'a>(&'a self, of: &'a Subject, hours: Range<u64>, now_ms: u64) -> Answer<'a, History> {
        let of = of.clone();
        self.ask(move |db| history::read(db, &of, hours.clone(), now_ms))
    }

    fn usage<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>> {
        let id = id.clone();
        self.read(move |db| usage::of(db, &id))
    }

    fn forget_journal<'a>(&'a self, journal: &'a str) -> Answer<'a, ()> {
        let forget = move || {
            let journal = journal.to_owned();
            self.count(journal.clone(), move |db| usage::forget_some(db, &journal))
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
        self.ask(move |db| tokens::expiring(db, from_ms, until_ms))
    }

    fn connections(&self) -> Connections {
        self.watch.connections()
    }

    fn changed(&self, most: Duration) -> Answer<'_, ()> {
        self.watch.changed(most)
    }
}
