//! Sessions of people, and the refresh tokens that they go on by.

use crate::token::{Digest, UserId};
use std::net::IpAddr;

/// A person's session: what their access tokens stand and fall with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its access tokens.
    pub id: String,
    /// Whose it is.
    pub person: UserId,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// From then on it is over; milliseconds since 1970.
    pub expires_ms: u64,
    /// When it was ended before its time, milliseconds since 1970.
    pub ended_ms: Option<u64>,
    /// Where it began.
    pub address: Option<IpAddr>,
    /// `User-Agent` of the login.
    pub user_agent: Option<String>,
}

impl Session {
    /// Whether it is neither ended nor over.
    pub fn alive(&self, now_ms: u64) -> bool {
        self.ended_ms.is_none() && now_ms < self.expires_ms
    }
}

/// A refresh token that was given out, with the session that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session, ended or not.
    pub session: Session,
    /// When it was traded for its successor, milliseconds since 1970; `None` for the newest of its session.
    pub used_ms: Option<u64>,
}

/// A refresh token traded for its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The token that was shown.
    pub old: Digest,
    /// The token that takes its place.
    pub new: Digest,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Until then the new one is good, and the session with it; milliseconds since 1970.
    pub expires_ms: u64,
}
