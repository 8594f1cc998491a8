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
    /// [`DomainError::Forbidden`]; [`DomainError::NotFound`] when nothing is known of them; [`DomainError::Conflict`] and
    /// [`DomainError::Unconfirmed`] as for [`delete_person`](Self::delete_person), with all of it done where it is the latter.
    pub async fn erase_person(&self, by: &By, named: &str) -> Result<Erased, DomainError> {
        operator(by)?;
        let mut unconfirmed = None;
        let (named, account) = match self.person_named(named).await {
            Ok(person) => {
                let id = person.member.id.to_string();
                match self.delete_person(by, &id).await {
                    // They are removed, and the answer says that it is stored: what is left of them has to go too.
                    Err(error @ DomainError::Unconfirmed(_)) => unconfirmed = Some(error),
                    removed => {
                        removed?;
                    }
                }
                (id, Some((person.member.email, person.member.name)))
            }
            Err(DomainError::NotFound(_)) => (named.trim().to_owned(), None),
            Err(error) => return Err(error),
        };
        let entry = by.entry(Subject {
            action: "user.erased",
            organization: None,
            id: &named,
            name: None,
            before: None,
            after: None,
        });
        let erased = self.store.erase_person(&named, account, entry).await?;
        match unconfirmed {
            Some(error) => Err(error),
            None if erased.rows == 0 => Err(DomainError::NotFound("person")),
            None => Ok(erased),
        }
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
