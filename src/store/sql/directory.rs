//! What is asked of SQLite about organizations, projects and people: each method is a job of one transaction.

use super::{Database, organizations, people, projects};
use crate::store::management::{
    AuditEntry, Directory, NewOrganization, OrganizationRecord, PersonRecord, PersonState, Position, Written,
};
use crate::store::{Answer, Project};
use crate::token::{MemberRole, OrganizationId, ProjectId, UserId};

impl Directory for Database {
    fn organization_record<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<OrganizationRecord>> {
        let id = id.clone();
        self.ask(move |db| organizations::one(db, &id))
    }

    fn organizations<'a>(
        &'a self,
        search: Option<&'a str>,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<OrganizationRecord>> {
        let search = search.map(str::to_owned);
        self.ask(move |db| organizations::list(db, search.as_deref(), after.as_ref(), limit))
    }

    fn organizations_of<'a>(
        &'a self,
        person: &'a UserId,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<(OrganizationRecord, MemberRole)>> {
        let person = person.clone();
        self.ask(move |db| organizations::of_person(db, &person, after.as_ref(), limit))
    }

    fn add_organization<'a>(
        &'a self,
        new: NewOrganization,
        owner: Option<&'a UserId>,
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let owner = owner.cloned();
        self.write(move |db| organizations::add(db, &new, owner.as_ref(), at_ms, &entry))
    }

    fn replace_organization<'a>(
        &'a self,
        old: &'a OrganizationRecord,
        new: OrganizationRecord,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let old = old.clone();
        self.write(move |db| organizations::replace(db, &old, &new, &entry))
    }

    fn add_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        project: Project,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let organization = organization.clone();
        self.write(move |db| projects::add(db, &organization, &project, &entry))
    }

    fn replace_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        old: &'a Project,
        new: Project,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let (organization, old) = (organization.clone(), old.clone());
        self.write(move |db| projects::replace(db, &organization, &old, &new, &entry))
    }

    fn remove_project<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a ProjectId,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let (organization, id) = (organization.clone(), id.clone());
        self.write(move |db| projects::remove(db, &organization, &id, &entry))
    }

    fn person<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<PersonRecord>> {
        let id = id.clone();
        self.ask(move |db| people::one(db, &id))
    }

    fn list_people<'a>(
        &'a self,
        search: Option<&'a str>,
        after: Option<Position>,
        limit: u32,
    ) -> Answer<'a, Vec<PersonRecord>> {
        let search = search.map(str::to_owned);
        self.ask(move |db| people::list(db, search.as_deref(), after.as_ref(), limit))
    }

    fn set_person<'a>(
        &'a self,
        id: &'a UserId,
        from_to: (PersonState, PersonState),
        at_ms: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let id = id.clone();
        self.write(move |db| people::set(db, &id, &from_to, at_ms, &entry))
    }

    fn remove_person<'a>(&'a self, id: &'a UserId, at_ms: u64, entry: AuditEntry) -> Answer<'a, Written> {
        let id = id.clone();
        self.write(move |db| people::remove(db, &id, at_ms, &entry))
    }
}
