//! What is kept for one showing only: sealed with a key derived from `jwt.secret`, so that the database alone gives
//! nothing away.

use super::DomainError;
use super::webhooks::internal;
use crate::config::Jwt;
use crate::token::Secret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use std::fmt;

/// Seals with the first key, and unseals with each.
pub(super) struct Sealer(Vec<RandomizedNonceKey>);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(redacted)")
    }
}

impl Sealer {
    /// Without a secret nothing can be sealed: the terminal has no business with it.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn new(jwt: &Jwt) -> Self {
        Self::of(&jwt.secret, jwt.other_secret.as_ref())
    }

    fn of(secret: &Secret, other: Option<&Secret>) -> Self {
        Self(std::iter::once(secret).chain(other).filter_map(key).collect())
    }

    /// Seals `value`; only together with the same `about` can it be unsealed.
    pub(super) fn seal(&self, about: &str, value: &Secret) -> Result<Vec<u8>, DomainError> {
        let key = self.0.first().ok_or_else(|| internal(Unspecified))?;
        let mut text = value.expose().as_bytes().to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(about.as_bytes()), &mut text).map_err(internal)?;
        Ok([nonce.as_ref().as_slice(), &text].concat())
    }

    /// The value; `None` when it was sealed with another secret or about something else.
    pub(super) fn unseal(&self, about: &str, sealed: &[u8]) -> Option<Secret> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut text = text.to_vec();
            let plain = key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut text).ok()?;
            Some(Secret::from(std::str::from_utf8(plain).ok()?))
        })
    }
}

fn key(secret: &Secret) -> Option<RandomizedNonceKey> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let key = hmac::sign(&root, b"portcullis: results of operations, 1");
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_about_the_same_thing_only() {
        let (value, sealer) = (Secret::from("ocr_1"), Sealer::of(&Secret::from("one secret"), None));
        let sealed = sealer.seal("op/t1", &value).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"ocr_"));
        assert_eq!(sealer.unseal("op/t1", &sealed), Some(value.clone()));
        assert_ne!(sealer.seal("op/t1", &value).unwrap(), sealed);
        assert_eq!(sealer.unseal("op/t2", &sealed), None);
        let another = Secret::from("another");
        assert_eq!(Sealer::of(&another, None).unseal("op/t1", &sealed), None);
        let both = Sealer::of(&another, Some(&Secret::from("one secret")));
        assert_eq!(both.unseal("op/t1", &sealed), Some(value.clone()));
        let sealed_anew = both.seal("op/t1", &value).unwrap();
        assert_eq!(sealer.unseal("op/t1", &sealed_anew), None);
        assert_eq!(sealer.unseal("op/t1", &sealed[..8]), None);
        assert!(Sealer::none().seal("op/t1", &value).is_err());
    }
}
