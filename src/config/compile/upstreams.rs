//! `upstreams`: backend services and where they run.

use super::files::Files;
use super::upstream_policy as policy;
use super::{all, at_least_one, maybe, or};
use crate::config::check::address;
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{Balance, Dns, Endpoint, Scheme, Timeouts, Upstream};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn upstreams(root: &Section<'_>, files: &Files) -> Option<Vec<Upstream>> {
    let Some(value) = root.get("upstreams") else { return Some(Vec::new()) };
    let section = value.any_section()?;
    let read: Vec<Option<Upstream>> =
        section.entries().map(|(key, value)| upstream(&key.text, &value, files)).collect();
    read.into_iter().collect()
}

/// How names of endpoints are resolved.
pub(super) fn dns(root: &Section<'_>) -> Option<Dns> {
    let Some(value) = root.get("dns") else { return Some(Dns::default()) };
    let section = value.any_section()?;
    let servers = or(&section, "servers", |value| all(&value.items()?, address), Vec::new);
    let timeout = or(&section, "timeout", Value::duration, || Dns::default().timeout);
    Some(Dns { servers: servers?, timeout: timeout? })
}

/// The names that routes may use, bad upstreams included: one mistake is not told twice.
pub(super) fn names<'d>(root: &Section<'d>) -> Vec<&'d str> {
    let section = root.get("upstreams").filter(Value::is_section).and_then(|value| value.any_section());
    section.iter().flat_map(Section::entries).map(|(key, _)| key.text.as_str()).collect()
}

/// The names of those whose endpoints are all `h2c`.
pub(super) fn h2c_only<'d>(root: &Section<'d>) -> Vec<&'d str> {
    let section = root.get("upstreams").filter(Value::is_section).and_then(|value| value.any_section());
    let is_h2c = |value: &Value<'_>| value.peek().is_some_and(|text| text.trim().starts_with("h2c:"));
    let all = |value: &Value<'_>| {
        let section = value.is_section().then(|| value.any_section()).flatten();
        let endpoints = section.and_then(|section| section.get("endpoints")).filter(Value::is_list);
        endpoints.is_some_and(|list| {
            let mut items = list.items().into_iter().flatten().peekable();
            items.peek().is_some() && items.all(|item| is_h2c(&item))
        })
    };
    let entries = section.iter().flat_map(Section::entries);
    entries.filter(|(_, value)| all(value)).map(|(key, _)| key.text.as_str()).collect()
}

fn upstream(name: &str, value: &Value<'_>, files: &Files) -> Option<Upstream> {
    let section = value.any_section()?;
    let endpoints = section.get("endpoints").and_then(|list| {
        let mut seen: Vec<Endpoint> = Vec::new();
        at_least_one(&list, "endpoint", |value| {
            let endpoint = endpoint(value)?;
            if seen.contains(&endpoint) {
                value.report(Code::Conflict, format!("{} stands in this list twice", value.shown()), None);
            }
            seen.push(endpoint.clone());
            Some(endpoint)
        })
    });
    let timeouts = or(&section, "timeouts", timeouts, Timeouts::default);
    let balance = or(&section, "balance", policy::balance, Balance::default);
    let health = maybe(&section, "health", policy::health);
    let retry = maybe(&section, "retry", policy::retry);
    let eject = maybe(&section, "eject", policy::eject);
    let limits = maybe(&section, "limits", policy::limits);
    let tls = maybe(&section, "tls", |value| policy::tls(value, files, endpoints.as_deref()));
    if name.trim().is_empty() {
        value.report(Code::InvalidValue, "an upstream needs a name", None);
        return None;
    }
    Some(Upstream {
        name: Arc::from(name),
        endpoints: endpoints?,
        timeouts: timeouts?,
        balance: balance?,
        retry: retry?,
        eject: eject?,
        health: health?,
        limits: limits?,
        tls: tls?,
    })
}

fn timeouts(value: &Value<'_>) -> Option<Timeouts> {
    let section = value.any_section()?;
    let default = Timeouts::default();
    let connect = or(&section, "connect", Value::duration, || default.connect);
    let response = or(&section, "response", Value::duration, || default.response);
    let idle = or(&section, "idle", Value::duration, || default.idle);
    let tunnel = or(&section, "tunnel", Value::duration, || default.tunnel);
    Some(Timeouts { connect: connect?, response: response?, idle: idle?, tunnel: tunnel? })
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            tunnel: Duration::from_secs(600),
        }
    }
}

fn endpoint(value: &Value<'_>) -> Option<Endpoint> {
    let text = value.non_empty()?;
    let parsed = parse(text);
    if let Err(reason) = parsed {
        // The text is not repeated: it may hold a password, which is one of the reasons for which it is refused.
        let help = "write `http://host:port`, `https://host:port` or `h2c://host:port`";
        value.report(Code::InvalidValue, format!("this endpoint {reason}"), Some(help));
    }
    parsed.ok()
}

fn parse(text: &str) -> Result<Endpoint, &'static str> {
    let (scheme, authority) = text.split_once("://").ok_or("has no scheme")?;
    let (scheme, default_port) = match scheme {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
        "h2c" => (Scheme::H2c, 80),
        _ => return Err("has a scheme that is not `http`, `https` or `h2c`"),
    };
    if authority.contains('@') {
        return Err("must not hold a user name or a password");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("must not have a path or a query: the request's own are used");
    }
    let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, port))) => (host, port.strip_prefix(':').or(port.is_empty().then_some(""))),
        Some(None) => return Err("has a `[` that is not closed"),
        None => authority.split_once(':').map_or((authority, Some("")), |(host, port)| (host, Some(port))),
    };
    let explicit = authority.ends_with(':');
    let port = match port {
        Some("") if !explicit => default_port,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => match port.parse() {
            Ok(0) | Err(_) => return Err("has a port that is not between 1 and 65535"),
            Ok(port) => port,
        },
        _ => return Err("has a port that is not between 1 and 65535"),
    };
    if !is_host(host, authority.starts_with('[')) {
        return Err("has a host that is neither a name nor an IP address");
    }
    Ok(Endpoint { scheme, host: Arc::from(host.to_ascii_lowercase()), port })
}

fn is_host(host: &str, bracketed: bool) -> bool {
    if bracketed {
        return host.parse::<Ipv6Addr>().is_ok();
    }
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !host.is_empty()
        && host.len() <= 253
        && !host.starts_with('.')
        && !host.contains("..")
        && host.bytes().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_origins() {
        let made = |text| parse(text).map(|e| (e.scheme, e.host.to_string(), e.port));
        assert_eq!(made("http://127.0.0.1:9001"), Ok((Scheme::Http, "127.0.0.1".to_owned(), 9001)));
        assert_eq!(made("https://API.example.com"), Ok((Scheme::Https, "api.example.com".to_owned(), 443)));
        assert_eq!(made("h2c://[::1]:81"), Ok((Scheme::H2c, "::1".to_owned(), 81)));
        assert_eq!(made("http://[::1]"), Ok((Scheme::Http, "::1".to_owned(), 80)));
        for bad in [
            "127.0.0.1:9001",
            "ftp://a",
            "http://",
            "http://a/",
            "http://a/b",
            "http://a?b",
            "http://u:p@a",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://a:1:2",
            "http://[::1",
            "http://[::1]x",
            "http://[a]:1",
            "http://a b",
            "HTTP//a",
        ] {
            assert!(made(bad).is_err(), "{bad}");
        }
    }
}
