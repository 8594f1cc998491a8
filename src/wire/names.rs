//! Names of fields. Clients send the same ones again and again: each is read once, and what is to be known of it is kept with it.

use crate::config::is_reserved;
use foldhash::fast::RandomState;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::rc::Rc;

/// Names that are remembered by their spelling: so many places, a power of two, of so many names each.
const PLACES: usize = 128;
const WAYS: usize = 4;
/// Longest name that is remembered.
const LONGEST: usize = 64;

/// A field's name, as it was spelled.
#[derive(Debug)]
pub struct Name {
    spelled: Box<[u8]>,
    name: HeaderName,
    /// See [`mark`].
    pub(super) mark: u64,
    ends_here: bool,
}

impl Name {
    fn new(spelled: &[u8]) -> Option<Rc<Self>> {
        let name = HeaderName::from_bytes(spelled).ok()?;
        let (mark, is_framing) = (mark(&name), [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name));
        let ends_here = is_framing || is_reserved(name.as_str());
        Some(Rc::new(Self { spelled: spelled.into(), name, mark, ends_here }))
    }

    /// The name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Whether no upstream sees a client's field of this name: the gateway alone sets it ([`is_reserved`]), or it says how
    /// the body is delimited, which is each connection's own.
    pub fn ends_here(&self) -> bool {
        self.ends_here
    }
}

/// One of 64 bits, by which it is mostly known at once that a head has no field of a name.
pub(super) fn mark(name: &HeaderName) -> u64 {
    let name = name.as_str().as_bytes();
    let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
    1 << ((name.len() as u32 * 7 + u32::from(first) * 3 + u32::from(last)) % 64)
}

/// One worker's memory of names.
#[derive(Debug)]
pub(crate) struct Names {
    hasher: RandomState,
    /// In each place, those that are asked for more often come first.
    places: RefCell<Box<[[Option<Rc<Name>>; WAYS]]>>,
}

impl Default for Names {
    fn default() -> Self {
        let places = vec![[const { None }; WAYS]; PLACES].into_boxed_slice();
        Self { hasher: RandomState::default(), places: RefCell::new(places) }
    }
}

impl Names {
    /// The name that is spelled so; parsed only when the spelling was not seen lately. `None` when it is no name.
    pub(crate) fn of(&self, spelled: &[u8]) -> Option<Rc<Name>> {
        if spelled.len() > LONGEST {
            return Name::new(spelled);
        }
        let place = &mut self.places.borrow_mut()[self.hasher.hash_one(spelled) as usize % PLACES];
        let is_it = |known: &Option<Rc<Name>>| known.as_ref().is_some_and(|known| *known.spelled == *spelled);
        let at = match place.iter().position(is_it) {
            Some(at) => at,
            None => {
                place[WAYS - 1] = Some(Name::new(spelled)?);
                WAYS - 1
            }
        };
        let found = place[at].clone();
        place.swap(at, at.saturating_sub(1));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HOST;

    #[test]
    fn names_are_what_they_would_be_without_memory() {
        let names = Names::default();
        let of = |spelled: &str| names.of(spelled.as_bytes()).map(|name| name.name().clone());
        for round in 0..2 {
            for number in 0..2000 {
                let spelled = format!("X-Field-{number}");
                assert_eq!(of(&spelled).unwrap().as_str(), spelled.to_lowercase(), "round {round}");
            }
            assert_eq!(of("Host"), Some(HOST));
            assert_eq!(of("HOST"), Some(HOST));
            assert_eq!(of(&"x".repeat(LONGEST + 1)).unwrap().as_str().len(), LONGEST + 1);
            assert_eq!(of("a b"), None);
            assert_eq!(of(""), None);
        }
    }

    #[test]
    fn what_ends_here_is_known_however_it_is_spelled() {
        let names = Names::default();
        for (spelled, ends) in [
            ("Authorization", true),
            ("X_API_KEY", true),
            ("Content-Length", true),
            ("transfer-encoding", true),
            ("HOST", true),
            ("x-gateway-anything", true),
            ("accept", false),
            ("content-type", false),
        ] {
            assert_eq!(names.of(spelled.as_bytes()).unwrap().ends_here(), ends, "{spelled}");
        }
    }
}
