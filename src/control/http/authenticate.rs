//! Who calls: a person by the access token of a session; a key is known for what it is, and may do nothing here.

use super::browser;
use crate::config::Dialect;
use crate::control::domain::{Actor, DomainError};
use crate::control::sessions::Sessions;
use crate::dialect::endpoint::{Call, Via};
use crate::dialect::{Presented, Unusable, present_in, present_without_cookies};

/// Finds out who calls.
///
/// # Errors
/// [`DomainError::Unauthorized`] when nobody can be told; [`DomainError::Forbidden`] for cookies that another page may have
/// sent; the store's.
pub(super) async fn actor(sessions: &Sessions, call: &Call) -> Result<Actor, DomainError> {
    let jwt = match presented(call).map_err(|_| DomainError::Unauthorized)? {
        // Not looked up: whether it is a good key makes no difference, and nobody shall learn it here.
        Presented { key: Some(_), jwt: None } => return Ok(Actor::Key),
        Presented { key: None, jwt: Some(jwt) } => jwt,
        Presented { key: None, jwt: None } => {
            browser::access_token(call)?.ok_or(DomainError::Unauthorized)?
        }
        Presented { .. } => return Err(DomainError::Unauthorized),
    };
    match sessions.actor(jwt, call.now).await? {
        // Only the other dialect makes tokens from keys: here, it is nobody's.
        Actor::Key if call.endpoint.dialect == Dialect::Ocore => Err(DomainError::Unauthorized),
        actor => Ok(actor),
    }
}

/// What a call shows in header fields of its dialect. The admin listener's cookies are its own: see [`browser`].
pub(super) fn presented(call: &Call) -> Result<Presented<'_>, Unusable> {
    match call.via {
        Via::Client => present_in(call.endpoint.dialect, &call.headers),
        Via::Admin { .. } => present_without_cookies(call.endpoint.dialect, &call.headers),
    }
}
