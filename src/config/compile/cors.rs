//! `apis[].cors`.

use super::{all, at_least_one, or, routes};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{AllowedHeaders, Cors, OriginPattern, Origins};
use http::HeaderName;
use std::sync::Arc;
use std::time::Duration;

/// What pages of other origins may do with an API; `Some(None)` where nothing is said.
pub(super) fn cors(api: &Section<'_>) -> Option<Option<Cors>> {
    let Some(value) = api.get("cors") else { return Some(None) };
    let section = value.any_section()?;
    let origins = section.get("origins").and_then(|list| origins(&list));
    let methods = or(&section, "methods", routes::methods, Vec::new);
    let headers = or(&section, "headers", headers, || AllowedHeaders::These(Vec::new()));
    let expose = or(&section, "expose", |list| all(&list.items()?, name), Vec::new);
    let credentials = or(&section, "credentials", Value::boolean, || false);
    let max_age = or(&section, "max_age", Value::duration, || Duration::from_secs(600));
    if let Some(value) = section.get("credentials")
        && credentials == Some(true)
        && origins == Some(Origins::Any)
    {
        let message = "with `origins: [\"*\"]` any page could act for whoever is logged in";
        value.report(Code::Conflict, message, Some("name the origins, or leave `credentials` out"));
        return None;
    }
    Some(Some(Cors {
        origins: origins?,
        methods: methods?,
        headers: headers?,
        expose: expose?,
        credentials: credentials?,
        max_age: max_age?,
    }))
}

fn origins(list: &Value<'_>) -> Option<Origins> {
    let items = list.items()?;
    if items.iter().any(|item| item.peek() == Some("*")) {
        if let [_, other, ..] = items.as_slice() {
            other.report(
                Code::Conflict,
                "`*` is every origin already",
                Some("name `*` alone, or leave it out"),
            );
            return None;
        }
        return Some(Origins::Any);
    }
    at_least_one(list, "origin", origin).map(Origins::These)
}

fn origin(value: &Value<'_>) -> Option<OriginPattern> {
    let text = value.non_empty()?.to_ascii_lowercase();
    let made = pattern(&text);
    if made.is_none() {
        let help = "write scheme and host, such as `https://app.example.com`, `https://*.example.com` or \
                    `http://localhost:5173`; no path";
        value.report(Code::InvalidValue, format!("{} is not an origin", value.shown()), Some(help));
    }
    made
}

fn pattern(text: &str) -> Option<OriginPattern> {
    let (scheme, authority) = text.split_once("://")?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let wildcard = authority.strip_prefix('*');
    let rest = wildcard.unwrap_or(authority);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<u16>().ok()?)),
        _ => (rest, None),
    };
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let bare = if wildcard.is_some() { host.strip_prefix('.')? } else { host };
    let is_ipv6 = bare.starts_with('[') && bare.ends_with(']') && wildcard.is_none();
    let fits = !scheme.is_empty() && scheme.bytes().all(word) && (is_ipv6 || bare.split('.').all(label));
    // Browsers leave the scheme's own port out.
    let usual = matches!((scheme, port), ("https", Some(443)) | ("http", Some(80)));
    let port = port.filter(|_| !usual).map(|port| format!(":{port}")).unwrap_or_default();
    fits.then(|| match wildcard {
        Some(_) => OriginPattern::Subdomains(format!("{scheme}://").into(), format!(".{bare}{port}").into()),
        None => OriginPattern::Exact(Arc::from(format!("{scheme}://{bare}{port}"))),
    })
}

fn headers(list: &Value<'_>) -> Option<AllowedHeaders> {
    let items = list.items()?;
    if let [only] = items.as_slice()
        && only.peek() == Some("*")
    {
        return Some(AllowedHeaders::Any);
    }
    all(&items, name).map(AllowedHeaders::These)
}

fn name(value: &Value<'_>) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(value.non_empty()?.as_bytes()).ok().filter(|name| name.as_str() != "*");
    if name.is_none() {
        value.report(
            Code::InvalidValue,
            format!("{} is not the name of a header field", value.shown()),
            None,
        );
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        let holds = |pattern: &str, origin: &str| super::pattern(pattern).unwrap().holds(origin.as_bytes());
        assert!(holds("https://app.example.com", "https://app.example.com"));
        assert!(holds("https://app.example.com:443", "https://app.example.com"));
        assert!(holds("http://localhost:5173", "http://localhost:5173"));
        assert!(holds("https://*.example.com", "https://a.b.example.com"));
        assert!(holds("https://*.example.com:8443", "https://a.example.com:8443"));
        for (pattern, origin) in [
            ("https://app.example.com", "http://app.example.com"),
            ("https://app.example.com", "https://app.example.com.evil.net"),
            ("https://*.example.com", "https://example.com"),
            ("https://*.example.com", "https://evil.net/.example.com"),
            ("https://*.example.com", "https://evilexample.com"),
            ("https://*.example.com", "https://x@y.example.com"),
            ("https://*.example.com", "https://a.example.com:444"),
        ] {
            assert!(!holds(pattern, origin), "{pattern} {origin}");
        }
        for bad in
            ["null", "example.com", "https://", "https://a/b", "https://*", "https://*example.com", "a b://c"]
        {
            assert!(pattern(bad).is_none(), "{bad}");
        }
    }
}
