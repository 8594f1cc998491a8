//! Which API has a path on a host: hosts first, then prefixes.

use super::tree::{has_loose, segments};
use crate::config::{Api, Dialect, HostPattern};
use crate::dialect::endpoint::BARE_LOGIN;
use crate::pipeline::path;
use http::header::HOST;
use http::{HeaderMap, Uri};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// From how many prefixes on they are looked up by their text, and not one after the other.
const WORTH_AN_INDEX: usize = 16;

/// The prefixes that count on a host.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// Prefix and API, in the order in which they win: those of the more specific host first, then the longer ones.
    list: Vec<(Arc<str>, usize)>,
    /// Places in the list; empty for a short one.
    index: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    /// No prefix has a character that lax servers read in two ways.
    plain: bool,
}

impl Prefixes {
    fn new(list: Vec<(Arc<str>, usize)>) -> Self {
        let mut index = HashMap::default();
        if list.len() >= WORTH_AN_INDEX {
            for (place, (prefix, _)) in list.iter().enumerate() {
                index.entry(prefix.clone()).or_insert(place);
            }
        }
        let plain = !list.iter().any(|(prefix, _)| has_loose(prefix));
        Self { list, index, plain }
    }

    /// The prefix that a path belongs to, and the place of its API.
    pub(super) fn find(&self, path: &str) -> Option<&(Arc<str>, usize)> {
        if self.index.is_empty() {
            return self.list.iter().find(|(prefix, _)| holds(prefix, path));
        }
        let ends = memchr::memchr_iter(b'/', path.as_bytes()).skip(1).chain([path.len()]);
        let places = ends.filter_map(|end| self.index.get(&path[..end])).chain(self.index.get("/"));
        places.min().map(|&place| &self.list[place])
    }

    /// Whether a server that is lax about case, escapes or parameters would see another API's path here. A path
    /// without any of these is what it is, as long as no prefix has one.
    pub(super) fn shadow(&self, path: &str, api: usize) -> bool {
        if self.plain && !has_loose(path) {
            return false;
        }
        let holds = |prefix: &str| {
            let mut rest = segments(path);
            segments(prefix).all(|wanted| {
                rest.next().is_some_and(|segment| path::loosely(segment) == path::loosely(wanted))
            })
        };
        self.list.iter().find(|(prefix, _)| holds(prefix)).is_some_and(|(_, index)| *index != api)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(prefix, _)| &**prefix)
    }
}

/// The prefixes of every host.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Of hosts that no API names.
    other: Prefixes,
    /// None where no API names a host: then nobody looks at one.
    named: Option<Box<Named>>,
}

/// Hosts that some API names.
#[derive(Debug, Default)]
struct Named {
    exact: HashMap<Arc<str>, Prefixes, foldhash::fast::RandomState>,
    /// By what follows `*.`.
    wildcards: HashMap<Arc<str>, Prefixes, foldhash::fast::RandomState>,
}

impl Hosts {
    /// The prefixes of APIs.
    pub(super) fn new(apis: &[Api]) -> Self {
        let mut patterns: Vec<&HostPattern> = apis.iter().flat_map(|api| &api.hosts).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let mut named = Named::default();
        for host in &patterns {
            let map = if host.wildcard { &mut named.wildcards } else { &mut named.exact };
            map.insert(host.name.clone(), prefixes(apis, Some(host)));
        }
        Self { other: prefixes(apis, None), named: (!patterns.is_empty()).then(|| Box::new(named)) }
    }

    /// The prefixes that count for a request.
    pub(super) fn of(&self, uri: &Uri, headers: &HeaderMap) -> &Prefixes {
        let Some(named) = &self.named else { return &self.other };
        host_of(uri, headers).and_then(|host| named.of(&host)).unwrap_or(&self.other)
    }
}

