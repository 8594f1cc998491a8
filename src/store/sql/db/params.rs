//! The parameters of a statement, and how a query names them in each database.

use super::value::{ToValue, Value, ValueRef};

/// What a statement is given: in order, the first is `?1`.
pub(in crate::store) trait Params {
    fn count(&self) -> usize;
    /// The value at this place, from 0.
    fn at(&self, place: usize) -> ValueRef<'_>;
}

impl Params for () {
    fn count(&self) -> usize {
        0
    }

    fn at(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
}

impl<T: ToValue, const N: usize> Params for [T; N] {
    fn count(&self) -> usize {
        N
    }

    fn at(&self, place: usize) -> ValueRef<'_> {
        self[place].value()
    }
}

impl Params for &[&dyn ToValue] {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, place: usize) -> ValueRef<'_> {
        self[place].value()
    }
}

impl Params for &Vec<Value> {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, place: usize) -> ValueRef<'_> {
        self[place].value()
    }
}

/// Values of different kinds, as [`Params`].
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::store::sql::db::ToValue),*] as &[&dyn $crate::store::sql::db::ToValue]
    };
}
pub(in crate::store) use params;

/// `?1` and `?` as PostgreSQL writes them: `$1`, and the next one. No query of ours has a question mark in a text.
pub(super) fn dollars(sql: &str) -> String {
    let mut rewritten = String::with_capacity(sql.len() + 8);
    let mut next = 1;
    let mut parts = sql.split('?');
    rewritten.push_str(parts.next().unwrap_or_default());
    for part in parts {
        rewritten.push('$');
        if !part.starts_with(|c: char| c.is_ascii_digit()) {
            rewritten.push_str(&next.to_string());
            next += 1;
        }
        rewritten.push_str(part);
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_as_postgresql_wants_them() {
        for (sql, want) in [
            ("SELECT 1", "SELECT 1"),
            ("a = ?1 AND b = ?12 AND c = ?1", "a = $1 AND b = $12 AND c = $1"),
            ("a = ? AND (b, c) > (?, ?) LIMIT ?", "a = $1 AND (b, c) > ($2, $3) LIMIT $4"),
        ] {
            assert_eq!(dollars(sql), want);
        }
    }
}
