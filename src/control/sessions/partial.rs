//! Logins that wait for their second factor. Kept in the store, because the second step may come to another node.

use super::Sessions;
use crate::clock::Moment;
use crate::control::domain::DomainError;
use crate::store::management::{PartialLogin, Written};
use crate::token::{Digest, Secret, UserId, random_secret};

/// What partial tokens begin with: neither a key nor a JWT, so that they are nothing to a request.
const PREFIX: &str = "partial_";
const LIFE_MS: u64 = 5 * 60 * 1000;
/// Codes that may be tried with one.
const TRIES: u32 = 5;

impl Sessions {
    /// A token for a login by the password with this hash.
    pub(super) async fn begin_partial(
        &self,
        person: UserId,
        password: Digest,
        now: Moment,
    ) -> Result<Secret, DomainError> {
        let token = random_secret(PREFIX).map_err(|error| DomainError::Internal(Box::new(error)))?;
        let login = PartialLogin {
            token: Digest::of(token.expose()),
            person,
            password,
            tries: TRIES,
            until_ms: now.unix_ms + LIFE_MS,
        };
        match self.store.add_partial_login(login, now.unix_ms).await? {
            Written::Done => Ok(token),
            // Removed or blocked while the password was hashed.
            Written::Moved | Written::Taken => Err(DomainError::WrongPassword),
        }
    }

    /// Uses one try of a token.
    ///
    /// # Errors
    /// [`DomainError::WrongCode`] when it is over, or has none; the store's.
    pub(super) async fn try_partial(&self, token: &Secret, now: Moment) -> Result<PartialLogin, DomainError> {
        if !token.expose().starts_with(PREFIX) {
            return Err(DomainError::WrongCode);
        }
        let found = self.store.try_partial_login(Digest::of(token.expose()), now.unix_ms).await?;
        found.ok_or(DomainError::WrongCode)
    }

    /// Ends a token that was good.
    ///
    /// # Errors
    /// [`DomainError::WrongCode`] when somebody else was faster; the store's.
    pub(super) async fn end_partial(&self, login: &PartialLogin) -> Result<(), DomainError> {
        match self.store.end_partial_login(login.token).await? {
            Written::Done => Ok(()),
            Written::Moved | Written::Taken => Err(DomainError::WrongCode),
        }
    }
}
