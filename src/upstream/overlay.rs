//! Alterations of a message's header fields that the configuration asks for: worked out once, for all messages of a route.

use super::Prepared;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that go, and fields that come in.
#[derive(Debug, Default)]
pub struct Overlay {
    hides: Vec<HeaderName>,
    fields: HeaderMap,
    prepared: Prepared,
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

    /// Whether nothing is altered.
    pub fn is_empty(&self) -> bool {
        self.hides.is_empty() && self.fields.is_empty()
    }

    /// With its lines written.
    #[must_use]
    pub fn finished(mut self) -> Self {
        let fields = self.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.prepared = Prepared::new(fields.collect());
        self
    }

    /// Whether a field of this name goes.
    pub fn hides(&self, name: &HeaderName) -> bool {
        self.hides.contains(name)
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
        self.prepared.lines()
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
}
