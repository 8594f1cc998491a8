//! What the control side asks of SQLite: each method is a job of one transaction, done in the file of its entity.

use super::{Sqlite, audit, organizations, sessions, tokens, users};
use crate::store::Answer;
use crate::store::management::{
    Account, AuditEntry, AuditQuery, AuditRecord, Management, Member, NewMember, NewOrganization, NewPerson,
    Page, Session, Token, TokenFilter, TokenPage, Written,
};
use crate::token::{Digest, OrganizationId, TokenId, UserId};

impl Management for Sqlite {
    fn token<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<Token>> {
        let id = id.clone();
        self.read(move |db| tokens::details(db, &id))
    }

    fn list_tokens<'a>(&'a self, filter: &'a TokenFilter, page: Page) -> Answer<'a, TokenPage> {
        let filter = filter.clone();
        self.read(move |db| tokens::list(db, &filter, page))
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
        self.read(move |db| users::member(db, &id))
    }

    fn account<'a>(&'a self, email: &'a str) -> Answer<'a, Option<Account>> {
        let email = email.to_owned();
        self.read(move |db| users::account(db, &email))
    }

    fn people(&self) -> Answer<'_, u64> {
        self.read(|db| users::count(db))
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
        self.write(move |db| users::found(db, organization, owner, &entries))
    }

    fn organization_by_slug<'a>(&'a self, slug: &'a str) -> Answer<'a, Option<OrganizationId>> {
        let slug = slug.to_owned();
        self.read(move |db| organizations::by_slug(db, &slug))
    }

    fn add_session(&self, session: Session, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| sessions::add(db, &session, &entry))
    }

    fn session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Session>> {
        let id = id.to_owned();
        self.read(move |db| sessions::by_id(db, &id))
    }

    fn end_session<'a>(&'a self, id: &'a str, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| sessions::end(db, &id, at_ms, &entry))
    }

    fn append_audit(&self, entry: AuditEntry) -> Answer<'_, ()> {
        self.write(move |db| audit::append(db, &entry))
    }

    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, Vec<AuditRecord>> {
        let query = query.clone();
        self.read(move |db| audit::read(db, &query))
    }

    fn audit_size<'a>(&'a self, query: &'a AuditQuery) -> Answer<'a, u64> {
        let query = query.clone();
        self.read(move |db| audit::size(db, &query))
    }
}
