//! URLs that something is sent to: webhooks, collectors, the admin listener of a gateway.

use http::Uri;
use std::net::{IpAddr, Ipv6Addr};

/// A URL of HTTP, with nothing in it that is not sent: no credentials, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// TLS, or plain HTTP.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What stands between scheme and path.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// Longest URL, in bytes.
const URL_MOST: usize = 2048;

impl HttpUrl {
    /// Reads an absolute `https` or `http` URL without user and fragment.
    pub fn parse(url: &str) -> Option<Self> {
        if url.len() > URL_MOST || url.contains(['#', '\\']) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let host = uri.host().filter(|host| !host.is_empty() && !authority.contains('@'))?;
        // What looks like a port and is none.
        let bare = authority.strip_prefix(host)?;
        if bare.is_empty() != uri.port_u16().is_none() || uri.port_u16() == Some(0) {
            return None;
        }
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
            None => host.to_ascii_lowercase(),
        };
        Some(Self {
            secure,
            host,
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// The address that the URL names, when it names one rather than a host.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_strictly() {
        let url = HttpUrl::parse("https://Hooks.example.com:8443/a?b=c").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.secure), ("hooks.example.com", 8443, true));
        assert_eq!((url.authority.as_str(), url.path.as_str()), ("Hooks.example.com:8443", "/a?b=c"));
        let url = HttpUrl::parse("https://[::1]").unwrap();
        assert_eq!(
            (url.address(), url.port, url.path.as_str()),
            (Some(IpAddr::from(Ipv6Addr::LOCALHOST)), 443, "/")
        );
        assert_eq!(HttpUrl::parse("http://10.0.0.1").unwrap().address(), "10.0.0.1".parse().ok());
        let bad = [
            "",
            "hooks.example.com",
            "/path",
            "ftp://x",
            "https://",
            "https:///x",
            "https://me@x/",
            "https://me:pw@x/",
            "https://x/#f",
            "https://x\\@y/",
            "https://x:0/",
            "https://x:99999/",
            "https://x:/",
            "https://[::1",
            "javascript:x",
        ];
        for text in bad {
            assert_eq!(HttpUrl::parse(text), None, "{text}");
        }
    }
}