/// The prefixes of the APIs that are served on a host, or on those that no API names.
fn prefixes(apis: &[Api], host: Option<&HostPattern>) -> Prefixes {
    let covers = |pattern: &&HostPattern| host.is_some_and(|host| pattern.covers(host));
    let rank = |api: &Api| match api.hosts.is_empty() {
        true => Some(0),
        false => api.hosts.iter().filter(covers).map(HostPattern::rank).max(),
    };
    let mut served: Vec<(usize, usize)> =
        apis.iter().enumerate().filter_map(|(index, api)| Some((rank(api)?, index))).collect();
    served.sort_by_key(|(rank, _)| Reverse(*rank));
    let mut list: Vec<(usize, Arc<str>, usize)> = Vec::new();
    for &(rank, index) in &served {
        list.extend(apis[index].prefixes.iter().map(|prefix| (rank, prefix.clone(), index)));
    }
    // The bare login leads to the first API of its dialect, unless some API has the path by a prefix of its own.
    if !apis.iter().flat_map(|api| &*api.prefixes).any(|prefix| holds(prefix, BARE_LOGIN)) {
        let serves = |(_, index): &&(usize, usize)| {
            apis[*index].builtin.usual && apis[*index].dialect == Dialect::Ocriva
        };
        list.extend(served.iter().find(serves).map(|&(rank, index)| (rank, BARE_LOGIN.into(), index)));
    }
    list.sort_by_key(|(rank, prefix, _)| Reverse((*rank, prefix.len())));
    Prefixes::new(list.into_iter().map(|(_, prefix, index)| (prefix, index)).collect())
}

impl Named {
    fn of(&self, host: &str) -> Option<&Prefixes> {
        if let Some(exact) = self.exact.get(host) {
            return Some(exact);
        }
        // The longest one that follows a label of the host, which is not empty.
        let mut rest = host;
        while let Some((label, parent)) = rest.split_once('.') {
            if !(label.is_empty() && rest.len() == host.len())
                && let Some(wildcard) = self.wildcards.get(parent)
            {
                return Some(wildcard);
            }
            rest = parent;
        }
        None
    }
}

/// Whether a path is one of a prefix.
pub(super) fn holds(prefix: &str, path: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The host that a request is for, in the form that [`HostPattern`] has: the authority of an absolute target or of
/// HTTP/2 wins over `Host` (RFC 9112, 3.2.2). That it is one is seen to by
/// [`Peer::head_fits`](crate::pipeline::Peer::head_fits), before anything comes of it.
pub(in crate::pipeline) fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<Cow<'r, str>> {
    let text = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(HOST)?.to_str().ok()?,
    };
    Some(normal(text))
}

/// A host without credential, port and closing dot, in lower case.
fn normal(text: &str) -> Cow<'_, str> {
    let text = text.rsplit('@').next().unwrap_or_default();
    let text = match text.rfind(':') {
        Some(at) if !text[at..].contains(']') => &text[..at],
        _ => text,
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        return Cow::Owned(format!("[{address}]"));
    }
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_what_does_not_name_it() {
        for (text, host) in [
            ("Example.COM:8443", "example.com"),
            ("example.com.", "example.com"),
            ("example.com.:80", "example.com"),
            ("user:x@example.com:1", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[0:0::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(normal(text), host, "{text}");
        }
    }

    #[test]
    fn many_prefixes_are_found_as_few_are() {
        let many: Vec<(Arc<str>, usize)> = (0..100).map(|n| (format!("/v{n}/x").into(), n)).collect();
        let many = Prefixes::new([many, vec![("/v7".into(), 200), ("/".into(), 300)]].concat());
        assert!(!many.index.is_empty());
        let api = |path| many.find(path).map(|(_, api)| *api);
        assert_eq!(api("/v7/x/y"), Some(7));
        assert_eq!(api("/v7/x"), Some(7));
        assert_eq!(api("/v7/xy"), Some(200));
        assert_eq!(api("/v7/"), Some(200));
        assert_eq!(api("/other"), Some(300));
        assert_eq!(api("/"), Some(300));
    }
}
