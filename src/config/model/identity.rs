//! What the configuration says of who somebody is: tokens, accounts, and what backends are told.

use crate::token::Secret;
use crate::token::signer::SigningAlgorithm;
use std::sync::Arc;
use std::time::Duration;

/// Signing.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// HS256 secret of client-facing tokens, at least 32 characters.
    pub secret: Secret,
    /// Another secret whose signatures are accepted, and never made, while one takes the place of the other on every node.
    pub other_secret: Option<Secret>,
    /// Life of an access token. Default 1 h.
    pub access_expiry: Duration,
    /// Life of a refresh token. Default 30 d.
    pub refresh_expiry: Duration,
    /// The identity that backends get.
    pub upstream: UpstreamIdentity,
}

/// How people get an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Accounts {
    /// Who may make one.
    pub signup: Signup,
    /// Who may make organizations, beside the server's admins.
    pub organizations: Founders,
}

/// Who may make organizations, beside the server's admins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Founders {
    /// Nobody.
    #[default]
    Admins,
    /// Everybody who has an account.
    Anyone,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Signup {
    /// Nobody but the operator makes any.
    Closed,
    /// Who has an invitation.
    #[default]
    Invited,
    /// Everybody.
    Open,
}

/// The signed identity for backends.
#[derive(Clone, Debug)]
pub struct UpstreamIdentity {
    /// The `iss` claim. Default `portcullis`.
    pub issuer: Arc<str>,
    /// Life of an identity token. Default 5 m.
    pub ttl: Duration,
    /// How it is signed.
    pub algorithm: SigningAlgorithm,
}

/// What a backend learns of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Signed JWT and headers.
    Jwt,
    /// Headers only.
    Headers,
    /// Nothing.
    None,
}
