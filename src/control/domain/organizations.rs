//! Organizations: made, shown, altered. What is in them has files of its own.

use super::actor::Subject;
use super::people::unreadable;
use super::tokens::{Part, PartQuery};
use super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect, Violation};
use crate::config::Founders;
use crate::store::import::is_slug;
use crate::store::management::{NewOrganization, OrganizationRecord, Position, Written};
use crate::token::{MemberRole, OrganizationId, Role, UserId};
use serde_json::json;

const VIEW: &str = "view:organization";
/// Altering an organization takes it.
pub const MANAGE_ORGANIZATION: &str = "manage:organization";
const NOT_ANYONE: &str = "Only the server's admins may make organizations here.";
const OWNER_BY_ADMINS: &str = "Only the server's admins may make an organization for somebody else.";
const TAKEN: &str = "Another organization has this slug already: choose another one.";

/// An organization to be made.
#[derive(Clone, Debug, Default)]
pub struct WantedOrganization {
    /// 2 to 100 characters.
    pub name: String,
    /// 3 to 50 of `a-z`, `0-9` and `-`; one that follows from the name, where none is given.
    pub slug: Option<String>,
    /// Who owns it, by id or e-mail address; who makes it, where nobody is named.
    pub owner: Option<String>,
}

/// What is to be altered of an organization. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct OrganizationPatch {
    /// 2 to 100 characters.
    pub name: Option<String>,
    /// 3 to 50 of `a-z`, `0-9` and `-`; no other organization has it.
    pub slug: Option<String>,
}

impl Domain {
    /// The organizations that who asks belongs to, with their role there, in the order of their making. The operator
    /// belongs to all of them, as their owner.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`] for keys.
    pub async fn own_organizations(
        &self,
        by: &By,
        query: PartQuery,
    ) -> Result<Part<(OrganizationRecord, MemberRole)>, DomainError> {
        let (after, most) = (query.after, query.limit + 1);
        let found = match by.person() {
            Some(person) => self.store.organizations_of(person, after, most).await?,
            None => {
                self.server_admin(by).await?;
                let all = self.store.organizations(None, after, most).await?;
                all.into_iter().map(|record| (record, Role::Owner.into())).collect()
            }
        };
        Ok(Part::cut(found, query.limit, |(record, _)| place(record)))
    }

