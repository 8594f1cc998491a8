//! Which organization somebody means, where the path does not say it.

use super::{Actor, By, Domain, DomainError, Violation};
use crate::token::OrganizationId;

const NOT_YOURS: &str = "You are not a member of this organization.";
const PEOPLE_ONLY: &str = "API keys can not do this. Log in as a person.";

impl Domain {
    /// The organization with this slug; without one, the only one that the caller belongs to.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`] for one that they have no part in or that is not there, [`DomainError::Invalid`] when
    /// it has to be named.
    pub async fn organization_meant(
        &self,
        by: &By,
        slug: Option<&str>,
    ) -> Result<OrganizationId, DomainError> {
        let person = match &by.actor {
            Actor::Person(person) => person,
            Actor::Key => return Err(DomainError::Forbidden(PEOPLE_ONLY)),
            Actor::Operator => {
                let found = self.store.organization_by_slug(slug.unwrap_or_default()).await?;
                return found.ok_or(DomainError::NotFound("organization"));
            }
        };
        let member = self.store.member(&person.id).await?.filter(|member| member.active);
        let places = member.ok_or(DomainError::Unauthorized)?.memberships;
        match (slug, places.as_slice()) {
            (None, [only]) => Ok(only.organization.clone()),
            (None, _) => {
                let message = "X-Org-Slug is required: name the organization that is meant";
                Err(Violation::new("X-Org-Slug", "required", message).into())
            }
            (Some(slug), places) => {
                let place = places.iter().find(|place| place.slug == slug);
                place.map(|place| place.organization.clone()).ok_or(DomainError::Forbidden(NOT_YOURS))
            }
        }
    }
}
