//! Stage 2: what the caller shows. Nothing is looked up yet.

use super::Worker;
use super::reject::Reject;
use super::route::Routed;
use crate::dialect::{self, Presented};
use crate::store::cache::Code;
use crate::token::ShownKey;
use crate::wire::Fields;

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

/// A key that was seen before it was known how the route's clients show theirs, and what it will be looked up by. It
/// is of one request and goes no further.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen {
    /// Where the text is.
    text: (usize, usize),
    code: Code,
}

/// Begins to look for the key that a request most likely shows, so that it is at hand when it is its turn.
pub fn foresee(worker: &Worker, fields: &Fields) -> Option<Foreseen> {
    let text = dialect::likely_key(fields)?;
    Some(Foreseen { text: place_of(text), code: worker.shared.tokens.foresee(ShownKey::new(text)) })
}

impl Foreseen {
    /// Goes on looking: what was begun first is here by now, and says where the rest is.
    pub fn approach(&self, worker: &Worker) {
        worker.shared.tokens.approach(self.code);
    }

    /// The code of a key of the same request, if it is the one that was foreseen.
    pub(super) fn code_of(&self, key: ShownKey<'_>) -> Option<Code> {
        (self.text == place_of(key.expose())).then_some(self.code)
    }
}

fn place_of(text: &[u8]) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

/// Reads the credential of a request.
///
/// # Errors
/// [`Reject::NoCredential`], [`Reject::UnusableCredential`]
pub(super) fn extract<'r>(routed: &Routed<'_>, fields: &'r Fields) -> Result<Credential<'r>, Reject> {
    if routed.route.config.open {
        return Ok(Credential::NotAsked);
    }
    let Presented { key, jwt } =
        dialect::present(&routed.api.config, fields).map_err(|_| Reject::UnusableCredential)?;
    if key.is_none() && jwt.is_none() {
        return Err(Reject::NoCredential);
    }
    Ok(Credential::Shown { key: key.map(ShownKey::new), jwt })
}
