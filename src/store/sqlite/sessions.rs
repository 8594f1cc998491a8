//! Sessions of people.

use super::audit;
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Session, Written};
use rusqlite::{Connection, params};

pub(super) fn add(db: &Connection, session: &Session, entry: &AuditEntry) -> Result<Written, StoreError> {
    let there = "SELECT 1 FROM users WHERE id = ?1 AND active";
    if !db.prepare_cached(there)?.exists([session.person.as_str()])? {
        return Ok(Written::Moved);
    }
    // Those that are over are of no use to anybody; what they were is in the audit log.
    let over = "DELETE FROM sessions WHERE expires_ms <= ?1";
    db.prepare_cached(over)?.execute([signed(session.created_ms)])?;
    let sql = "INSERT INTO sessions (id, person, created_ms, expires_ms, ended_ms, address, user_agent)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.prepare_cached(sql)?.execute(params![
        session.id,
        session.person.as_str(),
        signed(session.created_ms),
        signed(session.expires_ms),
        session.ended_ms.map(signed),
        session.address.map(|address| address.to_string()),
        session.user_agent,
    ])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn by_id(db: &Connection, id: &str) -> Result<Option<Session>, StoreError> {
    let sql = "SELECT id, person, created_ms, expires_ms, ended_ms, address, user_agent FROM sessions WHERE id = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "sessions" };
    let address = columns.optional_text("address")?.map(|text| text.parse()).transpose();
    Ok(Some(Session {
        id: columns.text("id")?,
        person: columns.text("person")?.into(),
        created_ms: columns.number("created_ms")?,
        expires_ms: columns.number("expires_ms")?,
        ended_ms: columns.optional_number("ended_ms")?,
        address: address.map_err(|_| columns.corrupt("address is none"))?,
        user_agent: columns.optional_text("user_agent")?,
    }))
}

pub(super) fn end(db: &Connection, id: &str, at_ms: u64, entry: &AuditEntry) -> Result<Written, StoreError> {
    let sql = "UPDATE sessions SET ended_ms = ?2 WHERE id = ?1 AND ended_ms IS NULL";
    if db.prepare_cached(sql)?.execute(params![id, signed(at_ms)])? == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}
