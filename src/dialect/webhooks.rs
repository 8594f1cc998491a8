//! Webhook endpoints and deliveries as clients see them.

use super::time::iso_millis;
use crate::config::Dialect;
use crate::store::management::{Attempt, Delivery, DeliveryDetails, WebhookEndpoint};
use crate::token::Secret;
use serde_json::{Value, json};

/// The name of an endpoint's switch.
pub fn active(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ocriva | Dialect::Problem => "isActive",
        Dialect::Ocore => "active",
    }
}

/// One endpoint; with its secret, where that was made with this answer: then, and never again.
pub fn endpoint(dialect: Dialect, endpoint: &WebhookEndpoint, secret: Option<&Secret>) -> Value {
    let mut record = json!({
        "id": endpoint.id,
        "organizationId": endpoint.organization.as_str(),
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        active(dialect): endpoint.active,
        // That there is one, not which.
        "secret": true,
        "failingSince": endpoint.failing_since_ms.map(iso_millis),
        "disabledAt": endpoint.disabled_ms.map(iso_millis),
        "createdBy": endpoint.created_by.as_ref().map(|id| id.as_str()),
        "createdAt": iso_millis(endpoint.created_ms),
        "updatedAt": iso_millis(endpoint.updated_ms),
    });
    if let Some(secret) = secret {
        record["signingSecret"] = secret.expose().into();
    }
    record
}

/// One delivery of a list.
pub fn delivery(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "eventId": delivery.event,
        "eventType": delivery.kind,
        "endpointId": delivery.endpoint,
        "status": delivery.state.as_str(),
        "attempts": delivery.attempts,
        "responseStatus": delivery.status,
        "error": delivery.error,
        "createdAt": iso_millis(delivery.created_ms),
        "nextAttemptAt": delivery.next_ms.map(iso_millis),
        "finishedAt": delivery.finished_ms.map(iso_millis),
    })
}

/// One delivery with what was sent and how often.
pub fn details(details: &DeliveryDetails) -> Value {
    let attempt = |it: &Attempt| {
        json!({
            "at": iso_millis(it.at_ms),
            "durationMs": it.duration_ms,
            "responseStatus": it.status,
            "error": it.error,
        })
    };
    let mut record = delivery(&details.delivery);
    record["event"] = serde_json::from_str(&details.body).unwrap_or_default();
    record["attemptLog"] = details.attempts.iter().map(attempt).collect();
    record
}
