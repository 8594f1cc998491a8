//! Keys: made, listed, read, altered, regenerated, removed.

mod api_keys;
mod decide;
mod facts;
mod read;
mod rotate;
mod rules;
#[cfg(test)]
mod tests;
mod write;

pub use api_keys::{ApiKeyPatch, MANAGE_API_KEYS, NewApiKey};

pub(super) use rules::Rules;

use crate::store::management::{OperationRecord, Position, Token, TokenOrder};
use crate::token::{KeyFamily, OrganizationId, ProjectId, Secret};

/// Where the caller says that a key is. What is elsewhere is not there for them.
#[derive(Clone, Debug)]
pub struct Place {
    /// In this organization; `None` only for the operator, who need not know.
    pub organization: Option<OrganizationId>,
    /// Of this family.
    pub family: Option<KeyFamily>,
}

/// A key to be made, as it was asked for: nothing of it is checked yet.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// `organization` or `project`.
    pub kind: Option<String>,
    /// The project, for the type `project`.
    pub project: Option<String>,
    /// The project that the key is bound to whatever else is said.
    pub bound_to: Option<ProjectId>,
    /// At least one.
    pub permissions: Vec<String>,
    /// At least one.
    pub scopes: Vec<String>,
    /// An instant in the future; one calendar year from now where none is given.
    pub expires_at: Option<String>,
    /// Addresses and CIDR ranges; none means any.
    pub addresses: Vec<String>,
}

/// What is to be altered of a key. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TokenPatch {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// At most 500 characters; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// At least one.
    pub permissions: Option<Vec<String>>,
    /// At least one.
    pub scopes: Option<Vec<String>>,
    /// An instant in the future.
    pub expires_at: Option<String>,
    /// False blocks it.
    pub active: Option<bool>,
    /// Addresses and CIDR ranges; none means any.
    pub addresses: Option<Vec<String>>,
}

/// How a key is to be regenerated.
#[derive(Clone, Debug, Default)]
pub struct Regeneration {
    /// An instant in the future. Where none is given, an expired key gets the life that it had before, and one that is
    /// not keeps its expiry.
    pub expires_at: Option<String>,
}

/// A key with its value, which is shown now and never again.
#[derive(Clone, Debug)]
pub struct Made {
    /// The key.
    pub token: Token,
    /// Its value.
    pub value: Secret,
}

/// What came of an alteration of an oCore key, whose clients wait for a second and no longer.
#[derive(Clone, Debug)]
pub enum InForce<T> {
    /// It is in force wherever keys are accepted.
    Everywhere(T),
    /// It is written and in force here; this operation ends when it is everywhere.
    Soon(Box<OperationRecord>),
}

/// Which keys to list, and which part of the list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// `organization` or `project`.
    pub kind: Option<String>,
    /// Active or not; an expired key may be active.
    pub active: Option<bool>,
    /// Bound to this project.
    pub project: Option<ProjectId>,
    /// With this text in their name or description, whatever its case.
    pub search: Option<String>,
    /// Counted from 1.
    pub page: u64,
    /// Keys on a page.
    pub limit: u32,
    /// How the list is sorted.
    pub order: TokenOrder,
}

/// A page of keys.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The keys of the page.
    pub tokens: Vec<Token>,
    /// Its number, counted from 1.
    pub page: u64,
    /// Keys on a page.
    pub limit: u32,
    /// How many there are on all pages.
    pub total: u64,
}

/// A part of a list that is in the order of making.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// What is in the part.
    pub items: Vec<T>,
    /// Where the next part begins; `None` when this is the last.
    pub next: Option<Position>,
}

impl<T> Part<T> {
    /// What `limit` items leave of one more; the last of them says where the next part begins.
    pub(in crate::control) fn cut(mut items: Vec<T>, limit: u32, place: impl Fn(&T) -> Position) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(place) } else { None };
        Self { items, next }
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub struct PartQuery {
    /// After this place; `None` for the first part.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: u32,
}
