//! Fields of ours for one request, as the lines that HTTP/1.1 sends. Most upstreams speak that: names and values are put
//! into a map only for those that speak HTTP/2.

use crate::wire::{Out, Scratch, write_field};
use http::{HeaderName, HeaderValue};
use std::ops::Range;

/// Fields that were made for one request.
#[derive(Debug, Default)]
pub struct Added {
    out: Out,
    /// Where the lines are that tell an upstream, who is asking: another one is told by others.
    identity: Range<usize>,
}

impl Added {
    /// None yet, in memory of the worker's.
    pub fn new(scratch: &Scratch) -> Self {
        Self { out: scratch.out(), identity: 0..0 }
    }

    /// Adds a field, whose value must be one that a field may have.
    pub fn push(&mut self, name: &HeaderName, value: &[u8]) {
        write_field(self.out.bytes(), name, value);
    }

    /// Adds lines that were put together before: whole ones, of names and values that may be sent.
    pub fn lines(&mut self, lines: &[u8]) {
        self.out.bytes().extend_from_slice(lines);
    }

    /// Adds the lines of an identity, by whoever writes them.
    ///
    /// # Errors
    /// The writer's; it is then not known what was written.
    pub fn identify<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let bytes = self.out.bytes();
        let from = bytes.len();
        write(bytes)?;
        self.identity = from..bytes.len();
        Ok(())
    }

    /// Puts another identity in the place of the one that was added.
    pub fn identify_anew(&mut self, lines: &[u8]) {
        self.out.bytes().splice(self.identity.clone(), lines.iter().copied());
        self.identity.end = self.identity.start + lines.len();
    }

    /// The lines.
    pub(super) fn as_lines(&self) -> &[u8] {
        self.out.left()
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
        self.out
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

    #[test]
    fn one_identity_takes_the_place_of_another() {
        let mut added = Added::new(&Scratch::default());
        added.lines(b"x-first: 1\r\n");
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"authorization: Bearer one\r\nx-who: one\r\n");
            Ok::<_, ()>(())
        };
        assert_eq!(added.identify(write), Ok(()));
        added.lines(b"x-last: 1\r\n");
        for identity in ["authorization: Bearer another\r\n", "", "x-who: third\r\n"] {
            added.identify_anew(identity.as_bytes());
            let lines = format!("x-first: 1\r\n{identity}x-last: 1\r\n");
            assert_eq!(String::from_utf8_lossy(added.as_lines()), lines);
        }
    }
}
