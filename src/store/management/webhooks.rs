//! Webhooks: where events go, and how far each has come.
//!
//! An event is written in the transaction of what it tells of: [`Event::of`] makes it from the entry that the audit log
//! gets in any case, so that no write can forget it and no crash comes between the two.

use super::{AuditEntry, Page, Written};
use crate::store::Answer;
use crate::token::{OrganizationId, ProjectId, Secret, UserId};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Stands for every type of event.
pub const EVERY_EVENT: &str = "*";
/// The type of the event that only tries an endpoint out; it goes to that endpoint whatever it wants.
pub const TEST_EVENT: &str = "webhook.test";

/// The type of the event that a key is used from an address for the first time.
pub const FIRST_SEEN_ADDRESS: &str = "token.first_seen_address";

/// The types of events that can be asked for.
pub const EVENT_TYPES: [&str; 9] = [
    "token.created",
    "token.updated",
    "token.regenerated",
    "token.deactivated",
    "token.deleted",
    "token.expiring",
    FIRST_SEEN_ADDRESS,
    "operation.completed",
    "operation.failed",
];

/// Days before a key's expiry at which [`EVENT_TYPES`]' `token.expiring` is told, nearest first.
pub const EXPIRY_DAYS: [u64; 3] = [1, 7, 30];

/// Something that happened in an organization.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// One of [`EVENT_TYPES`].
    pub kind: &'static str,
    /// The project that it is about, where it is about one.
    pub project: Option<ProjectId>,
    /// What is told of it.
    pub data: Value,
}

impl Event {
    /// The event that an audit entry stands for; most stand for none.
    pub fn of(entry: &AuditEntry) -> Option<Self> {
        let kind = match &*entry.action {
            "api_token.created" | "api_key.created" => "token.created",
            "api_token.updated" | "api_token.activated" | "api_key.updated" | "api_key.activated" => {
                "token.updated"
            }
            "api_token.regenerated" => "token.regenerated",
            "api_token.deactivated" | "api_key.deactivated" => "token.deactivated",
            "api_token.deleted" | "api_key.deleted" => "token.deleted",
            "operation.completed" => "operation.completed",
            "operation.failed" => "operation.failed",
            _ => return None,
        };
        let project = [&entry.after, &entry.before].into_iter().flatten().find_map(|state| {
            let project = state.get("projectId")?.as_str()?;
            Some(ProjectId::from(project))
        });
        let what = if kind.starts_with("token.") { "token" } else { "operation" };
        let data = json!({
            what: { "id": entry.entity, "name": entry.entity_name },
            "actor": { "type": entry.actor_kind.as_str(), "id": entry.actor, "name": entry.actor_name },
            "before": entry.before,
            "after": entry.after,
        });
        Some(Self { kind, project, data })
    }
}

/// Where an organization's events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Opaque id.
    pub id: String,
    /// Whose events.
    pub organization: OrganizationId,
    /// Where to.
    pub url: String,
    /// What people say about it.
    pub description: Option<String>,
    /// Which events: [`EVENT_TYPES`] or [`EVERY_EVENT`].
    pub events: Vec<Box<str>>,
    /// False: nothing is sent.
    pub active: bool,
    /// Since when every attempt has failed, milliseconds since 1970; `None` when the last one did not.
    pub failing_since_ms: Option<u64>,
    /// When it was switched off because it had failed for too long, milliseconds since 1970.
    pub disabled_ms: Option<u64>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub updated_ms: u64,
    /// Grows with each write by people.
    pub revision: u64,
}

impl WebhookEndpoint {
    /// Whether it is to be told of events of this type.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|wanted| &**wanted == EVERY_EVENT || &**wanted == kind)
    }

    /// Scheme, host and port of its URL.
    pub fn origin(&self) -> &str {
        let host = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[host..].find(['/', '?']).map_or(self.url.len(), |at| host + at);
        &self.url[..end]
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// An attempt is under way or to come.
    Pending,
    /// Acknowledged.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The name used in the store and by clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the order of all; grows.
    pub sequence: u64,
    /// Opaque id.
    pub id: String,
    /// The `webhook-id`.
    pub event: String,
    /// The event's type.
    pub kind: String,
    /// Which endpoint.
    pub endpoint: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When it is tried next, milliseconds since 1970.
    pub next_ms: Option<u64>,
    /// When it was delivered or given up, milliseconds since 1970.
    pub finished_ms: Option<u64>,
    /// Status code of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A delivery with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryDetails {
    /// The delivery.
    pub delivery: Delivery,
    /// What is sent.
    pub body: String,
    /// Its attempts, first one first.
    pub attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Status code of the answer, where there was one.
    pub status: Option<u16>,
    /// Why it failed; `None` when it did not.
    pub error: Option<String>,
}

