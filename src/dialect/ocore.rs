//! oCore: the `{"error":{"code","message","details"}}` envelope.

use super::Fault;
use http::StatusCode;
use serde_json::json;

pub(super) fn envelope(fault: &Fault<'_>) -> String {
    let details = match fault.field {
        Some((field, constraint)) => json!({ "field": field, "constraint": constraint }),
        None => json!({}),
    };
    json!({ "error": { "code": code(fault.status), "message": fault.message, "details": details } })
        .to_string()
}

fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 415 | 417 => "validation_error",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        409 => "conflict",
        413 => "payload_too_large",
        414 => "uri_too_long",
        422 => "unprocessable_entity",
        429 => "rate_limit_exceeded",
        431 => "header_fields_too_large",
        501 => "not_implemented",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        400..=499 => "bad_request",
        _ => "internal_error",
    }
}
