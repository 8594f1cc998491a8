//! People and their organizations.

use crate::store::Membership;
use crate::token::{OrganizationId, Role, Secret, UserId};

/// A person with their places in organizations.
#[derive(Clone, Debug)]
pub struct Member {
    /// Opaque id.
    pub id: UserId,
    /// As they wrote it.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// False blocks the person everywhere.
    pub active: bool,
    /// Whether their logins take a second factor.
    pub totp_enabled: bool,
    /// Whether they look after the whole server; the first owner does.
    pub server_admin: bool,
    /// The organizations the person belongs to.
    pub memberships: Vec<Membership>,
}

/// What a login is checked against.
#[derive(Clone, Debug)]
pub struct Account {
    /// Opaque id.
    pub id: UserId,
    /// As they wrote it.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// False blocks the person everywhere.
    pub active: bool,
    /// Argon2id in PHC form; `None` when no password was ever set.
    pub password: Option<Secret>,
}

/// What became of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The ids that they had, which stay.
    pub ids: Vec<String>,
    /// How many rows were altered or removed.
    pub rows: u64,
}

/// A person to be made.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Opaque id.
    pub id: UserId,
    /// As they write it; whatever its case, one person has it.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// Argon2id in PHC form.
    pub password: Secret,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// A person to be made, with their place in an organization.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// The person.
    pub person: NewPerson,
    /// The organization.
    pub organization: OrganizationId,
    /// Their role in it.
    pub role: Role,
}

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Opaque id.
    pub id: OrganizationId,
    /// The name in `X-Org-Slug`.
    pub slug: String,
    /// What people call it.
    pub name: String,
}
