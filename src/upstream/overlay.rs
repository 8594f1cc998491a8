//! Alterations of a message's header fields that the configuration asks for: worked out once, for all messages of a route.

use crate::config::{folded, folds_into_reserved, is_folded};
use crate::wire::write_field;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that go, and fields that come in.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    hides: Vec<HeaderName>,
    /// Pass themselves, but in no other spelling.
    guards: Vec<HeaderName>,
    /// Whether one of all these is itself spelt as a backend may read as another.
    odd: bool,
    fields: HeaderMap,
    /// The same as lines of HTTP/1.1.
    lines: Box<[u8]>,
}

impl Overlay {
    /// A field goes.
    pub fn remove(&mut self, name: &HeaderName) {
        self.fields.remove(name);
        if !self.hides.contains(name) {
            self.hides.push(name.clone());
        }
    }

    /// A field has this value, whatever it had.
    pub fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.remove(name);
        self.fields.insert(name, value.clone());
    }

    /// A field has this value too.
    pub fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.fields.append(name, value.clone());
    }

    /// A field decides something: no other may come to a backend that could take it for this one.
    pub fn guard(&mut self, name: &HeaderName) {
        if !self.guards.contains(name) {
            self.guards.push(name.clone());
        }
    }

    /// Whether nothing comes of it.
    pub fn is_empty(&self) -> bool {
        !self.alters() && self.guards.is_empty()
    }

    /// Whether something is altered, beside what other spellings come to.
    pub fn alters(&self) -> bool {
        !self.hides.is_empty() || !self.fields.is_empty()
    }

    /// With its lines written.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.odd = self.hides.iter().chain(&self.guards).any(|name| is_folded(name.as_str()));
        let mut lines = Vec::new();
        self.fields.iter().for_each(|(name, value)| write_field(&mut lines, name, value.as_bytes()));
        self.lines = lines.into();
        self
    }

    /// Whether a field of this name goes, or one that a backend may read as one of those: CGI and WSGI make one of
    /// `X-Tenant` and `X_Tenant`.
    pub fn hides(&self, name: &HeaderName) -> bool {
        self.hides.contains(name) || (self.odd || is_folded(name.as_str())) && self.is_another_spelling(name)
    }

    #[cold]
    fn is_another_spelling(&self, name: &HeaderName) -> bool {
        let name_folded = folded(name.as_str());
        let is_it = |other: &HeaderName| folded(other.as_str()) == name_folded;
        self.hides.iter().any(is_it) || !self.guards.contains(name) && self.guards.iter().any(is_it)
    }

    /// Whether no trailer may have this name: what goes, and what decided.
    fn bars(&self, name: &HeaderName) -> bool {
        self.hides(name) || self.guards.contains(name)
    }

    /// The names of what goes.
    pub fn hidden(&self) -> &[HeaderName] {
        &self.hides
    }

    /// The fields that come in.
    pub fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// Their lines of HTTP/1.1.
    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Alters a map.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.hides {
            headers.remove(name);
        }
        for (name, value) in &self.fields {
            headers.append(name, value.clone());
        }
    }
}

/// Takes out of a request's trailers what its head could not have held either, and what frames or describes the body: some
/// servers merge the two (RFC 9110, 6.5.1).
pub(super) fn strip(trailers: &mut HeaderMap, overlay: Option<&Overlay>) {
    let goes = |name: &&HeaderName| {
        folds_into_reserved(name.as_str()) || overlay.is_some_and(|overlay| overlay.bars(name))
    };
    let doomed: Vec<HeaderName> = trailers.keys().filter(goes).cloned().collect();
    for name in &doomed {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_wins() {
        let name = |text: &str| text.parse::<HeaderName>().unwrap();
        let value = |text: &str| text.parse::<HeaderValue>().unwrap();
        let mut overlay = Overlay::default();
        overlay.set(&name("x-a"), &value("api"));
        overlay.add(&name("x-b"), &value("api"));
        overlay.set(&name("x-a"), &value("route"));
        overlay.add(&name("x-b"), &value("route"));
        overlay.remove(&name("x-c"));
        let overlay = overlay.finished();
        let mut headers = HeaderMap::new();
        for name in ["x-a", "x-b", "x-c", "x-d"] {
            headers.insert(name, value("client"));
        }
        overlay.apply(&mut headers);
        let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(all("x-a"), ["route"]);
        assert_eq!(all("x-b"), ["client", "api", "route"]);
        assert!(all("x-c").is_empty());
        assert_eq!(all("x-d"), ["client"]);
        assert!(overlay.hides(&name("x-a")) && !overlay.hides(&name("x-b")));
    }

    #[test]
    fn no_other_spelling_passes_by_what_is_altered_or_decides() {
        let name = |text: &str| text.parse::<HeaderName>().unwrap();
        let mut overlay = Overlay::default();
        overlay.set(&name("x-tenant"), &HeaderValue::from_static("acme"));
        overlay.remove(&name("x_debug"));
        overlay.add(&name("x-via"), &HeaderValue::from_static("edge"));
        overlay.guard(&name("x-version"));
        overlay.guard(&name("x_beta"));
        let overlay = overlay.finished();
        for hidden in
            ["x-tenant", "x_tenant", "x.tenant", "x-debug", "x_debug", "x_version", "x-beta", "x.beta"]
        {
            assert!(overlay.hides(&name(hidden)), "{hidden}");
        }
        for passes in ["x-version", "x_beta", "x-via", "x_via", "x_other", "xtenant"] {
            assert!(!overlay.hides(&name(passes)), "{passes}");
        }
        let mut trailers = HeaderMap::new();
        for name in
            ["x-tenant", "x_tenant", "x-version", "x_version", "x-beta", "x_beta", "x_api_key", "x-checksum"]
        {
            trailers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("1"));
        }
        strip(&mut trailers, Some(&overlay));
        assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"]);
    }

    #[test]
    fn what_only_guards_alters_nothing() {
        let mut overlay = Overlay::default();
        assert!(overlay.is_empty());
        overlay.guard(&HeaderName::from_static("x-version"));
        assert!(!overlay.is_empty() && !overlay.alters());
    }
}
