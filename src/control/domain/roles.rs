//! The roles that an organization makes for itself. The built-in ones stay as they are.

use super::actor::Subject;
use super::people::unreadable;
use super::tokens::Rules;
use super::{By, Domain, DomainError, Effect, Violation};
use crate::store::management::{AuditEntry, OrganizationRole, Written};
use crate::token::{OrganizationId, Permissions, Role};
use serde_json::{Value, json};

const VIEW: &str = "view:roles";
/// Making, altering and removing roles takes it.
pub const MANAGE_ROLES: &str = "manage:roles";
const BUILT_IN: &str =
    "The roles owner, admin, developer and viewer are built in: they can not be changed or removed.";
const NAME: usize = 50;
const DESCRIPTION: usize = 500;

/// A role to be made.
#[derive(Clone, Debug, Default)]
pub struct NewRole {
    /// 1 to 50 characters; no other role of the organization has it.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// At least one, each of them known, and held by who asks.
    pub permissions: Vec<String>,
}

/// What is to be altered of a role. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RolePatch {
    /// 1 to 50 characters; no other role of the organization has it.
    pub name: Option<String>,
    /// At most 500 characters; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// At least one, each of them known, and held by who asks.
    pub permissions: Option<Vec<String>>,
}

impl Domain {
    /// The roles that an organization made, in the order of their making.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn roles(
        &self,
        by: &By,
        organization: &OrganizationId,
    ) -> Result<Vec<OrganizationRole>, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        Ok(self.store.roles(organization).await?)
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when the name is taken.
    pub async fn create_role(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewRole,
    ) -> Result<OrganizationRole, DomainError> {
        let standing = self.standing(by, organization).await?;
        standing.require(MANAGE_ROLES)?;
        let role = OrganizationRole {
            id: uuid::Uuid::now_v7().to_string(),
            organization: organization.clone(),
            name: wanted.name,
            description: wanted.description,
            permissions: self.granted(&wanted.permissions)?,
            created_ms: by.now.unix_ms,
            updated_ms: by.now.unix_ms,
        };
        named(&role)?;
        standing.hands_on(&role.permissions)?;
        let entry = entry(by, "role.created", &role, None, Some(facts(&role)));
        match self.store.add_role(role.clone(), entry).await? {
            Written::Done => Ok(role),
            Written::Moved | Written::Taken => Err(taken()),
        }
    }

    /// Alters a role, in force at once for who has it and for the keys that they made.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`], [`DomainError::Conflict`]
    pub async fn update_role(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
        patch: RolePatch,
    ) -> Result<OrganizationRole, DomainError> {
        let mut turn = self.take_turn().await;
        let standing = self.standing(by, organization).await?;
        standing.require(MANAGE_ROLES)?;
        let old = self.own_role(organization, id).await?;
        let mut new = OrganizationRole { updated_ms: by.now.unix_ms, ..old.clone() };
        new.name = patch.name.unwrap_or(new.name);
        new.description = patch.description.unwrap_or(new.description);
        if let Some(list) = &patch.permissions {
            new.permissions = self.granted(list)?;
        }
        named(&new)?;
        // What it has already and is more than one's own is not one's own to alter, either.
        standing.hands_on(&old.permissions)?;
        standing.hands_on(&new.permissions)?;
        let entry = entry(by, "role.updated", &new, Some(facts(&old)), Some(facts(&new)));
        match self.store.replace_role(new.clone(), entry).await? {
            Written::Done => {}
            Written::Taken => return Err(taken()),
            Written::Moved => return Err(DomainError::NotFound("role")),
        }
        self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
        Ok(new)
    }

    /// Removes a role that nobody has.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`] while somebody has it.
    pub async fn delete_role(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<(), DomainError> {
        let standing = self.standing(by, organization).await?;
        standing.require(MANAGE_ROLES)?;
        let old = self.own_role(organization, id).await?;
        standing.hands_on(&old.permissions)?;
        let entry = entry(by, "role.deleted", &old, Some(facts(&old)), None);
        match self.store.remove_role(id, entry).await? {
            Written::Done => Ok(()),
            Written::Moved => Err(DomainError::NotFound("role")),
            Written::Taken => {
                Err(DomainError::Conflict("Members have this role: give them another one first.".to_owned()))
            }
        }
    }

    async fn own_role(
        &self,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<OrganizationRole, DomainError> {
        if Role::from_name(id).is_some() {
            return Err(DomainError::Forbidden(BUILT_IN));
        }
        let roles = self.store.roles(organization).await?;
        roles.into_iter().find(|role| role.id == id).ok_or(DomainError::NotFound("role"))
    }

    fn granted(&self, list: &[String]) -> Result<Permissions, DomainError> {
        let mut rules = Rules::default();
        let permissions = rules.known_permissions(list, &self.catalogue());
        rules.held().map_err(DomainError::Invalid)?;
        Ok(permissions)
    }
}

/// Whether name and description may be what they are.
fn named(role: &OrganizationRole) -> Result<(), DomainError> {
    let name = role.name.trim();
    if name.is_empty() || role.name.chars().count() > NAME {
        return Err(Violation::new("name", "length", format!("name must have 1 to {NAME} characters")).into());
    }
    if let Some(violation) = unreadable(name, "name") {
        return Err(violation.into());
    }
    if Role::from_name(&name.to_lowercase()).is_some() {
        return Err(taken());
    }
    if role.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        let message = format!("description must have at most {DESCRIPTION} characters");
        return Err(Violation::new("description", "length", message).into());
    }
    Ok(())
}

fn taken() -> DomainError {
    DomainError::Conflict("Another role of this organization has this name already.".to_owned())
}

fn facts(role: &OrganizationRole) -> Value {
    json!({
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions.iter().collect::<Vec<_>>(),
    })
}

fn entry(
    by: &By,
    action: &'static str,
    role: &OrganizationRole,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditEntry {
    let (organization, name) = (Some(&role.organization), Some(role.name.as_str()));
    by.entry(Subject { action, organization, id: &role.id, name, before, after })
}
