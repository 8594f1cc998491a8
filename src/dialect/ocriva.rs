//! Ocriva: the `{"statusCode","message","error"}` envelope, what logins answer, projects and keys.

use super::time::iso_millis;
use super::{Fault, reason};
use crate::store::cache::Held;
use crate::store::import::network_text;
use crate::store::management::{Member, Token};
use crate::store::{Organization, Project};
use crate::token::Secret;
use http::StatusCode;
use serde_json::{Map, Value, json};

pub(super) fn envelope(fault: &Fault<'_>) -> String {
    envelope_of(fault.status, fault.message.into())
}

/// `message` is one string, or several where several fields are wrong.
pub(super) fn envelope_of(status: StatusCode, message: Value) -> String {
    json!({ "statusCode": status.as_u16(), "message": message, "error": reason(status) }).to_string()
}

/// The answer of `POST /v1/openapi/auth/login`. `expires_in` is in seconds, `name` the key's.
pub fn login(access_token: &str, expires_in: u64, token: &Held, name: &str) -> String {
    json!({
        "accessToken": access_token,
        "expiresIn": expires_in,
        "tokenType": "Bearer",
        "tokenInfo": token_info(token, name),
    })
    .to_string()
}

/// What a login tells about the key: never its value, never its digest.
fn token_info(token: &Held, name: &str) -> Value {
    json!({
        "id": &*token.id.text(),
        "name": name,
        "type": token.terms.reach.as_str(),
        "organizationId": token.terms.organization.as_str(),
        "projectId": token.terms.reach.project().map(|id| id.as_str()),
        "permissions": token.terms.permissions.iter().collect::<Vec<_>>(),
        "scopes": token.terms.scopes.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "expiresAt": token.expires_ms().map(iso_millis),
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

/// One key. With its value, where it was made with this answer: then, and never again.
pub fn token(token: &Token, value: Option<&Secret>) -> String {
    let mut record = record(token);
    if let Some(value) = value {
        record.insert("token".into(), value.expose().into());
    }
    Value::Object(record).to_string()
}

/// A page of keys; pages are counted from 1.
pub fn tokens(tokens: &[Token], page: u64, limit: u32, total: u64) -> String {
    let data: Vec<Value> = tokens.iter().map(|token| Value::Object(record(token))).collect();
    let pages = total.div_ceil(u64::from(limit.max(1)));
    let pagination = json!({ "page": page, "limit": limit, "total": total, "pages": pages });
    json!({ "data": data, "pagination": pagination }).to_string()
}

fn record(token: &Token) -> Map<String, Value> {
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("id", (&*token.id.text()).into());
    put("name", token.name.as_str().into());
    put("description", token.description.as_deref().into());
    put("type", token.reach.as_str().into());
    put("organizationId", token.organization.as_str().into());
    put("projectId", token.reach.project().map(|id| id.as_str()).into());
    put("permissions", token.permissions.iter().collect());
    put("scopes", token.scopes.iter().map(AsRef::<str>::as_ref).collect());
    put("expiresAt", token.expires_ms.map(iso_millis).into());
    put("isActive", token.active.into());
    put("ipWhitelist", token.addresses.iter().map(network_text).collect());
    put("usageCount", token.usage_count.into());
    put("lastUsedAt", token.last_used_ms.map(iso_millis).into());
    put("tokenPrefix", token.prefix.as_deref().into());
    put("createdBy", token.created_by.as_ref().map(|id| id.as_str()).into());
    put("createdAt", iso_millis(token.created_ms).into());
    put("updatedAt", iso_millis(token.updated_ms).into());
    record
}

/// The answer of `POST /v1/auth/login`. `expires_in` is in seconds.
pub fn session(access_token: &Secret, expires_in: u64, person: &Member) -> String {
    json!({
        "accessToken": access_token.expose(),
        "expiresIn": expires_in,
        "tokenType": "Bearer",
        "user": { "id": person.id.as_str(), "email": person.email, "name": person.name },
    })
    .to_string()
}
