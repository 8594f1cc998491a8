//! The curl lines that the demo prints: each is one line, needs no editing, and prints its status last.

use super::Addresses;
use super::fixture::{Credentials, FOREIGN, ORGANIZATION, OWNER, RECEIPTS};
use crate::token::Secret;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// One line to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it shows.
    pub title: &'static str,
    /// The shell command. The last line that it prints is the status.
    pub command: String,
    /// The status that the gateway answers.
    pub status: u16,
}

/// Every line, in the order of a tour: what passes, what is refused, the second dialect, what an operator sees.
pub(super) fn all(addresses: Addresses, cert: &Path, credentials: &Credentials) -> Vec<Line> {
    let plain = format!("http://{}", reachable(addresses.plain));
    let tls = format!("https://{}", reachable(addresses.tls));
    let admin = format!("http://{}", reachable(addresses.admin));
    let mut lines = passing(&plain, credentials);
    lines.extend(writing(&plain, credentials));
    lines.extend(over_tls(&tls, &plain, cert, credentials));
    lines.extend(refused(&plain, credentials));
    lines.extend(ocore(&plain, credentials));
    lines.extend(managing(&plain, credentials));
    lines.extend(operating(&plain, &admin));
    lines
}

/// An address that a client on this machine can connect to.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn curl(title: &'static str, status: u16, arguments: &str) -> Line {
    Line { title, status, command: format!("curl -s -w '\\n%{{http_code}}\\n' {arguments}") }
}

/// The option that sends a key in its own header field.
fn key(key: &Secret) -> String {
    format!("-H 'X-API-Key: {}'", key.expose())
}

/// The option that sends a key as a bearer credential.
fn bearer(key: &Secret) -> String {
    format!("-H 'Authorization: Bearer {}'", key.expose())
}

fn passing(plain: &str, has: &Credentials) -> Vec<Line> {
    let (all, one) = (key(&has.organization), key(&has.project));
    let history = format!("{plain}/v1/openapi/processing-history");
    vec![
        curl("a key in X-API-Key", 200, &format!("{all} {plain}/v1/openapi/templates")),
        curl(
            "the same key as a bearer credential",
            200,
            &format!("{} {plain}/v1/openapi/templates", bearer(&has.organization)),
        ),
        curl(
            "what the backend sees: the key is gone, a signed identity is there",
            200,
            &format!("{all} {plain}/v1/openapi/whoami"),
        ),
        curl(
            "an organization key names the project",
            200,
            &format!("{all} '{history}?projectId={RECEIPTS}&limit=2'"),
        ),
        curl("a project key need not", 200, &format!("{one} '{history}?limit=2'")),
        curl(
            "the projects of a key, answered by the gateway",
            200,
            &format!("{all} {plain}/v1/openapi/projects"),
        ),
        curl(
            "server-sent events, one a second",
            200,
            &format!("-N {all} '{plain}/v1/openapi/events?count=3'"),
        ),
        curl(
            "a WebSocket, its frames as they come",
            101,
            &format!(
                "-N --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
                 -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' {all} '{plain}/v1/openapi/socket?count=3'"
            ),
        ),
    ]
}

