//! Keys as people read them, and as programs do.

use super::super::manage::{Printed, facts, parsed, table};
use crate::control::domain::{Listed, Made};
use crate::dialect::ocriva;
use crate::dialect::time::iso_millis;
use crate::store::import::network_text;
use crate::store::management::Token;
use crate::token::Secret;

pub(super) fn made(made: &Made) -> Printed {
    shown(&made.token, Some(&made.value))
}

pub(super) fn shown(token: &Token, value: Option<&Secret>) -> Printed {
    let mut pairs = vec![
        ("id", token.id.to_string()),
        ("name", token.name.clone()),
        ("description", or_dash(token.description.clone())),
        ("organization", token.organization.to_string()),
        ("project", or_dash(token.reach.project().map(ToString::to_string))),
        ("permissions", token.permissions.iter().collect::<Vec<_>>().join(", ")),
        ("scopes", token.scopes.join(", ")),
        ("active", yes(token.active)),
        ("expires", or_never(token.expires_ms)),
        ("allowed from", addresses(token)),
        ("uses", token.usage_count.to_string()),
        ("last used", or_never(token.last_used_ms)),
        ("created", format!("{} by {}", iso_millis(token.created_ms), creator(token))),
        ("updated", iso_millis(token.updated_ms)),
        ("begins with", or_dash(token.prefix.clone())),
    ];
    if let Some(value) = value {
        pairs.push(("value", value.expose().to_owned()));
    }
    let mut table = facts(&pairs);
    if value.is_some() {
        table.push_str("\nThe value is shown now and never again.\n");
    }
    Printed { table, json: parsed(&ocriva::token(token, value)) }
}

pub(super) fn rows(listed: &Listed) -> String {
    let titles = ["ID", "NAME", "TYPE", "PROJECT", "ACTIVE", "EXPIRES", "LAST USED", "USES"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(listed.tokens.iter().map(|token| {
        vec![
            token.id.to_string(),
            token.name.clone(),
            token.reach.as_str().to_owned(),
            or_dash(token.reach.project().map(ToString::to_string)),
            yes(token.active),
            or_never(token.expires_ms),
            or_never(token.last_used_ms),
            token.usage_count.to_string(),
        ]
    }));
    let mut out = table(&rows);
    let shown = listed.tokens.len() as u64;
    if shown < listed.total {
        out.push_str(&format!("{shown} of {}; more with --page\n", listed.total));
    }
    out
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn or_never(at_ms: Option<u64>) -> String {
    at_ms.map_or_else(|| "never".to_owned(), iso_millis)
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}

fn addresses(token: &Token) -> String {
    if token.addresses.is_empty() {
        return "anywhere".to_owned();
    }
    token.addresses.iter().map(network_text).collect::<Vec<_>>().join(", ")
}

fn creator(token: &Token) -> String {
    token.created_by.as_ref().map_or_else(|| "the operator".to_owned(), ToString::to_string)
}
