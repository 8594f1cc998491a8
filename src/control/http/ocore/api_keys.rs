//! `/api/api-keys` and `/api/admin/api-keys`.

use super::super::body::Members;
use super::super::operations;
use super::super::{Api, Request, json};
use super::{Outcome, place};
use crate::control::domain::{ApiKeyPatch, By, InForce, MANAGE_API_KEYS, NewApiKey};
use crate::dialect::ocore;
use crate::token::TokenId;
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

/// What the names of members begin with that mean something to another part of oCore, and nothing here.
const EXTRAS: &str = "mcp";
const DELETED: &str = "The API key is deleted.";

pub(super) async fn create(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    // Before anything is said about the body: who may not create learns nothing of the rules' outcome.
    api.domain.may(by, &organization, MANAGE_API_KEYS).await?;
    let mut members = Members::read(request.call)?;
    let (name, permissions) = (members.text("name"), members.texts("permissions"));
    let (scope, expires_at) = (members.optional_text("scope"), members.optional_text("expiresAt"));
    let extras = members.beginning(EXTRAS);
    members.done()?;
    let wanted = NewApiKey {
        name: name.unwrap_or_default(),
        permissions: permissions.unwrap_or_default(),
        scope,
        expires_at,
        extras,
    };
    let made = api.domain.create_api_key(by, &organization, wanted).await?;
    Ok(json(StatusCode::CREATED, ocore::api_key(&made.token, Some(&made.value))))
}

pub(super) async fn list(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let part = place::only_part(request)?;
    let part = api.domain.api_keys(by, &organization, part).await?;
    Ok(json(StatusCode::OK, ocore::api_keys(&part.items, part.next.as_ref())))
}

pub(super) async fn show(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let key = api.domain.api_key(by, &organization, &id(request)).await?;
    Ok(json(StatusCode::OK, ocore::api_key(&key, None)))
}

pub(super) async fn update(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    api.domain.may(by, &organization, MANAGE_API_KEYS).await?;
    let mut members = Members::read(request.call)?;
    let patch = ApiKeyPatch {
        name: members.given_text("name"),
        permissions: members.given_texts("permissions"),
        scope: members.nullable_text("scope"),
        expires_at: members.nullable_text("expiresAt"),
        extras: members.beginning(EXTRAS),
        active: members.given_flag("isActive"),
    };
    members.done()?;
    let altered = api.domain.update_api_key(by, &organization, &id(request), patch).await?;
    Ok(answer(altered, |key| ocore::api_key(&key, None)))
}

pub(super) async fn delete(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let organization = request.organization(api, by).await?;
    let deleted = api.domain.delete_api_key(by, &organization, &id(request)).await?;
    Ok(answer(deleted, |()| ocore::message(DELETED)))
}

pub(super) async fn list_all(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let query = request.query()?;
    let part = place::part(&query)?;
    let page = place::number(&query, "page", 1)?;
    let skip = (page - 1).saturating_mul(part.limit.into());
    let search = query.given("search").map(str::to_owned);
    query.done();
    let part = api.domain.all_api_keys(by, part, skip, search).await?;
    Ok(json(StatusCode::OK, ocore::api_keys_of_all(&part.items, part.next.as_ref())))
}

pub(super) async fn delete_any(api: &Api, request: &Request<'_>, by: &By) -> Outcome {
    let deleted = api.domain.delete_any_api_key(by, &id(request)).await?;
    Ok(answer(deleted, |()| ocore::message(DELETED)))
}

/// 200 with what was altered; 202 with an operation, as long as it is not in force on every node.
fn answer<T>(altered: InForce<T>, body: impl FnOnce(T) -> String) -> Response<Bytes> {
    match altered {
        InForce::Everywhere(altered) => json(StatusCode::OK, body(altered)),
        InForce::Soon(operation) => {
            let mut response = operations::accepted(&operation);
            let location = format!("/api/operations/{}", operation.id);
            response.headers_mut().extend(HeaderValue::try_from(location).ok().map(|it| (LOCATION, it)));
            response
        }
    }
}

fn id(request: &Request<'_>) -> TokenId {
    request.parameters.named("keyId").into()
}
