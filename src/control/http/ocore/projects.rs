//! `/api/projects`.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{By, MANAGE_PROJECTS, NewProject, ProjectPatch};
use crate::dialect::ocore;
use crate::token::ProjectId;
use http::StatusCode;

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let home = request.organization(api, by).await?;
    let query = request.query()?;
    let (part, inactive_too) = (place::part(&query)?, place::flag(&query, "include_archived")?);
    query.done();
    let part = api.domain.projects(by, &home, part, inactive_too).await?;
    Ok(json(StatusCode::OK, ocore::projects(&home, &part.items, part.next.as_ref())))
}

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let home = request.organization(api, by).await?;
    api.domain.may(by, &home, MANAGE_PROJECTS).await?;
    let mut members = Members::read(request.call)?;
    let (name, description) = (members.text("name"), members.optional_text("description"));
    members.done()?;
    let wanted = NewProject { name: name.unwrap_or_default(), description };
    let project = api.domain.create_project(by, &home, wanted).await?;
    Ok(json(StatusCode::CREATED, ocore::project(&home, &project).to_string()))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let home = request.organization(api, by).await?;
    let project = api.domain.project(by, &home, &id(request)).await?;
    Ok(json(StatusCode::OK, ocore::project(&home, &project).to_string()))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let home = request.organization(api, by).await?;
    api.domain.may(by, &home, MANAGE_PROJECTS).await?;
    let mut members = Members::read(request.call)?;
    let patch = ProjectPatch {
        name: members.given_text("name"),
        description: members.nullable_text("description"),
        active: members.given_flag("isActive"),
    };
    members.done()?;
    let project = api.domain.update_project(by, &home, &id(request), patch).await?;
    Ok(json(StatusCode::OK, ocore::project(&home, &project).to_string()))
}

/// Keys that are bound to it go with it only where that is asked for: `?delete_keys=true`.
pub(super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let home = request.organization(api, by).await?;
    api.domain.may(by, &home, MANAGE_PROJECTS).await?;
    let query = request.query()?;
    let with_keys = place::flag(&query, "delete_keys")?;
    query.done();
    api.domain.delete_project(by, &home, &id(request), with_keys).await?;
    Ok(json(StatusCode::OK, ocore::message("The project is deleted.")))
}

fn id(request: &Request<'_>) -> ProjectId {
    request.parameters.named("projectId").into()
}
