//! An answer as it came over the wire: nothing merged, nothing decoded but the transfer coding.

use serde_json::Value;

/// One answer of the gateway.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The reason phrase of the status line; empty over HTTP/2.
    pub(crate) reason: String,
    /// In order, duplicates kept, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Status codes of interim answers that came first, e.g. 100.
    pub(crate) interim: Vec<u16>,
    /// The `x-test-tag` that the request carried, to find what an upstream saw of it.
    pub(crate) tag: String,
}

impl Reply {
    /// The value of the header, which must not come twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} comes {} times: {all:?}", all.len());
        all.first().copied()
    }

    /// Every value of the header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The header as a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.header(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        text.parse().unwrap_or_else(|_| panic!("{name}: {text} is no number"))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Fails unless the status is this one; shows the whole answer then.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}\n{}", self.text());
        self
    }
}

/// Every value of a header in a list, in order.
pub(crate) fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
}
