//! Who calls: a person by the access token of a session; a key is known for what it is, and may do nothing here.

use crate::config::Dialect;
use crate::control::domain::{Actor, DomainError};
use crate::control::sessions::Sessions;
use crate::dialect::endpoint::Call;
use crate::dialect::{Presented, present_in};

/// Finds out who calls.
///
/// # Errors
/// [`DomainError::Unauthorized`] when nobody can be told; the store's.
pub(super) async fn actor(sessions: &Sessions, call: &Call) -> Result<Actor, DomainError> {
    let presented =
        present_in(call.endpoint.dialect, &call.headers).map_err(|_| DomainError::Unauthorized)?;
    match presented {
        // Not looked up: whether it is a good key makes no difference, and nobody shall learn it here.
        Presented { key: Some(_), jwt: None } => Ok(Actor::Key),
        Presented { key: None, jwt: Some(jwt) } => match sessions.actor(jwt, call.now).await? {
            // Only the other dialect makes tokens from keys: here, it is nobody's.
            Actor::Key if call.endpoint.dialect == Dialect::Ocore => Err(DomainError::Unauthorized),
            actor => Ok(actor),
        },
        Presented { .. } => Err(DomainError::Unauthorized),
    }
}