fn writing(plain: &str, has: &Credentials) -> Vec<Line> {
    let (all, one) = (key(&has.organization), key(&has.project));
    let json = "-H 'Content-Type: application/json'";
    let login = format!(r#"-d '{{"token":"{}"}}' {plain}/v1/openapi/auth/login"#, has.organization.expose());
    let exchanged = format!(
        r#"TOKEN=$(curl -s {json} {login} | sed -n 's/.*"accessToken":"\([^"]*\)".*/\1/p'); curl -s -w '\n%{{http_code}}\n' -H "Authorization: Bearer $TOKEN" {plain}/v1/openapi/templates"#
    );
    vec![
        curl(
            "the project in a JSON body",
            201,
            &format!(
                r#"{all} {json} -d '{{"projectId":"{RECEIPTS}","name":"Receipts"}}' {plain}/v1/openapi/templates"#
            ),
        ),
        curl(
            "the project in a form, after the file",
            201,
            &format!(
                "{one} -F 'file=hello;filename=hello.txt' -F projectId={RECEIPTS} {plain}/v1/openapi/upload"
            ),
        ),
        curl("a key exchanged for a short-lived token", 200, &format!("{json} {login}")),
        Line { title: "and that token in use", command: exchanged, status: 200 },
    ]
}

fn over_tls(tls: &str, plain: &str, cert: &Path, has: &Credentials) -> Vec<Line> {
    let (all, path) = (key(&has.organization), "/v1/openapi/templates");
    let ca = format!("--cacert {}", quoted(&cert.display().to_string()));
    // Says which version was spoken, because the answer alone does not tell.
    let versioned = |title, arguments: String| Line {
        title,
        status: 200,
        command: format!("curl -s -w '\\nHTTP/%{{http_version}}\\n%{{http_code}}\\n' {arguments}"),
    };
    vec![
        versioned("TLS", format!("--http1.1 {ca} {all} {tls}{path}")),
        versioned("HTTP/2 over TLS", format!("--http2 {ca} {all} {tls}{path}")),
        versioned("HTTP/2 without TLS", format!("--http2-prior-knowledge {all} {plain}{path}")),
    ]
}

fn refused(plain: &str, has: &Credentials) -> Vec<Line> {
    let templates = format!("{plain}/v1/openapi/templates");
    let history = format!("{plain}/v1/openapi/processing-history");
    let all = key(&has.organization);
    vec![
        curl("no key", 401, &templates),
        curl("an expired key", 401, &format!("{} {templates}", key(&has.expired))),
        curl("a key that was switched off", 401, &format!("{} {templates}", key(&has.inactive))),
        curl("a key from the wrong address", 403, &format!("{} {templates}", key(&has.elsewhere))),
        curl("an organization key without a project", 400, &format!("{all} {history}")),
        curl("a project of another organization", 401, &format!("{all} '{history}?projectId={FOREIGN}'")),
        curl(
            "the other organization's key, on our project",
            401,
            &format!("{} '{history}?projectId={RECEIPTS}'", key(&has.other_organization)),
        ),
        curl("a path that no route matches", 404, &format!("{all} {plain}/v1/nothing-here")),
        Line {
            title: "a hundred requests at once; the limit is sixty a minute",
            command: format!(
                "curl -s -o /dev/null -w '%{{http_code}}\\n' {} '{templates}?page=[1-100]' | tail -n 1",
                key(&has.busy)
            ),
            status: 429,
        },
    ]
}

fn ocore(plain: &str, has: &Credentials) -> Vec<Line> {
    let (view, manage) = (bearer(&has.viewer), bearer(&has.manager));
    let post = "-H 'Content-Type: application/json' -d '{\"name\":\"web-3\"}'";
    let servers = format!("{plain}/api/servers");
    vec![
        curl("the oCore dialect: a key that may view", 200, &format!("{view} {servers}")),
        curl("it may not change anything", 403, &format!("{view} {post} {servers}")),
        curl("a key that may manage", 201, &format!("{manage} {post} {servers}")),
        curl("managing includes viewing", 200, &format!("{manage} {servers}")),
        curl(
            "an organization that is not the key's",
            403,
            &format!("{manage} -H 'X-Org-Slug: lighthouse' {servers}"),
        ),
        curl("long work stays 202", 202, &format!("{manage} {post} {plain}/api/instances")),
    ]
}

/// A person logs in and manages keys.
fn managing(plain: &str, has: &Credentials) -> Vec<Line> {
    let json = "-H 'Content-Type: application/json'";
    let password = has.owner_password.expose();
    let login = format!(r#"{json} -d '{{"email":"{OWNER}","password":"{password}"}}' {plain}/v1/auth/login"#);
    let keys = format!("{plain}/api/v1/organizations/{ORGANIZATION}/api-tokens");
    let as_owner = |title, status, arguments: String| Line {
        title,
        status,
        command: format!(
            r#"TOKEN=$(curl -s {login} | sed -n 's/.*"accessToken":"\([^"]*\)".*/\1/p'); curl -s -w '\n%{{http_code}}\n' -H "Authorization: Bearer $TOKEN" {arguments}"#
        ),
    };
    let wanted =
        r#"{"name":"Made by hand","type":"organization","permissions":["read"],"scopes":["documents"]}"#;
    vec![
        curl("an owner logs in", 200, &login),
        as_owner("and makes a key, whose value is shown once", 201, format!("{json} -d '{wanted}' {keys}")),
        as_owner("and looks at the keys", 200, format!("'{keys}?search=by+hand&limit=2'")),
        curl("a key can not do that", 403, &format!("{} {keys}", key(&has.organization))),
    ]
}

fn operating(plain: &str, admin: &str) -> Vec<Line> {
    let metrics = curl("metrics", 200, &format!("{admin}/metrics"));
    vec![
        curl("the public keys that verify identities", 200, &format!("{plain}/.well-known/jwks.json")),
        curl("readiness", 200, &format!("{admin}/readyz")),
        Line { command: metrics.command + " | tail -n 12", ..metrics },
    ]
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_address_is_printed_as_loopback() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
    }

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        assert_eq!(quoted("/tmp/it's"), r"'/tmp/it'\''s'");
    }
}
