//! A session with PostgreSQL, owned by one thread: opened when it is needed, opened anew when it has broken.
//!
//! Everything that waits for the server waits for a bounded time. The server is told to give up by itself
//! (`statement_timeout`, `lock_timeout`), and we give up a little later, because one that is frozen, or behind a network
//! that swallows packets, tells nothing.

use super::Error;
use super::params::{Params, dollars};
use super::target::Target;
use super::value::ValueRef;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

/// Longer than the server may take for a statement, we wait by this.
const GRACE: Duration = Duration::from_secs(1);
/// A transaction may wait for a lock this long; another process's writer is waited for like that with SQLite too.
const LOCK: Duration = Duration::from_secs(5);
/// A transaction that has been begun and of which the server hears nothing for so long is undone by it. A gateway that was
/// frozen half-way would otherwise keep every other one from writing. Shorter than [`LOCK`], so that those that wait
/// for it get their turn.
const IDLE: Duration = Duration::from_secs(2);
/// Prepared statements kept per session. Few are put together while running, so this is not reached.
const STATEMENTS: usize = 512;

/// How long a session waits.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sql) struct Patience {
    /// Most time for one statement.
    pub(in crate::store::sql) statement: Duration,
    /// Most time to connect, and be let in.
    pub(in crate::store::sql) connect: Duration,
}

/// A session with PostgreSQL.
pub(in crate::store) struct Session {
    target: Arc<Target>,
    patience: Cell<Patience>,
    /// Made on the thread that uses it, and dropped there.
    runtime: OnceCell<Runtime>,
    client: RefCell<Option<Client>>,
    statements: RefCell<HashMap<Box<str>, Statement>>,
    /// Whether the present transaction has appended to the changes.
    pub(super) changed: Cell<bool>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that is not connected yet.
    pub(in crate::store::sql) fn new(target: Arc<Target>, patience: Patience) -> Self {
        Self {
            target,
            patience: Cell::new(patience),
            runtime: OnceCell::new(),
            client: RefCell::default(),
            statements: RefCell::default(),
            changed: Cell::new(false),
        }
    }

    /// Begins a transaction with `sql`, on a connection that is there.
    pub(super) fn begin(&self, sql: &str) -> Result<(), Error> {
        self.changed.set(false);
        let fresh = self.connect()?;
        let begun = match self.batch(sql) {
            // It had gone while nobody looked. Nothing was done on it, so that this may be tried again; but not when the
            // server does not answer, because that has taken its time already.
            Err(error) if error.is_end() && !fresh && !matches!(error, Error::TimedOut(_)) => {
                self.connect()?;
                self.batch(sql)
            }
            begun => begun,
        };
        begun.inspect_err(|_| self.rollback())
    }

    /// Commits. When this fails and the connection with it, nobody knows whether it was done.
    pub(super) fn commit(&self) -> Result<(), Error> {
        // Delivered as the transaction is committed, once for each.
        let sql = if self.changed.get() { "NOTIFY portcullis_changes; COMMIT" } else { "COMMIT" };
        self.batch(sql).inspect_err(|_| self.rollback())
    }

    /// Undoes what was begun.
    pub(super) fn rollback(&self) {
        if self.client.borrow().is_some() && self.batch("ROLLBACK").is_err() {
            self.disconnect();
        }
    }

    /// Forgets what was prepared, because it fits no more.
    pub(super) fn forget_statements(&self) {
        self.statements.borrow_mut().clear();
    }

    /// Gives this session's statements another time.
    pub(in crate::store::sql) fn wait_at_most(&self, statement: Duration) -> Result<(), Error> {
        self.patience.set(Patience { statement, ..self.patience.get() });
        self.batch(&format!("SET statement_timeout = {}", statement.as_millis()))
    }

    /// Runs statements that give nothing.
    pub(super) fn batch(&self, sql: &str) -> Result<(), Error> {
        self.ask(async |client| client.batch_execute(sql).await)
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let rewritten = dollars(sql);
        let statement = self.ask(async |client| client.prepare(&rewritten).await)?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    pub(super) fn execute(&self, statement: &Statement, params: &impl Params) -> Result<usize, Error> {
        let values = values(statement, params)?;
        let given = references(&values);
        let written = self.ask(async |client| client.execute(statement, &given).await)?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }

    pub(super) fn query(
        &self,
        statement: &Statement,
        params: &impl Params,
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let values = values(statement, params)?;
        let given = references(&values);
        self.ask(async |client| client.query(statement, &given).await)
    }

    /// Waits for an answer, at most as long as a statement may take.
    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let answered = {
            let client = self.client.borrow();
            let client = client.as_ref().ok_or(Error::Unconnected)?;
            self.wait(self.patience.get().statement + GRACE, question(client))
        };
        answered.inspect_err(|error| {
            if error.is_end() {
                self.disconnect();
            }
        })
    }

    fn wait<T>(
        &self,
        most: Duration,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let answer = self.runtime()?.block_on(async { timeout(most, answer).await });
        answer.map_err(|_| Error::TimedOut(most))?.map_err(Error::from)
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = Builder::new_current_thread().enable_all().build()?;
        Ok(self.runtime.get_or_init(|| made))
    }

    /// Sees to it that there is a connection; says whether it is a new one.
    fn connect(&self) -> Result<bool, Error> {
        if self.client.borrow().as_ref().is_some_and(|client| !client.is_closed()) {
            return Ok(false);
        }
        self.disconnect();
        let patience = self.patience.get();
        let runtime = self.runtime()?;
        let client = self.wait(patience.connect, async {
            let (client, connection) = self.target.connect().await?;
            // It is driven whenever this thread waits for something, and ends with its client.
            runtime.spawn(connection);
            client.batch_execute(&settings(patience)).await?;
            Ok(client)
        });
        match client {
            Ok(client) => {
                self.target.health.connected();
                *self.client.borrow_mut() = Some(client);
                Ok(true)
            }
            Err(error) => {
                self.target.health.failed();
                Err(error)
            }
        }
    }

    fn disconnect(&self) {
        self.forget_statements();
        if self.client.borrow_mut().take().is_some() {
            self.target.health.disconnected();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.disconnect();
        // So that the server is told, and does not find out by itself.
        if let Some(runtime) = self.runtime.get() {
            runtime.block_on(tokio::task::yield_now());
        }
    }
}

/// What the server is told when a session begins.
fn settings(patience: Patience) -> String {
    let [statement, lock, idle] = [patience.statement, LOCK, IDLE].map(|time| time.as_millis());
    // An answered revocation survives a power cut, whatever the database's default is.
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {idle}; SET tcp_user_timeout = {lock};
         SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on;
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

fn values<'p>(statement: &Statement, params: &'p impl Params) -> Result<Vec<ValueRef<'p>>, Error> {
    let (wanted, given) = (statement.params().len(), params.count());
    if wanted != given {
        return Err(Error::Values { wanted, given });
    }
    Ok((0..given).map(|place| params.at(place)).collect())
}

fn references<'v>(values: &'v [ValueRef<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
