//! `/api/auth/login`, `/refresh`, `/logout`.

use super::super::body::Members;
use super::super::{Api, Request, authenticate, browser, cookies, json};
use super::Outcome;
use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::control::sessions::{Leaving, LogIn, LoggedIn};
use crate::dialect::endpoint::Via;
use crate::dialect::ocore;
use crate::token::{Secret, UserId};
use http::StatusCode;

pub(super) async fn log_in(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let (email, password) = (members.text("email"), members.text("password").map(Secret::new));
    members.done()?;
    let (Some(email), Some(password)) = (email, password) else { return Err(Refusal::Nothing) };
    let origin = request.origin();
    match api.sessions().log_in(email.trim(), password, &origin, request.call.now).await? {
        LogIn::Done(session) => begun(request, &session, user),
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
    let session = api.sessions().log_in_with_code(&partial, &code, &origin, now).await?;
    begun(request, &session, user)
}

pub(super) async fn refresh(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let shown = Shown::by(request)?;
    let token = shown.token.ok_or(DomainError::SessionOver)?;
    let session = api.sessions().refresh(&token, &request.origin(), request.call.now).await?;
    // The console's pages never had the tokens, and what runs in them shall not get them here.
    if shown.in_cookie && request.call.via != Via::Client {
        *user = Some(session.person.id.clone());
        return kept(request, &session, ocore::kept_session(&session.person, &session.access));
    }
    begun(request, &session, user)
}

/// Whatever is shown, nobody is logged in afterwards.
pub(super) async fn log_out(api: &Api, request: &Request<'_>) -> Outcome {
    let refresh = Shown::by(request)?.token;
    let access = match authenticate::presented(request.call).unwrap_or_default().jwt {
        Some(jwt) => Some(jwt),
        None => browser::access_token(request.call)?,
    };
    let leaving = Leaving { refresh, access };
    api.sessions().log_out(leaving, &request.origin(), request.call.now).await?;
    let mut response = json(StatusCode::OK, ocore::message("You are logged out."));
    cookies::forget(request.call.via, &mut response)?;
    Ok(response)
}

fn begun(request: &Request<'_>, session: &LoggedIn, user: &mut Option<UserId>) -> Outcome {
    *user = Some(session.person.id.clone());
    kept(request, session, ocore::session(&session.person, &session.access, &session.refresh))
}

fn kept(request: &Request<'_>, session: &LoggedIn, body: String) -> Outcome {
    let mut response = json(StatusCode::OK, body);
    cookies::keep(request.call.via, &mut response, session)?;
    Ok(response)
}

/// The refresh token that is shown.
struct Shown {
    token: Option<Secret>,
    in_cookie: bool,
}

impl Shown {
    /// That in the body or, where there is none, in the cookie.
    fn by(request: &Request<'_>) -> Result<Self, Refusal> {
        let mut members = Members::read_if_any(request.call)?;
        let in_body = members.optional_text("refreshToken").map(Secret::new);
        members.done()?;
        if in_body.is_some() {
            return Ok(Self { token: in_body, in_cookie: false });
        }
        let token = cookies::refresh_token(request.call)?;
        if token.is_some() {
            browser::must_be_own(request.call)?;
        }
        Ok(Self { in_cookie: token.is_some(), token })
    }
}
