//! An organization's members, its own roles, and the invitations into it.

use super::NewPerson;
use crate::token::{Digest, MemberRole, OrganizationId, Permissions, Role, UserId};

/// A person of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationMember {
    /// Who.
    pub id: UserId,
    /// As they wrote it.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// False blocks the person everywhere.
    pub active: bool,
    /// Their role in the organization.
    pub role: MemberRole,
    /// When the person was made, milliseconds since 1970.
    pub created_ms: u64,
}

/// A role by its name: what a member gets, whatever it grants at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// A built-in one.
    System(Role),
    /// One that the organization made, by its id.
    Custom(String),
}

impl From<&MemberRole> for RoleName {
    fn from(role: &MemberRole) -> Self {
        match role {
            MemberRole::System(role) => Self::System(*role),
            MemberRole::Custom(role) => Self::Custom(role.id.clone()),
        }
    }
}

/// A role that an organization made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRole {
    /// Opaque id.
    pub id: String,
    /// Its organization.
    pub organization: OrganizationId,
    /// What people call it; no other role of the organization has it.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// What its holders may do.
    pub permissions: Permissions,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub updated_ms: u64,
}

/// An invitation into an organization. Its token is nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Opaque id.
    pub id: String,
    /// Where to.
    pub organization: OrganizationId,
    /// For whoever has this address; `None` for whoever has the link.
    pub email: Option<String>,
    /// The role that comes with it.
    pub role: MemberRole,
    /// Who invites; `None` for the operator.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// From then on it is good no more; milliseconds since 1970.
    pub expires_ms: u64,
}

/// Who takes an invitation up.
#[derive(Clone, Debug)]
pub enum Invited {
    /// Somebody who is known.
    Person(UserId),
    /// Somebody who is made with it.
    New(NewPerson),
}

/// An invitation taken up.
#[derive(Clone, Debug)]
pub struct Joining {
    /// What is kept of its token.
    pub value: Digest,
    /// By whom.
    pub who: Invited,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}
