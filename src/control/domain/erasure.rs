//! Erasing a person or an organization: more than to remove them, because what they did stays in the audit log.

use super::actor::Subject;
use super::people::operator;
use super::{By, Domain, DomainError};
use crate::store::management::{Erased, Written};
use crate::token::OrganizationId;

impl Domain {
    /// Removes a person, if they are there, and takes their e-mail address and name, and from where they did what, out of
    /// everything that is kept. Their opaque id stays. May be done again, and for somebody who was removed long ago.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::NotFound`] when nothing is known of them; [`DomainError::Conflict`] as for
    /// [`delete_person`](Self::delete_person).
    pub async fn erase_person(&self, by: &By, named: &str) -> Result<Erased, DomainError> {
        operator(by)?;
        let mut known = vec![named.to_owned()];
        let named = match self.person_named(named).await {
            Ok(person) => {
                known.extend([person.member.email, person.member.name]);
                self.delete_person(by, person.member.id.as_str()).await?.to_string()
            }
            Err(DomainError::NotFound(_)) => named.trim().to_owned(),
            Err(error) => return Err(error),
        };
        known.retain(|it| *it != named);
        let entry = by.entry(Subject {
            action: "user.erased",
            organization: None,
            id: &named,
            name: None,
            before: None,
            after: None,
        });
        let erased = self.store.erase_person(&named, known, entry).await?;
        if erased.rows == 0 { Err(DomainError::NotFound("person")) } else { Ok(erased) }
    }

    /// Removes what is left of an organization that was removed: its part of the audit log, its operations, its events.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::NotFound`] when nothing is; [`DomainError::Conflict`] while it is there.
    pub async fn erase_organization(&self, by: &By, id: &OrganizationId) -> Result<u64, DomainError> {
        operator(by)?;
        let entry = by.entry(Subject {
            action: "organization.erased",
            organization: None,
            id: id.as_str(),
            name: None,
            before: None,
            after: None,
        });
        match self.store.erase_organization(id, entry).await? {
            (Written::Done, 0) => Err(DomainError::NotFound("organization")),
            (Written::Done, rows) => Ok(rows),
            (Written::Moved | Written::Taken, _) => Err(DomainError::Conflict(
                "The organization is there, or something of it is under way: remove it first.".to_owned(),
            )),
        }
    }
}
