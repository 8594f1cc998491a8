//! The projects of organizations.

use super::db::{Connection, Row, params};
use super::row::{Columns, signed};
use super::{audit, changes, organizations};
use crate::store::management::{AuditEntry, Written};
use crate::store::{ChangeSubject, Project, StoreError};
use crate::token::{OrganizationId, ProjectId};

pub(super) fn list(db: &Connection, organization: &OrganizationId) -> Result<Vec<Project>, StoreError> {
    let sql = "SELECT id, name, description, active, created_ms, updated_ms FROM projects
               WHERE organization = ?1 ORDER BY created_ms, id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([organization.as_str()])?;
    let mut projects = Vec::new();
    while let Some(row) = rows.next()? {
        projects.push(project(row)?);
    }
    Ok(projects)
}

fn project(row: Row<'_>) -> Result<Project, StoreError> {
    let columns = Columns { row, table: "projects" };
    Ok(Project {
        id: columns.text("id")?.into(),
        name: columns.text("name")?,
        description: columns.optional_text("description")?,
        active: columns.flag("active")?,
        created_ms: columns.number("created_ms")?,
        updated_ms: columns.number("updated_ms")?,
    })
}

pub(super) fn add(
    db: &Connection,
    organization: &OrganizationId,
    new: &Project,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if !organizations::exists(db, organization)? {
        return Ok(Written::Moved);
    }
    let sql = "INSERT INTO projects (id, organization, name, description, active, created_ms, updated_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    let added = db.prepare_cached(sql)?.execute(params![
        new.id.as_str(),
        organization.as_str(),
        new.name,
        new.description,
        new.active,
        signed(new.created_ms),
        signed(new.updated_ms),
    ])?;
    if added == 0 {
        return Ok(Written::Taken);
    }
    done(db, organization, entry)
}

pub(super) fn replace(
    db: &Connection,
    organization: &OrganizationId,
    old: &Project,
    new: &Project,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let sql = "UPDATE projects SET name = ?3, description = ?4, active = ?5, updated_ms = ?6
               WHERE id = ?1 AND organization = ?2 AND name = ?7 AND description IS NOT DISTINCT FROM ?8 AND active = ?9";
    let altered = db.prepare_cached(sql)?.execute(params![
        new.id.as_str(),
        organization.as_str(),
        new.name,
        new.description,
        new.active,
        signed(new.updated_ms),
        old.name,
        old.description,
        old.active,
    ])?;
    if altered == 0 { Ok(Written::Moved) } else { done(db, organization, entry) }
}

pub(super) fn remove(
    db: &Connection,
    organization: &OrganizationId,
    id: &ProjectId,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    // Keys would go with it by the table's own rule, and nobody would tell the edge.
    if db.prepare_cached("SELECT 1 FROM tokens WHERE project = ?1")?.exists([id.as_str()])? {
        return Ok(Written::Taken);
    }
    let sql = "DELETE FROM projects WHERE id = ?1 AND organization = ?2";
    let removed = db.prepare_cached(sql)?.execute([id.as_str(), organization.as_str()])?;
    if removed == 0 { Ok(Written::Moved) } else { done(db, organization, entry) }
}

fn done(db: &Connection, organization: &OrganizationId, entry: &AuditEntry) -> Result<Written, StoreError> {
    changes::append(db, &ChangeSubject::Organization(organization.clone()))?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}
