//! Who may do what: the one place where it is decided.

use super::people::operator;
use super::{Actor, By, Domain, DomainError, Violation};
use crate::store::management::Token;
use crate::token::{MemberRole, OrganizationId, Permissions, Role, UserId};

const NO_MEMBER: &str = "You are not a member of this organization.";
const NO_ACCESS: DomainError =
    DomainError::Forbidden("You have no access to the organization named in X-Org-Slug.");
const ROLE_TOO_LOW: &str = "Only the organization's owners and admins may do this.";
const ENDS_IT: &str = "Only the organization's owners may do this.";
const NOT_YOURS: &str = "Only the token's creator and the organization's owners and admins may do this.";
const LACKING: &str = "Your role lacks a permission that this takes.";
const MORE: &str = "You can not grant a permission that your own role does not have.";
const OWNERS_ONLY: &str = "Only an owner may do this to owners, or make one.";
const SERVER_ADMINS_ONLY: &str = "Only the server's admins may do this.";
const KEYS_MANAGE_NOTHING: &str = "API tokens can not manage API tokens. Log in as a person.";

/// What somebody is in one organization, looked up now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// May do everything.
    Operator,
    /// A person with their role.
    Member(UserId, MemberRole),
}

impl Standing {
    fn manages(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Member(_, role) => matches!(role.system(), Some(Role::Owner | Role::Admin)),
        }
    }

    /// What they may do, as `view:` and `manage:` say it.
    pub(super) fn permissions(&self) -> Permissions {
        match self {
            Self::Operator => Role::Owner.permissions(),
            Self::Member(_, role) => role.permissions(),
        }
    }

    /// Whether they may do what takes this permission.
    pub(super) fn require(&self, permission: &str) -> Result<(), DomainError> {
        if self.permissions().allow(permission) { Ok(()) } else { Err(DomainError::Forbidden(LACKING)) }
    }

    /// Whether they have all of these permissions themselves: nobody hands on more than that.
    pub(super) fn hands_on(&self, granted: &Permissions) -> Result<(), DomainError> {
        let own = self.permissions();
        if granted.iter().all(|wanted| own.allow(wanted)) {
            Ok(())
        } else {
            Err(DomainError::Forbidden(MORE))
        }
    }

    /// Whether they may give this role, and take it: nobody gives more than they have, and owners are owners' business.
    pub(super) fn gives(&self, role: &MemberRole) -> Result<(), DomainError> {
        let owner = match self {
            Self::Operator => true,
            Self::Member(_, own) => own.system() == Some(Role::Owner),
        };
        if role.system() == Some(Role::Owner) && !owner {
            return Err(DomainError::Forbidden(OWNERS_ONLY));
        }
        self.hands_on(&role.permissions())
    }

    /// Making keys is for owners and admins.
    pub(super) fn may_create(&self) -> Result<(), DomainError> {
        if self.manages() { Ok(()) } else { Err(DomainError::Forbidden(ROLE_TOO_LOW)) }
    }

    /// What ends an organization is for its owners.
    pub(super) fn owns(&self) -> Result<(), DomainError> {
        match self {
            Self::Operator => Ok(()),
            Self::Member(_, role) if role.system() == Some(Role::Owner) => Ok(()),
            Self::Member(..) => Err(DomainError::Forbidden(ENDS_IT)),
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

    /// The organization that somebody means by the slug that they send or, where they send none, by having only one. An
    /// unknown slug is answered like one of an organization that they have no part in.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::Invalid`] when it takes a slug.
    pub async fn organization_meant(
        &self,
        by: &By,
        slug: Option<&str>,
    ) -> Result<OrganizationId, DomainError> {
        let person = match &by.actor {
            Actor::Person(person) => &person.id,
            Actor::Operator => return self.organization_at_hand(slug).await,
            Actor::Key => return Err(DomainError::Forbidden(KEYS_MANAGE_NOTHING)),
            Actor::Anonymous => return Err(DomainError::Unauthorized),
        };
        let member = self.store.member(person).await?.filter(|member| member.active);
        let places = member.ok_or(DomainError::Unauthorized)?.memberships;
        let meant = match (slug, places.as_slice()) {
            (Some(slug), places) => places.iter().find(|place| place.slug == slug).ok_or(NO_ACCESS)?,
            (None, [only]) => only,
            (None, _) => return Err(unnamed().into()),
        };
        Ok(meant.organization.clone())
    }

    /// The organization of this slug or, without one, the only one of the store.
    async fn organization_at_hand(&self, slug: Option<&str>) -> Result<OrganizationId, DomainError> {
        if let Some(slug) = slug {
            let found = self.store.organization_by_slug(slug).await?;
            return found.ok_or(DomainError::NotFound("organization"));
        }
        let mut all = self.store.organizations(None, None, 2).await?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only.id),
            (Some(_), false) => Err(unnamed().into()),
            (None, _) => Err(DomainError::NotFound("organization")),
        }
    }

    /// Whether `by` looks after the whole server.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn server_admin(&self, by: &By) -> Result<(), DomainError> {
        let Some(person) = by.person() else { return operator(by) };
        let member = self.store.member(person).await?.filter(|member| member.active);
        let member = member.ok_or(DomainError::Unauthorized)?;
        if member.server_admin { Ok(()) } else { Err(DomainError::Forbidden(SERVER_ADMINS_ONLY)) }
    }

    /// Whether `by` has this permission in an organization. For who sends something that does not read: before anything
    /// is said about it.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn may(
        &self,
        by: &By,
        organization: &OrganizationId,
        permission: &str,
    ) -> Result<(), DomainError> {
        self.standing(by, organization).await?.require(permission)
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
            Actor::Anonymous => return Err(DomainError::Unauthorized),
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
            .map(|place| Standing::Member(person.id.clone(), place.role.clone()))
            .ok_or(DomainError::Forbidden(NO_MEMBER))
    }
}

fn unnamed() -> Violation {
    Violation::new("X-Org-Slug", "required", "Name the organization in the X-Org-Slug header.")
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
            assert_eq!(rights(&Standing::Member("u1".into(), role.into())), wanted, "{role:?}");
        }
    }
}
