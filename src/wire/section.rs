//! The fields of a request's head (its header section; RFC 9110, 6.3), in the order in which they came.
//!
//! Names are the worker's ([`Names`](super::names)), values lie in the bytes that were read: a field takes neither memory of
//! its own nor a hash. A head has few fields, so that one is found by a look at all; for most names that are asked for there
//! is none, which is known without.

use super::names::{Name, mark};
use super::{MOST_FIELDS, Scratch};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ops::Range;
use std::rc::Rc;

/// A request's fields.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// What the values lie in.
    head: Bytes,
    lines: Vec<Line>,
    /// The marks of all names.
    marks: u64,
}

/// Where a field is.
#[derive(Clone, Debug)]
pub(super) struct Line {
    name: Rc<Name>,
    from: u32,
    to: u32,
}

impl Fields {
    /// None yet, in memory of the worker's.
    pub(crate) fn new(scratch: &Scratch) -> Self {
        Self { head: Bytes::new(), lines: scratch.lines(), marks: 0 }
    }

    /// Those of a map, copied.
    pub fn of(map: &HeaderMap, scratch: &Scratch) -> Self {
        let mut fields = Self::new(scratch);
        fields.head = scratch.copied(|bytes| {
            for (name, value) in map {
                let from = bytes.len();
                bytes.extend_from_slice(value.as_bytes());
                // It is a name by its type.
                if let Some(name) = scratch.names.of(name.as_str().as_bytes()) {
                    fields.push(name, from..bytes.len());
                }
            }
        });
        fields
    }

    /// Adds a field whose value lies there in the bytes that [`Fields::lie_in`] is told of.
    pub(crate) fn push(&mut self, name: Rc<Name>, value: Range<usize>) {
        self.marks |= name.mark;
        self.lines.push(Line { name, from: value.start as u32, to: value.end as u32 });
    }

    /// The bytes that the values lie in.
    pub(crate) fn lie_in(&mut self, head: Bytes) {
        self.head = head;
    }

    fn value(&self, line: &Line) -> &[u8] {
        &self.head[line.from as usize..line.to as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> + Clone {
        self.lines.iter().map(|line| (line.name.name(), self.value(line)))
    }

    /// All of them, with what is known of their names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Name, &[u8])> {
        self.lines.iter().map(|line| (&*line.name, self.value(line)))
    }

    /// The values of this name.
    pub fn get_all(&self, name: &HeaderName) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
        let lines = if self.marks & mark(name) == 0 { &[][..] } else { &self.lines[..] };
        lines.iter().filter(move |line| line.name.name() == name).map(|line| self.value(line))
    }

    /// The first value of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Whether there is one of this name.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get_all(name).next().is_some()
    }

    /// A value to be kept, without a copy: it holds the memory of all of them.
    ///
    /// # Panics
    /// When `value` is none of these fields'.
    pub fn shared(&self, value: &[u8]) -> Bytes {
        self.head.slice_ref(value)
    }

    /// Those of this name alone.
    pub fn only(&self, name: &HeaderName) -> Self {
        let lines = self.lines.iter().filter(|line| line.name.name() == name).cloned().collect();
        Self { head: self.head.clone(), lines, marks: self.marks & mark(name) }
    }

    /// Once more in a map.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.len().min(MOST_FIELDS));
        for (name, value) in self.iter() {
            // Whoever read it has seen that it is one.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                map.append(name, value);
            }
        }
        map
    }

    /// Gives its memory back.
    pub(crate) fn release(self, scratch: &Scratch) {
        scratch.give_lines(self.lines);
    }
}

/// A value as text: visible ASCII, blanks and tabs. `None` for any other.
pub fn text(value: &[u8]) -> Option<&str> {
    let plain = value.iter().all(|&byte| matches!(byte, b' '..=b'~' | b'\t'));
    std::str::from_utf8(value).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT, HOST, ORIGIN};

    fn fields(list: &[(&'static str, &'static str)]) -> Fields {
        let (scratch, mut map) = (Scratch::default(), HeaderMap::new());
        for (name, value) in list {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Fields::of(&map, &scratch)
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let fields = fields(&[("accept", "a"), ("host", "h"), ("accept", "b"), ("x-empty", "")]);
        assert_eq!(fields.get_all(&ACCEPT).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(fields.get_all(&ACCEPT).next_back(), Some(&b"b"[..]));
        assert_eq!((fields.get(&HOST), fields.get(&ORIGIN)), (Some(&b"h"[..]), None));
        assert_eq!(fields.get(&HeaderName::from_static("x-empty")), Some(&b""[..]));
        assert!(fields.contains(&HOST) && !fields.contains(&ORIGIN));
        assert_eq!(fields.shared(fields.get(&HOST).unwrap()), "h");
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn names_with_one_mark_are_told_apart() {
        let named = |number: usize| HeaderName::try_from(format!("x-{number}")).unwrap();
        let (first, marked) = (named(0), mark(&named(0)));
        let second = (1..).map(named).find(|name| mark(name) == marked).unwrap();
        let map = HeaderMap::from_iter([(second.clone(), HeaderValue::from_static("2"))]);
        let fields = Fields::of(&map, &Scratch::default());
        assert_eq!((fields.get(&first), fields.get(&second)), (None, Some(&b"2"[..])));
    }

    #[test]
    fn a_map_is_the_same_after_the_way_there_and_back() {
        let mut map = HeaderMap::new();
        for (name, value) in [("a", "1"), ("b", "\t2 \u{e4}"), ("a", "3"), ("c", "")] {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        assert_eq!(Fields::of(&map, &Scratch::default()).to_map(), map);
    }

    #[test]
    fn text_is_what_a_header_value_takes_for_it() {
        for byte in 0..=255 {
            let value = [b'a', byte, b'b'];
            let Ok(known) = HeaderValue::from_bytes(&value) else { continue };
            assert_eq!(text(&value), known.to_str().ok(), "{byte}");
        }
    }
}
