//! Reads columns into our types: what does not fit is an error that names its table, never a guess.

use super::db::{FromColumn, Row};
use crate::store::StoreError;

/// The integers of both databases are signed. Nothing we store comes near the upper half.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A row together with the table that errors name.
pub(super) struct Columns<'a> {
    pub(super) row: Row<'a>,
    pub(super) table: &'static str,
}

impl Columns<'_> {
    pub(super) fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt { table: self.table, what: what.into() }
    }

    /// The row is here already, so that what fails now is its content.
    fn get<T: FromColumn>(&self, column: &str) -> Result<T, StoreError> {
        self.row.get(column).map_err(|error| self.corrupt(format!("{column}: {error}")))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        self.get(column)
    }

    pub(super) fn number(&self, column: &str) -> Result<u64, StoreError> {
        let value: i64 = self.get(column)?;
        u64::try_from(value).map_err(|_| self.corrupt(format!("{column} is {value}")))
    }

    pub(super) fn optional_number(&self, column: &str) -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        let fits = |value| u64::try_from(value).map_err(|_| self.corrupt(format!("{column} is {value}")));
        value.map(fits).transpose()
    }

    /// A JSON array of strings.
    pub(super) fn list(&self, column: &str) -> Result<Vec<Box<str>>, StoreError> {
        let json = self.row.get_ref(column)?.as_str().map_err(|error| self.corrupt(error.to_string()))?;
        serde_json::from_str(json).map_err(|error| self.corrupt(format!("{column}: {error}")))
    }
}

/// A JSON array of strings, as [`Columns::list`] reads it.
pub(super) fn json<'a>(list: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(list).to_string()
}
