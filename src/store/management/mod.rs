//! What the control side reads and writes: keys as people see them, people, sessions, the audit log.
//!
//! Apart from [`Store`], so that what the request path may ask stays small. Every write is one transaction: the change
//! itself, its entry in the audit log and, where the edge sees a difference, its place in the list of changes.

mod audit;
mod operations;
mod people;
mod tokens;
mod webhooks;

pub use audit::{ActorKind, AuditEntry, AuditQuery, AuditRecord};
pub use operations::{
    Finish, OperationKind, OperationRecord, OperationState, Operations, Piece, Rotation, SealedValue,
};
pub use people::{Account, Member, NewMember, NewOrganization, NewPerson, Session};
pub use tokens::{Page, Token, TokenFilter, TokenPage};
pub use webhooks::{
    Attempt, Attempted, Delivery, DeliveryDetails, DeliveryFilter, DeliveryPage, DeliveryState, Due,
    EVENT_TYPES, EVERY_EVENT, EXPIRY_DAYS, Event, FIRST_SEEN_ADDRESS, Outbox, Queue, TEST_EVENT,
    WebhookEndpoint,
};

use super::{Answer, Store};
use crate::token::{Digest, OrganizationId, TokenId, UserId};

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It is done.
    Done,
    /// What it was decided by is not so any more: the record was altered or removed meanwhile, or what it refers to is
    /// gone. Nothing was written; read again and decide anew.
    Moved,
    /// Something else has that name already. Nothing was written.
    Taken,
}

/// What a database offers to the control side.
pub trait Management: Store + Outbox + Operations {
    /// The key with this id, as people see it.
    fn token<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<Token>>;
    /// Keys of one organization in the order of their making, and how many there are in all.
    fn list_tokens<'a>(&'a self, filter: &'a TokenFilter, page: Page) -> Answer<'a, TokenPage>;
    /// Adds a key with this value. [`Written::Moved`] when its organization or project is not there.
    fn add_token(&self, token: Token, value: Digest, entry: AuditEntry) -> Answer<'_, Written>;
    /// Puts `token` in the place of the one with its id and revision; with a new value, where one is given. What was
    /// used, who made it and when stays as it was.
    fn replace_token(&self, token: Token, value: Option<Digest>, entry: AuditEntry) -> Answer<'_, Written>;
    /// Removes the key with this id and revision.
    fn remove_token<'a>(&'a self, id: &'a TokenId, revision: u64, entry: AuditEntry) -> Answer<'a, Written>;

    /// The person with this id, with everything that they belong to.
    fn member<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<Member>>;
    /// The account with this e-mail address, whatever its case.
    fn account<'a>(&'a self, email: &'a str) -> Answer<'a, Option<Account>>;
    /// How many people there are.
    fn people(&self) -> Answer<'_, u64>;
    /// Adds a person and their place in an organization that exists. [`Written::Taken`] when the e-mail address is,
    /// [`Written::Moved`] when there is no such organization.
    fn add_member(&self, new: NewMember, entry: AuditEntry) -> Answer<'_, Written>;
    /// Makes the first organization and its owner, in a store in which there is nobody yet. [`Written::Moved`] when
    /// there is somebody, [`Written::Taken`] when there is an organization of that id or slug.
    fn found(
        &self,
        organization: NewOrganization,
        owner: NewPerson,
        entries: [AuditEntry; 2],
    ) -> Answer<'_, Written>;
    /// The id of the organization with this slug.
    fn organization_by_slug<'a>(&'a self, slug: &'a str) -> Answer<'a, Option<OrganizationId>>;

    /// Adds a session. [`Written::Moved`] when its person is gone.
    fn add_session(&self, session: Session, entry: AuditEntry) -> Answer<'_, Written>;
    /// The session with this id, ended or not.
    fn session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Session>>;
    /// Ends a session. [`Written::Moved`] when it is not there or over already.
    fn end_session<'a>(&'a self, id: &'a str, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written>;

    /// Appends to the audit log what changes nothing else.
    fn append_audit(&self, entry: AuditEntry) -> Answer<'_, ()>;
    /// Reads the audit log, newest first.
    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Vec<AuditRecord>>;
    /// How many entries a query has, on all its parts.
    fn audit_size<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, u64>;
}
