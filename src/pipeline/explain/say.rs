//! What is left to say: what leaves and who answers, and why a stage refuses. Nothing is decided here.

use super::super::authenticate::Known;
use super::super::reject::Reject;
use super::super::route::{Builtin, Routed};
use crate::config::Identity;
use serde_json::Value;

/// A list, or that there is nothing in it.
pub(super) fn list<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    let items: Vec<Value> = items.map(Value::from).collect();
    if items.is_empty() { "none".into() } else { Value::Array(items) }
}

pub(super) fn swapped(routed: &Routed<'_>, known: &Known) -> &'static str {
    match (routed.api.config.identity, known) {
        (Identity::None, _) => "the client's credential is taken out, and none is put in: `identity: none`",
        (_, Known::Anonymous) => {
            "the client's credential is taken out; nobody is known whose identity could go in"
        }
        (Identity::Jwt, _) => {
            "the client's credential is taken out, the identity goes in as signed JWT and header fields"
        }
        (Identity::Headers, _) => {
            "the client's credential is taken out, the identity goes in as header fields"
        }
    }
}

pub(super) fn builtin(which: Builtin) -> &'static str {
    match which {
        Builtin::Projects => "the gateway answers itself, with the projects of the key",
        Builtin::Jwks => "the gateway answers itself, with the public keys of its identities",
        Builtin::Login => "the gateway answers itself",
        Builtin::Control(_) => {
            "the gateway's control side answers itself. It asks for a person's access token, not for a key; what the \
             person may do is looked up when it is done"
        }
    }
}

/// Why a stage refuses, for an operator: more than a client is told.
pub(super) fn reason(reject: &Reject) -> &'static str {
    match reject {
        Reject::AmbiguousPath => {
            "the path holds '..', an encoded slash, a backslash or a control character, in some spelling: servers read \
             such paths differently"
        }
        Reject::BadEscape => "the query has a '%' that no two hexadecimal digits follow",
        Reject::ProjectNotSingle => {
            "projectId is doubled, bracketed, or spelt so that servers read it differently"
        }
        Reject::ProjectRequired => "an organization key has to name a project here, and names none",
        Reject::OwnProjectRequired => "a project key has to name its own project here, and names none",
        Reject::BodyTooLarge => "Content-Length is larger than the API's body_limit",
        Reject::HeadTooLarge => "request line and header fields are larger than the listener's header_size",
        Reject::Expectation => "Expect asks for something other than 100-continue",
        Reject::Inactive => "it is deactivated",
        Reject::Store(_) => "the store did not answer",
        other => other.message(),
    }
}
