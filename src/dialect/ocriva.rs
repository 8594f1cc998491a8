//! Ocriva: the `{"statusCode","message","error"}` envelope, the login answer and the project list.

use super::time::iso_millis;
use super::{Fault, reason};
use crate::store::{Organization, Project, TokenRecord};
use serde_json::{Map, Value, json};

pub(super) fn envelope(fault: &Fault<'_>) -> String {
    json!({ "statusCode": fault.status.as_u16(), "message": fault.message, "error": reason(fault.status) })
        .to_string()
}

/// The answer of `POST /v1/openapi/auth/login`. `expires_in` is in seconds.
pub fn login(access_token: &str, expires_in: u64, token: &TokenRecord) -> String {
    json!({
        "accessToken": access_token,
        "expiresIn": expires_in,
        "tokenType": "Bearer",
        "tokenInfo": token_info(token),
    })
    .to_string()
}

/// What a login tells about the key: never its value, never its digest.
fn token_info(token: &TokenRecord) -> Value {
    json!({
        "id": token.id.as_str(),
        "name": &*token.name,
        "type": token.terms.reach.as_str(),
        "organizationId": token.terms.organization.as_str(),
        "projectId": token.terms.reach.project().map(|id| id.as_str()),
        "permissions": token.terms.permissions.iter().collect::<Vec<_>>(),
        "scopes": token.terms.scopes.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "expiresAt": token.expires_ms.map(iso_millis),
    })
}

/// The bare array of `GET /v1/openapi/projects`.
pub fn projects<'a>(organization: &Organization, projects: impl Iterator<Item = &'a Project>) -> String {
    Value::Array(projects.map(|project| element(organization, project)).collect()).to_string()
}

fn element(organization: &Organization, project: &Project) -> Value {
    let mut element = Map::new();
    element.insert("id".into(), project.id.as_str().into());
    element.insert("name".into(), project.name.as_str().into());
    element.insert("description".into(), project.description.as_deref().into());
    element.insert("organizationId".into(), organization.id.as_str().into());
    element.insert("isActive".into(), project.active.into());
    element.insert("createdAt".into(), iso_millis(project.created_ms).into());
    element.insert("updatedAt".into(), iso_millis(project.updated_ms).into());
    Value::Object(element)
}
