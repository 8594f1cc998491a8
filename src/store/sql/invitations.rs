//! Invitations into organizations.

use super::db::{Connection, OptionalExtension, Row, params};
use super::row::{Columns, signed};
use super::{audit, organizations, roles, users};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Invitation, Invited, Joining, Position, RoleName, Written};
use crate::token::{Digest, OrganizationId};

const SELECT: &str = "
SELECT i.id, i.organization, i.email, i.created_by, i.created_ms, i.expires_ms, i.role, i.custom_role,
       r.name AS role_name, r.permissions AS role_permissions
FROM invitations i LEFT JOIN roles r ON r.id = i.custom_role";

pub(super) fn add(
    db: &Connection,
    new: &Invitation,
    value: Digest,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let organization = new.organization.as_str();
    let role = RoleName::from(&new.role);
    let there = organizations::exists(db, &new.organization)?;
    let gone = matches!(&role, RoleName::Custom(id) if !roles::exists(db, &new.organization, id)?);
    if !there || gone {
        return Ok(Written::Moved);
    }
    let over = "DELETE FROM invitations WHERE organization = ?1 AND expires_ms <= ?2";
    db.prepare_cached(over)?.execute(params![organization, signed(new.created_ms)])?;
    let sql =
        "INSERT INTO invitations (id, digest, organization, email, role, custom_role, created_by, created_ms,
                   expires_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (name, id) = roles::columns(&role);
    db.prepare_cached(sql)?.execute(params![
        new.id,
        value.0,
        organization,
        new.email,
        name,
        id,
        new.created_by.as_ref().map(|person| person.as_str()),
        signed(new.created_ms),
        signed(new.expires_ms),
    ])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn list(
    db: &Connection,
    organization: &OrganizationId,
    now_ms: u64,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<Invitation>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE i.organization = ?1 AND i.expires_ms > ?2 AND (i.created_ms, i.id) > (?3, ?4)
         ORDER BY i.created_ms, i.id LIMIT ?5"
    );
    let (at, id) = organizations::place(after);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![organization.as_str(), signed(now_ms), at, id, limit])?;
    let mut invitations = Vec::new();
    while let Some(row) = rows.next()? {
        invitations.push(invitation(row)?);
    }
    Ok(invitations)
}

pub(super) fn by_value(db: &Connection, value: Digest) -> Result<Option<Invitation>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE i.digest = ?1"))?;
    let mut rows = statement.query([value.0])?;
    rows.next()?.map(invitation).transpose()
}

fn invitation(row: Row<'_>) -> Result<Invitation, StoreError> {
    let columns = Columns { row, table: "invitations" };
    Ok(Invitation {
        id: columns.text("id")?,
        organization: columns.text("organization")?.into(),
        email: columns.optional_text("email")?,
        role: roles::of_member(&columns)?,
        created_by: columns.optional_text("created_by")?.map(Into::into),
        created_ms: columns.number("created_ms")?,
        expires_ms: columns.number("expires_ms")?,
    })
}

pub(super) fn remove(
    db: &Connection,
    organization: &OrganizationId,
    id: &str,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let sql = "DELETE FROM invitations WHERE organization = ?1 AND id = ?2";
    if db.prepare_cached(sql)?.execute([organization.as_str(), id])? == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn join(db: &Connection, joining: &Joining, entry: &AuditEntry) -> Result<Written, StoreError> {
    let sql = "SELECT organization, role, custom_role FROM invitations WHERE digest = ?1 AND expires_ms > ?2";
    let found: Option<(String, String, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row(params![joining.value.0, signed(joining.at_ms)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((organization, role, custom_role)) = found else { return Ok(Written::Moved) };
    let person = match &joining.who {
        Invited::New(person) if users::address_is_taken(db, &person.email)? => return Ok(Written::Taken),
        Invited::New(person) => {
            users::insert_person(db, person)?;
            &person.id
        }
        Invited::Person(id) => id,
    };
    let belongs = "SELECT 1 FROM memberships WHERE person = ?1 AND organization = ?2";
    if db.prepare_cached(belongs)?.exists([person.as_str(), &organization])? {
        return Ok(Written::Taken);
    }
    let sql = "INSERT INTO memberships (person, organization, role, custom_role) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![person.as_str(), organization, role, custom_role])?;
    db.prepare_cached("DELETE FROM invitations WHERE digest = ?1")?.execute([joining.value.0])?;
    users::standing_changed(db, person.as_str())?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}
