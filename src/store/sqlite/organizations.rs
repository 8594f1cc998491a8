//! Organizations and their projects.

use super::row::Columns;
use crate::store::{Organization, Project, StoreError};
use crate::token::OrganizationId;
use rusqlite::{Connection, Row};

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
