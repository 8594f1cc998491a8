//! The keys that sign upstream identities: made when there is none, rotated with overlap.
//!
//! A new key is published for [`PUBLISHED_BEFORE`] before it signs, so that every upstream that caches the JWK Set has
//! it by then; an old one stays published until the last token it signed is over.

use crate::clock::Moment;
use crate::config::{SigningAlgorithm, UpstreamIdentity};
use crate::store::{SigningKey, Store, StoreError};
use crate::token::random_id;
use crate::token::signer::{BadKey, KeyRing, Signer};
use std::time::Duration;

/// How long a key signs.
const SIGNS_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a key is published before it signs. The JWK Set may be cached for five minutes.
pub(super) const PUBLISHED_BEFORE: Duration = Duration::from_secs(3600);

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key in the store can not be used.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// The keys in force at `now`; makes the first one, and the next one when the present one has signed for long enough.
///
/// # Errors
/// [`SigningError`]
pub async fn ring(
    store: &dyn Store,
    identity: &UpstreamIdentity,
    now: Moment,
) -> Result<KeyRing, SigningError> {
    let wanted = identity.algorithm.as_str();
    let mut keys = store.signing_keys(now.unix_ms).await?;
    let newest = keys.iter().filter(|key| key.algorithm == wanted).map(|key| key.signs_from_ms).max();
    let signs_from_ms = match newest {
        None => Some(now.unix_ms),
        Some(from) if from.saturating_add(millis(SIGNS_FOR)) <= now.unix_ms => {
            Some(now.unix_ms + millis(PUBLISHED_BEFORE))
        }
        Some(_) => None,
    };
    if let Some(signs_from_ms) = signs_from_ms {
        let key = generate(identity.algorithm, signs_from_ms)?;
        store.add_signing_key(key, older_retire_ms(identity, signs_from_ms)).await?;
        keys = store.signing_keys(now.unix_ms).await?;
    }
    let of_algorithm = keys.iter().filter(|key| key.algorithm == wanted);
    let parts =
        of_algorithm.map(|key| (key.id.as_str(), key.algorithm.as_str(), &key.private, key.signs_from_ms));
    Ok(KeyRing::new(parts, now)?)
}

/// When those before a key that signs from then on are not needed any more: their last token is over, and an hour on top for
/// clocks that differ.
pub(super) fn older_retire_ms(identity: &UpstreamIdentity, signs_from_ms: u64) -> u64 {
    signs_from_ms + millis(identity.ttl) + millis(PUBLISHED_BEFORE)
}

pub(super) fn generate(algorithm: SigningAlgorithm, signs_from_ms: u64) -> Result<SigningKey, BadKey> {
    Ok(SigningKey {
        id: random_id().map_err(|_| BadKey)?,
        algorithm: algorithm.as_str().to_owned(),
        private: Signer::generate(algorithm)?,
        signs_from_ms,
        // Until a successor says otherwise.
        retires_ms: i64::MAX as u64,
    })
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
