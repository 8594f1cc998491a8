//! `/api/auth`: what people do with their own account once they have it.

use super::super::body::Members;
use super::super::{Api, Request, cookies, json};
use super::Outcome;
use crate::control::domain::By;
use crate::control::error::Refusal;
use crate::dialect::ocore;
use crate::token::Secret;
use http::StatusCode;

/// The same for everybody.
const ASKED: &str = "If there is such an account, its request for a new password is on record. \
    Whoever runs this service can hand over a token to choose one by.";

pub(super) async fn me(api: &Api, by: &By) -> Outcome {
    Ok(json(StatusCode::OK, ocore::me(&api.sessions().own(by).await?)))
}

pub(super) async fn change_password(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let mut members = Members::read(request.call)?;
    let present = members.text("currentPassword").map(Secret::new);
    let new = members.text("newPassword").map(Secret::new);
    let revoke_others = members.given_flag("revokeOtherSessions").unwrap_or(false);
    members.done()?;
    let (Some(present), Some(new)) = (present, new) else { return Err(Refusal::Nothing) };
    api.sessions().change_password(by, present, new, revoke_others).await?;
    Ok(json(StatusCode::OK, ocore::message("The password is changed.")))
}

pub(super) fn forgot_password(api: &Api, request: &Request<'_>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let email = members.text("email");
    members.done()?;
    let email = email.unwrap_or_default();
    api.sessions().note_forgotten(email.trim().to_owned(), request.origin(), request.call.now);
    Ok(json(StatusCode::OK, ocore::message(ASKED)))
}

pub(super) async fn reset_password(api: &Api, request: &Request<'_>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let (token, new) = (members.text("token").map(Secret::new), members.text("password").map(Secret::new));
    members.done()?;
    let (Some(token), Some(new)) = (token, new) else { return Err(Refusal::Nothing) };
    api.sessions().reset_password(&token, new, &request.origin(), request.call.now).await?;
    let mut response = json(StatusCode::OK, ocore::message("The password is changed. Log in with it."));
    cookies::forget(request.call.via, &mut response)?;
    Ok(response)
}

pub(super) async fn sessions(api: &Api, by: &By) -> Outcome {
    let sessions = api.sessions().own_sessions(by).await?;
    Ok(json(StatusCode::OK, ocore::sessions(&sessions, by.session())))
}

pub(super) async fn revoke(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.sessions().revoke(by, request.parameters.named("sessionId")).await?;
    Ok(json(StatusCode::OK, ocore::message("The session is ended.")))
}

pub(super) async fn revoke_others(api: &Api, by: &By) -> Outcome {
    api.sessions().revoke_others(by).await?;
    Ok(json(StatusCode::OK, ocore::message("Every other session is ended.")))
}
