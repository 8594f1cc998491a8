//! The checksum of a backup: over everything that its tables say, whatever pages they stand on. So it can be worked out again
//! from the file alone, by a version that knows further tables too.

use super::super::db::Error;
use crate::store::StoreError;
use crate::token::Digest;
use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// What a backup says of itself besides what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) format: u32,
    pub(super) schema: u32,
    pub(super) program: String,
    pub(super) made_ms: u64,
}

/// Of all tables but the one in which it is written down.
pub(super) fn of(db: &Connection, label: &Label) -> Result<Digest, StoreError> {
    worked_out(db, label).map_err(|error| Error::from(error).into())
}

fn worked_out(db: &Connection, label: &Label) -> rusqlite::Result<Digest> {
    let mut sum = Context::new(&SHA256);
    text(&mut sum, &format!("{} {} {}", label.format, label.schema, label.made_ms));
    text(&mut sum, &label.program);
    for table in names(
        db,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' AND name <> 'backup' ORDER BY name",
    )? {
        let columns = names(db, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"))?;
        let key =
            names(db, &format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"))?;
        let order = if key.is_empty() { "rowid".to_owned() } else { super::list(&borrowed(&key)) };
        rows(db, &mut sum, &table, &borrowed(&columns), &order)?;
    }
    // Which numbers were given last.
    rows(db, &mut sum, "sqlite_sequence", &["name", "seq"], "name")?;
    let mut digest = [0; 32];
    digest.copy_from_slice(sum.finish().as_ref());
    Ok(Digest(digest))
}

fn names(db: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn rows(
    db: &Connection,
    sum: &mut Context,
    table: &str,
    columns: &[&str],
    order: &str,
) -> rusqlite::Result<()> {
    text(sum, table);
    columns.iter().for_each(|column| text(sum, column));
    let mut statement =
        db.prepare(&format!("SELECT {} FROM {table} ORDER BY {order}", super::list(columns)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns.len() {
            value(sum, row.get_ref(column)?);
        }
    }
    Ok(())
}

/// Each value says what kind it is and how long, so that no two rows look alike.
fn value(sum: &mut Context, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            sum.update(&[1]);
            return sum.update(&number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            sum.update(&[2]);
            return sum.update(&number.to_be_bytes());
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    sum.update(&[kind]);
    sum.update(&(bytes.len() as u64).to_be_bytes());
    sum.update(bytes);
}

fn text(sum: &mut Context, text: &str) {
    value(sum, ValueRef::Text(text.as_bytes()));
}
