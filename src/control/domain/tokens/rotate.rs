//! A key that gets a new value while the old one works on for a while.

use super::super::{ATTEMPTS, By, CHANGING, Domain, DomainError};
use super::decide::prefix_of;
use super::facts;
use super::write::{entry, new_value};
use crate::dialect::time::iso_millis;
use crate::store::management::{Rotation, Token, Written};
use crate::token::{Digest, Secret, TokenId};

impl Domain {
    /// Gives a key a new value as part of an operation, unless that has been done. `seal` hides the value until it is
    /// shown.
    pub(in crate::control::domain) async fn rotate_token(
        &self,
        by: &By,
        operation: &str,
        token: Token,
        until_ms: u64,
        seal: impl Fn(&TokenId, &Secret) -> Result<Vec<u8>, DomainError>,
    ) -> Result<(), DomainError> {
        let _turn = self.take_turn().await;
        let mut old = token;
        for _ in 0..ATTEMPTS {
            let value = new_value(old.family)?;
            let token = Token { prefix: prefix_of(&value), updated_ms: by.now.unix_ms, ..old.clone() };
            let (before, mut after) = facts::differing(&old, &token);
            after["operationId"] = operation.into();
            after["oldValueWorksUntil"] = iso_millis(until_ms).into();
            let entry = entry(by, "api_token.regenerated", &token, Some(before), Some(after));
            let rotation = Rotation {
                operation: operation.to_owned(),
                sealed: seal(&token.id, &value)?,
                value: Digest::of(value.expose()),
                token,
                until_ms,
            };
            match self.store.rotate_token(rotation, entry).await? {
                Written::Done | Written::Taken => return Ok(()),
                Written::Moved => {}
            }
            match self.store.token(&old.id).await? {
                Some(now) => old = now,
                // Gone meanwhile: there is nothing to rotate.
                None => return Ok(()),
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }
}
