//! What keys were used, as a file has it.

use super::csv;
use super::time::iso_millis;
use crate::store::management::Token;
use serde_json::{Value, json};

/// The columns of [`row`].
pub const COLUMNS: [&str; 10] = [
    "id",
    "name",
    "type",
    "projectId",
    "isActive",
    "usageCount",
    "lastUsedAt",
    "createdAt",
    "expiresAt",
    "tokenPrefix",
];

/// One key.
pub fn record(token: &Token) -> Value {
    json!({
        "id": &*token.id.text(),
        "name": token.name,
        "type": token.reach.as_str(),
        "projectId": token.reach.project().map(|id| id.as_str()),
        "isActive": token.active,
        "usageCount": token.usage_count,
        "lastUsedAt": token.last_used_ms.map(iso_millis),
        "createdAt": iso_millis(token.created_ms),
        "expiresAt": token.expires_ms.map(iso_millis),
        "tokenPrefix": token.prefix,
    })
}

/// One key as a line of CSV.
pub fn row(token: &Token) -> String {
    csv::row_of(&record(token), &COLUMNS)
}
