//! Who may do what: the one place where it is decided.

use super::{Actor, By, Domain, DomainError};
use crate::store::management::Token;
use crate::token::{OrganizationId, Role, UserId};

const NO_MEMBER: &str = "You are not a member of this organization.";
const ROLE_TOO_LOW: &str = "Only the organization's owners and admins may do this.";
const OWNERS_ONLY: &str = "Only the organization's owners may do this.";
const NOT_YOURS: &str = "Only the token's creator and the organization's owners and admins may do this.";
const KEYS_MANAGE_NOTHING: &str = "API tokens can not manage API tokens. Log in as a person.";

/// What somebody is in one organization, looked up now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// May do everything.
    Operator,
    /// A person with their role.
    Member(UserId, Role),
}

impl Standing {
    fn manages(&self) -> bool {
        matches!(self, Self::Operator | Self::Member(_, Role::Owner | Role::Admin))
    }

    /// Making keys is for owners and admins.
    pub(super) fn may_create(&self) -> Result<(), DomainError> {
        if self.manages() { Ok(()) } else { Err(DomainError::Forbidden(ROLE_TOO_LOW)) }
    }

    /// What ends an organization is for its owners.
    pub(super) fn owns(&self) -> Result<(), DomainError> {
        match self {
            Self::Operator | Self::Member(_, Role::Owner) => Ok(()),
            Self::Member(..) => Err(DomainError::Forbidden(OWNERS_ONLY)),
        }
    }

    /// Whose keys are shown: everybody's to owners and admins, to the others their own.
    pub(super) fn sees_only(&self) -> Option<UserId> {
        match self {
            Self::Member(id, _) if !self.manages() => Some(id.clone()),
            _ => None,
        }
    }

    /// Reading, altering, regenerating and removing a key is for its creator too, whatever their role is now.
    pub(super) fn may_touch(&self, token: &Token) -> Result<(), DomainError> {
        let own = matches!(self, Self::Member(id, _) if token.created_by.as_ref() == Some(id));
        if own || self.manages() { Ok(()) } else { Err(DomainError::Forbidden(NOT_YOURS)) }
    }
}

impl Domain {
    /// Whether `by` may make keys in an organization.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn may_create_token(&self, by: &By, organization: &OrganizationId) -> Result<(), DomainError> {
        self.standing(by, organization).await?.may_create()
    }

    /// What `by` is in an organization. One that does not exist is answered like one that they have no part in, so that
    /// nobody learns which exist; only the operator, who sees everything, is told.
    pub(super) async fn standing(
        &self,
        by: &By,
        organization: &OrganizationId,
    ) -> Result<Standing, DomainError> {
        let person = match &by.actor {
            Actor::Key => return Err(DomainError::Forbidden(KEYS_MANAGE_NOTHING)),
            Actor::Operator => {
                let found = self.store.organization(organization).await?;
                return found.map(|_| Standing::Operator).ok_or(DomainError::NotFound("organization"));
            }
            Actor::Person(person) => person,
        };
        let member = self.store.member(&person.id).await?.filter(|member| member.active);
        let member = member.ok_or(DomainError::Unauthorized)?;
        let place = member.memberships.iter().find(|place| place.organization == *organization);
        place
            .map(|place| Standing::Member(person.id.clone(), place.role))
            .ok_or(DomainError::Forbidden(NO_MEMBER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::key;

    #[test]
    fn who_may_do_what_with_keys() {
        let own = Token { created_by: Some("u1".into()), ..key("t1") };
        let foreign = Token { created_by: Some("u2".into()), ..key("t2") };
        let nobodys = Token { created_by: None, ..key("t3") };
        // Create, see all, touch one's own, somebody else's, nobody's.
        let rights = |standing: &Standing| {
            let touch = |token| standing.may_touch(token).is_ok();
            let create = standing.may_create().is_ok();
            [create, standing.sees_only().is_none(), touch(&own), touch(&foreign), touch(&nobodys)]
        };
        assert_eq!(rights(&Standing::Operator), [true; 5]);
        for role in Role::ALL {
            let wanted = match role {
                Role::Owner | Role::Admin => [true; 5],
                Role::Developer | Role::Viewer => [false, false, true, false, false],
            };
            assert_eq!(rights(&Standing::Member("u1".into(), role)), wanted, "{role:?}");
        }
    }
}
