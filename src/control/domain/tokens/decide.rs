//! What becomes of a key by an operation: decided from what it is, what is asked and the time. Nothing is read or written.

use super::super::{By, DomainError, Effect, Violation};
use super::read::unknown_kind;
use super::rules::Rules;
use super::{NewToken, Regeneration, TokenPatch};
use crate::clock::Moment;
use crate::store::Organization;
use crate::store::import::default_expiry_ms;
use crate::store::management::Token;
use crate::token::{KeyFamily, ProjectId, Reach, Secret};

/// Characters of a key's value that may be shown, beyond the prefix of its family.
const SHOWN: usize = 6;

/// A new name, a new description and being switched on hurt nobody.
pub(super) fn effect(old: &Token, new: &Token) -> Effect {
    let harmless = Token {
        name: old.name.clone(),
        description: old.description.clone(),
        active: old.active && new.active,
        updated_ms: old.updated_ms,
        ..new.clone()
    };
    if harmless == *old { Effect::Adds } else { Effect::TakesAway }
}

/// As much of a value as may be shown: enough to tell keys apart, and nothing to guess the rest by.
pub(super) fn prefix_of(value: &Secret) -> Option<String> {
    let text = value.expose();
    let random = text.rfind('_')? + 1;
    text.get(..random + SHOWN).map(str::to_owned)
}

pub(super) fn new_token(
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
        extras: serde_json::Map::new(),
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

pub(super) fn patched(old: &Token, patch: &TokenPatch, now: Moment) -> Result<Token, DomainError> {
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

pub(super) fn regenerated(
    old: &Token,
    how: &Regeneration,
    value: &Secret,
    now: Moment,
) -> Result<Token, DomainError> {
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
