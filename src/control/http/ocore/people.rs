//! `/api/admin/users`: everybody, for the server's admins. A person is named by their id or e-mail address.

use super::super::body::Members;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{By, DomainError, NewUser, PersonPatch, Violation};
use crate::dialect::ocore;
use crate::token::{Role, Secret};
use http::StatusCode;

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.server_admin(by).await?;
    let query = request.query()?;
    let (part, search) = (place::part(&query)?, query.given("search").map(str::to_owned));
    query.done();
    let part = api.domain.everybody(by, part, search.as_deref()).await?;
    Ok(json(StatusCode::OK, ocore::people(&part.items, part.next.as_ref())))
}

/// Into an organization with a role, or belonging nowhere yet.
pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.server_admin(by).await?;
    let mut members = Members::read(request.call)?;
    let (email, name) = (members.text("email"), members.optional_text("name"));
    let password = members.text("password").map(Secret::new);
    let (organization, role) = (members.optional_text("organization"), members.optional_text("role"));
    members.done()?;
    let email = email.unwrap_or_default();
    let user = NewUser {
        name: name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned()),
        email,
        password: password.unwrap_or_else(|| Secret::from("")),
    };
    let id = match organization {
        Some(named) => {
            let role = role.as_deref().map_or(Some(Role::Viewer), Role::from_name);
            let known = || Violation::new("role", "known", "role must be owner, admin, developer or viewer");
            let role = role.ok_or_else(known).map_err(DomainError::from)?;
            let organization = api.domain.organization_named(by, &named).await?;
            api.domain.create_user(by, &organization, role, user).await?
        }
        None if role.is_some() => {
            let message = "a role is one in an organization: name it as well";
            return Err(DomainError::from(Violation::new("organization", "required", message)).into());
        }
        None => api.domain.create_person(by, user).await?,
    };
    let person = api.domain.anybody(by, id.as_str()).await?;
    Ok(json(StatusCode::CREATED, ocore::person(&person).to_string()))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let person = api.domain.anybody(by, named(request)).await?;
    Ok(json(StatusCode::OK, ocore::person(&person).to_string()))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.server_admin(by).await?;
    let mut members = Members::read(request.call)?;
    let patch = PersonPatch {
        name: members.given_text("name"),
        active: members.given_flag("isActive"),
        server_admin: members.given_flag("isServerAdmin"),
    };
    members.done()?;
    let person = api.domain.update_person(by, named(request), patch).await?;
    Ok(json(StatusCode::OK, ocore::person(&person).to_string()))
}

pub(super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.delete_person(by, named(request)).await?;
    Ok(json(StatusCode::OK, ocore::message("The person is deleted.")))
}

pub(super) async fn issue_password_reset(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let person = api.domain.anybody(by, named(request)).await?;
    let (token, expires_ms) = api.domain.issue_password_reset(by, &person.member.email).await?;
    Ok(json(StatusCode::CREATED, ocore::password_reset(&token, expires_ms)))
}

fn named<'r>(request: &'r Request<'_>) -> &'r str {
    request.parameters.named("userId")
}
