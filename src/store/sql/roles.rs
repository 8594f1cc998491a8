//! The roles of an organization's members.

use super::db::{Connection, params};
use super::row::{Columns, json, signed};
use super::{audit, users};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, OrganizationRole, RoleName, Written};
use crate::token::{CustomRole, MemberRole, OrganizationId, Permissions, Role};
use std::sync::Arc;

/// Reads a member's role from `role`, and from `custom_role`, `role_name` and `role_permissions` of the role beside it.
pub(super) fn of_member(columns: &Columns<'_>) -> Result<MemberRole, StoreError> {
    if let Some(id) = columns.optional_text("custom_role")? {
        let permissions = Permissions::new(columns.list("role_permissions")?);
        return Ok(MemberRole::Custom(Arc::new(CustomRole {
            id,
            name: columns.text("role_name")?,
            permissions,
        })));
    }
    let name = columns.text("role")?;
    let role = Role::from_name(&name).ok_or_else(|| columns.corrupt(format!("{name} is no role")))?;
    Ok(role.into())
}

/// What `role` and `custom_role` hold for a role.
pub(super) fn columns(role: &RoleName) -> (&str, Option<&str>) {
    match role {
        RoleName::System(role) => (role.as_str(), None),
        RoleName::Custom(id) => ("custom", Some(id)),
    }
}

/// Whether the organization has this role.
pub(super) fn exists(db: &Connection, organization: &OrganizationId, id: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM roles WHERE organization = ?1 AND id = ?2";
    Ok(db.prepare_cached(sql)?.exists([organization.as_str(), id])?)
}

pub(super) fn list(
    db: &Connection,
    organization: &OrganizationId,
) -> Result<Vec<OrganizationRole>, StoreError> {
    let sql = "SELECT id, name, description, permissions, created_ms, updated_ms FROM roles
               WHERE organization = ?1 ORDER BY created_ms, id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([organization.as_str()])?;
    let mut roles = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "roles" };
        roles.push(OrganizationRole {
            id: columns.text("id")?,
            organization: organization.clone(),
            name: columns.text("name")?,
            description: columns.optional_text("description")?,
            permissions: Permissions::new(columns.list("permissions")?),
            created_ms: columns.number("created_ms")?,
            updated_ms: columns.number("updated_ms")?,
        });
    }
    Ok(roles)
}

fn name_is_taken(db: &Connection, role: &OrganizationRole) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM roles WHERE organization = ?1 AND name = ?2 AND id <> ?3";
    Ok(db.prepare_cached(sql)?.exists([role.organization.as_str(), &role.name, &role.id])?)
}

pub(super) fn add(
    db: &Connection,
    role: &OrganizationRole,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if name_is_taken(db, role)? {
        return Ok(Written::Taken);
    }
    let sql = "INSERT INTO roles (id, organization, name, description, permissions, created_ms, updated_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    db.prepare_cached(sql)?.execute(params![
        role.id,
        role.organization.as_str(),
        role.name,
        role.description,
        json(role.permissions.iter()),
        signed(role.created_ms),
    ])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn replace(
    db: &Connection,
    role: &OrganizationRole,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if name_is_taken(db, role)? {
        return Ok(Written::Taken);
    }
    let sql = "UPDATE roles SET name = ?2, description = ?3, permissions = ?4, updated_ms = ?5 WHERE id = ?1";
    let permissions = json(role.permissions.iter());
    let values = params![role.id, role.name, role.description, permissions, signed(role.updated_ms)];
    if db.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok(Written::Moved);
    }
    for person in holders(db, &role.id)? {
        users::standing_changed(db, &person)?;
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn remove(db: &Connection, id: &str, entry: &AuditEntry) -> Result<Written, StoreError> {
    if !holders(db, id)?.is_empty() {
        return Ok(Written::Taken);
    }
    if db.prepare_cached("DELETE FROM roles WHERE id = ?1")?.execute([id])? == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn holders(db: &Connection, id: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT person FROM memberships WHERE custom_role = ?1")?;
    Ok(statement.query_all([id], |row| row.get(0))?)
}
