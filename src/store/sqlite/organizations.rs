//! Organizations and their projects.

use super::changes;
use super::row::{Columns, signed};
use crate::store::management::NewOrganization;
use crate::store::{ChangeSubject, Organization, Project, StoreError};
use crate::token::OrganizationId;
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) fn by_id(db: &Connection, id: &OrganizationId) -> Result<Option<Organization>, StoreError> {
    let mut statement = db.prepare_cached("SELECT slug, name FROM organizations WHERE id = ?1")?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "organizations" };
    Ok(Some(Organization {
        id: id.clone(),
        slug: columns.text("slug")?,
        name: columns.text("name")?,
        projects: projects(db, id)?,
    }))
}

fn projects(db: &Connection, organization: &OrganizationId) -> Result<Vec<Project>, StoreError> {
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

fn project(row: &Row<'_>) -> Result<Project, StoreError> {
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

pub(super) fn by_slug(db: &Connection, slug: &str) -> Result<Option<OrganizationId>, StoreError> {
    let found: Option<String> = db
        .prepare_cached("SELECT id FROM organizations WHERE slug = ?1")?
        .query_row([slug], |row| row.get(0))
        .optional()?;
    Ok(found.map(Into::into))
}

/// Whether there is an organization of this id or slug.
pub(super) fn taken(db: &Connection, new: &NewOrganization) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM organizations WHERE id = ?1 OR slug = ?2";
    Ok(db.prepare_cached(sql)?.exists([new.id.as_str(), &new.slug])?)
}

pub(super) fn insert(db: &Connection, new: &NewOrganization, now_ms: u64) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO organizations (id, slug, name, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?4)";
    db.prepare_cached(sql)?.execute(params![new.id.as_str(), new.slug, new.name, signed(now_ms)])?;
    changes::append(db, &ChangeSubject::Organization(new.id.clone()))
}
