//! A key's text as a client shows it: borrowed, and never printed.

use super::Digest;
use std::fmt;

/// A key's whole text, prefix included.
#[derive(Clone, Copy)]
pub struct ShownKey<'a>(&'a [u8]);

impl<'a> ShownKey<'a> {
    /// Takes a text for a key.
    pub fn new(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(text.as_ref())
    }

    /// The text itself; the name makes each use easy to find.
    pub fn expose(self) -> &'a [u8] {
        self.0
    }

    /// Its SHA-256. Not remembered: on processors without instructions for it, it costs as much as a whole decision.
    pub fn digest(self) -> Digest {
        Digest::of(self.0)
    }
}

impl fmt::Debug for ShownKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownKey(redacted)")
    }
}
