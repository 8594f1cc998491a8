//! `/api/auth/login`, `/refresh`, `/logout`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, cookies};
use crate::config::Dialect;
use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::sessions::{Leaving, LogIn, LoggedIn};
use crate::dialect::{self, ocore};
use crate::token::{Secret, UserId};
use http::StatusCode;

pub(super) async fn log_in(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let (email, password) = (members.text("email"), members.text("password").map(Secret::new));
    members.done()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Refusal::Nothing) };
    let origin = request.origin();
    match api.sessions().log_in(email.trim(), password, &origin, request.call.now).await? {
        LogIn::Done(session) => begun(&session, user),
        LogIn::Partial(token) => Ok(json(StatusCode::OK, ocore::partial(&token))),
    }
}

pub(super) async fn second_step(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let code = members.text("code").map(Secret::new);
    let partial = members.text("partialToken").map(Secret::new);
    members.done()?;
    let (Some(code), Some(partial)) = (code, partial) else { return Err(Refusal::Nothing) };
    let (origin, now) = (request.origin(), request.call.now);
    begun(&api.sessions().log_in_with_code(&partial, &code, &origin, now).await?, user)
}

pub(super) async fn refresh(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let shown = shown_refresh_token(request)?.ok_or(DomainError::SessionOver)?;
    let session = api.sessions().refresh(&shown, &request.origin(), request.call.now).await?;
    begun(&session, user)
}

/// Whatever is shown, nobody is logged in afterwards.
pub(super) async fn log_out(api: &Api, request: &Request<'_>) -> Outcome {
    let refresh = shown_refresh_token(request)?;
    let access = dialect::present_in(Dialect::Ocore, &request.call.headers).unwrap_or_default().jwt;
    let leaving = Leaving { refresh, access };
    api.sessions().log_out(leaving, &request.origin(), request.call.now).await?;
    let mut response = json(StatusCode::OK, ocore::message("You are logged out."));
    cookies::forget(&mut response)?;
    Ok(response)
}

fn begun(session: &LoggedIn, user: &mut Option<UserId>) -> Outcome {
    *user = Some(session.person.id.clone());
    let mut response =
        json(StatusCode::OK, ocore::session(&session.person, &session.access, &session.refresh));
    cookies::keep(&mut response, session)?;
    Ok(response)
}

/// The refresh token in the body or, where there is none, in the cookie.
fn shown_refresh_token(request: &Request<'_>) -> Result<Option<Secret>, Refusal> {
    let mut members = Members::read_if_any(request.call)?;
    let in_body = members.optional_text("refreshToken").map(Secret::new);
    members.done()?;
    match in_body {
        Some(token) => Ok(Some(token)),
        None => Ok(cookies::refresh_token(&request.call.headers)?),
    }
}
