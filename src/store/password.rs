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

/// What a password is compared with where there is none to compare with: made like any other, of a text that nobody has.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCEh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Takes the time of [`verify`], and is always false.
pub fn verify_nobodys(password: &Secret) -> bool {
    verify(&Secret::from(NOBODYS), password)
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

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::phc::PasswordHash;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let made = hash(&"correct horse 1".into()).unwrap();
        assert!(verify(&made, &"correct horse 1".into()));
        assert!(!verify(&made, &"correct horse 2".into()));
        assert!(!verify(&"no hash".into(), &"correct horse 1".into()));
    }

    #[test]
    fn nobody_s_hash_is_one_that_takes_as_long() {
        let parts = |text: &str| {
            let hash = PasswordHash::new(text).unwrap();
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), hash.hash.unwrap().len())
        };
        let made = hash(&"correct horse 1".into()).unwrap();
        assert_eq!(parts(NOBODYS), parts(made.expose()));
        assert!(!verify_nobodys(&"".into()));
    }

    #[test]
    fn what_may_be_chosen() {
        for good in ["abcdefg1", "รหัสผ่าน๑", &format!("a1{}", "x".repeat(254))] {
            assert!(acceptable(good), "{good}");
        }
        for bad in ["", "abcdef1", "abcdefgh", "12345678", &format!("a1{}", "x".repeat(255))] {
            assert!(!acceptable(bad), "{bad}");
        }
    }
}
