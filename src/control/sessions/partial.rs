//! Logins that wait for their second factor. Kept in memory: after a restart one logs in again.

use super::attempts::Attempt;
use crate::clock::Moment;
use crate::token::{Digest, Secret, UserId, random_secret};
use aws_lc_rs::error::Unspecified;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What partial tokens begin with: neither a key nor a JWT, so that they are nothing to a request.
pub(super) const PREFIX: &str = "partial_";
const LIFE_NS: u64 = 5 * 60 * 1_000_000_000;
/// Codes that may be tried with one.
const TRIES: u32 = 5;
/// As many at once. Each took a right password.
const MOST: usize = 100_000;

#[derive(Debug)]
struct Partial {
    person: UserId,
    until_ns: u64,
    tries: u32,
    /// Of the password's hash that was compared with: another password ends what this one has begun.
    password: Digest,
    /// What the login counted as, until it is seen through.
    attempt: Option<Attempt>,
}

/// The logins that wait.
#[derive(Debug, Default)]
pub(super) struct Partials(Mutex<HashMap<Digest, Partial>>);

impl Partials {
    /// A token for a login whose password was right; `None` when there are too many.
    pub(super) fn begin(
        &self,
        person: UserId,
        password: Digest,
        attempt: Attempt,
        now: Moment,
    ) -> Result<Option<Secret>, Unspecified> {
        let token = random_secret(PREFIX)?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            waiting.retain(|_, partial| now.mono_ns < partial.until_ns);
            if waiting.len() >= MOST {
                return Ok(None);
            }
        }
        let until_ns = now.mono_ns + LIFE_NS;
        let partial = Partial { person, until_ns, tries: TRIES, password, attempt: Some(attempt) };
        waiting.insert(Digest::of(token.expose()), partial);
        Ok(Some(token))
    }

    /// Uses one try of a token, and says whose it is and which password was shown for it.
    pub(super) fn attempt(&self, token: &Secret, now: Moment) -> Option<(UserId, Digest)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = Digest::of(token.expose());
        let partial = waiting.get_mut(&digest)?;
        if partial.until_ns <= now.mono_ns || partial.tries == 0 {
            waiting.remove(&digest);
            return None;
        }
        partial.tries -= 1;
        Some((partial.person.clone(), partial.password))
    }

    /// Ends a token that was good; gives back what its login counted as. `None` when somebody else was faster.
    pub(super) fn finish(&self, token: &Secret) -> Option<Attempt> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&Digest::of(token.expose()))?.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempts::Attempts;
    use super::*;
    use std::time::Duration;

    const T0: Moment = Moment { mono_ns: 1, unix_ms: 1_800_000_000_000 };

    fn begun(partials: &Partials) -> Secret {
        let attempt = Attempts::default().begin([203, 0, 113, 1].into(), "a@x", T0).unwrap();
        partials.begin("u1".into(), Digest::of("hash"), attempt, T0).unwrap().unwrap()
    }

    #[test]
    fn a_token_has_few_tries_and_little_time() {
        let partials = Partials::default();
        let token = begun(&partials);
        for _ in 0..TRIES {
            assert_eq!(partials.attempt(&token, T0), Some(("u1".into(), Digest::of("hash"))));
        }
        assert_eq!(partials.attempt(&token, T0), None);
        let token = begun(&partials);
        let minutes = |count: u64| T0.after(Duration::from_secs(60 * count));
        assert!(partials.attempt(&token, minutes(4)).is_some());
        assert!(partials.attempt(&token, minutes(5)).is_none());
    }

    #[test]
    fn a_token_is_seen_through_once() {
        let partials = Partials::default();
        let token = begun(&partials);
        assert!(partials.finish(&token).is_some());
        assert!(partials.finish(&token).is_none() && partials.attempt(&token, T0).is_none());
    }
}
