//! oCore: the `{"error":{"code","message","details"}}` envelope, and what its endpoints answer.

mod directory;

pub use directory::{
    organization, organizations, own_organizations, password_reset, people, person, project, projects,
};

use super::time::iso;
use super::{Fault, cursor};
use crate::store::Membership;
use crate::store::management::{
    Invitation, Member, OrganizationMember, OrganizationRole, Position, Session, Token,
};
use crate::token::jwt::Issued;
use crate::token::{MemberRole, OrganizationId, Role, Secret};
use http::StatusCode;
use serde_json::{Value, json};

pub(super) fn envelope(fault: &Fault<'_>) -> String {
    let details = match fault.field {
        Some((field, constraint)) => json!({ "field": field, "constraint": constraint }),
        None => json!({}),
    };
    json!({ "error": { "code": code(fault.status), "message": fault.message, "details": details } })
        .to_string()
}

fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 415 | 417 => "validation_error",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        409 => "conflict",
        413 => "payload_too_large",
        414 => "uri_too_long",
        422 => "unprocessable_entity",
        429 => "rate_limit_exceeded",
        431 => "header_fields_too_large",
        501 => "not_implemented",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        505 => "http_version_not_supported",
        400..=499 => "bad_request",
        _ => "internal_error",
    }
}

/// `{"message"}`, of what has nothing else to say.
pub fn message(text: &str) -> String {
    json!({ "message": text }).to_string()
}

/// The answer of a login and of a refresh.
pub fn session(person: &Member, access: &Issued, refresh: &Issued) -> String {
    json!({
        "user": user(person),
        "accessToken": access.token.expose(),
        "refreshToken": refresh.token.expose(),
        "tokenType": "Bearer",
        "expiresIn": access.expires_in,
    })
    .to_string()
}

/// The same for a browser that keeps the tokens in cookies.
pub fn kept_session(person: &Member, access: &Issued) -> String {
    json!({ "user": user(person), "expiresIn": access.expires_in }).to_string()
}

/// The answer of a login whose second factor is asked for.
pub fn partial(token: &Secret) -> String {
    json!({ "partialToken": token.expose(), "requiresTOTP": true }).to_string()
}

/// What an authenticator is set up with; shown once.
pub fn enrolment(secret: &Secret, url: &Secret) -> String {
    json!({ "secret": secret.expose(), "otpauthUrl": url.expose() }).to_string()
}

/// Codes for who has lost the authenticator; shown once.
pub fn recovery_codes(codes: &[Secret]) -> String {
    json!({ "recoveryCodes": codes.iter().map(Secret::expose).collect::<Vec<_>>() }).to_string()
}

/// Who asks, and where they belong.
pub fn me(person: &Member) -> String {
    let place = |place: &Membership| {
        json!({
            "id": place.organization.as_str(),
            "slug": place.slug,
            "role": place.role.name(),
            "permissions": place.role.permissions().iter().collect::<Vec<_>>(),
        })
    };
    let places: Vec<Value> = person.memberships.iter().map(place).collect();
    json!({ "user": user(person), "isServerAdmin": person.server_admin, "organizations": places }).to_string()
}

/// The sessions of who asks; `present` is the one that they ask by.
pub fn sessions(sessions: &[Session], present: Option<&str>) -> String {
    let record = |session: &Session| {
        json!({
            "id": session.id,
            "createdAt": iso(session.created_ms),
            "expiresAt": iso(session.expires_ms),
            "ipAddress": session.address.map(|address| address.to_string()),
            "userAgent": session.user_agent,
            "current": present == Some(session.id.as_str()),
        })
    };
    list(sessions.iter().map(record).collect(), None)
}

fn user(person: &Member) -> Value {
    json!({
        "id": person.id.as_str(),
        "email": person.email,
        "name": person.name,
        "totpEnabled": person.totp_enabled,
    })
}

/// One API key. With its value, where it was made with this answer: then, and never again.
pub fn api_key(key: &Token, value: Option<&Secret>) -> String {
    let mut record = api_key_record(key);
    if let Some(value) = value {
        record["key"] = value.expose().into();
    }
    record.to_string()
}

