//! Statements, and the rows that they give: nearly the interface of `rusqlite`, over both databases.
//!
//! With SQLite, rows are read one at a time out of its own memory. PostgreSQL sends them all at once.

use super::Error;
use super::params::Params;
use super::session::Session;
use super::value::{FromColumn, ValueRef};

/// A statement that is ready to run.
pub(in crate::store) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(&'c Session, tokio_postgres::Statement),
}

impl Statement<'_> {
    /// Runs it, and says how many rows it has written.
    pub(in crate::store) fn execute(&mut self, params: impl Params) -> Result<usize, Error> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &params)?;
                Ok(statement.raw_execute()?)
            }
            Self::Postgres(session, statement) => session.execute(statement, &params),
        }
    }

    /// Runs it for its rows.
    pub(in crate::store) fn query(&mut self, params: impl Params) -> Result<Rows<'_>, Error> {
        match self {
            Self::Sqlite(statement) => {
                bind(statement, &params)?;
                Ok(Rows::Sqlite(statement.raw_query()))
            }
            Self::Postgres(session, statement) => {
                let rows = session.query(statement, &params)?;
                Ok(Rows::Postgres { rest: rows.into_iter(), row: None })
            }
        }
    }

    /// Its first row; [`Error::NoRow`] when there is none.
    pub(in crate::store) fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read(self.query(params)?.next()?.ok_or(Error::NoRow)?)
    }

    /// Something of each of its rows.
    pub(in crate::store) fn query_all<T>(
        &mut self,
        params: impl Params,
        mut read: impl FnMut(Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut rows = self.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    /// Whether there is any row.
    pub(in crate::store) fn exists(&mut self, params: impl Params) -> Result<bool, Error> {
        Ok(self.query(params)?.next()?.is_some())
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &impl Params) -> Result<(), Error> {
    let (wanted, given) = (statement.parameter_count(), params.count());
    if wanted != given {
        return Err(Error::Values { wanted, given });
    }
    for place in 0..given {
        statement.raw_bind_parameter(place + 1, params.at(place))?;
    }
    Ok(())
}

/// The rows of a statement.
pub(in crate::store) enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres { rest: std::vec::IntoIter<tokio_postgres::Row>, row: Option<tokio_postgres::Row> },
}

impl Rows<'_> {
    /// The next one.
    pub(in crate::store) fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres { rest, row } => {
                *row = rest.next();
                Ok(row.as_ref().map(Row::Postgres))
            }
        }
    }
}

/// A row.
#[derive(Clone, Copy)]
pub(in crate::store) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

/// A column, by its place or its name.
pub(in crate::store) trait Column:
    rusqlite::RowIndex + tokio_postgres::row::RowIndex + std::fmt::Display
{
}

impl Column for usize {}
impl Column for &str {}

impl<'r> Row<'r> {
    /// What is in a column.
    pub(in crate::store) fn get_ref(&self, column: impl Column) -> Result<ValueRef<'r>, Error> {
        match self {
            Self::Sqlite(row) => row.get_ref(column)?.try_into(),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// What is in a column, as ours.
    pub(in crate::store) fn get<C: Column, T: FromColumn>(&self, column: C) -> Result<T, Error> {
        T::from_column(self.get_ref(column)?)
    }
}
