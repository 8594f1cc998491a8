//! What the control side reads and writes: keys as people see them, people, sessions, the audit log.
//!
//! Apart from [`Store`], so that what the request path may ask stays small. Every write is one transaction: the change
//! itself, its entry in the audit log and, where the edge sees a difference, its place in the list of changes.

mod audit;
mod certificates;
mod directory;
mod operations;
mod organizations;
mod passwords;
mod people;
mod second_factor;
mod sessions;
mod tokens;
mod webhooks;

pub use audit::{ActorKind, AuditEntry, AuditQuery, AuditRecord};
pub use certificates::{Certificates, Issued, OrderEnd};
pub use directory::{Directory, OrganizationRecord, PersonRecord, PersonState};
pub use operations::{
    Finish, OperationKind, OperationRecord, OperationState, Operations, Piece, Rotation, SealedValue,
};
pub use organizations::{Invitation, Invited, Joining, OrganizationMember, OrganizationRole, RoleName};
pub use passwords::{Ending, NewPassword, PasswordReset};
pub use people::{Account, Erased, Member, NewMember, NewOrganization, NewPerson};
pub use second_factor::{FactorChange, PartialLogin, SecondFactor};
pub use sessions::{RefreshToken, Session, Trade};
pub use tokens::{Page, Position, Token, TokenFilter, TokenOrder, TokenPage, TokenSort};
pub use webhooks::{
    Attempt, Attempted, Delivery, DeliveryDetails, DeliveryFilter, DeliveryPage, DeliveryState, Due,
    EVENT_TYPES, EVERY_EVENT, EXPIRY_DAYS, Event, FIRST_SEEN_ADDRESS, Outbox, Queue, TEST_EVENT,
    WebhookEndpoint,
};

use super::{Answer, SigningKey, Store};
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
pub trait Management: Store + Directory + Outbox + Operations + Certificates {
    /// The key with this id, as people see it.
    fn token<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<Token>>;
    /// Keys of one organization in the order of their making, and how many there are in all.
    fn list_tokens<'a>(&'a self, filter: &'a TokenFilter, page: Page) -> Answer<'a, TokenPage>;
    /// Adds a key with this value. [`Written::Moved`] when its organization or project is not there,
    /// [`Written::Taken`] when it is an `ocore` key and another one of the organization has its name.
    fn add_token(&self, token: Token, value: Digest, entry: AuditEntry) -> Answer<'_, Written>;
    /// Puts `token` in the place of the one with its id and revision; with a new value, where one is given. What was
    /// used, who made it and when stays as it was. [`Written::Taken`] as with [`add_token`](Self::add_token).
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

    /// Adds a session, with the refresh token that it begins with, if any; drops those that are over by then.
    /// [`Written::Moved`] when its person is gone.
    fn add_session(
        &self,
        session: Session,
        refresh: Option<Digest>,
        entry: AuditEntry,
    ) -> Answer<'_, Written>;
    /// The session with this id, ended or not.
    fn session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Session>>;
    /// Ends a session. [`Written::Moved`] when it is not there or over already.
    fn end_session<'a>(&'a self, id: &'a str, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written>;
    /// The sessions of a person that are alive, oldest first.
    fn sessions_of<'a>(&'a self, person: &'a UserId, now_ms: u64) -> Answer<'a, Vec<Session>>;
    /// The refresh token with this value, used or not.
    fn refresh_token(&self, value: Digest) -> Answer<'_, Option<RefreshToken>>;
    /// Trades a refresh token. [`Written::Moved`] when it was traded meanwhile, or its session is over.
    fn trade_refresh_token(&self, trade: Trade, entry: AuditEntry) -> Answer<'_, Written>;

