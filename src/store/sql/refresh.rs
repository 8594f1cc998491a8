//! Refresh tokens: each is good for one trade, and stays known for what it was.

use super::db::{Connection, OptionalExtension, params};
use super::row::{Columns, signed};
use super::{audit, changes, sessions};
use crate::store::management::{AuditEntry, RefreshToken, Trade, Written};
use crate::store::{ChangeSubject, StoreError};
use crate::token::Digest;

pub(super) fn insert(
    db: &Connection,
    value: Digest,
    session: &str,
    now_ms: u64,
    expires_ms: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO refresh_tokens (digest, session, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![value.0, session, signed(now_ms), signed(expires_ms)])?;
    Ok(())
}

pub(super) fn by_value(db: &Connection, value: Digest) -> Result<Option<RefreshToken>, StoreError> {
    let sql = "SELECT session, used_ms FROM refresh_tokens WHERE digest = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([value.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "refresh_tokens" };
    let used_ms = columns.optional_number("used_ms")?;
    let session = sessions::by_id(db, &columns.text("session")?)?;
    Ok(session.map(|session| RefreshToken { session, used_ms }))
}

pub(super) fn trade(db: &Connection, trade: &Trade, entry: &AuditEntry) -> Result<Written, StoreError> {
    let now = signed(trade.at_ms);
    // The token that was not used yet is the newest of its session, and lives as long as it does.
    let sql = "UPDATE refresh_tokens SET used_ms = ?2 WHERE digest = ?1 AND used_ms IS NULL
               AND session IN (SELECT id FROM sessions WHERE ended_ms IS NULL AND expires_ms > ?2)
               RETURNING session";
    let traded = db.prepare_cached(sql)?.query_row(params![trade.old.0, now], |row| row.get(0)).optional()?;
    let Some(session): Option<String> = traded else { return Ok(Written::Moved) };
    insert(db, trade.new, &session, trade.at_ms, trade.expires_ms)?;
    let longer = "UPDATE sessions SET expires_ms = ?2 WHERE id = ?1";
    db.prepare_cached(longer)?.execute(params![session, signed(trade.expires_ms)])?;
    // A token that is over would be refused for that, whoever shows it.
    let over = "DELETE FROM refresh_tokens WHERE session = ?1 AND expires_ms <= ?2";
    db.prepare_cached(over)?.execute(params![session, now])?;
    changes::append(db, &ChangeSubject::Session(session.into()))?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}
