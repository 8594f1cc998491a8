//! Passwords: Argon2id with the parameters that both dialects' systems state, in PHC form. Slow on purpose: never on
//! a worker, and never on a runtime's own thread.

use crate::token::Secret;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The least of characters.
const LEAST: usize = 8;
/// The most of characters: hashing must not be given novels.
const MOST: usize = 256;

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct HashError(String);

/// Whether a password may be chosen: 8 to 256 characters, one of them a letter and one a digit.
pub fn acceptable(password: &str) -> bool {
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    (LEAST..=MOST).contains(&password.chars().count()) && has(char::is_alphabetic) && has(char::is_numeric)
}

/// The hash to store.
///
/// # Errors
/// When the system has no random bytes or no memory to give.
pub fn hash(password: &Secret) -> Result<Secret, HashError> {
    let hasher = hasher()?;
    let hash = hasher.hash_password(password.expose().as_bytes());
    hash.map(|hash| Secret::new(hash.to_string())).map_err(|error| HashError(error.to_string()))
}

/// Whether the password is the one that was hashed. Takes the same time whether it is or not.
pub fn verify(hash: &Secret, password: &Secret) -> bool {
    let Ok(hasher) = hasher() else { return false };
    hasher.verify_password(password.expose().as_bytes(), hash.expose()).is_ok()
}

fn hasher() -> Result<Argon2<'static>, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
