//! Permissions: free-form strings, with one rule for the `view:`/`manage:` kind: manage includes view.

use std::sync::Arc;

/// An ordered list of permission strings, as granted.
///
/// `view:x` is held by who has `view:x`, `manage:x`, `view:*` or `manage:*`; `manage:x` by who has
/// `manage:x` or `manage:*`; any other string only by who has that very string.
///
/// Cloning shares the list: a million keys have few different ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(Arc<[Box<str>]>);

impl Permissions {
    /// The strings in the order given.
    pub fn new(list: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self(list.into_iter().map(Into::into).collect())
    }

    /// Whether `wanted` is held.
    pub fn allow(&self, wanted: &str) -> bool {
        self.0.iter().any(|held| covers(held, wanted))
    }

    /// The strings of this list that `other` allows too: what a key keeps of what its creator's role still has.
    #[must_use]
    pub fn within(&self, other: &Permissions) -> Self {
        let mut kept = Vec::new();
        for held in self.0.iter() {
            if other.allow(held) {
                kept.push(held.clone());
            } else if let Some(resource) = held.strip_prefix("manage:")
                && other.allow(&format!("view:{resource}"))
            {
                // The creator may still view what the key could manage: the key keeps that much.
                kept.push(format!("view:{resource}").into());
            }
        }
        Self(kept.into())
    }

    /// The strings, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn covers(held: &str, wanted: &str) -> bool {
    if held == wanted {
        return true;
    }
    match (held.split_once(':'), wanted.split_once(':')) {
        (Some(("manage", held)), Some(("view" | "manage", wanted))) => held == "*" || held == wanted,
        (Some(("view", "*")), Some(("view", _))) => true,
        _ => false,
    }
}

/// What the permissions of organizations are about: `view:` and `manage:` of each, or of `*` for all of them.
pub const RESOURCES: [&str; 18] = [
    "api-keys",
    "audit-logs",
    "backups",
    "deployments",
    "domains",
    "environments",
    "instances",
    "invitations",
    "members",
    "metrics",
    "operations",
    "organization",
    "projects",
    "roles",
    "servers",
    "settings",
    "usage",
    "webhooks",
];

/// The built-in roles of an organization's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, the organization itself included.
    Owner,
    /// Everything but the organization's deletion.
    Admin,
    /// Sees everything; changes servers, instances, projects and what runs in them.
    Developer,
    /// Sees everything.
    Viewer,
}

impl Role {
    /// Every role, highest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Developer, Self::Viewer];

    /// The lowercase name used in fixtures and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name, in lowercase.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What its holders may do.
    pub fn permissions(self) -> Permissions {
        const DEVELOPER: [&str; 8] = [
            "view:*",
            "manage:servers",
            "manage:instances",
            "manage:projects",
            "manage:deployments",
            "manage:environments",
            "manage:domains",
            "manage:backups",
        ];
        match self {
            Self::Owner | Self::Admin => Permissions::new(["manage:*"]),
            Self::Developer => Permissions::new(DEVELOPER),
            Self::Viewer => Permissions::new(["view:*"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manage_includes_view_and_nothing_else_does() {
        let manager = Permissions::new(["manage:servers"]);
        assert!(manager.allow("view:servers") && manager.allow("manage:servers"));
        assert!(!manager.allow("view:instances") && !manager.allow("manage:instances"));
        assert!(!Permissions::new(["view:servers"]).allow("manage:servers"));
    }

    #[test]
    fn other_strings_are_compared_whole() {
        let free = Permissions::new(["banana", "อ่าน", "two words"]);
        assert!(free.allow("banana") && free.allow("อ่าน") && free.allow("two words"));
        assert!(!free.allow("Banana") && !free.allow("ban"));
    }

    #[test]
    fn a_key_keeps_no_more_than_its_creator_has() {
        let key = Permissions::new(["manage:servers", "manage:roles", "view:members"]);
        let kept = key.within(&Role::Developer.permissions());
        assert_eq!(kept, Permissions::new(["manage:servers", "view:roles", "view:members"]));
    }
}
