//! Which API has a path on a host: hosts first, then prefixes.

use super::tree::{has_loose, segments};
use crate::config::{Api, Dialect, HostPattern};
use crate::dialect::endpoint::BARE_LOGIN;
use crate::pipeline::path;
use crate::wire::{self, Fields, Target};
use http::header::HOST;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// From how many prefixes on they are looked up by their text, and not one after the other.
const WORTH_AN_INDEX: usize = 16;

/// The prefixes of the APIs that name one host, or none, and those that count where none of these has a path.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// Prefix and API, the longer ones first: in the order in which they win.
    list: Vec<(Arc<str>, usize)>,
    /// Places in the list; empty for a short one.
    index: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    /// No prefix, of the wider ones neither, has a character that lax servers read in two ways.
    plain: bool,
    /// Segments of the longest prefix, of the wider ones too.
    depth: usize,
    /// Places in the list, by what a lax server makes of the prefix: see [`loose_form`].
    loose: HashMap<Vec<u8>, usize, foldhash::fast::RandomState>,
    /// Those of the next less specific host. Shared: a thousand hosts do not list a thousand APIs each that have none.
    wider: Option<Arc<Prefixes>>,
}

impl Prefixes {
    fn new(list: Vec<(Arc<str>, usize)>, wider: Option<Arc<Self>>) -> Self {
        let (mut index, mut loose) = (HashMap::default(), HashMap::default());
        for (place, (prefix, _)) in list.iter().enumerate() {
            if list.len() >= WORTH_AN_INDEX {
                index.entry(prefix.clone()).or_insert(place);
            }
            let form = loose_forms(prefix).last().unwrap_or_default();
            loose.entry(form).or_insert(place);
        }
        let plain = !list.iter().any(|(prefix, _)| has_loose(prefix));
        let plain = plain && wider.as_ref().is_none_or(|wider| wider.plain);
        let depth = list.iter().map(|(prefix, _)| segments(prefix).count()).max().unwrap_or(0);
        let depth = wider.as_ref().map_or(depth, |wider| depth.max(wider.depth));
        Self { list, index, plain, depth, loose, wider }
    }

    /// These, and the wider ones behind them.
    fn levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |level| level.wider.as_deref())
    }

    /// The prefix that a path belongs to, and the place of its API.
    pub(super) fn find(&self, path: &str) -> Option<&(Arc<str>, usize)> {
        self.levels().find_map(|level| level.own(path))
    }

    fn own(&self, path: &str) -> Option<&(Arc<str>, usize)> {
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
        let forms: Vec<Vec<u8>> = loose_forms(path).take(self.depth + 1).collect();
        let own = |level: &Self| {
            let place = forms.iter().filter_map(|form| level.loose.get(form)).min()?;
            Some(level.list[*place].1)
        };
        self.levels().find_map(own).is_some_and(|index| index != api)
    }

    /// All of them, each once.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let all = self.levels().flat_map(|level| &level.list);
        all.filter(move |listed| seen.insert(*listed)).map(|(prefix, _)| &**prefix)
    }
}

/// What a lax server makes of a path's first segments: of none, of one, of two, and so on, each with its length before it.
fn loose_forms(path: &str) -> impl Iterator<Item = Vec<u8>> {
    let mut form = Vec::new();
    let longer = segments(path).map(move |segment| {
        let loose = path::loosely(segment);
        form.extend((loose.len() as u32).to_le_bytes());
        form.extend(loose);
        form.clone()
    });
    std::iter::once(Vec::new()).chain(longer)
}

/// The prefixes of every host.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Of hosts that no API names.
    other: Arc<Prefixes>,
    /// None where no API names a host: then nobody looks at one.
    named: Option<Box<Named>>,
}

/// Hosts that some API names.
#[derive(Debug, Default)]
struct Named {
    exact: HashMap<Arc<str>, Arc<Prefixes>, foldhash::fast::RandomState>,
    /// By what follows `*.`.
    wildcards: HashMap<Arc<str>, Arc<Prefixes>, foldhash::fast::RandomState>,
}