    /// Adds a person who belongs nowhere yet. [`Written::Taken`] when the e-mail address is.
    fn add_person(&self, new: NewPerson, entry: AuditEntry) -> Answer<'_, Written>;
    /// The members of an organization in the order of their making, from a place on.
    fn members<'a>(
        &'a self,
        organization: &'a OrganizationId,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<OrganizationMember>>;
    /// One member of an organization.
    fn member_of<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
    ) -> Answer<'a, Option<OrganizationMember>>;
    /// Puts a member's role from one to another. [`Written::Moved`] when they have another one by now or are gone, or
    /// the organization would be left without an owner.
    fn set_role<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
        from_to: (RoleName, RoleName),
        entry: AuditEntry,
    ) -> Answer<'a, Written>;
    /// Takes a member out of an organization; their keys there grant nothing any more. [`Written::Moved`] as above.
    fn remove_member<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
        role: RoleName,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// The roles that an organization made, in the order of their making.
    fn roles<'a>(&'a self, organization: &'a OrganizationId) -> Answer<'a, Vec<OrganizationRole>>;
    /// Adds a role. [`Written::Taken`] when the name is.
    fn add_role(&self, role: OrganizationRole, entry: AuditEntry) -> Answer<'_, Written>;
    /// Puts a role in the place of the one with its id; its members have what it grants from then on.
    /// [`Written::Taken`] when the name is, [`Written::Moved`] when it is gone.
    fn replace_role(&self, role: OrganizationRole, entry: AuditEntry) -> Answer<'_, Written>;
    /// Removes a role, and the invitations to it. [`Written::Taken`] when a member has it.
    fn remove_role<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Written>;

    /// Adds an invitation with this token. [`Written::Moved`] when its organization or role is gone.
    fn add_invitation(&self, new: Invitation, value: Digest, entry: AuditEntry) -> Answer<'_, Written>;
    /// The invitations into an organization that are good, in the order of their making, from a place on.
    fn invitations<'a>(
        &'a self,
        organization: &'a OrganizationId,
        now_ms: u64,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<Invitation>>;
    /// The invitation with this token, over or not.
    fn invitation(&self, value: Digest) -> Answer<'_, Option<Invitation>>;
    /// Removes an invitation.
    fn remove_invitation<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a str,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;
    /// Takes an invitation up. [`Written::Moved`] when it is gone or over, [`Written::Taken`] when the e-mail address
    /// of who is made with it is, or they belong to the organization already.
    fn join(&self, joining: Joining, entry: AuditEntry) -> Answer<'_, Written>;

    /// Sets a person's password. [`Written::Moved`] when they are gone or blocked, or the token they have is.
    fn set_password(&self, new: NewPassword, entry: AuditEntry) -> Answer<'_, Written>;
    /// Gives out a token to choose a password by, in the place of those that were given out to the same person before.
    fn add_password_reset(&self, reset: PasswordReset, entry: AuditEntry) -> Answer<'_, Written>;
    /// The token with this value, over or not.
    fn password_reset(&self, value: Digest) -> Answer<'_, Option<PasswordReset>>;
    /// Ends sessions of a person.
    fn end_sessions<'a>(
        &'a self,
        person: &'a UserId,
        ending: Ending,
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, ()>;

    /// The second factor of a person, confirmed or not.
    fn second_factor<'a>(&'a self, person: &'a UserId) -> Answer<'a, Option<SecondFactor>>;
    /// Alters a person's second factor. [`Written::Moved`] when it is not in the state that the change begins from.
    fn change_factor<'a>(
        &'a self,
        person: &'a UserId,
        change: FactorChange,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Keeps a login until its second factor comes, and forgets those that are over. [`Written::Moved`] when the person is gone or
    /// blocked.
    fn add_partial_login(&self, login: PartialLogin, now_ms: u64) -> Answer<'_, Written>;
    /// Uses one try of the login with this token, and gives what is left of it. `None` when it is over, or has none.
    fn try_partial_login(&self, token: Digest, now_ms: u64) -> Answer<'_, Option<PartialLogin>>;
    /// Ends the login with this token. [`Written::Moved`] when somebody else was faster.
    fn end_partial_login(&self, token: Digest) -> Answer<'_, Written>;

    /// Adds a signing key as [`add_signing_key`](Store::add_signing_key) does, and forgets those that have long retired.
    /// One of its algorithm that waits and would sign later is removed; [`Written::Moved`] when there is one that signs as early, or
    /// within a minute.
    fn rotate_signing_key(
        &self,
        key: SigningKey,
        older_retire_ms: u64,
        now_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'_, Written>;
    /// Retires a signing key now. [`Written::Moved`] when it is gone.
    fn retire_signing_key<'a>(&'a self, id: &'a str, now_ms: u64, entry: AuditEntry) -> Answer<'a, Written>;

    /// Takes who somebody was, whose account is gone, out of everything that is kept: by their id or e-mail address, and by
    /// address and name of the account, where it was there a moment ago. The entry is made where there was something.
    fn erase_person<'a>(
        &'a self,
        named: &'a str,
        account: Option<(String, String)>,
        entry: AuditEntry,
    ) -> Answer<'a, Erased>;
    /// Removes what is left of an organization that is gone, its part of the audit log too; says how many rows that were.
    /// [`Written::Moved`] while it is there, or an operation of it is under way.
    fn erase_organization<'a>(
        &'a self,
        id: &'a OrganizationId,
        entry: AuditEntry,
    ) -> Answer<'a, (Written, u64)>;
    /// Removes what is older than this from the audit log.
    fn forget_audit(&self, before_ms: u64) -> Answer<'_, ()>;

    /// Appends to the audit log what changes nothing else.
    fn append_audit(&self, entry: AuditEntry) -> Answer<'_, ()>;
    /// Reads the audit log, newest first.
    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Vec<AuditRecord>>;
    /// How many entries a query has, on all its parts.
    fn audit_size<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, u64>;
}
