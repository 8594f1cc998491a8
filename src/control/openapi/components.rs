//! What operations of the document share: refusals, header fields, the organization's parameter, credentials.

use super::schema;
use crate::config::Dialect;
use serde_json::{Value, json};

/// A refusal of a dialect.
pub(super) fn refusal(dialect: Dialect, status: u16) -> Value {
    let (record, media) = match dialect {
        Dialect::Ocriva => ("OcrivaError", "application/json"),
        Dialect::Ocore => ("OcoreError", "application/json"),
        Dialect::Problem => ("Problem", "application/problem+json"),
    };
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
    match status {
        401 => headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/Challenge" }),
        429 => headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" }),
        _ => {}
    }
    json!({
        "description": reason(status),
        "headers": headers,
        "content": { media: { "schema": schema::reference(record) } },
    })
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Something is wrong with the request.",
        401 => "Nobody is known by what the request shows.",
        403 => "Whoever asks may not.",
        404 => "It is not there, or not there for who asks.",
        409 => "It contradicts what is there.",
        413 => "The body is too large.",
        415 => "The body is not said to be JSON.",
        429 => "Tried too often.",
        503 => "The gateway's database does not answer, or can not confirm a change.",
        _ => "Something of the gateway's own failed.",
    }
}

/// Header fields of answers.
pub(super) fn headers() -> Value {
    let text = |about: &str, required: bool| json!({ "description": about, "required": required, "schema": { "type": "string" } });
    json!({
        "RequestId": text("Under this id the request is in the log.", true),
        "Location": text("The path of what was made.", true),
        "SetCookie": text(
            "`access_token` and `refresh_token`, for browsers: `HttpOnly; Secure; SameSite=Lax`. On the admin listener they \
             are the console's, which count there only and for its own pages: `__Host-portcullis_access` and \
             `__Host-portcullis_refresh` with `SameSite=Strict`, without that prefix and `Secure` where it has no TLS.",
            false,
        ),
        "Disposition": text("The name of a file.", true),
        "Challenge": text("`Bearer`.", true),
        "RetryAfter": {
            "description": "Seconds after which one more try is looked at.",
            "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

/// `X-Org-Slug`
pub(super) fn slug() -> Value {
    json!({
        "name": "X-Org-Slug",
        "in": "header",
        "required": false,
        "description": "The organization that the request is for. Who belongs to one only may leave it out.",
        "schema": { "type": "string", "minLength": 1 },
        "example": "my-org",
    })
}

/// How callers say who they are.
pub(super) fn security_schemes() -> Value {
    let bearer = |about: &str, format: &str| json!({ "type": "http", "scheme": "bearer", "bearerFormat": format, "description": about });
    json!({
        "session": bearer("The `accessToken` of a person's login.", "JWT"),
        "sessionCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "access_token",
            "description": "The same, as browsers keep it; in the `ocore` dialect, on client listeners. The admin listener takes \
                 that of the console, `__Host-portcullis_access`, in both dialects.",
        },
        "keyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An `ocr_…` key, for what is served by key. No key opens the endpoints that \
                 manage keys.",
        },
        "ocrivaKey": bearer("The same key, as a bearer token.", "ocr_…"),
        "keyToken": bearer("The token that a key was traded for.", "JWT"),
        "ocoreKey": bearer(
            "A key of the `ocore` dialect. For what lies behind the gateway; no endpoint of this document \
                 takes it.",
            "ocore_k_…",
        ),
    })
}
