//! Second factors of people.

use crate::token::{Digest, Secret, UserId};

/// What a person's codes are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Shared with the authenticator, in base32.
    pub secret: Secret,
    /// Whether logins take it; until then it is not yet confirmed.
    pub enabled: bool,
    /// The latest time step whose code was taken.
    pub step: Option<u64>,
}

/// What becomes of a person's second factor.
#[derive(Clone, Debug)]
pub enum FactorChange {
    /// A secret is shared, and not yet confirmed. Not while one is enabled.
    Begun(Secret),
    /// It is confirmed by the code of this step, and these are the recovery codes.
    Enabled {
        /// Milliseconds since 1970.
        at_ms: u64,
        /// The step of the code that confirmed it.
        step: u64,
        /// The codes' digests.
        recovery: Vec<Digest>,
    },
    /// New recovery codes take the place of the old ones.
    Recovery(Vec<Digest>),
    /// The code of this step was taken; those of it and of earlier ones are good no more.
    Taken(u64),
    /// A recovery code was taken, and is gone.
    RecoveryTaken(Digest),
    /// There is none any more.
    Disabled,
}

/// A login whose password was right, and that waits for its second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialLogin {
    /// Of the token that it is continued with.
    pub token: Digest,
    /// Whose it is.
    pub person: UserId,
    /// Of the password's hash that was compared with: another password ends what this one has begun.
    pub password: Digest,
    /// Codes that may still be tried.
    pub tries: u32,
    /// From then on it is over; milliseconds since 1970.
    pub until_ms: u64,
}
