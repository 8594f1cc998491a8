//! The order of changes that caches follow.

use super::db::{Connection, Row, params};
use super::row::{Columns, signed};
use crate::store::{Change, ChangeId, ChangeSubject, StoreError};
use crate::telemetry::log::chain;
use crate::token::{Digest, random_number};

/// How many of the newest changes are kept; who is further behind starts afresh.
const KEPT: i64 = 100_000;

/// Appends a change. Only in the transaction that makes it, and for a key before its row goes: its retiring values are
/// changed with it.
pub(super) fn append(db: &Connection, subject: &ChangeSubject) -> Result<(), StoreError> {
    let token;
    let (kind, id, digest) = match subject {
        ChangeSubject::Token { id, digest } => {
            token = id.text();
            ("token", Some(&*token), Some(digest.0))
        }
        ChangeSubject::Organization(id) => ("organization", Some(id.as_str()), None),
        ChangeSubject::User(id) => ("user", Some(id.as_str()), None),
        ChangeSubject::Session(id) => ("session", Some(&**id), None),
        ChangeSubject::SigningKeys => ("signing_keys", None, None),
        ChangeSubject::Everything => ("everything", None, None),
    };
    db.note_change();
    let mark = signed(random_number().map_err(|error| StoreError::Unavailable(Box::new(error)))?);
    db.prepare_cached("INSERT INTO changes (kind, id, digest, mark) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![kind, id, digest, mark])?;
    if kind == "token" {
        // With the same mark: it belongs to the same transaction.
        let sql = "INSERT INTO changes (kind, id, digest, mark)
                   SELECT 'token', token, digest, CAST(?3 AS BIGINT) FROM retiring_values WHERE token = ?1 AND digest <> ?2";
        db.prepare_cached(sql)?.execute(params![id, digest, mark])?;
    }
    Ok(())
}

/// Drops the oldest changes beyond what is kept.
pub(super) fn prune(db: &Connection) -> Result<(), StoreError> {
    db.execute("DELETE FROM changes WHERE sequence <= (SELECT max(sequence) FROM changes) - ?1", [KEPT])?;
    Ok(())
}

pub(super) fn newest(db: &Connection) -> Result<ChangeId, StoreError> {
    // Of the rows, not of what is given next: that runs ahead of what is committed.
    let sql = "SELECT sequence, mark FROM changes ORDER BY sequence DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(())?;
    rows.next()?.map_or(Ok(ChangeId::default()), |row| id(&columns(row)))
}

pub(super) fn after(db: &Connection, known: ChangeId) -> Result<Vec<Change>, StoreError> {
    let newest = newest(db)?;
    if newest == known {
        return Ok(Vec::new());
    }
    if !has(db, known)? {
        return Ok(vec![Change { id: newest, subject: ChangeSubject::Everything }]);
    }
    let sql = "SELECT sequence, mark, kind, id, digest FROM changes WHERE sequence > ?1 ORDER BY sequence";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(known.sequence)])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = columns(row);
        changes.push(Change { id: id(&columns)?, subject: subject(&columns) });
    }
    Ok(changes)
}

/// Whether all changes after this one are there. They are not when it was dropped as too old, nor when the database was put
/// back to a state before it.
fn has(db: &Connection, known: ChangeId) -> Result<bool, StoreError> {
    let ChangeId { sequence, mark } = known;
    if known == ChangeId::default() {
        return Ok(db.prepare_cached("SELECT 1 FROM changes WHERE sequence = 1")?.exists(())?);
    }
    let sql = "SELECT 1 FROM changes WHERE sequence = ?1 AND coalesce(mark, 0) = ?2";
    Ok(db.prepare_cached(sql)?.exists([signed(sequence), signed(mark)])?)
}

fn columns(row: Row<'_>) -> Columns<'_> {
    Columns { row, table: "changes" }
}

fn id(columns: &Columns<'_>) -> Result<ChangeId, StoreError> {
    // One that was spoilt is that of no known change.
    let mark = columns.optional_number("mark").ok().flatten().unwrap_or_default();
    Ok(ChangeId { sequence: columns.number("sequence")?, mark })
}

/// What cannot be understood may mean anything: a newer version knows a kind that this one does not, and nobody stops accepting
/// keys over a row that was spoilt.
fn subject(columns: &Columns<'_>) -> ChangeSubject {
    understood(columns).unwrap_or_else(|error| {
        tracing::error!(cause = %chain(&error), "a change can not be understood: everything is read anew");
        ChangeSubject::Everything
    })
}

fn understood(columns: &Columns<'_>) -> Result<ChangeSubject, StoreError> {
    Ok(match columns.text("kind")?.as_str() {
        "token" => ChangeSubject::Token {
            id: columns.text("id")?.into(),
            digest: Digest(columns.row.get("digest")?),
        },
        "organization" => ChangeSubject::Organization(columns.text("id")?.into()),
        "user" => ChangeSubject::User(columns.text("id")?.into()),
        "session" => ChangeSubject::Session(columns.text("id")?.into()),
        "signing_keys" => ChangeSubject::SigningKeys,
        _ => ChangeSubject::Everything,
    })
}
