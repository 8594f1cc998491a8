//! Why an operation was not done.

use crate::store::StoreError;
use std::borrow::Cow;
use std::time::Duration;

/// One thing that is wrong with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field.
    pub field: Cow<'static, str>,
    /// The rule that it breaks, in one word.
    pub constraint: &'static str,
    /// A sentence for whoever sent it.
    pub message: String,
}

impl Violation {
    /// A field, the rule it breaks, and a sentence about it.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        constraint: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), constraint, message: message.into() }
    }
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// Nobody is known, or not any more.
    #[error("nobody is known by this credential")]
    Unauthorized,
    /// A login with an unknown e-mail address or a wrong password: nobody is told which.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    /// A refresh token that is unknown, over or was used before, or of a session that was ended.
    #[error("the session is over")]
    SessionOver,
    /// A second factor that is wrong, or a partial token that is wrong, over or was tried too often: nobody is told which.
    #[error("the code or the partial token is wrong")]
    WrongCode,
    /// A token to choose a password or to join by that is unknown, over or was used before.
    #[error("the token is wrong")]
    WrongToken,
    /// What it is about is not there, or not there for whom is asking.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// What was asked breaks rules: all of them are named.
    #[error("{}", .0.first().map_or("not valid", |violation| violation.message.as_str()))]
    Invalid(Vec<Violation>),
    /// Tried too often; the wait after which one more try is looked at.
    #[error("too many attempts")]
    TooManyAttempts(Duration),
    /// It is written, and the edge has not said that it acts on it.
    #[error("the change is stored, but it is not certain that it is in force")]
    Unconfirmed(#[source] StoreError),
    /// The store.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    /// Something of ours.
    #[error("something of the gateway's own failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Violation> for DomainError {
    fn from(violation: Violation) -> Self {
        Self::Invalid(vec![violation])
    }
}

impl DomainError {
    /// Fails with everything that is wrong, if anything is.
    ///
    /// # Errors
    /// [`DomainError::Invalid`]
    pub fn unless_none(wrong: Vec<Violation>) -> Result<(), Self> {
        if wrong.is_empty() { Ok(()) } else { Err(Self::Invalid(wrong)) }
    }

    /// A short name for the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::WrongPassword => "wrong_password",
            Self::SessionOver => "session_over",
            Self::WrongCode => "wrong_code",
            Self::WrongToken => "wrong_token",
            Self::NotFound(_) => "not_found",
            Self::Forbidden(_) => "forbidden",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid",
            Self::TooManyAttempts(_) => "too_many_attempts",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::Store(_) => "store",
            Self::Internal(_) => "internal",
        }
    }
}
