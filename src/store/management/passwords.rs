//! Passwords chosen anew.

use crate::token::{Digest, Secret, UserId};

/// Which sessions of a person end with something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// None.
    Nothing,
    /// All but this one.
    AllBut(String),
    /// All.
    All,
}

/// A person's new password. Whatever was given out to choose one by is good no more.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// Whose.
    pub person: UserId,
    /// Argon2id in PHC form.
    pub password: Secret,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Which sessions end with it.
    pub ending: Ending,
    /// The token that it is chosen by, where it is one.
    pub reset: Option<Digest>,
}

/// A token to choose a new password by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordReset {
    /// What is kept of its value.
    pub value: Digest,
    /// Whose password.
    pub person: UserId,
    /// From then on it is good no more; milliseconds since 1970.
    pub expires_ms: u64,
}
