//! Sessions of people.

use super::db::{Connection, Row, params};
use super::row::{Columns, signed};
use super::{audit, changes, refresh};
use crate::store::management::{AuditEntry, Ending, Session, Written};
use crate::store::{ChangeSubject, LiveSession, StoreError};
use crate::token::{Digest, UserId};

/// Every column of a session.
pub(super) const SELECT: &str =
    "SELECT s.id, s.person, s.created_ms, s.expires_ms, s.ended_ms, s.address, s.user_agent FROM sessions s";

pub(super) fn add(
    db: &Connection,
    session: &Session,
    refresh_token: Option<Digest>,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
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
    if let Some(value) = refresh_token {
        refresh::insert(db, value, &session.id, session.created_ms, session.expires_ms)?;
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn by_id(db: &Connection, id: &str) -> Result<Option<Session>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE s.id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(session).transpose()
}

pub(super) fn of_person(db: &Connection, person: &UserId, now_ms: u64) -> Result<Vec<Session>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE s.person = ?1 AND s.ended_ms IS NULL AND s.expires_ms > ?2 ORDER BY s.created_ms, s.id"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![person.as_str(), signed(now_ms)])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(session(row)?);
    }
    Ok(sessions)
}

/// What the edge asks: whose it is, unless it was ended.
pub(super) fn live(db: &Connection, id: &str) -> Result<Option<LiveSession>, StoreError> {
    let alive = by_id(db, id)?.filter(|session| session.ended_ms.is_none());
    Ok(alive.map(|session| LiveSession { person: session.person, expires_ms: session.expires_ms }))
}

/// Reads the columns of [`SELECT`].
pub(super) fn session(row: Row<'_>) -> Result<Session, StoreError> {
    let columns = Columns { row, table: "sessions" };
    let address = columns.optional_text("address")?.map(|text| text.parse()).transpose();
    Ok(Session {
        id: columns.text("id")?,
        person: columns.text("person")?.into(),
        created_ms: columns.number("created_ms")?,
        expires_ms: columns.number("expires_ms")?,
        ended_ms: columns.optional_number("ended_ms")?,
        address: address.map_err(|_| columns.corrupt("address is none"))?,
        user_agent: columns.optional_text("user_agent")?,
    })
}

pub(super) fn end(db: &Connection, id: &str, at_ms: u64, entry: &AuditEntry) -> Result<Written, StoreError> {
    let sql = "UPDATE sessions SET ended_ms = ?2 WHERE id = ?1 AND ended_ms IS NULL";
    if db.prepare_cached(sql)?.execute(params![id, signed(at_ms)])? == 0 {
        return Ok(Written::Moved);
    }
    changes::append(db, &ChangeSubject::Session(id.into()))?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

/// Ends sessions of a person that are alive.
pub(super) fn end_all(
    db: &Connection,
    person: &UserId,
    ending: &Ending,
    at_ms: u64,
) -> Result<(), StoreError> {
    let but = match ending {
        Ending::Nothing => return Ok(()),
        Ending::AllBut(session) => Some(session),
        Ending::All => None,
    };
    let sql = "UPDATE sessions SET ended_ms = ?2
               WHERE person = ?1 AND ended_ms IS NULL AND (CAST(?3 AS TEXT) IS NULL OR id <> ?3) RETURNING id";
    let mut statement = db.prepare_cached(sql)?;
    let ended: Vec<String> =
        statement.query_all(params![person.as_str(), signed(at_ms), but], |row| row.get(0))?;
    for id in ended {
        changes::append(db, &ChangeSubject::Session(id.into()))?;
    }
    Ok(())
}
