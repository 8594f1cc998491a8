//! Why a database did not do what it was asked for.

use crate::store::StoreError;
use tokio_postgres::error::SqlState;

/// Why a database did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Error {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused it. Without the details that it gives: they quote rows, and rows hold secrets.
    #[error("PostgreSQL refused: {message} ({})", code.code())]
    Refused {
        /// Of the SQL standard or PostgreSQL's own, five characters.
        code: SqlState,
        /// The first line of what it says.
        message: String,
    },
    /// The connection to PostgreSQL is no more, or never was.
    #[error("the connection to PostgreSQL failed")]
    Connection(#[source] tokio_postgres::Error),
    /// PostgreSQL did not answer in time; its connection is given up.
    #[error("PostgreSQL did not answer within {} s", .0.as_secs())]
    TimedOut(std::time::Duration),
    /// This machine.
    #[error("the system refuses what a connection takes")]
    System(#[from] std::io::Error),
    /// Used without a connection.
    #[error("there is no connection to PostgreSQL")]
    Unconnected,
    /// The one row that must be there is not.
    #[error("there is no such row")]
    NoRow,
    /// A column that does not hold what it should.
    #[error("a column holds {0}")]
    Column(&'static str),
    /// More or fewer values than the statement has places for.
    #[error("a statement takes {wanted} values and was given {given}")]
    Values {
        /// Places.
        wanted: usize,
        /// Values.
        given: usize,
    },
}

impl Error {
    /// Whether PostgreSQL undid the transaction for the sake of another, so that doing it again may well succeed.
    pub(in crate::store::sql) fn is_conflict(&self) -> bool {
        let Self::Refused { code, .. } = self else { return false };
        *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
    }

    /// Whether a statement that was prepared earlier fits the tables no more: a newer version has altered them.
    pub(in crate::store::sql) fn is_stale_plan(&self) -> bool {
        let Self::Refused { code, message } = self else { return false };
        *code == SqlState::INVALID_SQL_STATEMENT_NAME
            || (*code == SqlState::FEATURE_NOT_SUPPORTED
                && message.starts_with("cached plan must not change"))
    }

    /// Whether the connection is not to be used again.
    pub(in crate::store::sql) fn is_end(&self) -> bool {
        match self {
            Self::Connection(_) | Self::TimedOut(_) => true,
            // The server is going down, or has ended this session.
            Self::Refused { code, .. } => code.code().starts_with("57P") || code.code() == "25P03",
            _ => false,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refused) => {
                Self::Refused { code: refused.code().clone(), message: refused.message().to_owned() }
            }
            None => Self::Connection(error),
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// A row that need not be there.
pub(in crate::store) trait OptionalExtension<T> {
    /// `None` where there is no row.
    fn optional(self) -> Result<Option<T>, Error>;
}

impl<T> OptionalExtension<T> for Result<T, Error> {
    fn optional(self) -> Result<Option<T>, Error> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
