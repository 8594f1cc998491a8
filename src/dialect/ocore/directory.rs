//! Organizations, projects, and people as the server's admins see them.

use super::{list, role_of};
use crate::dialect::time::iso;
use crate::store::management::{OrganizationRecord, PersonRecord, Position};
use crate::store::{Membership, Project};
use crate::token::{MemberRole, OrganizationId, Secret};
use serde_json::{Value, json};

/// One organization.
pub fn organization(record: &OrganizationRecord) -> Value {
    json!({
        "id": record.id.as_str(),
        "slug": record.slug,
        "name": record.name,
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.updated_ms),
    })
}

/// A part of a list of organizations.
pub fn organizations(records: &[OrganizationRecord], next: Option<&Position>) -> String {
    list(records.iter().map(organization).collect(), next)
}

/// A part of the list of organizations that somebody belongs to.
pub fn own_organizations(records: &[(OrganizationRecord, MemberRole)], next: Option<&Position>) -> String {
    let own = |(record, role): &(OrganizationRecord, MemberRole)| {
        let mut value = organization(record);
        value["role"] = role_of(role);
        value
    };
    list(records.iter().map(own).collect(), next)
}

/// One project.
pub fn project(home: &OrganizationId, project: &Project) -> Value {
    json!({
        "id": project.id.as_str(),
        "name": project.name,
        "description": project.description,
        "organizationId": home.as_str(),
        "isActive": project.active,
        "createdAt": iso(project.created_ms),
        "updatedAt": iso(project.updated_ms),
    })
}

/// A part of a list of projects.
pub fn projects(home: &OrganizationId, projects: &[Project], next: Option<&Position>) -> String {
    list(projects.iter().map(|it| project(home, it)).collect(), next)
}

/// One person.
pub fn person(record: &PersonRecord) -> Value {
    let member = &record.member;
    let place = |place: &Membership| json!({ "id": place.organization.as_str(), "slug": place.slug, "role": role_of(&place.role) });
    json!({
        "id": member.id.as_str(),
        "email": member.email,
        "name": member.name,
        "isActive": member.active,
        "isServerAdmin": member.server_admin,
        "totpEnabled": member.totp_enabled,
        "organizations": member.memberships.iter().map(place).collect::<Vec<_>>(),
        "createdAt": iso(record.created_ms),
    })
}

/// A part of a list of people.
pub fn people(records: &[PersonRecord], next: Option<&Position>) -> String {
    list(records.iter().map(person).collect(), next)
}

/// A token by which somebody chooses a new password; shown once.
pub fn password_reset(token: &Secret, expires_ms: u64) -> String {
    json!({ "token": token.expose(), "expiresAt": iso(expires_ms) }).to_string()
}
