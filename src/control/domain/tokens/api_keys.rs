//! Keys of the `ocore` family: they hold `view:` and `manage:` permissions, never more than who makes them has.
//!
//! Who made a key bounds it for good: the edge cuts its permissions to what their role has at present.

use super::super::access::Standing;
use super::super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect};
use super::decide::{effect, prefix_of};
use super::rules::Rules;
use super::write::{entry, name_taken, new_value};
use super::{InForce, Made, Part, PartQuery, facts};
use crate::store::management::{Page, Position, Token, TokenFilter, Written};
use crate::token::{Digest, KeyFamily, OrganizationId, Permissions, Reach, Secret, TokenId};
use serde_json::{Map, Value};

const FAMILY: KeyFamily = KeyFamily::Ocore;
const VIEW: &str = "view:api-keys";
/// Making, altering and removing keys takes it.
pub const MANAGE_API_KEYS: &str = "manage:api-keys";

/// A key to be made, as it was asked for: nothing of it is checked yet.
#[derive(Clone, Debug, Default)]
pub struct NewApiKey {
    /// 1 to 100 characters; no other key of the organization has it.
    pub name: String,
    /// At least one, each of them known, and held by who asks.
    pub permissions: Vec<String>,
    /// A word of the organization's own.
    pub scope: Option<String>,
    /// An instant in the future; never, where none is given.
    pub expires_at: Option<String>,
    /// What goes with it for another part of its system: at most 16 members, of 4096 bytes as JSON.
    pub extras: Map<String, Value>,
}

/// What is to be altered of a key. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ApiKeyPatch {
    /// 1 to 100 characters; no other key of the organization has it.
    pub name: Option<String>,
    /// At least one, each of them known, and held by who asks.
    pub permissions: Option<Vec<String>>,
    /// A word of the organization's own; `Some(None)` takes it away.
    pub scope: Option<Option<String>>,
    /// An instant in the future; `Some(None)` for never.
    pub expires_at: Option<Option<String>>,
    /// What goes with it for another part of its system; null takes a member away.
    pub extras: Map<String, Value>,
    /// False blocks it until it is true again.
    pub active: Option<bool>,
}

impl Domain {
    /// Makes a key. Its value is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when the name is taken.
    pub async fn create_api_key(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewApiKey,
    ) -> Result<Made, DomainError> {
        let standing = self.standing(by, organization).await?;
        standing.require(MANAGE_API_KEYS)?;
        let value = new_value(FAMILY)?;
        let token = self.new_api_key(by, organization, &wanted, &value)?;
        standing.hands_on(&token.permissions)?;
        let mut turn = self.take_turn().await;
        let entry = entry(by, "api_key.created", &token, None, Some(facts::of(&token)));
        match self.store.add_token(token.clone(), Digest::of(value.expose()), entry).await? {
            Written::Done => {}
            Written::Taken => return Err(name_taken()),
            Written::Moved => return Err(DomainError::NotFound("organization")),
        }
        self.confirm(&mut turn, by.now, Effect::Adds).await?;
        Ok(Made { token, value })
    }

