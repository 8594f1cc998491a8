//! What the audit log says of a key. Never its value, nor its digest.

use crate::dialect::time::iso_millis;
use crate::store::import::network_text;
use crate::store::management::Token;
use serde_json::{Map, Value, json};

/// Everything that people decide about a key.
pub(super) fn of(token: &Token) -> Value {
    let mut facts = json!({
        "name": token.name,
        "description": token.description,
        "type": token.reach.as_str(),
        "projectId": token.reach.project().map(|id| id.as_str()),
        "permissions": token.permissions.iter().collect::<Vec<_>>(),
        "scopes": token.scopes,
        "expiresAt": token.expires_ms.map(iso_millis),
        "isActive": token.active,
        "ipWhitelist": token.addresses.iter().map(network_text).collect::<Vec<_>>(),
        "tokenPrefix": token.prefix,
    });
    if !token.extras.is_empty() {
        facts["extras"] = Value::Object(token.extras.clone());
    }
    facts
}

/// What differs between two states of a key: as it was, and as it is.
pub(super) fn differing(before: &Token, after: &Token) -> (Value, Value) {
    let (mut old, mut new) = (Map::new(), Map::new());
    if let (Value::Object(before), Value::Object(mut after)) = (of(before), of(after)) {
        for (name, was) in before {
            let is = after.remove(&name).unwrap_or_default();
            if was != is {
                old.insert(name.clone(), was);
                new.insert(name, is);
            }
        }
    }
    (old.into(), new.into())
}
