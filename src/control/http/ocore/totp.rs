//! `/api/auth/totp`: the second factor of who asks.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::Outcome;
use crate::control::domain::By;
use crate::control::error::Refusal;
use crate::dialect::ocore;
use crate::token::Secret;
use http::StatusCode;

pub(super) async fn begin(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let enrolment = api.sessions().begin_totp(by, secret(request, "password")?).await?;
    Ok(json(StatusCode::OK, ocore::enrolment(&enrolment.secret, &enrolment.url)))
}

pub(super) async fn enable(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let codes = api.sessions().enable_totp(by, &secret(request, "code")?).await?;
    Ok(json(StatusCode::OK, ocore::recovery_codes(&codes)))
}

pub(super) async fn renew(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let codes = api.sessions().renew_recovery_codes(by, secret(request, "password")?).await?;
    Ok(json(StatusCode::OK, ocore::recovery_codes(&codes)))
}

pub(super) async fn disable(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.sessions().disable_totp(by, secret(request, "password")?).await?;
    Ok(json(StatusCode::OK, ocore::message("The second factor is off.")))
}

/// The one member that the body has to have.
fn secret(request: &Request<'_>, name: &'static str) -> Result<Secret, Refusal> {
    let mut members = Members::read(request.call)?;
    let text = members.text(name).map(Secret::new);
    members.done()?;
    text.ok_or(Refusal::Nothing)
}
