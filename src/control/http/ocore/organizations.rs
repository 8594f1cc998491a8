//! `/api/user/orgs`, `/api/org` and `/api/admin/organizations`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{By, MANAGE_ORGANIZATION, OrganizationPatch, WantedOrganization};
use crate::dialect::ocore;
use http::StatusCode;

pub(super) async fn list_own(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let part = place::only_part(request)?;
    let part = api.domain.own_organizations(by, part).await?;
    Ok(json(StatusCode::OK, ocore::own_organizations(&part.items, part.next.as_ref())))
}

pub(super) async fn list_all(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.server_admin(by).await?;
    let query = request.query()?;
    let (part, search) = (place::part(&query)?, query.given("search").map(str::to_owned));
    query.done();
    let part = api.domain.all_organizations(by, part, search.as_deref()).await?;
    Ok(json(StatusCode::OK, ocore::organizations(&part.items, part.next.as_ref())))
}

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.may_create_organization(by).await?;
    let mut members = Members::read(request.call)?;
    let (name, slug) = (members.text("name"), members.optional_text("slug"));
    let owner = members.optional_text("owner");
    members.done()?;
    let wanted = WantedOrganization { name: name.unwrap_or_default(), slug, owner };
    let organization = api.domain.create_organization(by, wanted).await?;
    Ok(json(StatusCode::CREATED, ocore::organization(&organization).to_string()))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let id = request.organization(api, by).await?;
    let organization = api.domain.organization(by, &id).await?;
    Ok(json(StatusCode::OK, ocore::organization(&organization).to_string()))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let id = request.organization(api, by).await?;
    api.domain.may(by, &id, MANAGE_ORGANIZATION).await?;
    let mut members = Members::read(request.call)?;
    let patch = OrganizationPatch { name: members.given_text("name"), slug: members.given_text("slug") };
    members.done()?;
    let organization = api.domain.update_organization(by, &id, patch).await?;
    Ok(json(StatusCode::OK, ocore::organization(&organization).to_string()))
}
