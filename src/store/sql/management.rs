//! What the control side asks of SQLite: each method is a job of one transaction, done in the file of its entity.

use super::{
    Database, audit, erasure, invitations, members, organizations, partial_logins, password, refresh, roles,
    second_factor, sessions, signing_keys, tokens, users,
};
use crate::store::management::{
    Account, AuditEntry, AuditQuery, AuditRecord, Ending, Erased, FactorChange, Invitation, Joining,
    Management, Member, NewMember, NewOrganization, NewPassword, NewPerson, OrganizationMember,
    OrganizationRole, Page, PartialLogin, PasswordReset, Position, RefreshToken, RoleName, SecondFactor,
    Session, Token, TokenFilter, TokenPage, Trade, Written,
};
use crate::store::{Answer, SigningKey};
use crate::token::{Digest, OrganizationId, TokenId, UserId};

/// Entries of the audit log that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 8192;

impl Management for Database {
    fn token<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<Token>> {
        let id = id.clone();
        self.ask(move |db| tokens::details(db, &id))
    }

    fn list_tokens<'a>(&'a self, filter: &'a TokenFilter, page: Page) -> Answer<'a, TokenPage> {
        let filter = filter.clone();
        self.ask(move |db| tokens::list(db, &filter, page))
    }

    fn add_token(&self, token: Token, value: Digest, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| tokens::add(db, &token, value, &entry))
    }

    fn replace_token(&self, token: Token, value: Option<Digest>, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| tokens::replace(db, &token, value, &entry))
    }

    fn remove_token<'a>(&'a self, id: &'a TokenId, revision: u64, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.clone();
        self.write(move |db| tokens::remove(db, &id, revision, &entry))
    }

    fn member<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<Member>> {
        let id = id.clone();
        self.ask(move |db| users::member(db, &id))
    }

    fn account<'a>(&'a self, email: &'a str) -> Answer<'a, Option<Account>> {
        let email = email.to_owned();
        self.ask(move |db| users::account(db, &email))
    }

    fn people(&self) -> Answer<'_, u64> {
        self.ask(users::count)
    }

    fn add_member(&self, new: NewMember, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| users::add(db, &new, &entry))
    }

    fn found(
        &self,
        organization: NewOrganization,
        owner: NewPerson,
        entries: [AuditEntry; 2],
    ) -> Answer<'_, Written> {
        self.write(move |db| users::found(db, &organization, &owner, &entries))
    }

    fn organization_by_slug<'a>(&'a self, slug: &'a str) -> Answer<'a, Option<OrganizationId>> {
        let slug = slug.to_owned();
        self.ask(move |db| organizations::by_slug(db, &slug))
    }

    fn add_session(
        &self,
        session: Session,
        refresh: Option<Digest>,
        entry: AuditEntry,
    ) -> Answer<'_, Written> {
        self.write(move |db| sessions::add(db, &session, refresh, &entry))
    }

    fn session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Session>> {
        let id = id.to_owned();
        self.ask(move |db| sessions::by_id(db, &id))
    }

    fn end_session<'a>(&'a self, id: &'a str, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| sessions::end(db, &id, at_ms, &entry))
    }

    fn sessions_of<'a>(&'a self, person: &'a UserId, now_ms: u64) -> Answer<'a, Vec<Session>> {
        let person = person.clone();
        self.ask(move |db| sessions::of_person(db, &person, now_ms))
    }

    fn refresh_token(&self, value: Digest) -> Answer<'_, Option<RefreshToken>> {
        self.ask(move |db| refresh::by_value(db, value))
    }

    fn trade_refresh_token(&self, trade: Trade, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| refresh::trade(db, &trade, &entry))
    }

    fn add_person(&self, new: NewPerson, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| users::add_person(db, &new, &entry))
    }

    fn members<'a>(
        &'a self,
        organization: &'a OrganizationId,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<OrganizationMember>> {
        let organization = organization.clone();
        self.ask(move |db| members::list(db, &organization, after.as_ref(), limit))
    }

    fn member_of<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
    ) -> Answer<'a, Option<OrganizationMember>> {
        let (organization, person) = (organization.clone(), person.clone());
        self.ask(move |db| members::one(db, &organization, &person))
    }

    fn set_role<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
        from_to: (RoleName, RoleName),
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let (organization, person) = (organization.clone(), person.clone());
        self.write(move |db| members::set_role(db, &organization, &person, &from_to, &entry))
    }

    fn remove_member<'a>(
        &'a self,
        organization: &'a OrganizationId,
        person: &'a UserId,
        role: RoleName,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let (organization, person) = (organization.clone(), person.clone());
        self.write(move |db| members::remove(db, &organization, &person, &role, &entry))
    }

    fn roles<'a>(&'a self, organization: &'a OrganizationId) -> Answer<'a, Vec<OrganizationRole>> {
        let organization = organization.clone();
        self.ask(move |db| roles::list(db, &organization))
    }

    fn add_role(&self, role: OrganizationRole, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| roles::add(db, &role, &entry))
    }

    fn replace_role(&self, role: OrganizationRole, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| roles::replace(db, &role, &entry))
    }

    fn remove_role<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| roles::remove(db, &id, &entry))
    }

    fn add_invitation(&self, new: Invitation, value: Digest, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| invitations::add(db, &new, value, &entry))
    }

    fn invitations<'a>(
        &'a self,
        organization: &'a OrganizationId,
        now_ms: u64,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<Invitation>> {
        let organization = organization.clone();
        self.ask(move |db| invitations::list(db, &organization, now_ms, after.as_ref(), limit))
    }

    fn invitation(&self, value: Digest) -> Answer<'_, Option<Invitation>> {
        self.ask(move |db| invitations::by_value(db, value))
    }

    fn remove_invitation<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a str,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let (organization, id) = (organization.clone(), id.to_owned());
        self.write(move |db| invitations::remove(db, &organization, &id, &entry))
    }

    fn join(&self, joining: Joining, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| invitations::join(db, &joining, &entry))
    }

    fn set_password(&self, new: NewPassword, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| password::set(db, &new, &entry))
    }

    fn add_password_reset(&self, reset: PasswordReset, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| password::add_reset(db, &reset, &entry))
    }

    fn password_reset(&self, value: Digest) -> Answer<'_, Option<PasswordReset>> {
        self.ask(move |db| password::reset(db, value))
    }

    fn end_sessions<'a>(
        &'a self,
        person: &'a UserId,
        ending: Ending,
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, ()> {
        let person = person.clone();
        self.write(move |db| {
            sessions::end_all(db, &person, &ending, at_ms)?;
            audit::append(db, &entry)
        })
    }

    fn second_factor<'a>(&'a self, person: &'a UserId) -> Answer<'a, Option<SecondFactor>> {
        let person = person.clone();
        self.ask(move |db| second_factor::of(db, &person))
    }

    fn change_factor<'a>(
        &'a self,
        person: &'a UserId,
        change: FactorChange,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let person = person.clone();
        self.write(move |db| second_factor::change(db, &person, &change, &entry))
    }

    fn add_partial_login(&self, login: PartialLogin, now_ms: u64) -> Answer<'_, Written> {
        self.write_apart(move |db| partial_logins::add(db, &login, now_ms))
    }

    fn try_partial_login(&self, token: Digest, now_ms: u64) -> Answer<'_, Option<PartialLogin>> {
        Box::pin(async move {
            // Anybody may make one up: it must not keep those waiting who write.
            if !self.ask(move |db| partial_logins::exists(db, &token)).await? {
                return Ok(None);
            }
            self.write_apart(move |db| partial_logins::try_one(db, &token, now_ms)).await
        })
    }

    fn end_partial_login(&self, token: Digest) -> Answer<'_, Written> {
        self.write_apart(move |db| partial_logins::end(db, &token))
    }

    fn rotate_signing_key(
        &self,
        key: SigningKey,
        older_retire_ms: u64,
        now_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'_, Written> {
        self.write(move |db| signing_keys::rotate(db, &key, older_retire_ms, now_ms, &entry))
    }

    fn retire_signing_key<'a>(&'a self, id: &'a str, now_ms: u64, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| signing_keys::retire(db, &id, now_ms, &entry))
    }

    fn erase_person<'a>(
        &'a self,
        named: &'a str,
        account: Option<(String, String)>,
        entry: AuditEntry,
    ) -> Answer<'a, Erased> {
        Box::pin(erasure::person(self, named.to_owned(), account, entry))
    }

    fn erase_organization<'a>(
        &'a self,
        id: &'a OrganizationId,
        entry: AuditEntry,
    ) -> Answer<'a, (Written, u64)> {
        let id = id.clone();
        self.write(move |db| erasure::organization(db, &id, &entry))
    }

    fn forget_audit(&self, before_ms: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            // Not all in one transaction, which would keep everybody waiting who writes.
            while self.write(move |db| audit::forget(db, before_ms, FORGOTTEN_AT_ONCE)).await? {}
            Ok(())
        })
    }

    fn append_audit(&self, entry: AuditEntry) -> Answer<'_, ()> {
        self.write(move |db| audit::append(db, &entry))
    }

    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Vec<AuditRecord>> {
        let query = query.clone();
        self.ask(move |db| audit::read(db, &query))
    }

    fn audit_size<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, u64> {
        let query = query.clone();
        self.ask(move |db| audit::size(db, &query))
    }
}
