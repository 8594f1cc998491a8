//! Checks of the three error envelopes: exact members, type and reason phrase.

use super::reply::Reply;
use serde_json::{Value, json};

/// The `error` member is the reason phrase of the status (RFC 9110, and 413 as CONTRACT spells it).
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        other => panic!("no reason phrase known for {other}"),
    }
}

/// The `code` of an `ocore` error.
pub(crate) fn code(status: u16) -> &'static str {
    match status {
        400 => "validation_error",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "payload_too_large",
        429 => "rate_limit_exceeded",
        500 => "internal_error",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        other => panic!("CONTRACT B.4 has no code for {other}"),
    }
}

#[track_caller]
fn common(reply: &Reply, status: u16, kind: &str) -> Value {
    assert_eq!(reply.status, status, "{reply:?}\n{}", reply.text());
    let sent = reply.header("content-type").unwrap_or_default();
    assert_eq!(sent.split(';').next(), Some(kind), "{reply:?}");
    assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "no x-request-id: {reply:?}");
    if status == 401 {
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "WWW-Authenticate: {challenge:?}");
    }
    reply.json()
}

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Exactly `{"statusCode","message","error"}` with this status and, if given, this message.
#[track_caller]
pub(crate) fn assert_ocriva(reply: &Reply, status: u16, message: Option<&str>) {
    let body = common(reply, status, "application/json");
    assert_eq!(members(&body), ["error", "message", "statusCode"], "{body}");
    assert_eq!(body["statusCode"], json!(status));
    assert_eq!(body["error"], json!(reason(status)));
    let text = body["message"].as_str().unwrap_or_else(|| panic!("message is one string: {body}"));
    assert!(!text.trim().is_empty(), "an empty message helps nobody");
    if let Some(wanted) = message {
        assert_eq!(text, wanted);
    }
}

/// Exactly `{"error":{"code","message","details"}}` with this status's code; gives `details` back.
#[track_caller]
pub(crate) fn assert_ocore(reply: &Reply, status: u16) -> Value {
    let body = common(reply, status, "application/json");
    assert_eq!(members(&body), ["error"], "{body}");
    let error = &body["error"];
    assert_eq!(members(error), ["code", "details", "message"], "{body}");
    assert!(error["message"].as_str().is_some_and(|m| !m.trim().is_empty()), "{body}");
    assert!(error["details"].is_object(), "details is an object: {body}");
    if status != 431 && status != 408 && status != 414 && status != 415 {
        assert_eq!(error["code"], json!(code(status)), "{body}");
    }
    error["details"].clone()
}

/// RFC 9457 with this status.
#[track_caller]
pub(crate) fn assert_problem(reply: &Reply, status: u16) {
    let body = common(reply, status, "application/problem+json");
    assert_eq!(body["status"], json!(status), "{body}");
    assert!(body["title"].as_str().is_some_and(|t| !t.is_empty()), "{body}");
}
