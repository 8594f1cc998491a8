//! The chapters of the document.

use serde_json::{Value, json};

/// A chapter of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Edge,
    OcrivaLogin,
    OcrivaTokens,
    OcoreSessions,
    OcoreAccount,
    OcoreSecondFactor,
    OcoreApiKeys,
    OcoreMembers,
    OcoreRoles,
    OcoreInvitations,
    OcoreOrganizations,
    OcoreProjects,
    OcorePeople,
    OcrivaWebhooks,
    OcrivaAudit,
    OcrivaOperations,
    OcoreWebhooks,
    OcoreAudit,
    OcoreOperations,
}

impl Tag {
    /// In the order in which they are shown.
    pub(super) const ALL: [Self; 19] = [
        Self::OcrivaLogin,
        Self::OcrivaTokens,
        Self::OcrivaWebhooks,
        Self::OcrivaOperations,
        Self::OcrivaAudit,
        Self::OcoreSessions,
        Self::OcoreAccount,
        Self::OcoreSecondFactor,
        Self::OcoreApiKeys,
        Self::OcoreMembers,
        Self::OcoreRoles,
        Self::OcoreInvitations,
        Self::OcoreOrganizations,
        Self::OcoreProjects,
        Self::OcorePeople,
        Self::OcoreWebhooks,
        Self::OcoreOperations,
        Self::OcoreAudit,
        Self::Edge,
    ];

    /// Its title.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Edge => "Edge: by key",
            Self::OcrivaLogin => "Ocriva: login",
            Self::OcrivaTokens => "Ocriva: keys",
            Self::OcoreSessions => "oCore: sessions",
            Self::OcoreAccount => "oCore: account",
            Self::OcoreSecondFactor => "oCore: second factor",
            Self::OcoreApiKeys => "oCore: API keys",
            Self::OcoreMembers => "oCore: members",
            Self::OcoreRoles => "oCore: roles",
            Self::OcoreInvitations => "oCore: invitations",
            Self::OcoreOrganizations => "oCore: organizations",
            Self::OcoreProjects => "oCore: projects",
            Self::OcorePeople => "oCore: everybody",
            Self::OcrivaWebhooks => "Ocriva: webhooks",
            Self::OcrivaAudit => "Ocriva: audit log",
            Self::OcrivaOperations => "Ocriva: operations",
            Self::OcoreWebhooks => "oCore: webhooks",
            Self::OcoreAudit => "oCore: audit log",
            Self::OcoreOperations => "oCore: operations",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Edge => "What the edge answers who has a key. Not on the admin listener.",
            Self::OcrivaLogin => "A person's session, in the `ocriva` dialect.",
            Self::OcrivaTokens => "Keys of the `ocriva` dialect, managed by people.",
            Self::OcoreSessions => "A person's session, in the `ocore` dialect.",
            Self::OcoreAccount => "What people do with their own account.",
            Self::OcoreSecondFactor => "Codes of an authenticator (RFC 6238), asked for after the password.",
            Self::OcoreApiKeys => "Keys of the `ocore` dialect, managed by people.",
            Self::OcoreMembers => "The people of an organization.",
            Self::OcoreRoles => "What the people of an organization may do.",
            Self::OcoreInvitations => "How people get into an organization.",
            Self::OcoreOrganizations => "The tenants themselves.",
            Self::OcoreProjects => "What an organization has its keys for.",
            Self::OcorePeople => "Everybody there is, for the server's admins.",
            Self::OcrivaWebhooks | Self::OcoreWebhooks => "Events, sent and signed (Standard Webhooks).",
            Self::OcrivaAudit | Self::OcoreAudit => "Who did what, when and from where.",
            Self::OcrivaOperations | Self::OcoreOperations => "What takes longer than a request.",
        }
    }
}

/// All of them, as the document lists them.
pub(super) fn all() -> Value {
    Tag::ALL.iter().map(|tag| json!({ "name": tag.name(), "description": tag.about() })).collect()
}
