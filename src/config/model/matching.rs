//! What the configuration says of requests beside their path: hosts, header fields and query parameters.

use http::HeaderName;
use std::sync::Arc;

/// A host that an API or a route is served on: lower case, without port and closing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    /// The host, or what follows `*.`.
    pub name: Arc<str>,
    /// One or more labels have to stand before the name.
    pub wildcard: bool,
}

impl HostPattern {
    /// Whether a host in the normal form is one of these.
    pub fn holds(&self, host: &str) -> bool {
        match self.wildcard {
            false => host == &*self.name,
            true => host
                .strip_suffix(&*self.name)
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
        }
    }

    /// Whether every host of the other is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (self.wildcard && self.holds(&other.name))
    }

    /// Higher wins: any exact name over any wildcard, and a longer wildcard over a shorter one.
    pub fn rank(&self) -> usize {
        if self.wildcard { self.name.len() } else { usize::MAX }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.wildcard { "*." } else { "" }, self.name)
    }
}

/// What a request must be like, beside host, path and method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Header fields.
    pub headers: Vec<(HeaderName, Test)>,
    /// Query parameters, by their decoded names.
    pub query: Vec<(Arc<str>, Test)>,
}

/// What a value must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// This text.
    Exact(Arc<str>),
    /// A text that begins so.
    Prefix(Arc<str>),
    /// There, or not there.
    Present(bool),
}

impl Test {
    /// Whether a value, or its absence, is as it must be.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Exact(text) => value == Some(text.as_bytes()),
            Self::Prefix(text) => value.is_some_and(|value| value.starts_with(text.as_bytes())),
            Self::Present(wanted) => value.is_some() == *wanted,
        }
    }

    /// Whether no value passes both.
    pub fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(text), other) | (other, Self::Exact(text)) => !other.holds(Some(text.as_bytes())),
            (Self::Prefix(a), Self::Prefix(b)) => !a.starts_with(&**b) && !b.starts_with(&**a),
            (Self::Present(a), Self::Present(b)) => a != b,
            (Self::Present(there), Self::Prefix(_)) | (Self::Prefix(_), Self::Present(there)) => !there,
        }
    }
}

impl Conditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_empty()
    }

    /// More conditions are more specific; of as many, more exact ones; of as many, longer beginnings.
    pub fn rank(&self) -> (usize, usize, usize) {
        let tests =
            || self.headers.iter().map(|(_, test)| test).chain(self.query.iter().map(|(_, test)| test));
        let exact = tests().filter(|test| matches!(test, Test::Exact(_))).count();
        let prefixes = tests().map(|test| match test {
            Test::Prefix(text) => text.len(),
            Test::Exact(_) | Test::Present(_) => 0,
        });
        (tests().count(), exact, prefixes.sum())
    }

    /// Whether no request meets both.
    pub fn exclude(&self, other: &Self) -> bool {
        fn exclude<N: PartialEq>(ones: &[(N, Test)], others: &[(N, Test)]) -> bool {
            ones.iter().any(|(name, test)| others.iter().any(|(n, t)| n == name && t.excludes(test)))
        }
        exclude(&self.headers, &other.headers) || exclude(&self.query, &other.query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostPattern {
        match text.strip_prefix("*.") {
            Some(name) => HostPattern { name: name.into(), wildcard: true },
            None => HostPattern { name: text.into(), wildcard: false },
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_or_more() {
        let wildcard = host("*.example.com");
        assert!(wildcard.holds("a.example.com") && wildcard.holds("b.a.example.com"));
        for other in ["example.com", ".example.com", "aexample.com", "a.example.com.evil", ""] {
            assert!(!wildcard.holds(other), "{other}");
        }
        assert!(wildcard.covers(&host("a.example.com")) && wildcard.covers(&host("*.a.example.com")));
        assert!(!wildcard.covers(&host("example.com")) && !host("a.example.com").covers(&wildcard));
        assert!(host("a").rank() > wildcard.rank() && host("*.a.example.com").rank() > wildcard.rank());
    }

    #[test]
    fn tests_that_no_value_passes_both_of_are_found() {
        let (exact, prefix) = (|text: &str| Test::Exact(text.into()), |text: &str| Test::Prefix(text.into()));
        assert!(exact("1").excludes(&exact("2")) && !exact("1").excludes(&exact("1")));
        assert!(exact("12").excludes(&prefix("2")) && !prefix("1").excludes(&exact("12")));
        assert!(prefix("a").excludes(&prefix("b")) && !prefix("a").excludes(&prefix("ab")));
        assert!(Test::Present(false).excludes(&exact("1")) && Test::Present(false).excludes(&prefix("")));
        assert!(
            !Test::Present(true).excludes(&prefix("1"))
                && Test::Present(true).excludes(&Test::Present(false))
        );
    }
}
