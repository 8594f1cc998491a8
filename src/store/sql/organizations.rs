//! Organizations.

use super::db::{Connection, OptionalExtension, Row, params};
use super::row::{Columns, signed};
use super::{audit, changes, projects, roles, users};
use crate::store::management::{AuditEntry, NewOrganization, OrganizationRecord, Position, Written};
use crate::store::{ChangeSubject, Organization, StoreError};
use crate::token::{MemberRole, OrganizationId, Role, UserId};

pub(super) fn by_id(db: &Connection, id: &OrganizationId) -> Result<Option<Organization>, StoreError> {
    let mut statement = db.prepare_cached("SELECT slug, name FROM organizations WHERE id = ?1")?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "organizations" };
    Ok(Some(Organization {
        id: id.clone(),
        slug: columns.text("slug")?,
        name: columns.text("name")?,
        projects: projects::list(db, id)?,
    }))
}

pub(super) fn by_slug(db: &Connection, slug: &str) -> Result<Option<OrganizationId>, StoreError> {
    let found: Option<String> = db
        .prepare_cached("SELECT id FROM organizations WHERE slug = ?1")?
        .query_row([slug], |row| row.get(0))
        .optional()?;
    Ok(found.map(Into::into))
}

/// Whether there is an organization of this id.
pub(super) fn exists(db: &Connection, id: &OrganizationId) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM organizations WHERE id = ?1")?.exists([id.as_str()])?)
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

const SELECT: &str = "SELECT o.id, o.slug, o.name, o.created_ms, o.updated_ms";

fn record(columns: &Columns<'_>) -> Result<OrganizationRecord, StoreError> {
    Ok(OrganizationRecord {
        id: columns.text("id")?.into(),
        slug: columns.text("slug")?,
        name: columns.text("name")?,
        created_ms: columns.number("created_ms")?,
        updated_ms: columns.number("updated_ms")?,
    })
}

fn columns(row: Row<'_>) -> Columns<'_> {
    Columns { row, table: "organizations" }
}

pub(super) fn one(db: &Connection, id: &OrganizationId) -> Result<Option<OrganizationRecord>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} FROM organizations o WHERE o.id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(|row| record(&columns(row))).transpose()
}

pub(super) fn list(
    db: &Connection,
    search: Option<&str>,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<OrganizationRecord>, StoreError> {
    let sql = format!(
        "{SELECT} FROM organizations o
         WHERE (o.created_ms, o.id) > (?1, ?2) ORDER BY o.created_ms, o.id"
    );
    let (at, id) = place(after);
    let search = search.map(str::to_lowercase);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![at, id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = record(&columns(row))?;
        if holds(search.as_deref(), [&record.name, &record.slug]) {
            found.push(record);
        }
        if found.len() >= limit as usize {
            break;
        }
    }
    Ok(found)
}

/// Whether one of these has the text that is searched for, in lower case. SQLite's own functions know ASCII only.
pub(super) fn holds(search: Option<&str>, texts: [&str; 2]) -> bool {
    search.is_none_or(|wanted| texts.iter().any(|text| text.to_lowercase().contains(wanted)))
}

/// The place before everything, where none is given.
pub(super) fn place(after: Option<&Position>) -> (i64, &str) {
    after.map_or((-1, ""), |place| (signed(place.created_ms), place.id.as_str()))
}

pub(super) fn of_person(
    db: &Connection,
    person: &UserId,
    after: Option<&Position>,
    limit: u32,
) -> Result<Vec<(OrganizationRecord, MemberRole)>, StoreError> {
    let sql = format!(
        "{SELECT}, m.role, m.custom_role, r.name AS role_name, r.permissions AS role_permissions
         FROM memberships m JOIN organizations o ON o.id = m.organization
         LEFT JOIN roles r ON r.id = m.custom_role
         WHERE m.person = ?1 AND (o.created_ms, o.id) > (?2, ?3)
         ORDER BY o.created_ms, o.id LIMIT ?4"
    );
    let (at, id) = place(after);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![person.as_str(), at, id, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = columns(row);
        found.push((record(&columns)?, roles::of_member(&columns)?));
    }
    Ok(found)
}

pub(super) fn add(
    db: &Connection,
    new: &NewOrganization,
    owner: Option<&UserId>,
    at_ms: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if taken(db, new)? {
        return Ok(Written::Taken);
    }
    let present = "SELECT 1 FROM users WHERE id = ?1 AND active";
    if let Some(owner) = owner
        && !db.prepare_cached(present)?.exists([owner.as_str()])?
    {
        return Ok(Written::Moved);
    }
    insert(db, new, at_ms)?;
    if let Some(owner) = owner {
        let sql = "INSERT INTO memberships (person, organization, role) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute([owner.as_str(), new.id.as_str(), Role::Owner.as_str()])?;
        users::standing_changed(db, owner.as_str())?;
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn replace(
    db: &Connection,
    old: &OrganizationRecord,
    new: &OrganizationRecord,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let same_slug = "SELECT 1 FROM organizations WHERE slug = ?1 AND id <> ?2";
    if db.prepare_cached(same_slug)?.exists([&new.slug, new.id.as_str()])? {
        return Ok(Written::Taken);
    }
    let sql = "UPDATE organizations SET slug = ?2, name = ?3, updated_ms = ?4
               WHERE id = ?1 AND slug = ?5 AND name = ?6";
    let values = params![new.id.as_str(), new.slug, new.name, signed(new.updated_ms), old.slug, old.name];
    if db.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok(Written::Moved);
    }
    changes::append(db, &ChangeSubject::Organization(new.id.clone()))?;
    if old.slug != new.slug {
        members_changed(db, &new.id)?;
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

/// People's records name the slugs of their organizations.
pub(super) fn members_changed(db: &Connection, organization: &OrganizationId) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached("SELECT person FROM memberships WHERE organization = ?1")?;
    let people: Vec<String> = statement.query_all([organization.as_str()], |row| row.get(0))?;
    for person in people {
        changes::append(db, &ChangeSubject::User(person.into()))?;
    }
    Ok(())
}
