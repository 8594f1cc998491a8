//! The order of changes that caches follow.

use super::db::{Connection, OptionalExtension, Row, params};
use super::row::{Columns, signed};
use crate::store::{Change, ChangeSubject, StoreError};
use crate::token::Digest;

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
    db.prepare_cached("INSERT INTO changes (kind, id, digest) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, id, digest])?;
    if kind == "token" {
        let sql = "INSERT INTO changes (kind, id, digest)
                   SELECT 'token', token, digest FROM retiring_values WHERE token = ?1 AND digest <> ?2";
        db.prepare_cached(sql)?.execute(params![id, digest])?;
    }
    Ok(())
}

/// Drops the oldest changes beyond what is kept.
pub(super) fn prune(db: &Connection) -> Result<(), StoreError> {
    db.execute("DELETE FROM changes WHERE sequence <= (SELECT max(sequence) FROM changes) - ?1", [KEPT])?;
    Ok(())
}

pub(super) fn newest(db: &Connection) -> Result<u64, StoreError> {
    // SQLite's own record outlives the rows. PostgreSQL's runs ahead of what is committed, so the rows have to say it.
    let sql = if db.is_postgres() {
        "SELECT sequence FROM changes ORDER BY sequence DESC LIMIT 1"
    } else {
        "SELECT seq FROM sqlite_sequence WHERE name = 'changes'"
    };
    let newest: Option<i64> = db.prepare_cached(sql)?.query_row((), |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or(0).unsigned_abs())
}

pub(super) fn after(db: &Connection, sequence: u64) -> Result<Vec<Change>, StoreError> {
    let newest = newest(db)?;
    if newest == sequence {
        return Ok(Vec::new());
    }
    let oldest: Option<i64> =
        db.prepare_cached("SELECT min(sequence) FROM changes")?.query_row((), |row| row.get(0))?;
    let complete = oldest.is_some_and(|oldest| oldest.unsigned_abs() <= sequence + 1);
    // Ahead of us: the database was put back to an earlier state, and nothing that was read can be relied upon.
    if !complete || newest < sequence {
        return Ok(vec![Change { sequence: newest, subject: ChangeSubject::Everything }]);
    }
    let sql = "SELECT sequence, kind, id, digest FROM changes WHERE sequence > ?1 ORDER BY sequence";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(sequence)])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(change(row)?);
    }
    Ok(changes)
}

fn change(row: Row<'_>) -> Result<Change, StoreError> {
    let columns = Columns { row, table: "changes" };
    let subject = match columns.text("kind")?.as_str() {
        "token" => {
            ChangeSubject::Token { id: columns.text("id")?.into(), digest: Digest(row.get("digest")?) }
        }
        "organization" => ChangeSubject::Organization(columns.text("id")?.into()),
        "user" => ChangeSubject::User(columns.text("id")?.into()),
        "session" => ChangeSubject::Session(columns.text("id")?.into()),
        "signing_keys" => ChangeSubject::SigningKeys,
        "everything" => ChangeSubject::Everything,
        // A newer version knows what it means: here it may mean anything.
        _ => ChangeSubject::Everything,
    };
    Ok(Change { sequence: columns.number("sequence")?, subject })
}
