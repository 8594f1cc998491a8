//! `/api/v1/organizations/{organizationId}/api-tokens` and below.

use super::super::body::Members;
use super::super::query::Query;
use super::super::{Api, Outcome, Request, empty, json};
use crate::control::domain::{
    By, DomainError, ListQuery, Made, NewToken, Place, Regeneration, TokenPatch, Violation,
};
use crate::dialect::ocriva;
use crate::dialect::window::USUAL;
use crate::store::management::{TokenOrder, TokenSort};
use crate::token::{KeyFamily, OrganizationId, ProjectId, TokenId};
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

const FAMILY: KeyFamily = KeyFamily::Ocriva;

pub(in super::super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let bound_to = match request.parameters.named("projectId") {
        "" => None,
        project => Some(ProjectId::from(project)),
    };
    let mut members = Members::read(request.call)?;
    let wanted = new_token(&mut members, bound_to);
    let organization = organization(request);
    // Who may not create is told so, whatever the body.
    if let Err(wrong) = members.done() {
        api.domain.may_create_token(by, &organization).await?;
        return Err(wrong.into());
    }
    let made = api.domain.create_token(by, &organization, FAMILY, wanted).await?;
    let mut response = shown_once(StatusCode::CREATED, &made);
    let location =
        format!("/api/v1/organizations/{}/api-tokens/{}", raw_organization(request), made.token.id);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// A key as the body asks for it. What it says of type and project counts for nothing where the path names the project.
fn new_token(members: &mut Members, bound_to: Option<ProjectId>) -> NewToken {
    let (kind, project) = match bound_to {
        Some(_) => (None, None),
        None => (members.text("type"), members.optional_text("projectId")),
    };
    NewToken {
        name: members.text("name").unwrap_or_default(),
        description: members.optional_text("description"),
        kind,
        project,
        bound_to,
        permissions: members.texts("permissions").unwrap_or_default(),
        scopes: members.texts("scopes").unwrap_or_default(),
        expires_at: members.optional_text("expiresAt"),
        addresses: members.optional_texts("ipWhitelist").unwrap_or_default(),
    }
}

pub(in super::super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let query = request.query()?;
    let asked = list_query(&query)?;
    query.done();
    let organization = organization(request);
    let listed = api.domain.list_tokens(by, &organization, &place(request), asked).await?;
    let body = ocriva::tokens(&listed.tokens, listed.page, listed.limit, listed.total);
    Ok(json(StatusCode::OK, body))
}

pub(in super::super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let token = api.domain.token(by, &place(request), &id(request)).await?;
    Ok(json(StatusCode::OK, ocriva::token(&token, None)))
}

pub(in super::super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let mut members = Members::read(request.call)?;
    let patch = TokenPatch {
        name: members.given_text("name"),
        description: members.nullable_text("description"),
        permissions: members.given_texts("permissions"),
        scopes: members.given_texts("scopes"),
        expires_at: members.given_text("expiresAt"),
        active: members.given_flag("isActive"),
        addresses: members.given_texts("ipWhitelist"),
    };
    if let Err(wrong) = members.done() {
        api.domain.token(by, &place(request), &id(request)).await?;
        return Err(wrong.into());
    }
    let token = api.domain.update_token(by, &place(request), &id(request), patch).await?;
    Ok(json(StatusCode::OK, ocriva::token(&token, None)))
}

pub(in super::super) async fn regenerate(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let mut members = Members::read_if_any(request.call)?;
    let how = Regeneration { expires_at: members.optional_text("expiresAt") };
    if let Err(wrong) = members.done() {
        api.domain.token(by, &place(request), &id(request)).await?;
        return Err(wrong.into());
    }
    let made = api.domain.regenerate_token(by, &place(request), &id(request), how).await?;
    Ok(shown_once(StatusCode::OK, &made))
}

pub(in super::super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    api.domain.delete_token(by, &place(request), &id(request)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn shown_once(status: StatusCode, made: &Made) -> Response<Bytes> {
    json(status, ocriva::token(&made.token, Some(&made.value)))
}

fn organization(request: &Request<'_>) -> OrganizationId {
    request.parameters.named("organizationId").into()
}

/// The organization's segment as it stands in the path.
fn raw_organization<'r>(request: &'r Request<'_>) -> &'r str {
    request.call.path.split('/').filter(|segment| !segment.is_empty()).nth(3).unwrap_or_default()
}

fn place(request: &Request<'_>) -> Place {
    Place { organization: Some(organization(request)), family: Some(FAMILY) }
}

fn id(request: &Request<'_>) -> TokenId {
    request.parameters.named("tokenId").into()
}

/// What of the list is asked for; a filter without a value is none.
fn list_query(query: &Query) -> Result<ListQuery, DomainError> {
    let mut wrong = Vec::new();
    let active = query.given("isActive").map(|value| match value {
        "true" => true,
        other => {
            if other != "false" {
                wrong.push(Violation::new("isActive", "choice", "isActive must be true or false"));
            }
            false
        }
    });
    let mut number = |name: &'static str, usual: u64| match query.named(name).map(str::parse::<u64>) {
        None => usual,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            wrong.push(Violation::new(name, "minimum", format!("{name} must be a whole number from 1")));
            usual
        }
    };
    let (page, limit) = (number("page", 1), number("limit", USUAL.into()));
    let by = query.given("sort").map_or(Some(TokenSort::Made), sort);
    let descending = query.given("order").map_or(Some(false), descending);
    if by.is_none() {
        let message = "sort must be createdAt, name, expiresAt, lastUsedAt or usageCount";
        wrong.push(Violation::new("sort", "choice", message));
    }
    if descending.is_none() {
        wrong.push(Violation::new("order", "choice", "order must be asc or desc"));
    }
    DomainError::unless_none(wrong)?;
    let order = TokenOrder { by: by.unwrap_or_default(), descending: descending.unwrap_or_default() };
    Ok(ListQuery {
        kind: query.given("type").map(str::to_owned),
        active,
        project: query.given("projectId").map(ProjectId::from),
        search: query.given("search").map(str::to_owned),
        page,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        order,
    })
}

fn sort(name: &str) -> Option<TokenSort> {
    match name {
        "createdAt" => Some(TokenSort::Made),
        "name" => Some(TokenSort::Name),
        "expiresAt" => Some(TokenSort::Expiry),
        "lastUsedAt" => Some(TokenSort::LastUse),
        "usageCount" => Some(TokenSort::Uses),
        _ => None,
    }
}

fn descending(order: &str) -> Option<bool> {
    match order {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}
