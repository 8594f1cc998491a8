//! The audit log as clients see it: the same record in both dialects, and as a table.

use super::csv;
use super::time::iso_millis;
use crate::store::management::AuditRecord;
use serde_json::{Value, json};

/// One entry.
pub fn record(record: &AuditRecord) -> Value {
    let entry = &record.entry;
    json!({
        "id": record.sequence.to_string(),
        "action": entry.action,
        "resourceType": kind(&entry.action),
        "resourceId": entry.entity,
        "resourceName": entry.entity_name,
        "actorType": entry.actor_kind.as_str(),
        "userId": entry.actor,
        "userName": entry.actor_name,
        "ipAddress": entry.address.map(|address| address.to_string()),
        "userAgent": entry.user_agent,
        "requestId": entry.request_id,
        "beforeState": entry.before,
        "afterState": entry.after,
        "createdAt": iso_millis(entry.at_ms),
    })
}

/// What an action is done to: `api_token` of `api_token.created`.
fn kind(action: &str) -> &str {
    action.split_once('.').map_or(action, |(kind, _)| kind)
}

/// The columns of [`row`].
pub const COLUMNS: [&str; 14] = [
    "id",
    "createdAt",
    "action",
    "resourceType",
    "resourceId",
    "resourceName",
    "actorType",
    "userId",
    "userName",
    "ipAddress",
    "userAgent",
    "requestId",
    "beforeState",
    "afterState",
];

/// One entry as a line of CSV.
pub fn row(entry: &AuditRecord) -> String {
    csv::row_of(&record(entry), &COLUMNS)
}