impl Hosts {
    /// The prefixes of APIs.
    pub(super) fn new(apis: &[Api]) -> Self {
        let mut patterns: Vec<&HostPattern> = apis.iter().flat_map(|api| &api.hosts).collect();
        // The less specific first: they stand behind the others.
        patterns.sort_unstable_by_key(|pattern| (pattern.rank(), *pattern));
        patterns.dedup();
        let other = Arc::new(Prefixes::new(prefixes(apis, None), None));
        let mut named = Named::default();
        for host in &patterns {
            let wider = named.wider(host).unwrap_or_else(|| other.clone());
            let map = if host.wildcard { &mut named.wildcards } else { &mut named.exact };
            map.insert(host.name.clone(), Arc::new(Prefixes::new(prefixes(apis, Some(host)), Some(wider))));
        }
        Self { other, named: (!patterns.is_empty()).then(|| Box::new(named)) }
    }

    /// The prefixes that count for a request.
    pub(super) fn of(&self, target: &Target, fields: &Fields) -> &Prefixes {
        let Some(named) = &self.named else { return &self.other };
        host_of(target, fields).and_then(|host| named.of(&host)).unwrap_or(&self.other)
    }
}

/// The prefixes of the APIs that name a host, or of those that name none.
fn prefixes(apis: &[Api], host: Option<&HostPattern>) -> Vec<(Arc<str>, usize)> {
    let names = |api: &Api| match host {
        None => api.hosts.is_empty(),
        Some(host) => api.hosts.contains(host),
    };
    let served: Vec<usize> =
        apis.iter().enumerate().filter(|(_, api)| names(api)).map(|(index, _)| index).collect();
    let mut list: Vec<(Arc<str>, usize)> = Vec::new();
    for &index in &served {
        list.extend(apis[index].prefixes.iter().map(|prefix| (prefix.clone(), index)));
    }
    // The bare login leads to the first API of its dialect, unless some API has the path by a prefix of its own.
    if !apis.iter().flat_map(|api| &*api.prefixes).any(|prefix| holds(prefix, BARE_LOGIN)) {
        let serves = |index: &&usize| apis[**index].builtin.usual && apis[**index].dialect == Dialect::Ocriva;
        list.extend(served.iter().find(serves).map(|&index| (BARE_LOGIN.into(), index)));
    }
    list.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
    list
}

impl Named {
    fn of(&self, host: &str) -> Option<&Prefixes> {
        if let Some(exact) = self.exact.get(host) {
            return Some(exact);
        }
        self.under(host).map(|wildcard| &**wildcard)
    }

    /// Those that count where the APIs of this host do not have a path.
    fn wider(&self, host: &HostPattern) -> Option<Arc<Prefixes>> {
        // What a wildcard stands behind is wider than it: `*.a.b` has no host of its own.
        self.under(&host.name).cloned()
    }

    /// Those of the longest wildcard that a host is under: one that follows a label of the host, which is not empty.
    fn under(&self, host: &str) -> Option<&Arc<Prefixes>> {
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
pub(in crate::pipeline) fn host_of<'r>(target: &'r Target, fields: &'r Fields) -> Option<Cow<'r, str>> {
    let text = match target.authority() {
        Some(authority) => authority,
        None => wire::text(fields.get(&HOST)?)?,
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
    fn a_lax_reading_of_many_prefixes_is_that_of_each() {
        let many: Vec<(Arc<str>, usize)> = (0..100).map(|n| (format!("/v{n}/x").into(), n)).collect();
        let wider = Arc::new(Prefixes::new(many, None));
        let prefixes = Prefixes::new(vec![("/v7/x/Own".into(), 200)], Some(wider));
        assert_eq!(prefixes.find("/v7/x/Own/y").map(|(_, api)| *api), Some(200));
        assert_eq!(prefixes.find("/v7/x/own").map(|(_, api)| *api), Some(7));
        for (path, api, shadowed) in [
            ("/v7/x/y", 7, false),
            ("/v7/x/Y", 7, false),
            ("/v7/x/own", 7, true),
            ("/v7/x/OWN/y", 7, true),
            ("/v7/x/%6Fwn", 7, true),
            ("/v7/x/own;a=b/y", 7, true),
            ("/v7/x/Own", 200, false),
            ("/V8/x", 300, true),
            ("/V8/y", 300, false),
            ("/v8;a/x/y", 300, true),
        ] {
            assert_eq!(prefixes.shadow(path, api), shadowed, "{path}");
        }
        assert_eq!(prefixes.iter().count(), 101);
    }

    #[test]
    fn many_prefixes_are_found_as_few_are() {
        let many: Vec<(Arc<str>, usize)> = (0..100).map(|n| (format!("/v{n}/x").into(), n)).collect();
        let many = Prefixes::new([many, vec![("/v7".into(), 200), ("/".into(), 300)]].concat(), None);
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
