//! Passwords at rest: Argon2id with the parameters that both dialects' systems state, in PHC form.

use super::users::email_key;
use crate::store::StoreError;
use crate::store::import::Fixture;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

/// 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash to store for each e-mail address (as `users.email_key`) for which the fixture has a password: the stored
/// one where the password is unchanged.
pub(super) fn prepare(db: &Connection, fixture: &Fixture) -> Result<HashMap<String, String>, StoreError> {
    let hasher = hasher()?;
    let mut stored = db.prepare_cached("SELECT password FROM users WHERE email_key = ?1")?;
    let mut hashes = HashMap::new();
    for member in fixture.organizations.iter().flat_map(|organization| &organization.members) {
        let key = email_key(&member.email);
        let Some(password) = member.password.as_ref().filter(|_| !hashes.contains_key(&key)) else {
            continue;
        };
        let password = password.expose().as_bytes();
        let old: Option<String> = stored.query_row([&key], |row| row.get(0)).optional()?.flatten();
        let hash = match old.filter(|old| hasher.verify_password(password, old.as_str()).is_ok()) {
            Some(unchanged) => unchanged,
            None => hasher.hash_password(password).map_err(failed)?.to_string(),
        };
        hashes.insert(key, hash);
    }
    Ok(hashes)
}

fn hasher() -> Result<Argon2<'static>, StoreError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: argon2::password_hash::Error) -> StoreError {
    StoreError::Unavailable(format!("a password could not be hashed: {error}").into())
}
