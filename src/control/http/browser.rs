//! Calls of browsers on the admin listener. A browser sends a host's cookies along whoever's page it is that asks, and takes
//! pages on other ports of the host for the same site, so that `SameSite` is not enough: what counts is that the page is the
//! console's own. A call that shows its credential in `Authorization` was made by somebody who has it, and is not looked at.

use super::cookies;
use crate::control::domain::DomainError;
use crate::dialect::endpoint::{Call, Via};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const FOREIGN: DomainError = DomainError::Forbidden(
    "A session's cookie counts for pages of the console only, and this call does not come from one. Programs send the access token in Authorization.",
);

/// Whose page a call comes from, by what the browser says. No page can alter either field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    /// The console's own.
    Own,
    /// No page's: somebody has typed the address, or chosen it from a list.
    None,
    /// Another one's.
    Foreign,
    /// The browser does not say, or it is none.
    Unsaid,
}

/// The access token in the console's cookie.
///
/// # Errors
/// [`DomainError::Forbidden`] when another page has sent it, or may have; [`DomainError::Unauthorized`] for two that differ.
pub(super) fn access_token(call: &Call) -> Result<Option<&str>, DomainError> {
    if call.via == Via::Client {
        return Ok(None);
    }
    let Some(token) = cookies::access_token(call)? else { return Ok(None) };
    must_be_own(call)?;
    Ok(Some(token))
}

/// Lets a call pass that shows a cookie of the console's.
///
/// # Errors
/// [`DomainError::Forbidden`]
pub(super) fn must_be_own(call: &Call) -> Result<(), DomainError> {
    let Via::Admin { tls } = call.via else { return Ok(()) };
    match Page::of(&call.headers, tls) {
        Page::Own => Ok(()),
        // Alters nothing, and no other page sees the answer.
        Page::None | Page::Unsaid if call.endpoint.method.is_safe() => Ok(()),
        Page::None | Page::Unsaid | Page::Foreign => Err(FOREIGN),
    }
}

/// Lets a call pass that needs no session and may begin or end one: another page must not log somebody in as somebody else.
///
/// # Errors
/// [`DomainError::Forbidden`]
pub(super) fn must_not_be_foreign(call: &Call) -> Result<(), DomainError> {
    match call.via {
        Via::Admin { tls } if Page::of(&call.headers, tls) == Page::Foreign => Err(FOREIGN),
        Via::Admin { .. } | Via::Client => Ok(()),
    }
}

impl Page {
    fn of(headers: &HeaderMap, tls: bool) -> Self {
        let Ok(site) = single(headers, &SEC_FETCH_SITE) else { return Self::Foreign };
        match site {
            Some("same-origin") => Self::Own,
            Some("none") => Self::None,
            Some(_) => Self::Foreign,
            None => Self::by_origin(headers, tls),
        }
    }

    /// For browsers that do not say more: the older ones, and all of them without TLS outside loopback.
    fn by_origin(headers: &HeaderMap, tls: bool) -> Self {
        match (single(headers, &ORIGIN), single(headers, &HOST)) {
            (Ok(None), _) => Self::Unsaid,
            (Ok(Some(origin)), Ok(Some(host))) if is_of(origin, host, tls) => Self::Own,
            _ => Self::Foreign,
        }
    }
}

/// Whether an origin (RFC 6454, 6.1) is that of a host. Without TLS of its own, the listener may have somebody before it who does.
fn is_of(origin: &str, host: &str, tls: bool) -> bool {
    let authority = match origin.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest)) if !tls => rest,
        _ => return false,
    };
    authority.eq_ignore_ascii_case(host)
}

/// The one value of a field; an error when there are more, or it is no text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(());
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(fields: &[(&'static str, &str)], tls: bool) -> Page {
        let fields = fields.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        Page::of(&headers, tls)
    }

    #[test]
    fn what_the_browser_says_of_the_site_decides() {
        for (site, expected) in [
            ("same-origin", Page::Own),
            ("none", Page::None),
            ("same-site", Page::Foreign),
            ("cross-site", Page::Foreign),
            ("Same-Origin", Page::Foreign),
            ("", Page::Foreign),
            ("same-origin, same-origin", Page::Foreign),
            ("ü", Page::Foreign),
        ] {
            // Whatever the origin is: it is looked at where there is nothing better.
            let own = [("sec-fetch-site", site), ("origin", "http://console:9090"), ("host", "console:9090")];
            assert_eq!(page(&own, false), expected, "{site}");
            assert_eq!(page(&own[..1], false), expected, "{site}");
        }
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")];
        assert_eq!(page(&twice, false), Page::Foreign);
    }

    #[test]
    fn otherwise_the_origin_has_to_be_the_host() {
        for (origin, plain, tls) in [
            ("http://console:9090", Page::Own, Page::Foreign),
            ("https://console:9090", Page::Own, Page::Own),
            ("https://CONSOLE:9090", Page::Own, Page::Own),
            ("http://console:9091", Page::Foreign, Page::Foreign),
            ("http://console", Page::Foreign, Page::Foreign),
            ("http://console:9090.evil.test", Page::Foreign, Page::Foreign),
            ("http://evil.test/console:9090", Page::Foreign, Page::Foreign),
            ("http://user@console:9090", Page::Foreign, Page::Foreign),
            ("ftp://console:9090", Page::Foreign, Page::Foreign),
            ("console:9090", Page::Foreign, Page::Foreign),
            ("null", Page::Foreign, Page::Foreign),
            ("", Page::Foreign, Page::Foreign),
        ] {
            let sent = [("origin", origin), ("host", "console:9090")];
            assert_eq!(page(&sent, false), plain, "{origin}");
            assert_eq!(page(&sent, true), tls, "{origin} with TLS");
        }
        assert_eq!(page(&[("origin", "http://console:9090")], false), Page::Foreign, "no host");
        assert_eq!(page(&[("host", "console:9090")], false), Page::Unsaid);
        assert_eq!(page(&[], true), Page::Unsaid);
    }
}
