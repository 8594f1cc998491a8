//! Hosts that an API or a route is served on.

use crate::config::HostPattern;
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use std::sync::Arc;

/// The hosts under a key; none when the key is missing.
pub(super) fn hosts(section: &Section<'_>, key: &str) -> Option<Vec<HostPattern>> {
    let Some(list) = section.get(key) else { return Some(Vec::new()) };
    let mut seen: Vec<HostPattern> = Vec::new();
    super::at_least_one(&list, "host", |value| {
        let host = host(value)?;
        if seen.contains(&host) {
            value.report(Code::Conflict, format!("{} stands in this list twice", value.shown()), None);
        }
        seen.push(host.clone());
        Some(host)
    })
}

fn host(value: &Value<'_>) -> Option<HostPattern> {
    let text = value.non_empty()?;
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    let made = name_of(name, wildcard).map(|name| HostPattern { name, wildcard });
    made.map_err(|(what, help)| {
        value.report(Code::InvalidValue, format!("{} {what}", value.shown()), Some(help));
    })
    .ok()
}

/// One host, without a wildcard, that stands in a longer text.
pub(super) fn literal(value: &Value<'_>, text: &str) -> Option<Arc<str>> {
    name_of(text, false)
        .map_err(|(what, help)| {
            value.report(Code::InvalidValue, format!("the host of {} {what}", value.shown()), Some(help));
        })
        .ok()
}

/// A host in the form that those of requests are brought into; or what is wrong, and what to do.
fn name_of(text: &str, wildcard: bool) -> Result<Arc<str>, (&'static str, &'static str)> {
    let bare = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if let Some(inner) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && let Ok(address) = inner.parse::<std::net::Ipv6Addr>()
        && !wildcard
    {
        return Ok(format!("[{address}]").into());
    }
    if bare.contains("://") || bare.contains('/') {
        return Err(("is a URL, and a host is only its name", "write `api.example.com`"));
    }
    if bare.contains(':') {
        return Err(("has a port", "leave it out: a host counts on every port"));
    }
    if bare.contains('*') {
        return Err(("has a wildcard that is not its first label", "write `*.example.com`"));
    }
    if !bare.is_ascii() {
        return Err(("is not in the form that requests have", "write it in Punycode: `xn--…`"));
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    match bare.split('.').all(is_label) {
        true => Ok(bare.into()),
        false => Err(("is not the name of a host", "write `api.example.com` or `*.example.com`")),
    }
}

/// Whether two sets of hosts have one in common; no hosts are all.
pub(super) fn overlap(ones: &[HostPattern], others: &[HostPattern]) -> bool {
    (ones.is_empty() && others.is_empty()) || ones.iter().any(|host| others.contains(host))
}

/// Reports hosts of a route that its API is not served on.
pub(super) fn are_the_apis(section: &Section<'_>, own: &[HostPattern], apis: &[HostPattern]) {
    if apis.is_empty() {
        return;
    }
    for (value, host) in section.items("hosts").iter().zip(own) {
        if !apis.iter().any(|of_api| of_api.covers(host)) {
            let all: Vec<String> = apis.iter().map(ToString::to_string).collect();
            let message = format!("{} never gets here: the API is served on other hosts", value.shown());
            value.report(Code::Conflict, message, Some(&format!("its hosts: {}", all.join(", "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_brought_into_the_form_that_requests_have() {
        for (text, name) in [
            ("API.Example.com", "api.example.com"),
            ("example.com.", "example.com"),
            ("localhost", "localhost"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ] {
            assert_eq!(name_of(text, false).as_deref(), Ok(name));
        }
        for bad in ["a:80", "https://a", "a/b", "a..b", "*", "a.*.b", "ä.de", "a b", ".", "", "[::1"] {
            assert!(name_of(bad, false).is_err(), "{bad}");
        }
        assert!(name_of("[::1]", true).is_err());
    }
}
