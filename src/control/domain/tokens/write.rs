//! Keys made, altered, regenerated, removed.

use super::super::actor::Subject;
use super::super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect};
use super::decide::{effect, new_token, patched, regenerated};
use super::{Made, NewToken, Place, Regeneration, TokenPatch, facts};
use crate::store::management::{AuditEntry, Token, Written};
use crate::token::{Digest, KeyFamily, OrganizationId, Secret, TokenId, mint};

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
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let home = self.store.organization(organization).await?;
            let home = home.ok_or(DomainError::NotFound("organization"))?;
            let token = new_token(by, &home, family, &wanted, &value)?;
            let entry = entry(by, "api_token.created", &token, None, Some(facts::of(&token)));
            let done = self.store.add_token(token.clone(), Digest::of(value.expose()), entry).await?;
            if done == Written::Done {
                self.confirm(&mut turn, by.now, Effect::Adds).await?;
                return Ok(Made { token, value });
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
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
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let (old, _) = self.touched(by, place, id).await?;
            let new = patched(&old, &patch, by.now)?;
            if new == old {
                // It may have been answered to nobody, and still be on its way to a node.
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                self.settle_usage_of(std::slice::from_ref(id)).await;
                return Ok(self.touched(by, place, id).await?.0);
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
            let effect = effect(&old, &new);
            if let Some(token) = self.put(new, None, entry).await? {
                self.confirm(&mut turn, by.now, effect).await?;
                return self.as_it_is(token).await;
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
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
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let (old, _) = self.touched(by, place, id).await?;
            let value = new_value(old.family)?;
            let new = regenerated(&old, &how, &value, by.now)?;
            let (before, after) = facts::differing(&old, &new);
            let entry = entry(by, "api_token.regenerated", &new, Some(before), Some(after));
            let digest = Some(Digest::of(value.expose()));
            if let Some(token) = self.put(new, digest, entry).await? {
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(Made { token: self.as_it_is(token).await?, value });
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`], [`DomainError::Conflict`]
    pub async fn delete_token(&self, by: &By, place: &Place, id: &TokenId) -> Result<(), DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let found = self.touched(by, place, id).await;
            let (old, _) = self.certainly(&mut turn, by.now, found).await?;
            let entry = entry(by, "api_token.deleted", &old, Some(facts::of(&old)), None);
            if self.store.remove_token(id, old.revision, entry).await? == Written::Done {
                return self.confirm(&mut turn, by.now, Effect::TakesAway).await;
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Writes a key that was read before. `None` when it was altered meanwhile.
    pub(super) async fn put(
        &self,
        token: Token,
        value: Option<Digest>,
        entry: AuditEntry,
    ) -> Result<Option<Token>, DomainError> {
        let written = Token { revision: token.revision + 1, ..token.clone() };
        match self.store.replace_token(token, value, entry).await? {
            Written::Done => Ok(Some(written)),
            Written::Moved => Ok(None),
            Written::Taken => Err(name_taken()),
        }
    }

    /// A key that was written, with the uses that were counted since; gone already, as it was written.
    pub(super) async fn as_it_is(&self, written: Token) -> Result<Token, DomainError> {
        self.settle_usage_of(std::slice::from_ref(&written.id)).await;
        Ok(self.store.token(&written.id).await?.unwrap_or(written))
    }
}

pub(super) fn name_taken() -> DomainError {
    DomainError::Conflict("Another API key of this organization has this name already.".to_owned())
}

pub(super) fn entry(
    by: &By,
    action: &'static str,
    token: &Token,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> AuditEntry {
    let (organization, name) = (Some(&token.organization), Some(token.name.as_str()));
    by.entry(Subject { action, organization, id: &token.id.text(), name, before, after })
}

pub(super) fn new_value(family: KeyFamily) -> Result<Secret, DomainError> {
    mint(family).map_err(|error| DomainError::Internal(Box::new(error)))
}
