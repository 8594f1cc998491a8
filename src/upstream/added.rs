//! Fields of ours for one request, as the lines that HTTP/1.1 sends. Most upstreams speak that: names and values are put
//! into a map only for those that speak HTTP/2.

use crate::wire::{Out, Scratch, write_field};
use http::{HeaderName, HeaderValue};

/// Fields that were made for one request.
#[derive(Debug, Default)]
pub struct Added(Out);

impl Added {
    /// None yet, in memory of the worker's.
    pub fn new(scratch: &Scratch) -> Self {
        Self(scratch.out())
    }

    /// Adds a field, whose value must be one that a field may have.
    pub fn push(&mut self, name: &HeaderName, value: &[u8]) {
        write_field(self.0.bytes(), name, value);
    }

    /// Adds lines that were put together before: whole ones, of names and values that may be sent.
    pub fn lines(&mut self, lines: &[u8]) {
        self.0.bytes().extend_from_slice(lines);
    }

    /// The lines.
    pub(super) fn as_lines(&self) -> &[u8] {
        self.0.left()
    }

    /// Names and values. Those of the lines are valid, so that none is left out.
    pub(super) fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let lines = self.as_lines().split(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\r"));
        lines.filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
        })
    }

    /// Its memory, for another request.
    pub(super) fn into_out(self) -> Out {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_was_added() {
        let mut added = Added::new(&Scratch::default());
        added.push(&HeaderName::from_static("x-a"), b"b: c, \"d\"");
        added.lines(b"x-empty: \r\nx-forwarded-for: 127.0.0.1\r\n");
        let opaque = HeaderValue::from_bytes(b"\xe0\xb8\xad\x09.").unwrap();
        added.push(&HeaderName::from_static("x-opaque"), opaque.as_bytes());
        let fields: Vec<_> = added.fields().collect();
        let field = |at: usize| (fields[at].0.as_str(), fields[at].1.as_bytes());
        assert_eq!(field(0), ("x-a", &b"b: c, \"d\""[..]));
        assert_eq!(field(1), ("x-empty", &b""[..]));
        assert_eq!(field(2), ("x-forwarded-for", &b"127.0.0.1"[..]));
        assert_eq!(field(3), ("x-opaque", opaque.as_bytes()));
        assert_eq!(fields.len(), 4);
    }
}
