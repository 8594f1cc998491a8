//! `/api/roles` and `/api/permissions`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::Outcome;
use crate::control::domain::{By, MANAGE_ROLES, NewRole, RolePatch};
use crate::dialect::ocore;
use http::StatusCode;

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let roles = api.domain.roles(by, &organization).await?;
    Ok(json(StatusCode::OK, ocore::roles(&roles)))
}

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_ROLES).await?;
    let mut members = Members::read(request.call)?;
    let (name, permissions) = (members.text("name"), members.texts("permissions"));
    let description = members.optional_text("description");
    members.done()?;
    let (name, permissions) = (name.unwrap_or_default(), permissions.unwrap_or_default());
    let role = api.domain.create_role(by, &organization, NewRole { name, description, permissions }).await?;
    Ok(json(StatusCode::CREATED, ocore::role(&role).to_string()))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_ROLES).await?;
    let mut members = Members::read(request.call)?;
    let patch = RolePatch {
        name: members.given_text("name"),
        description: members.nullable_text("description"),
        permissions: members.given_texts("permissions"),
    };
    members.done()?;
    let role = api.domain.update_role(by, &organization, id(request), patch).await?;
    Ok(json(StatusCode::OK, ocore::role(&role).to_string()))
}

pub(super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.delete_role(by, &organization, id(request)).await?;
    Ok(json(StatusCode::OK, ocore::message("The role is deleted.")))
}

/// The same for everybody who is logged in.
pub(super) fn permissions(api: &Api) -> Outcome {
    let catalogue = api.domain.catalogue();
    Ok(json(StatusCode::OK, ocore::permissions(catalogue.iter())))
}

fn id<'r>(request: &'r Request<'_>) -> &'r str {
    request.parameters.named("roleId")
}
