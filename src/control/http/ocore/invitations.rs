//! `/api/invite-links`, and how an invitation is taken up: `/api/auth/signup` and `/api/auth/invitations/accept`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{By, MANAGE_MEMBERS, NewInvitation, NewUser};
use crate::control::error::Refusal;
use crate::dialect::ocore;
use crate::token::{Secret, UserId};
use http::StatusCode;

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_MEMBERS).await?;
    let mut members = Members::read(request.call)?;
    let role = members.text("role");
    let (email, life_s) = (members.optional_text("email"), members.optional_number("expiresIn"));
    members.done()?;
    let wanted = NewInvitation { role: role.unwrap_or_default(), email, life_s };
    let (invitation, token) = api.domain.invite(by, &organization, wanted).await?;
    Ok(json(StatusCode::CREATED, ocore::invitation(&invitation, Some(&token)).to_string()))
}

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let part = place::only_part(request)?;
    let part = api.domain.invitations(by, &organization, part).await?;
    Ok(json(StatusCode::OK, ocore::invitations(&part.items, part.next.as_ref())))
}

pub(super) async fn revoke(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let id = request.parameters.named("invitationId");
    api.domain.revoke_invitation(by, &organization, id).await?;
    Ok(json(StatusCode::OK, ocore::message("The invitation is taken back.")))
}

pub(super) async fn accept(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let mut members = Members::read(request.call)?;
    let token = members.text("token").map(Secret::new);
    members.done()?;
    let organization = api.domain.accept_invitation(by, &token.ok_or(Refusal::Nothing)?).await?;
    Ok(json(StatusCode::OK, ocore::joined(&organization)))
}

pub(super) async fn sign_up(api: &Api, request: &Request<'_>, user: &mut Option<UserId>) -> Outcome {
    let mut members = Members::read(request.call)?;
    let (email, name) = (members.text("email"), members.text("name"));
    let password = members.text("password").map(Secret::new);
    let invitation = members.optional_text("invitation").map(Secret::new);
    members.done()?;
    let (Some(email), Some(name), Some(password)) = (email, name, password) else {
        return Err(Refusal::Nothing);
    };
    let wanted = NewUser { email: email.trim().to_owned(), name, password };
    let origin = request.origin();
    let member = api.sessions().sign_up(wanted, invitation, &origin, request.call.now).await?;
    *user = Some(member.id.clone());
    Ok(json(StatusCode::CREATED, ocore::signed_up(&member)))
}
