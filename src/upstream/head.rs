//! The head of a request on its way to an upstream: the client's fields, less those that are not its to send, and ours.
//!
//! It is kept in these parts until it is written, so that no field is put into a map only to be taken out again.

use super::{Added, Overlay};
use crate::wire::{Scratch, write_field};
use http::{HeaderMap, HeaderName, Method, Uri};
use std::sync::Arc;
use std::time::Duration;

/// Which fields of an answer make room for others of the same name. The name may be in any case.
pub type Displaced = fn(&[u8]) -> bool;

/// A request's head.
#[derive(Debug)]
pub struct Head {
    /// Method.
    pub method: Method,
    /// Path and query, in origin form.
    pub target: Uri,
    /// What the client sent.
    pub client: HeaderMap,
    /// Which of the client's fields no upstream sees; length and coding of the body are hidden in any case.
    pub hides: fn(&HeaderName) -> bool,
    /// Fields that the client's `Connection` lists.
    pub listed: Vec<HeaderName>,
    /// Ours.
    pub added: Added,
    /// What the configuration alters of it.
    pub overlay: Option<Arc<Overlay>>,
    /// How long to wait for the answer's head, where it is not what the upstream has.
    pub timeout: Option<Duration>,
    /// The answer's fields are wanted as lines of HTTP/1.1 ([`Answer::take_lines`](super::Answer::take_lines)) where they
    /// can be passed on as they stand, less these; in the answer's map where this is none, and wherever they can not.
    pub lines: Option<Displaced>,
}

impl Head {
    /// Whether one of the client's fields goes out.
    pub fn passes(&self, name: &HeaderName) -> bool {
        let framing = [http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::HOST];
        let altered = self.overlay.as_ref().is_some_and(|overlay| overlay.hides(name));
        !framing.contains(name) && !altered && !self.listed.contains(name) && !(self.hides)(name)
    }

    /// Gives its memory back when it has been sent.
    pub fn release(self, scratch: &Scratch) {
        scratch.recycle(self.client);
        scratch.give(self.added.into_out());
    }

    /// All fields but `Host` in one map, for HTTP/2.
    pub fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(self.client.len() + 16);
        for (name, value) in self.client.iter().filter(|(name, _)| self.passes(name)) {
            fields.append(name, value.clone());
        }
        for (name, value) in self.added.fields() {
            fields.insert(name, value);
        }
        for (name, value) in self.overlay.iter().flat_map(|overlay| overlay.fields()) {
            fields.append(name, value.clone());
        }
        fields
    }

    /// All fields but `Host` as lines of HTTP/1.1.
    pub(super) fn write_fields(&self, out: &mut Vec<u8>) {
        for (name, value) in self.client.iter().filter(|(name, _)| self.passes(name)) {
            write_field(out, name, value.as_bytes());
        }
        out.extend_from_slice(self.added.as_lines());
        if let Some(overlay) = &self.overlay {
            out.extend_from_slice(overlay.lines());
        }
    }
}
