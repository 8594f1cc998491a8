//! Organizations with their projects, and people, as those see them who make, alter and remove them.

use super::{AuditEntry, Member, NewOrganization, Position, Written};
use crate::store::{Answer, Project};
use crate::token::{MemberRole, OrganizationId, ProjectId, UserId};

/// An organization as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRecord {
    /// Opaque id.
    pub id: OrganizationId,
    /// The name in `X-Org-Slug`; no other organization has it.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub updated_ms: u64,
}

/// A person as the server's admins see them.
#[derive(Clone, Debug)]
pub struct PersonRecord {
    /// Who, and where they belong.
    pub member: Member,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// What of a person the server's admins alter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonState {
    /// What people call them.
    pub name: String,
    /// False blocks the person everywhere.
    pub active: bool,
    /// Whether they look after the whole server.
    pub server_admin: bool,
}

impl From<&Member> for PersonState {
    fn from(member: &Member) -> Self {
        Self { name: member.name.clone(), active: member.active, server_admin: member.server_admin }
    }
}

/// What a database offers for organizations, projects and people. Writes are as those of
/// [`Management`](super::Management).
pub trait Directory: Send + Sync {
    /// The organization with this id.
    fn organization_record<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<OrganizationRecord>>;

    /// Organizations in the order of their making, from a place on; those whose name or slug has this text in it, where
    /// one is given.
    fn organizations<'a>(
        &'a self,
        search: Option<&'a str>,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<OrganizationRecord>>;

    /// The organizations that a person belongs to, with their role there, in the order of their making.
    fn organizations_of<'a>(
        &'a self,
        person: &'a UserId,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<(OrganizationRecord, MemberRole)>>;

    /// Makes an organization, with its owner where one is named. [`Written::Taken`] when its id or slug is,
    /// [`Written::Moved`] when the owner is gone or blocked.
    fn add_organization<'a>(
        &'a self,
        new: NewOrganization,
        owner: Option<&'a UserId>,
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Puts an organization in the place of what it was. [`Written::Taken`] when the slug is, [`Written::Moved`] when
    /// name or slug are others by now.
    fn replace_organization<'a>(
        &'a self,
        old: &'a OrganizationRecord,
        new: OrganizationRecord,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Adds a project. [`Written::Moved`] when its organization is gone, [`Written::Taken`] when its id is.
    fn add_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        project: Project,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Puts a project in the place of what it was. [`Written::Moved`] when it is not that any more.
    fn replace_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        old: &'a Project,
        new: Project,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Removes a project. [`Written::Taken`] while a key is bound to it, [`Written::Moved`] when it is gone.
    fn remove_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a ProjectId,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// The person with this id.
    fn person<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<PersonRecord>>;

    /// People in the order of their making, from a place on; those whose name or e-mail address has this text in it,
    /// where one is given.
    fn list_people<'a>(
        &'a self,
        search: Option<&'a str>,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<PersonRecord>>;

    /// Puts a person's state from one to another; who is blocked has no session any more. [`Written::Moved`] when they
    /// are in another state by now, [`Written::Taken`] when no admin of the server would be left who is not blocked.
    fn set_person<'a>(
        &'a self,
        id: &'a UserId,
        from_to: (PersonState, PersonState),
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;

    /// Removes a person; the keys that they made stay named after them, and those that their role bounds grant nothing.
    /// [`Written::Moved`] when they are gone, [`Written::Taken`] when an organization would be left without an owner, or
    /// the server without an admin.
    fn remove_person<'a>(&'a self, id: &'a UserId, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written>;
}
