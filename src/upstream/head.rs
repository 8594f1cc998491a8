//! The head of a request on its way to an upstream: the client's fields, less those that are not its to send, and ours.
//!
//! It is kept in these parts until it is written, so that no field is put into a map only to be taken out again.

use super::{Added, Overlay, Steps};
use crate::wire::{Fields, MOST_FIELDS, Scratch, write_field};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::rc::Rc;
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
    pub target: String,
    /// What the client sent.
    pub client: Fields,
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
    /// What sending it comes to, where that is traced.
    pub steps: Option<Rc<Steps>>,
}

impl Head {
    /// The client's fields that go out.
    pub fn passing(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> {
        let fields = self.client.named().filter(|(name, _)| !name.ends_here());
        fields.map(|(name, value)| (name.name(), value)).filter(|(name, _)| {
            let altered = self.overlay.as_ref().is_some_and(|overlay| overlay.hides(name));
            !altered && !self.listed.contains(name)
        })
    }

    /// Gives its memory back when it has been sent.
    pub fn release(self, scratch: &Scratch) {
        scratch.give_text(self.target);
        self.client.release(scratch);
        scratch.give(self.added.into_out());
    }

    /// All fields but `Host` in one map, for HTTP/2.
    pub fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(self.client.len().min(MOST_FIELDS) + 16);
        for (name, value) in self.passing() {
            // Whoever read it has seen that it is one.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                fields.append(name, value);
            }
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
        for (name, value) in self.passing() {
            write_field(out, name, value);
        }
        out.extend_from_slice(self.added.as_lines());
        if let Some(overlay) = &self.overlay {
            out.extend_from_slice(overlay.lines());
        }
    }
}
