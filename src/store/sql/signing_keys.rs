//! Keys that sign upstream identities.

use super::db::{Connection, Row, params};
use super::row::{Columns, signed};
use super::{audit, changes};
use crate::store::management::{AuditEntry, Written};
use crate::store::{CLOCKS_DIFFER, ChangeSubject, SigningKey, StoreError};
use crate::token::Secret;

/// For how long a key that has retired is kept: nothing needs it.
const KEPT_MS: u64 = 30 * 24 * 3600 * 1000;

pub(super) fn unretired(db: &Connection, now_ms: u64) -> Result<Vec<SigningKey>, StoreError> {
    let sql = "SELECT id, algorithm, private, signs_from_ms, retires_ms FROM signing_keys
               WHERE retires_ms > ?1 ORDER BY signs_from_ms, id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(now_ms)])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key(row)?);
    }
    Ok(keys)
}

fn key(row: Row<'_>) -> Result<SigningKey, StoreError> {
    let columns = Columns { row, table: "signing_keys" };
    Ok(SigningKey {
        id: columns.text("id")?,
        algorithm: columns.text("algorithm")?,
        private: Secret::new(columns.text("private")?),
        signs_from_ms: columns.number("signs_from_ms")?,
        retires_ms: columns.number("retires_ms")?,
    })
}

/// Adds a key; the older ones of its algorithm retire at `older_retire_ms`, or earlier when they were to anyway.
pub(super) fn add(db: &Connection, key: &SigningKey, older_retire_ms: u64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE signing_keys SET retires_ms = ?2 WHERE algorithm = ?1 AND retires_ms > ?2",
        params![key.algorithm, signed(older_retire_ms)],
    )?;
    db.execute(
        "INSERT INTO signing_keys (id, algorithm, private, signs_from_ms, retires_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            key.id,
            key.algorithm,
            key.private.expose(),
            signed(key.signs_from_ms),
            signed(key.retires_ms)
        ],
    )?;
    // Of the time at which it was made at the earliest: a key is not published for so long before it signs.
    let long_retired = signed(key.signs_from_ms.saturating_sub(KEPT_MS));
    db.execute("DELETE FROM signing_keys WHERE retires_ms < ?1", [long_retired])?;
    changes::append(db, &ChangeSubject::SigningKeys)?;
    changes::prune(db)
}

/// Adds a key at the operator's wish, in the place of one that waits and would sign later. [`Written::Moved`] where one waits that
/// signs as early, or so soon that some node's clock may have let it sign.
pub(super) fn rotate(
    db: &Connection,
    key: &SigningKey,
    older_retire_ms: u64,
    now_ms: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let waits =
        "SELECT 1 FROM signing_keys WHERE algorithm = ?1 AND signs_from_ms > ?2 AND signs_from_ms <= ?3";
    let as_early = key.signs_from_ms.max(now_ms + CLOCKS_DIFFER.as_millis() as u64);
    if db.prepare_cached(waits)?.exists(params![key.algorithm, signed(now_ms), signed(as_early)])? {
        return Ok(Written::Moved);
    }
    db.execute(
        "DELETE FROM signing_keys WHERE algorithm = ?1 AND signs_from_ms > ?2",
        params![key.algorithm, signed(now_ms)],
    )?;
    add(db, key, older_retire_ms)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn retire(
    db: &Connection,
    id: &str,
    now_ms: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let sql = "UPDATE signing_keys SET retires_ms = ?2 WHERE id = ?1 AND retires_ms > ?2";
    if db.prepare_cached(sql)?.execute(params![id, signed(now_ms)])? == 0 {
        return Ok(Written::Moved);
    }
    changes::append(db, &ChangeSubject::SigningKeys)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}
