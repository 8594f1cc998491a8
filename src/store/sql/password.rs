//! Passwords: those of a fixture, hashed before its transaction begins, and those that people choose anew.

use super::db::{Connection, OptionalExtension, params};
use super::row::{Columns, signed};
use super::users::email_key;
use super::{audit, sessions};
use crate::store::import::Fixture;
use crate::store::management::{AuditEntry, NewPassword, PasswordReset, Written};
use crate::store::{StoreError, password};
use crate::token::{Digest, Secret};
use std::collections::HashMap;

/// The hashes that are stored for the people of a fixture who have a password in it, by `users.email_key`.
pub(super) fn stored(db: &Connection, fixture: &Fixture) -> Result<HashMap<String, Secret>, StoreError> {
    let mut statement = db.prepare_cached("SELECT password FROM users WHERE email_key = ?1")?;
    let mut stored = HashMap::new();
    for (key, _) in given(fixture) {
        let hash: Option<String> = statement.query_row([&key], |row| row.get(0)).optional()?.flatten();
        stored.extend(hash.map(|hash| (key, Secret::new(hash))));
    }
    Ok(stored)
}

/// The hash to store for each e-mail address (as `users.email_key`) for which the fixture has a password: the stored
/// one where the password is unchanged.
pub(super) fn hashed(
    fixture: &Fixture,
    mut stored: HashMap<String, Secret>,
) -> Result<HashMap<String, String>, StoreError> {
    let mut hashes = HashMap::new();
    for (key, password) in given(fixture) {
        if hashes.contains_key(&key) {
            continue;
        }
        let hash = match stored.remove(&key).filter(|old| password::verify(old, password)) {
            Some(unchanged) => unchanged,
            None => password::hash(password).map_err(|error| StoreError::Unavailable(Box::new(error)))?,
        };
        hashes.insert(key, hash.expose().to_owned());
    }
    Ok(hashes)
}

fn given(fixture: &Fixture) -> impl Iterator<Item = (String, &Secret)> {
    let members = fixture.organizations.iter().flat_map(|organization| &organization.members);
    members.filter_map(|member| member.password.as_ref().map(|password| (email_key(&member.email), password)))
}

pub(super) fn set(db: &Connection, new: &NewPassword, entry: &AuditEntry) -> Result<Written, StoreError> {
    let person = new.person.as_str();
    if let Some(token) = new.reset {
        let sql = "DELETE FROM password_resets WHERE digest = ?1 AND person = ?2 AND expires_ms > ?3";
        if db.prepare_cached(sql)?.execute(params![token.0, person, signed(new.at_ms)])? == 0 {
            return Ok(Written::Moved);
        }
    }
    let sql = "UPDATE users SET password = ?2, updated_ms = ?3 WHERE id = ?1 AND active";
    let values = params![person, new.password.expose(), signed(new.at_ms)];
    if db.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok(Written::Moved);
    }
    db.prepare_cached("DELETE FROM password_resets WHERE person = ?1")?.execute([person])?;
    sessions::end_all(db, &new.person, &new.ending, new.at_ms)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn add_reset(
    db: &Connection,
    new: &PasswordReset,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let person = new.person.as_str();
    if !db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND active")?.exists([person])? {
        return Ok(Written::Moved);
    }
    db.prepare_cached("DELETE FROM password_resets WHERE person = ?1")?.execute([person])?;
    let sql = "INSERT INTO password_resets (digest, person, expires_ms) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![new.value.0, person, signed(new.expires_ms)])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

pub(super) fn reset(db: &Connection, value: Digest) -> Result<Option<PasswordReset>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT person, expires_ms FROM password_resets WHERE digest = ?1")?;
    let mut rows = statement.query([value.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "password_resets" };
    let (person, expires_ms) = (columns.text("person")?.into(), columns.number("expires_ms")?);
    Ok(Some(PasswordReset { value, person, expires_ms }))
}