    /// Lists an organization's keys in the order of their making.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn api_keys(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: PartQuery,
    ) -> Result<Part<Token>, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        let filter = TokenFilter { organization: Some(organization.clone()), ..TokenFilter::default() };
        self.part_of_api_keys(filter, query, 0).await
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn api_key(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &TokenId,
    ) -> Result<Token, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        self.settle_usage_of(std::slice::from_ref(id)).await;
        self.api_key_of(Some(organization), id).await
    }

    /// Alters a key; its value stays.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`], [`DomainError::Conflict`]
    pub async fn update_api_key(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &TokenId,
        patch: ApiKeyPatch,
    ) -> Result<InForce<Token>, DomainError> {
        let turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let standing = self.standing(by, organization).await?;
            standing.require(MANAGE_API_KEYS)?;
            let old = self.api_key_of(Some(organization), id).await?;
            let new = self.patched_api_key(by, &standing, &old, &patch)?;
            if new == old {
                // It may have been answered to nobody, and still be on its way to a node.
                if let Some(operation) = self.confirm_soon(turn, by, &old, Effect::TakesAway).await? {
                    return Ok(InForce::Soon(Box::new(operation)));
                }
                return self.as_it_is(old).await.map(InForce::Everywhere);
            }
            let new = Token { updated_ms: by.now.unix_ms, ..new };
            let (before, after) = facts::differing(&old, &new);
            // Switching a key off or on is an event of its own.
            let action = match (old.active, new.active) {
                (true, false) => "api_key.deactivated",
                (false, true) => "api_key.activated",
                _ => "api_key.updated",
            };
            let (effect, entry) = (effect(&old, &new), entry(by, action, &new, Some(before), Some(after)));
            if let Some(token) = self.put(new, None, entry).await? {
                return match self.confirm_soon(turn, by, &token, effect).await? {
                    None => Ok(InForce::Everywhere(self.as_it_is(token).await?)),
                    Some(operation) => Ok(InForce::Soon(Box::new(operation))),
                };
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`]
    pub async fn delete_api_key(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &TokenId,
    ) -> Result<InForce<()>, DomainError> {
        self.standing(by, organization).await?.require(MANAGE_API_KEYS)?;
        self.remove_api_key(by, Some(organization), id).await
    }

    /// Lists the keys of every organization: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn all_api_keys(
        &self,
        by: &By,
        query: PartQuery,
        skip: u64,
        search: Option<String>,
    ) -> Result<Part<Token>, DomainError> {
        self.server_admin(by).await?;
        self.part_of_api_keys(TokenFilter { search, ..TokenFilter::default() }, query, skip).await
    }

    /// Removes a key of whatever organization: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`]
    pub async fn delete_any_api_key(&self, by: &By, id: &TokenId) -> Result<InForce<()>, DomainError> {
        self.server_admin(by).await?;
        self.remove_api_key(by, None, id).await
    }

    async fn part_of_api_keys(
        &self,
        filter: TokenFilter,
        query: PartQuery,
        skip: u64,
    ) -> Result<Part<Token>, DomainError> {
        let filter = TokenFilter { family: Some(FAMILY), after: query.after, ..filter };
        self.settle_usage().await;
        // One more than is asked for says whether there are more.
        let page = Page { offset: skip, limit: query.limit + 1 };
        let tokens = self.store.list_tokens(&filter, page).await?.tokens;
        let place = |token: &Token| Position { created_ms: token.created_ms, id: token.id.to_string() };
        Ok(Part::cut(tokens, query.limit, place))
    }

    pub(in super::super) async fn api_key_of(
        &self,
        organization: Option<&OrganizationId>,
        id: &TokenId,
    ) -> Result<Token, DomainError> {
        let here = |token: &Token| {
            token.family == FAMILY && organization.is_none_or(|named| *named == token.organization)
        };
        self.store.token(id).await?.filter(here).ok_or(DomainError::NotFound("API key"))
    }

    async fn remove_api_key(
        &self,
        by: &By,
        organization: Option<&OrganizationId>,
        id: &TokenId,
    ) -> Result<InForce<()>, DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let found = self.api_key_of(organization, id).await;
            let old = self.certainly(&mut turn, by.now, found).await?;
            let entry = entry(by, "api_key.deleted", &old, Some(facts::of(&old)), None);
            if self.store.remove_token(id, old.revision, entry).await? == Written::Done {
                let operation = self.confirm_soon(turn, by, &old, Effect::TakesAway).await?;
                return Ok(operation.map_or(InForce::Everywhere(()), |it| InForce::Soon(Box::new(it))));
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    fn new_api_key(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: &NewApiKey,
        value: &Secret,
    ) -> Result<Token, DomainError> {
        let mut rules = Rules::default();
        rules.name(&wanted.name);
        let permissions = rules.known_permissions(&wanted.permissions, &self.catalogue());
        let scopes = wanted.scope.iter().map(|text| rules.scope(text)).collect();
        let expires_ms = wanted.expires_at.as_ref().and_then(|text| rules.expiry(text, by.now));
        let extras = with_extras(&Map::new(), &wanted.extras);
        rules.extras(&extras);
        rules.held().map_err(DomainError::Invalid)?;
        let now_ms = by.now.unix_ms;
        Ok(Token {
            id: uuid::Uuid::now_v7().to_string().into(),
            family: FAMILY,
            name: wanted.name.clone(),
            description: None,
            organization: organization.clone(),
            reach: Reach::Organization,
            permissions,
            scopes,
            expires_ms,
            lifetime_ms: expires_ms.map(|at| at.saturating_sub(now_ms)),
            active: true,
            addresses: Vec::new(),
            prefix: prefix_of(value),
            extras,
            created_by: by.person().cloned(),
            created_ms: now_ms,
            updated_ms: now_ms,
            usage_count: 0,
            last_used_ms: None,
            revision: 1,
        })
    }

    fn patched_api_key(
        &self,
        by: &By,
        standing: &Standing,
        old: &Token,
        patch: &ApiKeyPatch,
    ) -> Result<Token, DomainError> {
        let mut rules = Rules::default();
        let mut new = old.clone();
        if let Some(name) = &patch.name {
            rules.name(name);
            new.name.clone_from(name);
        }
        if let Some(list) = &patch.permissions {
            new.permissions = rules.known_permissions(list, &self.catalogue());
        }
        if let Some(scope) = &patch.scope {
            new.scopes = scope.iter().map(|text| rules.scope(text)).collect();
        }
        new.active = patch.active.unwrap_or(new.active);
        new.extras = with_extras(&old.extras, &patch.extras);
        rules.extras(&new.extras);
        match &patch.expires_at {
            None => {}
            Some(None) => (new.expires_ms, new.lifetime_ms) = (None, None),
            Some(Some(text)) => {
                if let Some(at) = rules.expiry(text, by.now).filter(|at| new.expires_ms != Some(*at)) {
                    (new.expires_ms, new.lifetime_ms) = (Some(at), Some(at - by.now.unix_ms));
                }
            }
        }
        rules.held().map_err(DomainError::Invalid)?;
        standing.hands_on(&added(&old.permissions, &new.permissions))?;
        Ok(new)
    }
}

/// What goes with a key once these are set; null takes one away.
fn with_extras(old: &Map<String, Value>, set: &Map<String, Value>) -> Map<String, Value> {
    let mut extras = old.clone();
    extras.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
    extras.retain(|_, value| !value.is_null());
    extras
}

/// What a key gets that it did not have.
fn added(old: &Permissions, new: &Permissions) -> Permissions {
    Permissions::new(new.iter().filter(|wanted| !old.allow(wanted)))
}