    /// Every organization, or those with a text in name or slug: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn all_organizations(
        &self,
        by: &By,
        query: PartQuery,
        search: Option<&str>,
    ) -> Result<Part<OrganizationRecord>, DomainError> {
        self.server_admin(by).await?;
        let found = self.store.organizations(search, query.after, query.limit + 1).await?;
        Ok(Part::cut(found, query.limit, place))
    }

    /// Shows an organization.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn organization(
        &self,
        by: &By,
        id: &OrganizationId,
    ) -> Result<OrganizationRecord, DomainError> {
        self.standing(by, id).await?.require(VIEW)?;
        self.record(id).await
    }

    /// Whether `by` may make organizations: the server's admins may, and everybody where the configuration says so.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn may_create_organization(&self, by: &By) -> Result<(), DomainError> {
        match self.server_admin(by).await {
            Err(DomainError::Forbidden(_)) if by.person().is_some() => {
                let anyone = self.accounts.load().organizations == Founders::Anyone;
                if anyone { Ok(()) } else { Err(DomainError::Forbidden(NOT_ANYONE)) }
            }
            outcome => outcome,
        }
    }

    /// Makes an organization; who makes it owns it, or whom a server's admin names. What the operator makes for nobody
    /// is nobody's.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when the slug is taken,
    /// [`DomainError::NotFound`] for the owner.
    pub async fn create_organization(
        &self,
        by: &By,
        wanted: WantedOrganization,
    ) -> Result<OrganizationRecord, DomainError> {
        self.may_create_organization(by).await?;
        let slug = wanted.slug.unwrap_or_else(|| slug_of(&wanted.name));
        valid(&wanted.name, &slug)?;
        let owner = match &wanted.owner {
            Some(named) => Some(self.other_owner(by, named).await?),
            None => by.person().cloned(),
        };
        let new = NewOrganization {
            id: uuid::Uuid::now_v7().to_string().into(),
            slug,
            name: wanted.name.trim().to_owned(),
        };
        let entry = by.entry(Subject {
            action: "organization.created",
            organization: Some(&new.id),
            id: new.id.as_str(),
            name: Some(&new.name),
            before: None,
            after: Some(json!({
                "name": new.name, "slug": new.slug, "owner": owner.as_ref().map(UserId::as_str),
            })),
        });
        let (id, at_ms) = (new.id.clone(), by.now.unix_ms);
        match self.store.add_organization(new, owner.as_ref(), at_ms, entry).await? {
            Written::Done => {}
            Written::Taken => return Err(DomainError::Conflict(TAKEN.to_owned())),
            Written::Moved => return Err(DomainError::NotFound("person")),
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        self.record(&id).await
    }

    /// Alters an organization. A new slug is the one to be named from then on, and the old one is nobody's.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when the slug is taken.
    pub async fn update_organization(
        &self,
        by: &By,
        id: &OrganizationId,
        patch: OrganizationPatch,
    ) -> Result<OrganizationRecord, DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            self.standing(by, id).await?.require(MANAGE_ORGANIZATION)?;
            let old = self.record(id).await?;
            let mut new = old.clone();
            if let Some(name) = &patch.name {
                name.trim().clone_into(&mut new.name);
            }
            if let Some(slug) = &patch.slug {
                new.slug.clone_from(slug);
            }
            valid(&new.name, &new.slug)?;
            if new == old {
                // It may have been answered to nobody, and still be on its way to a node.
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(old);
            }
            new.updated_ms = by.now.unix_ms;
            let entry = by.entry(Subject {
                action: "organization.updated",
                organization: Some(id),
                id: id.as_str(),
                name: Some(&new.name),
                before: Some(json!({ "name": old.name, "slug": old.slug })),
                after: Some(json!({ "name": new.name, "slug": new.slug })),
            });
            // Who knows the organization by its old slug is not let in by it any more.
            let effect = if new.slug == old.slug { Effect::Adds } else { Effect::TakesAway };
            match self.store.replace_organization(&old, new.clone(), entry).await? {
                Written::Done => {
                    self.confirm(&mut turn, by.now, effect).await?;
                    return Ok(new);
                }
                Written::Taken => return Err(DomainError::Conflict(TAKEN.to_owned())),
                Written::Moved => {}
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    async fn record(&self, id: &OrganizationId) -> Result<OrganizationRecord, DomainError> {
        self.store.organization_record(id).await?.ok_or(DomainError::NotFound("organization"))
    }

    async fn other_owner(&self, by: &By, named: &str) -> Result<UserId, DomainError> {
        match self.server_admin(by).await {
            Err(DomainError::Forbidden(_)) => Err(DomainError::Forbidden(OWNER_BY_ADMINS)),
            Err(error) => Err(error),
            Ok(()) => Ok(self.person_named(named).await?.member.id),
        }
    }
}

fn place(record: &OrganizationRecord) -> Position {
    Position { created_ms: record.created_ms, id: record.id.to_string() }
}

fn valid(name: &str, slug: &str) -> Result<(), DomainError> {
    let mut wrong = Vec::new();
    if !(2..=100).contains(&name.trim().chars().count()) {
        wrong.push(Violation::new("name", "length", "name must have 2 to 100 characters"));
    }
    wrong.extend(unreadable(name, "name"));
    if !is_slug(slug) {
        let message = "slug must be 3 to 50 of the letters a to z, the digits and the hyphen";
        wrong.push(Violation::new("slug", "format", message));
    }
    DomainError::unless_none(wrong)
}

/// A slug that follows from a name: its ASCII letters and digits, hyphens for the rest.
pub fn slug_of(name: &str) -> String {
    let parts: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let slug: String = parts.join("-").chars().take(50).collect();
    if slug.len() < 3 { format!("org-{slug}").trim_end_matches('-').to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_follows_from_a_name() {
        for (name, slug) in
            [("Main", "main"), ("My Org, Ltd.", "my-org-ltd"), ("A", "org-a"), ("ตรวจ", "org")]
        {
            assert_eq!(slug_of(name), slug);
            assert!(is_slug(slug));
        }
        assert_eq!(slug_of(&"x".repeat(99)).len(), 50);
    }
}
