//! The audit log: who did what, when, from where, and what it was before and after.

use crate::token::OrganizationId;
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;

/// What kind of somebody did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person.
    User,
    /// A key.
    Key,
    /// Whoever has the configuration file and the store: somebody at the terminal.
    Operator,
    /// Nobody who is known.
    Anonymous,
    /// The gateway itself.
    System,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::User, Self::Key, Self::Operator, Self::Anonymous, Self::System];

    /// The name used in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Operator => "operator",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }
}

/// One thing that was done. Never with a secret in it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The organization that it concerns, where it is one.
    pub organization: Option<OrganizationId>,
    /// What kind of somebody did it.
    pub actor_kind: ActorKind,
    /// Their id.
    pub actor: Option<String>,
    /// What they were called then.
    pub actor_name: Option<String>,
    /// What was done, as `entity.verb`.
    pub action: Cow<'static, str>,
    /// The id of what it was done to.
    pub entity: String,
    /// What that was called then.
    pub entity_name: Option<String>,
    /// Where from.
    pub address: Option<IpAddr>,
    /// The client, as it calls itself.
    pub user_agent: Option<String>,
    /// The `X-Request-Id` of the answer.
    pub request_id: Option<String>,
    /// What it was before; `None` when it was not.
    pub before: Option<Value>,
    /// What it was after; `None` when it was gone.
    pub after: Option<Value>,
}

/// One entry as it was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its place in the log; grows.
    pub sequence: u64,
    /// What was written.
    pub entry: AuditEntry,
}

/// Which entries to read. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this organization.
    pub organization: Option<OrganizationId>,
    /// What was done, as `entity.verb`.
    pub action: Option<String>,
    /// What kind of thing it was done to: what stands before the dot of an action.
    pub kind: Option<String>,
    /// The id of what it was done to.
    pub entity: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// Then or later, milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Before then, milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Older than this one.
    pub before_sequence: Option<u64>,
    /// How many come before those to read.
    pub offset: u64,
    /// How many at most.
    pub limit: u32,
}
