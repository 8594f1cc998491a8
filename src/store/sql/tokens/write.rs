//! Writes of keys. Each names what the edge has to forget in the same transaction.

use super::super::row::{json, signed};
use super::super::{audit, changes, organizations};
use crate::store::management::{AuditEntry, Token, Written};
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::store::{ChangeSubject, StoreError};
use crate::token::{Digest, KeyFamily, TokenId};
use serde_json::Value;

pub(in crate::store::sql) fn add(
    db: &Connection,
    token: &Token,
    value: Digest,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if !home_is_there(db, token)? {
        return Ok(Written::Moved);
    }
    if name_is_taken(db, token)? {
        return Ok(Written::Taken);
    }
    // What can be set again is written by the update, in one place.
    let sql =
        "INSERT INTO tokens (id, digest, family, name, organization, project, permissions, scopes, active,
                   addresses, version, created_by, created_ms, updated_ms, revision)
               VALUES (?1, ?2, ?3, '', ?4, ?5, '', '', FALSE, '', 1, ?6, ?7, ?7, 0)";
    db.prepare_cached(sql)?.execute(params![
        &*token.id.text(),
        value.0,
        token.family.as_str(),
        token.organization.as_str(),
        token.reach.project().map(|project| project.as_str()),
        token.created_by.as_ref().map(|person| person.as_str()),
        signed(token.created_ms),
    ])?;
    update(db, token)?;
    changed(db, &token.id, value)?;
    told(db, entry)
}

pub(in crate::store::sql) fn replace(
    db: &Connection,
    token: &Token,
    value: Option<Digest>,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let Some(old) = value_of(db, &token.id, token.revision)? else { return Ok(Written::Moved) };
    if name_is_taken(db, token)? {
        return Ok(Written::Taken);
    }
    update(db, token)?;
    changed(db, &token.id, old)?;
    if let Some(new) = value {
        // What a rotation had left working ends now too.
        db.prepare_cached("DELETE FROM retiring_values WHERE token = ?1")?.execute([&*token.id.text()])?;
        give(db, &token.id, new)?;
    }
    told(db, entry)
}

/// Gives a key a new value; the one that it has works on until then.
pub(in crate::store::sql) fn replace_keeping(
    db: &Connection,
    token: &Token,
    value: Digest,
    until_ms: u64,
) -> Result<Written, StoreError> {
    let Some(old) = value_of(db, &token.id, token.revision)? else { return Ok(Written::Moved) };
    update(db, token)?;
    // One that ends now is not left to the clocks of nodes, which may be behind.
    if until_ms > token.updated_ms {
        let sql = "INSERT INTO retiring_values (digest, token, until_ms) VALUES (?1, ?2, ?3)
                   ON CONFLICT (digest) DO UPDATE SET token = excluded.token, until_ms = excluded.until_ms";
        db.prepare_cached(sql)?.execute(params![old.0, &*token.id.text(), signed(until_ms)])?;
    }
    changed(db, &token.id, old)?;
    give(db, &token.id, value)?;
    Ok(Written::Done)
}

fn give(db: &Connection, id: &TokenId, value: Digest) -> Result<(), StoreError> {
    let sql = "UPDATE tokens SET digest = ?2, version = version + 1 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![&*id.text(), value.0])?;
    changed(db, id, value)
}

pub(in crate::store::sql) fn remove(
    db: &Connection,
    id: &TokenId,
    revision: u64,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let Some(old) = value_of(db, id, revision)? else { return Ok(Written::Moved) };
    // Before the row goes, and with it what names its retiring values.
    changed(db, id, old)?;
    db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([&*id.text()])?;
    told(db, entry)
}

fn told(db: &Connection, entry: &AuditEntry) -> Result<Written, StoreError> {
    audit::append(db, entry)?;
    changes::prune(db)?;
    Ok(Written::Done)
}

/// Whether the organization is there, and the project is one of its own.
fn home_is_there(db: &Connection, token: &Token) -> Result<bool, StoreError> {
    Ok(match token.reach.project() {
        None => organizations::exists(db, &token.organization)?,
        Some(project) => db
            .prepare_cached("SELECT 1 FROM projects WHERE id = ?1 AND organization = ?2")?
            .exists([project.as_str(), token.organization.as_str()])?,
    })
}

/// Whether another `ocore` key of the organization has the name; names of the other family may be shared.
fn name_is_taken(db: &Connection, token: &Token) -> Result<bool, StoreError> {
    if token.family != KeyFamily::Ocore {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM tokens WHERE organization = ?1 AND family = ?2 AND name = ?3 AND id <> ?4";
    let (organization, family) = (token.organization.as_str(), token.family.as_str());
    Ok(db.prepare_cached(sql)?.exists([organization, family, &token.name, &*token.id.text()])?)
}

/// The present value, when the key is there in this revision.
fn value_of(db: &Connection, id: &TokenId, revision: u64) -> Result<Option<Digest>, StoreError> {
    let found = db
        .prepare_cached("SELECT digest FROM tokens WHERE id = ?1 AND revision = ?2")?
        .query_row(params![&*id.text(), signed(revision)], |row| row.get(0))
        .optional()?;
    Ok(found.map(Digest))
}

fn update(db: &Connection, token: &Token) -> Result<(), StoreError> {
    let addresses: Vec<String> = token.addresses.iter().map(ToString::to_string).collect();
    let sql = "UPDATE tokens SET name = ?2, description = ?3, permissions = ?4, scopes = ?5, expires_ms = ?6,
                   lifetime_ms = ?7, active = ?8, addresses = ?9, prefix = ?10, updated_ms = ?11,
                   extras = ?12, revision = revision + 1
               WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        &*token.id.text(),
        token.name,
        token.description,
        json(token.permissions.iter()),
        json(token.scopes.iter().map(AsRef::as_ref)),
        token.expires_ms.map(signed),
        token.lifetime_ms.map(signed),
        token.active,
        json(addresses.iter().map(String::as_str)),
        token.prefix,
        signed(token.updated_ms),
        (!token.extras.is_empty()).then(|| Value::Object(token.extras.clone()).to_string()),
    ])?;
    Ok(())
}

fn changed(db: &Connection, id: &TokenId, digest: Digest) -> Result<(), StoreError> {
    changes::append(db, &ChangeSubject::Token { id: id.clone(), digest })
}