/// Which deliveries to list, newest first. What is `None` does not matter.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// Of this organization.
    pub organization: OrganizationId,
    /// To this endpoint.
    pub endpoint: Option<String>,
    /// As far as this.
    pub state: Option<DeliveryState>,
    /// Older than this one.
    pub before_sequence: Option<u64>,
}

/// A part of a list of deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryPage {
    /// The deliveries of the part.
    pub deliveries: Vec<Delivery>,
    /// How many the whole list has.
    pub total: u64,
}

/// A delivery to be tried now.
#[derive(Clone, Debug)]
pub struct Due {
    /// [`Delivery::sequence`].
    pub sequence: u64,
    /// How often it was tried before.
    pub attempts: u32,
    /// [`Delivery::endpoint`].
    pub endpoint: String,
    /// The `webhook-id`.
    pub event: String,
    /// Where to.
    pub url: String,
    /// What to sign with: `whsec_` and base64.
    pub secret: Secret,
    /// What to send.
    pub body: String,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// [`Delivery::sequence`].
    pub sequence: u64,
    /// The attempt.
    pub attempt: Attempt,
    /// When to try again, milliseconds since 1970; `None` when that was the last one, good or bad.
    pub next_ms: Option<u64>,
    /// An endpoint that has failed since then or earlier is switched off; milliseconds since 1970.
    pub patience_since_ms: u64,
}

/// What is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many deliveries.
    pub length: u64,
    /// When the oldest of them was written, milliseconds since 1970.
    pub oldest_ms: Option<u64>,
}

/// What a database offers for webhooks.
pub trait Outbox {
    /// An organization's endpoints, in the order of their making.
    fn webhook_endpoints<'a>(&'a self, of: &'a OrganizationId) -> Answer<'a, Vec<WebhookEndpoint>>;
    /// The endpoint with this id.
    fn webhook_endpoint<'a>(&'a self, id: &'a str) -> Answer<'a, Option<WebhookEndpoint>>;
    /// Adds an endpoint and sends it the test event. [`Written::Moved`] when its organization is gone.
    fn add_webhook_endpoint(
        &self,
        endpoint: WebhookEndpoint,
        secret: Secret,
        entry: AuditEntry,
    ) -> Answer<'_, Written>;
    /// Puts `endpoint` in the place of the one with its id and revision, with another secret where one is given. One that
    /// is active begins anew: what is known of its failures is forgotten.
    fn replace_webhook_endpoint(
        &self,
        endpoint: WebhookEndpoint,
        secret: Option<Secret>,
        entry: AuditEntry,
    ) -> Answer<'_, Written>;
    /// Removes the endpoint with this id and revision, and its deliveries.
    fn remove_webhook_endpoint<'a>(
        &'a self,
        id: &'a str,
        revision: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written>;
    /// Sends an endpoint the test event; the id of the delivery, `None` when there is no such endpoint.
    fn test_webhook_endpoint<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Option<String>>;

    /// Deliveries, newest first.
    fn deliveries<'a>(&'a self, filter: &'a DeliveryFilter, page: Page) -> Answer<'a, DeliveryPage>;
    /// One delivery of an organization.
    fn delivery<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a str,
    ) -> Answer<'a, Option<DeliveryDetails>>;
    /// Sends the event of a delivery to its endpoint once more; the id of the new delivery, `None` when there is no such
    /// delivery.
    fn replay<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Option<String>>;

    /// What is to be tried now, at most so many for each endpoint.
    fn due_deliveries(&self, now_ms: u64, for_each: u32) -> Answer<'_, Vec<Due>>;
    /// Writes down what became of an attempt. True when the endpoint was switched off by it.
    fn attempted(&self, attempted: Attempted) -> Answer<'_, bool>;
    /// What is on its way.
    fn delivery_queue(&self) -> Answer<'_, Queue>;
    /// Tells of keys whose expiry has come near, each once for each of [`EXPIRY_DAYS`]; how many were told of.
    fn tell_expiring(&self, now_ms: u64) -> Answer<'_, u64>;
    /// Tells of keys that were used from an address for the first time: rows, addresses and milliseconds since 1970. Only
    /// what organizations want to be told of is remembered, and at most so many addresses of a key.
    fn tell_addresses(&self, uses: Vec<(u64, IpAddr, u64)>, most: u32) -> Answer<'_, ()>;
    /// Zero when no organization wants to be told of addresses, and another number when others want to than before.
    fn addresses_wanted(&self) -> Answer<'_, u64>;
    /// Gives up what nobody could deliver before `hopeless_ms`, and forgets what was finished before `old_ms` or is not
    /// among the newest `most` of its endpoint.
    fn sweep_deliveries(&self, now_ms: u64, hopeless_ms: u64, old_ms: u64, most: u32) -> Answer<'_, ()>;
}
