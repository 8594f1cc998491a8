//! Stage 2: what the caller shows. Nothing is looked up yet.

use super::reject::Reject;
use super::route::Routed;
use crate::dialect::{self, Presented};
use crate::token::ShownKey;
use http::HeaderMap;

/// What the caller shows, or that the route asks for nothing.
#[derive(Debug)]
pub enum Credential<'r> {
    /// The route is open.
    NotAsked,
    /// A key, a JWT, or both (which then have to be of one key).
    Shown {
        /// The key.
        key: Option<ShownKey<'r>>,
        /// The JWT, unverified.
        jwt: Option<&'r str>,
    },
}

/// Reads the credential of a request.
///
/// # Errors
/// [`Reject::NoCredential`], [`Reject::UnusableCredential`]
pub(super) fn extract<'r>(routed: &Routed<'_>, headers: &'r HeaderMap) -> Result<Credential<'r>, Reject> {
    if routed.route.config.open {
        return Ok(Credential::NotAsked);
    }
    let Presented { key, jwt } =
        dialect::present(&routed.api.config, headers).map_err(|_| Reject::UnusableCredential)?;
    if key.is_none() && jwt.is_none() {
        return Err(Reject::NoCredential);
    }
    Ok(Credential::Shown { key: key.map(ShownKey::new), jwt })
}
