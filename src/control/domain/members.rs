//! Members of an organization and their roles.

use super::actor::Subject;
use super::tokens::{Part, PartQuery};
use super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect, Violation};
use crate::store::management::{OrganizationMember, Position, RoleName, Written};
use crate::token::{CustomRole, MemberRole, OrganizationId, Role, UserId};
use serde_json::json;
use std::sync::Arc;

const VIEW: &str = "view:members";
/// Giving roles, taking members out and inviting takes it.
pub const MANAGE_MEMBERS: &str = "manage:members";
const LAST_OWNER: &str = "An organization needs an owner: make somebody else one first.";

impl Domain {
    /// Lists an organization's members in the order of their making.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn members(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: PartQuery,
    ) -> Result<Part<OrganizationMember>, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        let members = self.store.members(organization, query.after, query.limit + 1).await?;
        let place = |it: &OrganizationMember| Position { created_ms: it.created_ms, id: it.id.to_string() };
        Ok(Part::cut(members, query.limit, place))
    }

    /// Gives a member another role, in force at once for their sessions and for the keys that they made.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`] for an unknown role,
    /// [`DomainError::Conflict`] when the organization would be left without an owner.
    pub async fn change_role(
        &self,
        by: &By,
        organization: &OrganizationId,
        person: &UserId,
        role: &str,
    ) -> Result<OrganizationMember, DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let standing = self.standing(by, organization).await?;
            standing.require(MANAGE_MEMBERS)?;
            let member = self.member_of(organization, person).await?;
            let new = self.role_named(organization, role).await?;
            standing.gives(&member.role)?;
            standing.gives(&new)?;
            if new == member.role {
                // It may have been answered to nobody, and still be on its way to a node.
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(member);
            }
            self.keeps_an_owner(organization, &member).await?;
            let entry = by.entry(Subject {
                action: "member.role_changed",
                organization: Some(organization),
                id: person.as_str(),
                name: Some(&member.email),
                before: Some(json!({ "role": member.role.name() })),
                after: Some(json!({ "role": new.name() })),
            });
            let from_to = (RoleName::from(&member.role), RoleName::from(&new));
            if self.store.set_role(organization, person, from_to, entry).await? == Written::Done {
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(OrganizationMember { role: new, ..member });
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Takes a member out of an organization. Everybody may take themselves out.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`] as above.
    pub async fn remove_member(
        &self,
        by: &By,
        organization: &OrganizationId,
        person: &UserId,
    ) -> Result<(), DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let standing = self.standing(by, organization).await?;
            let oneself = by.person() == Some(person);
            if !oneself {
                standing.require(MANAGE_MEMBERS)?;
            }
            let found = self.member_of(organization, person).await;
            let member = self.certainly(&mut turn, by.now, found).await?;
            if !oneself {
                standing.gives(&member.role)?;
            }
            self.keeps_an_owner(organization, &member).await?;
            let entry = by.entry(Subject {
                action: if oneself { "member.left" } else { "member.removed" },
                organization: Some(organization),
                id: person.as_str(),
                name: Some(&member.email),
                before: Some(json!({ "role": member.role.name() })),
                after: None,
            });
            let role = RoleName::from(&member.role);
            if self.store.remove_member(organization, person, role, entry).await? == Written::Done {
                return self.confirm(&mut turn, by.now, Effect::TakesAway).await;
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    async fn member_of(
        &self,
        organization: &OrganizationId,
        person: &UserId,
    ) -> Result<OrganizationMember, DomainError> {
        let found = self.store.member_of(organization, person).await?;
        found.ok_or(DomainError::NotFound("member"))
    }

    /// Whether there is an owner beside this member; the store sees to it once more.
    async fn keeps_an_owner(
        &self,
        organization: &OrganizationId,
        leaving: &OrganizationMember,
    ) -> Result<(), DomainError> {
        let is_owner = |it: &OrganizationMember| it.role.system() == Some(Role::Owner);
        if !is_owner(leaving) {
            return Ok(());
        }
        let members = self.store.members(organization, None, u32::MAX).await?;
        let others = members.iter().any(|member| member.id != leaving.id && is_owner(member));
        if others { Ok(()) } else { Err(DomainError::Conflict(LAST_OWNER.to_owned())) }
    }

    /// The role that somebody means: a built-in one by its name, one of the organization's by its name or id.
    pub(super) async fn role_named(
        &self,
        organization: &OrganizationId,
        name: &str,
    ) -> Result<MemberRole, DomainError> {
        if let Some(role) = Role::from_name(name) {
            return Ok(role.into());
        }
        let roles = self.store.roles(organization).await?;
        let role = roles.into_iter().find(|role| role.id == name || role.name == name);
        let unknown = || Violation::new("role", "known", "role must be one of the organization's roles");
        let role = role.ok_or_else(unknown)?;
        let custom = CustomRole { id: role.id, name: role.name, permissions: role.permissions };
        Ok(MemberRole::Custom(Arc::new(custom)))
    }
}
