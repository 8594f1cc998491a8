//! The keys that sign upstream identities, as the operator sees them: rotated before their time, and retired.

use super::actor::Subject;
use super::people::operator;
use super::{By, Domain, DomainError};
use crate::config::UpstreamIdentity;
use crate::control::signing::{generate, millis, older_retire_ms};
use crate::dialect::time::iso;
use crate::store::management::Written;
use crate::store::{CLOCKS_DIFFER, SigningKey};
use serde_json::json;
use std::time::Duration;

/// Longest time for which a key is published before it signs.
const LONGEST_PUBLISHED: Duration = Duration::from_secs(7 * 24 * 3600);

impl Domain {
    /// The keys that are published, oldest first.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn signing_keys(&self, by: &By) -> Result<Vec<SigningKey>, DomainError> {
        operator(by)?;
        Ok(self.store.signing_keys(by.now.unix_ms).await?)
    }

    /// Makes a key that signs when it has been published for so long; the present one stays published until its last token is over.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::Conflict`] while there is one that signs as early, or within a minute. One that would
    /// sign later is replaced.
    pub async fn rotate_signing_key(
        &self,
        by: &By,
        identity: &UpstreamIdentity,
        published_for: Duration,
    ) -> Result<SigningKey, DomainError> {
        operator(by)?;
        let signs_from_ms = by.now.after(published_for.min(LONGEST_PUBLISHED)).unix_ms;
        let key = generate(identity.algorithm, signs_from_ms)
            .map_err(|error| DomainError::Internal(Box::new(error)))?;
        let entry = by.entry(Subject {
            action: "signing_key.rotated",
            organization: None,
            id: &key.id,
            name: None,
            before: None,
            after: Some(json!({ "algorithm": key.algorithm, "signsFrom": iso(signs_from_ms) })),
        });
        let older = older_retire_ms(identity, signs_from_ms);
        match self.store.rotate_signing_key(key.clone(), older, by.now.unix_ms, entry).await? {
            Written::Done => Ok(key),
            Written::Moved | Written::Taken => Err(DomainError::Conflict(
                "The next key is published already and signs as early: wait until it does.".to_owned(),
            )),
        }
    }

    /// Takes a key that signs no more out of the published set before its time.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::NotFound`]; [`DomainError::Conflict`] when there are, or may be, tokens that it has signed.
    pub async fn retire_signing_key(
        &self,
        by: &By,
        identity: &UpstreamIdentity,
        id: &str,
    ) -> Result<(), DomainError> {
        let keys = self.signing_keys(by).await?;
        let key = keys.iter().find(|key| key.id == id).ok_or(DomainError::NotFound("signing key"))?;
        let needed = |why: String| Err(DomainError::Conflict(why));
        let after = keys
            .iter()
            .filter(|it| it.algorithm == key.algorithm && it.signs_from_ms > key.signs_from_ms)
            .map(|it| it.signs_from_ms)
            .min();
        let Some(after_ms) = after else {
            return needed("Identities are signed with it, or will be: rotate first.".to_owned());
        };
        let over_ms = after_ms + millis(identity.ttl) + millis(CLOCKS_DIFFER);
        if by.now.unix_ms < over_ms {
            return needed(format!("What it has signed is good until {}: retire it then.", iso(over_ms)));
        }
        let entry = by.entry(Subject {
            action: "signing_key.retired",
            organization: None,
            id,
            name: None,
            before: Some(json!({ "retires": iso(key.retires_ms) })),
            after: None,
        });
        match self.store.retire_signing_key(id, by.now.unix_ms, entry).await? {
            Written::Done => Ok(()),
            Written::Moved | Written::Taken => Err(DomainError::NotFound("signing key")),
        }
    }
}
