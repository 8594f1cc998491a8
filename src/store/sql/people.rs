//! People as the server's admins see and alter them.

use super::db::{Connection, Row, params};
use super::row::{Columns, signed};
use super::{audit, organizations, sessions, users};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Ending, Member, PersonRecord, PersonState, Position, Written};
use crate::token::UserId;

const SELECT: &str =
    "SELECT id, email, name, active, server_admin, totp_enabled_ms IS NOT NULL AS totp, created_ms
FROM users";

fn record(db: &Connection, row: Row<'_>) -> Result<PersonRecord, StoreError> {
    let columns = Columns { row, table: "users" };
    let id: UserId = columns.text("id")?.into();
    let member = Member {
        memberships: users::memberships(db, &id)?,
        id,
        email: columns.text("email")?,
        name: columns.text("name")?,
        active: columns.flag("active")?,
        totp_enabled: columns.flag("totp")?,
        server_admin: columns.flag("server_admin")?,
    };
    Ok(PersonRecord { member, created_ms: columns.number("created_ms")? })
}

pub(super) fn one(db: &Connection, id: &UserId) -> Result<Option<PersonRecord>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(|row| record(db, row)).transpose()
}

pub(super) fn list(
    db: &Connection,
    search: Option<&str>,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<PersonRecord>, StoreError> {
    let sql = format!("{SELECT} WHERE (created_ms, id) > (?1, ?2) ORDER BY created_ms, id");
    let (at, id) = organizations::place(after);
    let search = search.map(str::to_lowercase);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![at, id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "users" };
        if organizations::holds(search.as_deref(), [&columns.text("email")?, &columns.text("name")?]) {
            found.push(record(db, row)?);
        }
        if found.len() >= limit as usize {
            break;
        }
    }
    Ok(found)
}

pub(super) fn set(
    db: &Connection,
    id: &UserId,
    (from, to): &(PersonState, PersonState),
    at_ms: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let keeps = |state: &PersonState| state.active && state.server_admin;
    if keeps(from) && !keeps(to) && is_last_admin(db, id)? {
        return Ok(Written::Taken);
    }
    let sql = "UPDATE users SET name = ?2, active = ?3, server_admin = ?4, updated_ms = ?5
               WHERE id = ?1 AND name = ?6 AND active = ?7 AND server_admin = ?8";
    let altered = db.prepare_cached(sql)?.execute(params![
        id.as_str(),
        to.name,
        to.active,
        to.server_admin,
        signed(at_ms),
        from.name,
        from.active,
        from.server_admin,
    ])?;
    if altered == 0 {
        return Ok(Written::Moved);
    }
    if !to.active {
        sessions::end_all(db, id, &Ending::All, at_ms)?;
    }
    if from.active != to.active {
        users::standing_changed(db, id.as_str())?;
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn remove(
    db: &Connection,
    id: &UserId,
    at_ms: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let Some(PersonRecord { member, .. }) = one(db, id)? else { return Ok(Written::Moved) };
    let admin = member.active && member.server_admin;
    if (admin && is_last_admin(db, id)?) || owns_alone(db, id)? {
        return Ok(Written::Taken);
    }
    // While they are there to be named.
    sessions::end_all(db, id, &Ending::All, at_ms)?;
    users::standing_changed(db, id.as_str())?;
    db.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id.as_str()])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn is_last_admin(db: &Connection, id: &UserId) -> Result<bool, StoreError> {
    let others = "SELECT 1 FROM users WHERE server_admin AND active AND id <> ?1";
    Ok(!db.prepare_cached(others)?.exists([id.as_str()])?)
}

/// Whether an organization has no other owner.
fn owns_alone(db: &Connection, id: &UserId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM memberships m WHERE m.person = ?1 AND m.role = 'owner' AND NOT EXISTS (
                   SELECT 1 FROM memberships other
                   WHERE other.organization = m.organization AND other.role = 'owner' AND other.person <> ?1)";
    Ok(db.prepare_cached(sql)?.exists([id.as_str()])?)
}
