//! People and where they belong.

use super::db::{Connection, OptionalExtension, params};
use super::row::{Columns, signed};
use super::{audit, changes, organizations, roles};
use crate::store::management::{Account, AuditEntry, Member, NewMember, NewOrganization, NewPerson, Written};
use crate::store::{ChangeSubject, Membership, StoreError, UserRecord};
use crate::token::{Digest, Role, Secret, UserId};

pub(super) fn by_id(db: &Connection, id: &UserId) -> Result<Option<UserRecord>, StoreError> {
    let active = db
        .prepare_cached("SELECT active FROM users WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(active) = active else { return Ok(None) };
    Ok(Some(UserRecord { id: id.clone(), active, memberships: memberships(db, id)? }))
}

pub(super) fn memberships(db: &Connection, user: &UserId) -> Result<Vec<Membership>, StoreError> {
    let sql = "SELECT m.organization, m.role, m.custom_role, r.name AS role_name,
                   r.permissions AS role_permissions, o.slug
               FROM memberships m JOIN organizations o ON o.id = m.organization
               LEFT JOIN roles r ON r.id = m.custom_role WHERE m.person = ?1 ORDER BY o.slug";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([user.as_str()])?;
    let mut memberships = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "memberships" };
        memberships.push(Membership {
            organization: columns.text("organization")?.into(),
            slug: columns.text("slug")?,
            role: roles::of_member(&columns)?,
        });
    }
    Ok(memberships)
}

/// The form in which two spellings of an e-mail address are the same one.
pub(super) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

pub(super) fn member(db: &Connection, id: &UserId) -> Result<Option<Member>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT email, name, active, server_admin, totp_enabled_ms IS NOT NULL AS totp FROM users WHERE id = ?1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "users" };
    Ok(Some(Member {
        id: id.clone(),
        email: columns.text("email")?,
        name: columns.text("name")?,
        active: columns.flag("active")?,
        totp_enabled: columns.flag("totp")?,
        server_admin: columns.flag("server_admin")?,
        memberships: memberships(db, id)?,
    }))
}

pub(super) fn account(db: &Connection, email: &str) -> Result<Option<Account>, StoreError> {
    let sql = "SELECT id, email, name, active, password FROM users WHERE email_key = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([email_key(email)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "users" };
    Ok(Some(Account {
        id: columns.text("id")?.into(),
        email: columns.text("email")?,
        name: columns.text("name")?,
        active: columns.flag("active")?,
        password: columns.optional_text("password")?.map(Secret::new),
    }))
}

pub(super) fn count(db: &Connection) -> Result<u64, StoreError> {
    let count: i64 = db.prepare_cached("SELECT count(*) FROM users")?.query_row((), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn add(db: &Connection, new: &NewMember, entry: &AuditEntry) -> Result<Written, StoreError> {
    if !organizations::exists(db, &new.organization)? {
        return Ok(Written::Moved);
    }
    if address_is_taken(db, &new.person.email)? {
        return Ok(Written::Taken);
    }
    insert(db, new)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

/// Makes an organization and its owner, when there is nobody yet.
pub(super) fn found(
    db: &Connection,
    organization: &NewOrganization,
    owner: &NewPerson,
    entries: &[AuditEntry; 2],
) -> Result<Written, StoreError> {
    if count(db)? > 0 {
        return Ok(Written::Moved);
    }
    if organizations::taken(db, organization)? {
        return Ok(Written::Taken);
    }
    organizations::insert(db, organization, owner.created_ms)?;
    let member =
        NewMember { person: owner.clone(), organization: organization.id.clone(), role: Role::Owner };
    insert(db, &member)?;
    db.prepare_cached("UPDATE users SET server_admin = TRUE WHERE id = ?1")?.execute([owner.id.as_str()])?;
    for entry in entries {
        audit::append(db, entry)?;
    }
    Ok(Written::Done)
}

/// Adds a person who belongs nowhere yet.
pub(super) fn add_person(
    db: &Connection,
    person: &NewPerson,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if address_is_taken(db, &person.email)? {
        return Ok(Written::Taken);
    }
    insert_person(db, person)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

/// Whether somebody has this e-mail address, whatever its case.
pub(super) fn address_is_taken(db: &Connection, email: &str) -> Result<bool, StoreError> {
    let taken = "SELECT 1 FROM users WHERE email_key = ?1";
    Ok(db.prepare_cached(taken)?.exists([email_key(email)])?)
}

/// What somebody may do is altered: they, and the keys that they made, which grant no more than that.
pub(super) fn standing_changed(db: &Connection, person: &str) -> Result<(), StoreError> {
    changes::append(db, &ChangeSubject::User(person.into()))?;
    let mut statement = db.prepare_cached("SELECT id, digest FROM tokens WHERE created_by = ?1")?;
    let mut rows = statement.query([person])?;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, String>(0)?.into();
        changes::append(db, &ChangeSubject::Token { id, digest: Digest(row.get(1)?) })?;
    }
    Ok(())
}

fn insert(db: &Connection, new: &NewMember) -> Result<(), StoreError> {
    let NewMember { person, organization, role } = new;
    insert_person(db, person)?;
    let sql = "INSERT INTO memberships (person, organization, role) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![person.id.as_str(), organization.as_str(), role.as_str()])?;
    changes::append(db, &ChangeSubject::User(person.id.clone()))
}

pub(super) fn insert_person(db: &Connection, person: &NewPerson) -> Result<(), StoreError> {
    let sql = "INSERT INTO users (id, email, email_key, name, password, active, created_ms, updated_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, TRUE, ?6, ?6)";
    db.prepare_cached(sql)?.execute(params![
        person.id.as_str(),
        person.email,
        email_key(&person.email),
        person.name,
        person.password.expose(),
        signed(person.created_ms),
    ])?;
    Ok(())
}
