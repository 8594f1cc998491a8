//! The passwords of a fixture, hashed before its transaction begins.

use super::users::email_key;
use crate::store::import::Fixture;
use crate::store::{StoreError, password};
use crate::token::Secret;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

/// The hash to store for each e-mail address (as `users.email_key`) for which the fixture has a password: the stored
/// one where the password is unchanged.
pub(super) fn prepare(db: &Connection, fixture: &Fixture) -> Result<HashMap<String, String>, StoreError> {
    let mut stored = db.prepare_cached("SELECT password FROM users WHERE email_key = ?1")?;
    let mut hashes = HashMap::new();
    for member in fixture.organizations.iter().flat_map(|organization| &organization.members) {
        let key = email_key(&member.email);
        let Some(password) = member.password.as_ref().filter(|_| !hashes.contains_key(&key)) else {
            continue;
        };
        let old: Option<String> = stored.query_row([&key], |row| row.get(0)).optional()?.flatten();
        let hash = match old.map(Secret::new).filter(|old| password::verify(old, password)) {
            Some(unchanged) => unchanged,
            None => password::hash(password).map_err(|error| StoreError::Unavailable(Box::new(error)))?,
        };
        hashes.insert(key, hash.expose().to_owned());
    }
    Ok(hashes)
}
