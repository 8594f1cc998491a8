//! Webhook endpoints and deliveries: for who manages an organization's webhooks. Seeing them takes as much as altering them,
//! because the URL of an endpoint is often all that it takes to write to it.

use super::actor::Subject;
use super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Violation};
use crate::config::HttpUrl;
use crate::control::webhooks::{Guard, is_secret, new_secret};
use crate::store::management::{
    AuditEntry, Delivery, DeliveryDetails, DeliveryFilter, DeliveryPage, DeliveryState, EVENT_TYPES,
    EVERY_EVENT, Page, WebhookEndpoint, Written,
};
use crate::token::{Digest, OrganizationId, Secret, random_id};
use serde_json::{Value, json};

/// What seeing and altering them takes.
const MANAGE_WEBHOOKS: &str = "manage:webhooks";
/// Endpoints of one organization at most.
const MOST: usize = 20;
/// Deliveries that wait for an endpoint, from which on none is asked for by hand.
const WAITING: u64 = 100;
/// Characters of a description at most.
const DESCRIPTION: usize = 500;

const WEBHOOK: &str = "webhook endpoint";
const DELIVERY: &str = "delivery";

/// An endpoint to be made, as it was asked for.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// `https`.
    pub url: String,
    /// Types of events, or `*`; at least one.
    pub events: Vec<String>,
    /// At most 500 characters.
    pub description: Option<String>,
    /// `whsec_` and base64; made where none is given.
    pub secret: Option<Secret>,
    /// True where nothing is said.
    pub active: Option<bool>,
}

/// What is to be altered of an endpoint. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    /// `https`.
    pub url: Option<String>,
    /// Types of events, or `*`; at least one.
    pub events: Option<Vec<String>>,
    /// At most 500 characters; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// `whsec_` and base64.
    pub secret: Option<Secret>,
    /// False: nothing is sent. True also ends a switching off.
    pub active: Option<bool>,
}

/// An endpoint with its secret, which is shown now and never again.
#[derive(Clone, Debug)]
pub struct MadeWebhook {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// What its deliveries are signed with.
    pub secret: Secret,
}

impl Domain {
    /// Makes an endpoint, and sends it the test event.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when there are too many.
    pub async fn create_webhook(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewWebhook,
    ) -> Result<MadeWebhook, DomainError> {
        self.may(by, organization, MANAGE_WEBHOOKS).await?;
        let now_ms = by.now.unix_ms;
        let endpoint = WebhookEndpoint {
            id: new_id("whe")?,
            organization: organization.clone(),
            url: wanted.url,
            description: wanted.description,
            events: wanted.events.iter().map(|kind| kind.as_str().into()).collect(),
            active: wanted.active.unwrap_or(true),
            failing_since_ms: None,
            disabled_ms: None,
            created_by: by.person().cloned(),
            created_ms: now_ms,
            updated_ms: now_ms,
            revision: 1,
        };
        valid(&endpoint, wanted.secret.as_ref(), &self.guard())?;
        let secret = match wanted.secret {
            Some(secret) => secret,
            None => new_secret().map_err(internal)?,
        };
        let _turn = self.take_turn().await;
        if self.store.webhook_endpoints(organization).await?.len() >= MOST {
            let message = format!("An organization has at most {MOST} webhook endpoints.");
            return Err(DomainError::Conflict(message));
        }
        let entry = entry(by, "webhook_endpoint.created", &endpoint, None, Some(facts(&endpoint)));
        match self.store.add_webhook_endpoint(endpoint.clone(), secret.clone(), entry).await? {
            Written::Done => Ok(MadeWebhook { endpoint, secret }),
            Written::Moved | Written::Taken => Err(DomainError::NotFound("organization")),
        }
    }

