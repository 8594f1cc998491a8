//! The client-facing habits of the API families: where a credential is, what an error looks like.
//!
//! Everything the gateway itself answers with is rendered here; a dialect translates and decides nothing.

pub mod audit;
mod credential;
pub mod csv;
pub mod cursor;
pub mod endpoint;
pub mod form;
pub mod history;
pub mod media;
pub mod ocore;
pub mod ocriva;
pub mod operations;
mod problem;
pub mod time;
pub mod usage;
pub mod webhooks;
pub mod window;

pub use credential::{Presented, Unusable, cookie, likely_key, present, present_in, present_without_cookies};

use crate::config::Dialect;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// An error in no dialect yet.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// Status code, 4xx or 5xx.
    pub status: StatusCode,
    /// What the client should know and do; one sentence or two.
    pub message: &'a str,
    /// The part of the request that is wrong and the rule it breaks, where one is.
    pub field: Option<(&'a str, &'a str)>,
}

/// A rendered body with its media type.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// For `Content-Type`.
    pub content_type: HeaderValue,
    /// The body.
    pub body: Bytes,
}

/// Renders an error in the dialect's envelope.
pub fn render(dialect: Dialect, fault: &Fault<'_>) -> Rendered {
    let (content_type, body) = match dialect {
        Dialect::Ocriva => ("application/json", ocriva::envelope(fault)),
        Dialect::Ocore => ("application/json", ocore::envelope(fault)),
        Dialect::Problem => ("application/problem+json", problem::envelope(fault)),
    };
    Rendered { content_type: HeaderValue::from_static(content_type), body: body.into() }
}

/// Renders all that is wrong with a request, one fault a field, in the dialect's envelope. The status is the first one's.
pub fn render_all(dialect: Dialect, faults: &[Fault<'_>]) -> Rendered {
    let (Dialect::Ocriva, [first, _, ..]) = (dialect, faults) else {
        let nothing =
            Fault { status: StatusCode::BAD_REQUEST, message: "The request is not valid.", field: None };
        return render(dialect, faults.first().unwrap_or(&nothing));
    };
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message).collect();
    let body = ocriva::envelope_of(first.status, messages.into());
    Rendered { content_type: HeaderValue::from_static("application/json"), body: body.into() }
}

/// The reason phrase of RFC 9110 for a status, as the `error` and `title` members show it.
fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Payload Too Large",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}
