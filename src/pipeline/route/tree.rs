//! Paths and what is registered for them: a tree of segments.

use super::super::{path, scan};
use crate::config::Segment;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A tree of path segments. At each step a literal wins over a parameter, and a parameter over `**`.
#[derive(Debug)]
pub(super) struct Node<T> {
    literals: HashMap<Arc<str>, Node<T>, foldhash::fast::RandomState>,
    /// The literals by what a lax server makes of them.
    loose: HashMap<Vec<u8>, Vec<Arc<str>>, foldhash::fast::RandomState>,
    /// No literal has a character that lax servers read in two ways.
    plain: bool,
    pub(super) parameter: Option<Box<Node<T>>>,
    /// What ends here, in the order of insertion.
    pub(super) here: Vec<T>,
    /// What has its `**` begin here.
    pub(super) rest: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: HashMap::default(),
            loose: HashMap::default(),
            plain: false,
            parameter: None,
            here: Vec::new(),
            rest: Vec::new(),
        }
    }
}

impl<T> Node<T> {
    /// The place for what has this pattern.
    pub(super) fn entry(&mut self, pattern: &[Segment]) -> &mut Vec<T> {
        match pattern {
            [] => &mut self.here,
            [Segment::Rest, ..] => &mut self.rest,
            [Segment::Literal(text), tail @ ..] => {
                if !self.literals.contains_key(text) {
                    self.loose.entry(path::loosely(text)).or_default().push(text.clone());
                    self.plain = (self.plain || self.literals.is_empty()) && !has_loose(text);
                }
                self.literals.entry(text.clone()).or_default().entry(tail)
            }
            [Segment::Parameter(_), tail @ ..] => self.parameter.get_or_insert_default().entry(tail),
        }
    }

    /// What is registered for a path. Nothing (`Some` and empty) when the path is not one of these, but would be to a
    /// server that is lax about case, escapes or parameters: a wider route must not be the way around a narrower one.
    pub(super) fn find(&self, path: &str) -> Option<&[T]> {
        let Some((segment, rest)) = first_segment(path) else {
            let ends = if self.here.is_empty() { &self.rest } else { &self.here };
            return (!ends.is_empty()).then_some(ends);
        };
        let exact = self.literals.get(segment);
        if exact.is_none() && self.shadows(segment, rest) {
            return Some(&[]);
        }
        let literal = exact.and_then(|node| node.find(rest));
        let found = literal.or_else(|| self.parameter.as_ref().and_then(|node| node.find(rest)));
        found.or_else(|| (!self.rest.is_empty()).then_some(self.rest.as_slice()))
    }

    /// What stands behind each literal.
    pub(super) fn literals(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.literals.iter().map(|(text, node)| (&**text, node))
    }

    /// What stands behind this literal.
    pub(super) fn literal(&self, text: &str) -> Option<&Self> {
        self.literals.get(text)
    }

    fn shadows(&self, segment: &str, rest: &str) -> bool {
        if self.literals.is_empty() || self.plain && !has_loose(segment) {
            return false;
        }
        let alike = self.loose.get(&path::loosely(segment)).into_iter().flatten();
        alike.filter_map(|literal| self.literals.get(literal)).any(|node| node.find(rest).is_some())
    }
}

/// The segments of a normal path; a closing slash adds none.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The first of the [`segments`] of a path, and the path behind it.
pub(in crate::pipeline) fn first_segment(path: &str) -> Option<(&str, &str)> {
    let start = path.bytes().position(|byte| byte != b'/')?;
    let path = &path[start..];
    let end = path.bytes().position(|byte| byte == b'/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// One segment with its escapes undone.
pub(super) fn segment_text(path: &str, index: usize) -> Option<Cow<'_, str>> {
    let segment = segments(path).nth(index)?;
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    Some(Cow::Owned(String::from_utf8_lossy(&path::unescaped(segment.as_bytes())).into_owned()))
}

/// Whether there is something that lax servers read in more than one way: they fold case, undo escapes, cut parameters
/// off.
pub(super) fn has_loose(path: &str) -> bool {
    let is_loose = |byte: u8| (byte.wrapping_sub(b'A') < 26) | (byte == b'%') | (byte == b';');
    scan::any(path.as_bytes(), is_loose)
}
