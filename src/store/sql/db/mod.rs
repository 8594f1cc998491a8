//! One interface over the two databases, as thin as it can be: nearly that of `rusqlite`, so that every query is written
//! once. What a query says must be understood by both; where nothing is common, [`Connection::is_postgres`] tells them apart.

mod error;
mod params;
mod session;
mod statement;
mod target;
mod transaction;
mod value;

pub(in crate::store) use error::{Error, OptionalExtension};
pub(in crate::store) use params::{Params, params};
pub(in crate::store::sql) use session::Patience;
pub(in crate::store) use session::Session;
pub(in crate::store) use statement::{Row, Statement};
pub(in crate::store) use target::{Health, Target};
pub(in crate::store::sql) use transaction::Lock;
pub(in crate::store) use value::{FromColumn, ToValue, Value};

use std::time::Duration;

/// A connection to either database, owned by one thread.
#[derive(Debug)]
pub(in crate::store) enum Connection {
    /// To a file.
    Sqlite(rusqlite::Connection),
    /// To a server.
    Postgres(Box<Session>),
}

impl Connection {
    /// Whether it is PostgreSQL's: for what is not said alike to both.
    pub(in crate::store) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A statement, made ready once for each connection.
    pub(in crate::store) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>, Error> {
        match self {
            Self::Sqlite(db) => Ok(Statement::Sqlite(db.prepare_cached(sql)?)),
            Self::Postgres(session) => Ok(Statement::Postgres(session, session.prepare(sql)?)),
        }
    }

    /// Runs a statement, and says how many rows it has written.
    pub(in crate::store) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.prepare_cached(sql)?.execute(params)
    }

    /// The first row of a statement.
    pub(in crate::store) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.prepare_cached(sql)?.query_row(params, read)
    }

    /// Runs several statements that give nothing.
    pub(in crate::store) fn execute_batch(&self, sql: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(sql)?),
            Self::Postgres(session) => session.batch(sql),
        }
    }

    /// Gives the statements that follow more time, or less; a file's take as long as they take.
    pub(in crate::store) fn wait_at_most(&self, most: Duration) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.wait_at_most(most),
        }
    }

    /// Has those who follow the changes told, when the present transaction is committed. Who follows a file looks at the
    /// file.
    pub(in crate::store) fn note_change(&self) {
        if let Self::Postgres(session) = self {
            session.changed.set(true);
        }
    }
}
