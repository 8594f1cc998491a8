//! `POST /v1/auth/login` and `/auth/login`: e-mail address and password for an access token.

use super::super::body::Members;
use super::super::{Api, Request, json};
use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::sessions::LogIn;
use crate::dialect::ocriva;
use crate::token::{Secret, UserId};
use bytes::Bytes;
use http::{Response, StatusCode};

const SECOND_FACTOR: &str = "This account asks for a second factor: log in at /api/auth/login.";

/// Credentials in header fields are not looked at: one that is old must not be in the way of a new one.
pub(in super::super) async fn log_in(
    api: &Api,
    request: &Request<'_>,
    user: &mut Option<UserId>,
) -> Result<Response<Bytes>, Refusal> {
    let mut members = Members::read(request.call)?;
    let (email, password) = (members.text("email"), members.text("password").map(Secret::new));
    members.done()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Refusal::Nothing) };
    let origin = request.origin();
    let logged_in = match api.sessions().log_in(email.trim(), password, &origin, request.call.now).await? {
        LogIn::Done(logged_in) => logged_in,
        // This dialect has no second step.
        LogIn::Partial(_) => return Err(DomainError::Forbidden(SECOND_FACTOR).into()),
    };
    *user = Some(logged_in.person.id.clone());
    let access = &logged_in.access;
    Ok(json(StatusCode::OK, ocriva::session(&access.token, access.expires_in, &logged_in.person)))
}
