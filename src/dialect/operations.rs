//! Operations as clients see them: the same record in both dialects.

use super::time::iso_millis;
use crate::store::management::OperationRecord;
use serde_json::{Value, json};

/// One operation.
pub fn record(operation: &OperationRecord) -> Value {
    json!({
        "id": operation.id,
        "type": operation.kind.as_str(),
        "status": operation.state.as_str(),
        "organizationId": operation.organization.as_str(),
        "projectId": operation.parameters.get("projectId"),
        "overlapSeconds": operation.parameters.get("overlapSeconds"),
        "format": operation.parameters.get("format"),
        "tokenId": operation.parameters.get("tokenId"),
        "done": operation.done,
        "error": operation.error,
        "createdBy": operation.actor.as_ref().map(|id| id.as_str()),
        "createdAt": iso_millis(operation.created_ms),
        "finishedAt": operation.finished_ms.map(iso_millis),
        "resultAvailableUntil": operation.result_ms.map(iso_millis),
    })
}
