//! Keys made, altered, regenerated, removed.

use super::super::actor::Subject;
use super::super::{ATTEMPTS, By, Domain, DomainError, Violation};
use super::read::unknown_kind;
use super::rules::Rules;
use super::{Made, NewToken, Place, Regeneration, TokenPatch, facts};
use crate::clock::Moment;
use crate::store::Organization;
use crate::store::import::default_expiry_ms;
use crate::store::management::{AuditEntry, Token, Written};
use crate::token::{Digest, KeyFamily, OrganizationId, ProjectId, Reach, Secret, TokenId, mint};

/// Characters of a key's value that may be shown, beyond the prefix of its family.
const SHOWN: usize = 6;

pub(super) const BUSY: &str = "The token is being changed by somebody else. Read it again and repeat.";

impl Domain {
    /// Makes a key. Its value is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::NotFound`] for the project it is bound to.
    pub async fn create_token(
        &self,
        by: &By,
        organization: &OrganizationId,
        family: KeyFamily,
        wanted: NewToken,
    ) -> Result<Made, DomainError> {
        self.standing(by, organization).await?.may_create()?;
        let value = new_value(family)?;
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let home = self.store.organization(organization).await?;
            let home = home.ok_or(DomainError::NotFound("organization"))?;
            let token = new_token(by, &home, family, &wanted, &value)?;
            let entry = entry(by, "api_token.created", &token, None, Some(facts::of(&token)));
            let done = self.store.add_token(token.clone(), Digest::of(value.expose()), entry).await?;
            if done == Written::Done {
                self.confirm(by.now).await?;
                return Ok(Made { token, value });
            }
        }
        Err(DomainError::Conflict(BUSY.to_owned()))
    }

    /// Alters a key; its value stays.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`]
    pub async fn update_token(
        &self,
        by: &By,
        place: &Place,
        id: &TokenId,
        patch: TokenPatch,
    ) -> Result<Token, DomainError> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let (old, _) = self.touched(by, place, id).await?;
            let new = patched(&old, &patch, by.now)?;
            if new == old {
                return Ok(old);
            }
            let new = Token { updated_ms: by.now.unix_ms, ..new };
            let (before, after) = facts::differing(&old, &new);
            // Switching a key off or on is an event of its own.
            let action = match (old.active, new.active) {
                (true, false) => "api_token.deactivated",
                (false, true) => "api_token.activated",
                _ => "api_token.updated",
            };
            let entry = entry(by, action, &new, Some(before), Some(after));
            if let Some(token) = self.put(by, new, None, entry).await? {
                return Ok(token);
            }
        }
        Err(DomainError::Conflict(BUSY.to_owned()))
    }

    /// Gives a key a new value; the old one is dead when this returns.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`]
    pub async fn regenerate_token(
        &self,
        by: &By,
        place: &Place,
        id: &TokenId,
        how: Regeneration,
    ) -> Result<Made, DomainError> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let (old, _) = self.touched(by, place, id).await?;
            let value = new_value(old.family)?;
            let new = regenerated(&old, &how, &value, by.now)?;
            let (before, after) = facts::differing(&old, &new);
            let entry = entry(by, "api_token.regenerated", &new, Some(before), Some(after));
            if let Some(token) = self.put(by, new, Some(Digest::of(value.expose())), entry).await? {
                return Ok(Made { token, value });
            }
        }
        Err(DomainError::Conflict(BUSY.to_owned()))
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`], [`DomainError::Conflict`]
    pub async fn delete_token(&self, by: &By, place: &Place, id: &TokenId) -> Result<(), DomainError> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let (old, _) = self.touched(by, place, id).await?;
            let entry = entry(by, "api_token.deleted", &old, Some(facts::of(&old)), None);
            if self.store.remove_token(id, old.revision, entry).await? == Written::Done {
                return self.confirm(by.now).await;
            }
        }
        Err(DomainError::Conflict(BUSY.to_owned()))
    }

    /// Writes a key that was read before, and reads it back as it is then. `None` when it was altered meanwhile.
    async fn put(
        &self,
        by: &By,
        token: Token,
        value: Option<Digest>,
        entry: AuditEntry,
    ) -> Result<Option<Token>, DomainError> {
        let written = Token { revision: token.revision + 1, ..token.clone() };
        if self.store.replace_token(token, value, entry).await? != Written::Done {
            return Ok(None);
        }
        self.confirm(by.now).await?;
        self.settle_usage().await;
        // With the uses that were counted since; gone already, it is shown as it was written.
        Ok(Some(self.store.token(&written.id).await?.unwrap_or(written)))
    }
}

pub(super) fn entry(
    by: &By,
    action: &'static str,
    token: &Token,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> AuditEntry {
    let (organization, name) = (Some(&token.organization), Some(token.name.as_str()));
    by.entry(Subject { action, organization, id: token.id.as_str(), name, before, after })
}

pub(super) fn new_value(family: KeyFamily) -> Result<Secret, DomainError> {
    mint(family).map_err(|error| DomainError::Internal(Box::new(error)))
}

/// As much of a value as may be shown: enough to tell keys apart, and nothing to guess the rest by.
pub(super) fn prefix_of(value: &Secret) -> Option<String> {
    let text = value.expose();
    let random = text.rfind('_')? + 1;
    text.get(..random + SHOWN).map(str::to_owned)
}

fn new_token(
    by: &By,
    home: &Organization,
    family: KeyFamily,
    wanted: &NewToken,
    value: &Secret,
) -> Result<Token, DomainError> {
    let mut rules = Rules::default();
    rules.name(&wanted.name);
    wanted.description.iter().for_each(|text| rules.description(text));
    let reach = reach(&mut rules, home, wanted)?;
    let permissions = rules.permissions(&wanted.permissions);
    let scopes = rules.scopes(&wanted.scopes);
    let named = wanted.expires_at.as_ref().and_then(|text| rules.expiry(text, by.now));
    let addresses = rules.addresses(&wanted.addresses);
    rules.held().map_err(DomainError::Invalid)?;
    let now_ms = by.now.unix_ms;
    let expires_ms = named.or_else(|| default_expiry_ms(family, now_ms));
    Ok(Token {
        id: uuid::Uuid::now_v7().to_string().into(),
        family,
        name: wanted.name.clone(),
        description: wanted.description.clone(),
        organization: home.id.clone(),
        reach,
        permissions,
        scopes,
        expires_ms,
        lifetime_ms: expires_ms.map(|at| at.saturating_sub(now_ms)),
        active: true,
        addresses,
        prefix: prefix_of(value),
        created_by: by.person().cloned(),
        created_ms: now_ms,
        updated_ms: now_ms,
        usage_count: 0,
        last_used_ms: None,
        revision: 1,
    })
}

/// All projects of the organization or one: the one that the key is bound to, or the one that was named.
fn reach(rules: &mut Rules, home: &Organization, wanted: &NewToken) -> Result<Reach, DomainError> {
    let has = |id: &str| home.projects.iter().any(|project| project.id.as_str() == id);
    if let Some(project) = &wanted.bound_to {
        return if has(project.as_str()) {
            Ok(Reach::Project(project.clone()))
        } else {
            Err(DomainError::NotFound("project"))
        };
    }
    let project = |constraint, message: &str| Violation::new("projectId", constraint, message);
    match (wanted.kind.as_deref(), wanted.project.as_deref()) {
        (Some("organization"), None) => return Ok(Reach::Organization),
        (Some("organization"), Some(_)) => {
            rules.add(project("absent", "projectId must not be given for the type organization"));
        }
        (Some("project"), Some(id)) if has(id) => return Ok(Reach::Project(ProjectId::from(id))),
        (Some("project"), Some(_)) => {
            rules.add(project("known", "projectId must be a project of the organization"));
        }
        (Some("project"), None) => {
            rules.add(project("required", "projectId is required for the type project"));
        }
        _ => rules.add(unknown_kind()),
    }
    // Never used: a rule is broken.
    Ok(Reach::Organization)
}

fn patched(old: &Token, patch: &TokenPatch, now: Moment) -> Result<Token, DomainError> {
    let mut rules = Rules::default();
    let mut new = old.clone();
    if let Some(name) = &patch.name {
        rules.name(name);
        new.name.clone_from(name);
    }
    if let Some(description) = &patch.description {
        description.iter().for_each(|text| rules.description(text));
        new.description.clone_from(description);
    }
    if let Some(list) = &patch.permissions {
        new.permissions = rules.permissions(list);
    }
    if let Some(list) = &patch.scopes {
        new.scopes = rules.scopes(list);
    }
    if let Some(at) = patch.expires_at.as_ref().and_then(|text| rules.expiry(text, now))
        && new.expires_ms != Some(at)
    {
        (new.expires_ms, new.lifetime_ms) = (Some(at), Some(at - now.unix_ms));
    }
    if let Some(list) = &patch.addresses {
        new.addresses = rules.addresses(list);
    }
    new.active = patch.active.unwrap_or(old.active);
    rules.held().map_err(DomainError::Invalid)?;
    Ok(new)
}

fn regenerated(old: &Token, how: &Regeneration, value: &Secret, now: Moment) -> Result<Token, DomainError> {
    let mut rules = Rules::default();
    let named = how.expires_at.as_ref().and_then(|text| rules.expiry(text, now));
    rules.held().map_err(DomainError::Invalid)?;
    let mut new = Token { prefix: prefix_of(value), updated_ms: now.unix_ms, ..old.clone() };
    if let Some(at) = named {
        (new.expires_ms, new.lifetime_ms) = (Some(at), Some(at - now.unix_ms));
    } else if old.expires_ms.is_some_and(|at| at <= now.unix_ms) {
        // Otherwise the new value would be dead on arrival.
        let again = old.lifetime_ms.map(|life| now.unix_ms.saturating_add(life));
        new.expires_ms = again.or_else(|| default_expiry_ms(KeyFamily::Ocriva, now.unix_ms));
    }
    Ok(new)
}
