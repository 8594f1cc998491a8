//! The members of an organization.

use super::db::{Connection, Row, params};
use super::row::Columns;
use super::{audit, organizations, roles, users};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, OrganizationMember, Position, RoleName, Written};
use crate::token::{OrganizationId, Role, UserId};

const SELECT: &str = "
SELECT u.id, u.email, u.name, u.active, u.created_ms, m.role, m.custom_role, r.name AS role_name,
       r.permissions AS role_permissions
FROM memberships m JOIN users u ON u.id = m.person LEFT JOIN roles r ON r.id = m.custom_role
WHERE m.organization = ?1";

pub(super) fn list(
    db: &Connection,
    organization: &OrganizationId,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<OrganizationMember>, StoreError> {
    let sql = format!("{SELECT} AND (u.created_ms, u.id) > (?2, ?3) ORDER BY u.created_ms, u.id LIMIT ?4");
    let (at, id) = organizations::place(after);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![organization.as_str(), at, id, limit])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        members.push(member(row)?);
    }
    Ok(members)
}

pub(super) fn one(
    db: &Connection,
    organization: &OrganizationId,
    person: &UserId,
) -> Result<Option<OrganizationMember>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} AND u.id = ?2"))?;
    let mut rows = statement.query([organization.as_str(), person.as_str()])?;
    rows.next()?.map(member).transpose()
}

fn member(row: Row<'_>) -> Result<OrganizationMember, StoreError> {
    let columns = Columns { row, table: "memberships" };
    Ok(OrganizationMember {
        id: columns.text("id")?.into(),
        email: columns.text("email")?,
        name: columns.text("name")?,
        active: columns.flag("active")?,
        role: roles::of_member(&columns)?,
        created_ms: columns.number("created_ms")?,
    })
}

pub(super) fn set_role(
    db: &Connection,
    organization: &OrganizationId,
    person: &UserId,
    (from, to): &(RoleName, RoleName),
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if let RoleName::Custom(id) = to
        && !roles::exists(db, organization, id)?
    {
        return Ok(Written::Moved);
    }
    if *from == RoleName::System(Role::Owner) && from != to && is_last_owner(db, organization)? {
        return Ok(Written::Moved);
    }
    let sql = "UPDATE memberships SET role = ?3, custom_role = ?4
               WHERE person = ?1 AND organization = ?2 AND role = ?5 AND custom_role IS NOT DISTINCT FROM ?6";
    let ((new, new_id), (old, old_id)) = (roles::columns(to), roles::columns(from));
    let values = params![person.as_str(), organization.as_str(), new, new_id, old, old_id];
    if db.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok(Written::Moved);
    }
    users::standing_changed(db, person.as_str())?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn remove(
    db: &Connection,
    organization: &OrganizationId,
    person: &UserId,
    role: &RoleName,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if *role == RoleName::System(Role::Owner) && is_last_owner(db, organization)? {
        return Ok(Written::Moved);
    }
    let sql = "DELETE FROM memberships WHERE person = ?1 AND organization = ?2 AND role = ?3 AND custom_role IS NOT DISTINCT FROM ?4";
    let (name, id) = roles::columns(role);
    if db.prepare_cached(sql)?.execute(params![person.as_str(), organization.as_str(), name, id])? == 0 {
        return Ok(Written::Moved);
    }
    users::standing_changed(db, person.as_str())?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn is_last_owner(db: &Connection, organization: &OrganizationId) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM memberships WHERE organization = ?1 AND role = 'owner'";
    let owners: i64 = db.prepare_cached(sql)?.query_row([organization.as_str()], |row| row.get(0))?;
    Ok(owners < 2)
}
