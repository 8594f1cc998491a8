//! `/api/members`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{By, DomainError, MANAGE_MEMBERS};
use crate::dialect::ocore;
use crate::token::UserId;
use http::StatusCode;

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let part = place::only_part(request)?;
    let part = api.domain.members(by, &organization, part).await?;
    Ok(json(StatusCode::OK, ocore::members(&part.items, part.next.as_ref())))
}

pub(super) async fn change_role(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_MEMBERS).await?;
    let mut members = Members::read(request.call)?;
    let role = members.text("role");
    members.done()?;
    let role = role.unwrap_or_default();
    let member = api.domain.change_role(by, &organization, &id(request), role.trim()).await?;
    Ok(json(StatusCode::OK, ocore::member(&member).to_string()))
}

pub(super) async fn remove(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.remove_member(by, &organization, &id(request)).await?;
    Ok(json(StatusCode::OK, ocore::message("The member is removed.")))
}

pub(super) async fn leave(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let oneself = by.person().ok_or(DomainError::Unauthorized)?;
    api.domain.remove_member(by, &organization, oneself).await?;
    Ok(json(StatusCode::OK, ocore::message("You have left the organization.")))
}

fn id(request: &Request<'_>) -> UserId {
    request.parameters.named("memberId").into()
}
