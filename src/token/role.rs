//! What a member of an organization may do: by a built-in role, or by one that the organization made.

use super::{Permissions, Role};
use std::sync::Arc;

/// A role that an organization made for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRole {
    /// Opaque id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its holders may do.
    pub permissions: Permissions,
}

/// A member's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRole {
    /// A built-in one.
    System(Role),
    /// One that the organization made.
    Custom(Arc<CustomRole>),
}

impl MemberRole {
    /// The built-in role, if it is one.
    pub fn system(&self) -> Option<Role> {
        match self {
            Self::System(role) => Some(*role),
            Self::Custom(_) => None,
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Self::System(role) => role.as_str(),
            Self::Custom(role) => &role.name,
        }
    }

    /// What its holders may do.
    pub fn permissions(&self) -> Permissions {
        match self {
            Self::System(role) => role.permissions(),
            Self::Custom(role) => role.permissions.clone(),
        }
    }
}

impl From<Role> for MemberRole {
    fn from(role: Role) -> Self {
        Self::System(role)
    }
}