    /// Lists an organization's endpoints, in the order of their making.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn webhooks(
        &self,
        by: &By,
        organization: &OrganizationId,
    ) -> Result<Vec<WebhookEndpoint>, DomainError> {
        self.may(by, organization, MANAGE_WEBHOOKS).await?;
        Ok(self.store.webhook_endpoints(organization).await?)
    }

    /// Reads an endpoint.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn webhook(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<WebhookEndpoint, DomainError> {
        self.may(by, organization, MANAGE_WEBHOOKS).await?;
        let found = self.store.webhook_endpoint(id).await?;
        found.filter(|it| it.organization == *organization).ok_or(DomainError::NotFound(WEBHOOK))
    }

    /// Alters an endpoint.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`], [`DomainError::Conflict`]
    pub async fn update_webhook(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
        patch: WebhookPatch,
    ) -> Result<WebhookEndpoint, DomainError> {
        let _turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let old = self.webhook(by, organization, id).await?;
            let new = patched(&old, &patch, by.now.unix_ms);
            valid(&new, patch.secret.as_ref(), &self.guard())?;
            let mut after = facts(&new);
            if patch.secret.is_some() {
                after["secret"] = "replaced".into();
            }
            let entry = entry(by, "webhook_endpoint.updated", &new, Some(facts(&old)), Some(after));
            let written = self.store.replace_webhook_endpoint(new, patch.secret.clone(), entry).await?;
            if written == Written::Done {
                return self.webhook(by, organization, id).await;
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Removes an endpoint, with its deliveries.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`]
    pub async fn delete_webhook(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<(), DomainError> {
        let _turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            let old = self.webhook(by, organization, id).await?;
            let entry = entry(by, "webhook_endpoint.deleted", &old, Some(facts(&old)), None);
            if self.store.remove_webhook_endpoint(id, old.revision, entry).await? == Written::Done {
                return Ok(());
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Sends an endpoint the test event.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]; [`DomainError::Conflict`] when too many are waiting.
    pub async fn test_webhook(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<Delivery, DomainError> {
        let endpoint = self.webhook(by, organization, id).await?;
        self.has_room(organization, id).await?;
        let entry = entry(by, "webhook_endpoint.tested", &endpoint, None, None);
        let delivery = self.store.test_webhook_endpoint(id, entry).await?;
        let delivery = delivery.ok_or(DomainError::NotFound(WEBHOOK))?;
        Ok(self.delivery(by, organization, &delivery).await?.delivery)
    }

    /// Lists deliveries, newest first.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn deliveries(
        &self,
        by: &By,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<DeliveryPage, DomainError> {
        self.may(by, &filter.organization, MANAGE_WEBHOOKS).await?;
        Ok(self.store.deliveries(filter, page).await?)
    }

    /// Reads a delivery, with its attempts.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn delivery(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<DeliveryDetails, DomainError> {
        self.may(by, organization, MANAGE_WEBHOOKS).await?;
        let found = self.store.delivery(organization, id).await?;
        found.ok_or(DomainError::NotFound(DELIVERY))
    }

    /// Sends the event of a delivery once more, under the same `webhook-id`.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]; [`DomainError::Conflict`] when the endpoint is switched off, or
    /// too many are waiting.
    pub async fn replay_delivery(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<Delivery, DomainError> {
        let old = self.delivery(by, organization, id).await?.delivery;
        let endpoint = self.webhook(by, organization, &old.endpoint).await?;
        if !endpoint.active {
            let message = "The webhook endpoint is switched off. Switch it on first.";
            return Err(DomainError::Conflict(message.to_owned()));
        }
        self.has_room(organization, &endpoint.id).await?;
        let entry = by.entry(Subject {
            action: "webhook_delivery.replayed",
            organization: Some(organization),
            id,
            name: Some(&old.kind),
            before: None,
            after: Some(json!({ "eventId": old.event })),
        });
        let new = self.store.replay(id, entry).await?.ok_or(DomainError::NotFound(DELIVERY))?;
        Ok(self.delivery(by, organization, &new).await?.delivery)
    }
}

impl Domain {
    /// Whether one more delivery may be asked for by hand: the queue is everybody's, and must not be filled by whoever
    /// likes to.
    async fn has_room(&self, organization: &OrganizationId, endpoint: &str) -> Result<(), DomainError> {
        let filter = DeliveryFilter {
            organization: organization.clone(),
            endpoint: Some(endpoint.to_owned()),
            state: Some(DeliveryState::Pending),
            before_sequence: None,
        };
        let waiting = self.store.deliveries(&filter, Page { offset: 0, limit: 0 }).await?.total;
        if waiting < WAITING {
            return Ok(());
        }
        let message =
            format!("{WAITING} deliveries to this endpoint are waiting. Repeat when some have ended.");
        Err(DomainError::Conflict(message))
    }
}

fn patched(old: &WebhookEndpoint, patch: &WebhookPatch, now_ms: u64) -> WebhookEndpoint {
    let mut new = WebhookEndpoint { updated_ms: now_ms, ..old.clone() };
    if let Some(url) = &patch.url {
        new.url.clone_from(url);
    }
    if let Some(events) = &patch.events {
        new.events = events.iter().map(|kind| kind.as_str().into()).collect();
    }
    if let Some(description) = &patch.description {
        new.description.clone_from(description);
    }
    new.active = patch.active.unwrap_or(old.active);
    new
}

/// Checks what people set. Where a name leads is not known before something is sent to it.
fn valid(endpoint: &WebhookEndpoint, secret: Option<&Secret>, guard: &Guard) -> Result<(), DomainError> {
    let mut wrong = Vec::new();
    let mut broken = |field: &'static str, constraint, message: String| {
        wrong.push(Violation::new(field, constraint, message));
    };
    match HttpUrl::parse(&endpoint.url) {
        None => broken("url", "format", "url must be an https URL without user name and fragment".to_owned()),
        Some(target) if !target.secure && !guard.allows_plain() => {
            broken("url", "scheme", "url must begin with https://".to_owned());
        }
        Some(target) if target.address().is_some_and(|it| !guard.admits(it, target.secure)) => {
            broken("url", "address", "url must not name an address that is not public".to_owned());
        }
        Some(_) => {}
    }
    let known = |kind: &str| kind == EVERY_EVENT || EVENT_TYPES.contains(&kind);
    if endpoint.events.is_empty() {
        broken("events", "required", "events must have at least one entry".to_owned());
    } else if !endpoint.events.iter().all(|kind| known(kind)) {
        let all = EVENT_TYPES.join(", ");
        broken("events", "choice", format!("each entry of events must be {EVERY_EVENT} or one of {all}"));
    }
    if endpoint.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        let message = format!("description must have at most {DESCRIPTION} characters");
        broken("description", "length", message);
    }
    if secret.is_some_and(|secret| !is_secret(secret)) {
        let message = "secret must be whsec_ and the base64 of 24 to 64 bytes".to_owned();
        broken("secret", "format", message);
    }
    DomainError::unless_none(wrong)
}

/// What the audit log says of an endpoint. Never its secret; and of its URL where it leads, for the rest is often all that it
/// takes to write there, and the log has readers of its own. That it is another one can be seen by its fingerprint.
fn facts(endpoint: &WebhookEndpoint) -> Value {
    json!({
        "url": endpoint.origin(),
        "urlFingerprint": fingerprint(&endpoint.url),
        "description": endpoint.description,
        "events": endpoint.events,
        "active": endpoint.active,
    })
}

fn entry(
    by: &By,
    action: &'static str,
    endpoint: &WebhookEndpoint,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditEntry {
    let (organization, name) = (Some(&endpoint.organization), Some(endpoint.origin()));
    by.entry(Subject { action, organization, id: &endpoint.id, name, before, after })
}

/// The first 16 hexadecimal digits of a text's SHA-256.
fn fingerprint(text: &str) -> String {
    Digest::of(text).0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn new_id(prefix: &str) -> Result<String, DomainError> {
    Ok(format!("{prefix}_{}", random_id().map_err(internal)?))
}

pub(super) fn internal(error: aws_lc_rs::error::Unspecified) -> DomainError {
    DomainError::Internal(Box::new(error))
}
