//! Keys as people see them.

use crate::token::{KeyFamily, OrganizationId, Permissions, ProjectId, Reach, TokenId, UserId};
use ipnet::IpNet;
use serde_json::{Map, Value};

/// One key, with everything that people set and see. Its value is nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id; survives regeneration.
    pub id: TokenId,
    /// Which family of keys it belongs to.
    pub family: KeyFamily,
    /// What people call it.
    pub name: String,
    /// What people say about it; `None` when nothing was said.
    pub description: Option<String>,
    /// Its organization.
    pub organization: OrganizationId,
    /// All projects, or one.
    pub reach: Reach,
    /// As granted, in order; what of it counts may be less.
    pub permissions: Permissions,
    /// As granted, in order.
    pub scopes: Vec<Box<str>>,
    /// Instant of expiry, milliseconds since 1970; `None` never.
    pub expires_ms: Option<u64>,
    /// The life that it was last given, in milliseconds; `None` when that is not known.
    pub lifetime_ms: Option<u64>,
    /// False blocks it, whatever else holds.
    pub active: bool,
    /// Addresses it may be used from; empty means any.
    pub addresses: Vec<IpNet>,
    /// The first characters of its value, too few to be of use to anybody; `None` when they are not known.
    pub prefix: Option<String>,
    /// What came with it for another part of its system (oCore's `mcp…`): kept as it came, and given back.
    pub extras: Map<String, Value>,
    /// Who made it; `None` for the operator.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub updated_ms: u64,
    /// Uses, as far as flushed.
    pub usage_count: u64,
    /// Latest use, milliseconds since 1970; `None` never.
    pub last_used_ms: Option<u64>,
    /// Grows with each write.
    pub revision: u64,
}

/// Which keys to list. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct TokenFilter {
    /// Of this organization.
    pub organization: Option<OrganizationId>,
    /// Of this family.
    pub family: Option<KeyFamily>,
    /// Made by this person.
    pub created_by: Option<UserId>,
    /// With one project (true), or with all of them (false).
    pub one_project: Option<bool>,
    /// Active or not; an expired key may be active.
    pub active: Option<bool>,
    /// Bound to this project.
    pub project: Option<ProjectId>,
    /// With this text in their name or description, whatever its case.
    pub search: Option<String>,
    /// After this place of the list, which is in the order of making then.
    pub after: Option<Position>,
    /// How the list is sorted.
    pub order: TokenOrder,
}

/// How a list of keys is sorted: by one of these, and where it is the same, in the order of making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenOrder {
    /// By what.
    pub by: TokenSort,
    /// The greatest first.
    pub descending: bool,
}

/// What keys are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenSort {
    /// When they were made.
    #[default]
    Made,
    /// Their name, whatever its case, as the database sorts texts.
    Name,
    /// When they are over; never is later than any time.
    Expiry,
    /// When they were last used, as far as flushed; never is earlier than any time.
    LastUse,
    /// Their uses, as far as flushed.
    Uses,
}

/// A place in a list that is in the order of making. It stays where it is, whatever is added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When what stands there was made, milliseconds since 1970.
    pub created_ms: u64,
    /// The id of what stands there.
    pub id: String,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many come before it.
    pub offset: u64,
    /// How many are in it at most.
    pub limit: u32,
}

/// A part of a list of keys.
#[derive(Clone, Debug)]
pub struct TokenPage {
    /// The keys of the part.
    pub tokens: Vec<Token>,
    /// How many the whole list has, from the place on that was asked for.
    pub total: u64,
}