/// A part of a list of API keys.
pub fn api_keys(keys: &[Token], next: Option<&Position>) -> String {
    list(keys.iter().map(api_key_record).collect(), next)
}

/// API keys of every organization, each with its own.
pub fn api_keys_of_all(keys: &[Token], next: Option<&Position>) -> String {
    let record = |key: &Token| {
        let mut record = api_key_record(key);
        record["organizationId"] = key.organization.as_str().into();
        record
    };
    list(keys.iter().map(record).collect(), next)
}

fn api_key_record(key: &Token) -> Value {
    let mut record = json!({
        "id": &*key.id.text(),
        "name": key.name,
        "prefix": key.prefix,
        "permissions": key.permissions.iter().collect::<Vec<_>>(),
        "scope": key.scopes.first(),
        "isActive": key.active,
        "createdBy": key.created_by.as_ref().map(|id| id.as_str()),
        "createdAt": iso(key.created_ms),
        "expiresAt": key.expires_ms.map(iso),
        "lastUsedAt": key.last_used_ms.map(iso),
    });
    for (name, value) in &key.extras {
        record[name] = value.clone();
    }
    record
}

/// `next_cursor` is there on the last page too, and null.
pub(super) fn list(data: Vec<Value>, next: Option<&Position>) -> String {
    json!({ "data": data, "next_cursor": next.map(cursor::text), "has_more": next.is_some() }).to_string()
}

/// The answer to who has made an account.
pub fn signed_up(person: &Member) -> String {
    json!({ "user": user(person) }).to_string()
}

/// The answer to who has joined an organization.
pub fn joined(organization: &OrganizationId) -> String {
    json!({ "organizationId": organization.as_str() }).to_string()
}

/// A part of a list of members.
pub fn members(members: &[OrganizationMember], next: Option<&Position>) -> String {
    list(members.iter().map(member).collect(), next)
}

/// One member.
pub fn member(member: &OrganizationMember) -> Value {
    json!({
        "id": member.id.as_str(),
        "email": member.email,
        "name": member.name,
        "isActive": member.active,
        "role": role_of(&member.role),
    })
}

/// A built-in role is its own id.
pub(super) fn role_of(role: &MemberRole) -> Value {
    let id = match role {
        MemberRole::System(role) => role.as_str(),
        MemberRole::Custom(role) => &role.id,
    };
    json!({ "id": id, "name": role.name() })
}

/// An organization's roles: the built-in ones, then its own.
pub fn roles(own: &[OrganizationRole]) -> String {
    let built_in = |role: Role| {
        json!({
            "id": role.as_str(),
            "name": role.as_str(),
            "description": null,
            "permissions": role.permissions().iter().collect::<Vec<_>>(),
            "isSystem": true,
        })
    };
    list(Role::ALL.into_iter().map(built_in).chain(own.iter().map(role)).collect(), None)
}

/// One role that an organization made.
pub fn role(role: &OrganizationRole) -> Value {
    json!({
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions.iter().collect::<Vec<_>>(),
        "isSystem": false,
        "createdAt": iso(role.created_ms),
        "updatedAt": iso(role.updated_ms),
    })
}

/// The permissions that there are.
pub fn permissions<'a>(names: impl Iterator<Item = &'a str>) -> String {
    list(names.map(Value::from).collect(), None)
}

/// A part of a list of invitations.
pub fn invitations(invitations: &[Invitation], next: Option<&Position>) -> String {
    list(invitations.iter().map(|it| invitation(it, None)).collect(), next)
}

/// One invitation. With its token, where it was made with this answer: then, and never again.
pub fn invitation(invitation: &Invitation, token: Option<&Secret>) -> Value {
    let mut record = json!({
        "id": invitation.id,
        "email": invitation.email,
        "role": role_of(&invitation.role),
        "createdBy": invitation.created_by.as_ref().map(|id| id.as_str()),
        "createdAt": iso(invitation.created_ms),
        "expiresAt": iso(invitation.expires_ms),
    });
    if let Some(token) = token {
        record["token"] = token.expose().into();
        // A fragment is not sent to servers, and so in none of their logs.
        record["link"] = format!("/invite#{}", token.expose()).into();
    }
    record
}
