//! Where a path leads, looked up in one compact piece of memory.
//!
//! With ten thousand routes what costs is memory that is not near the processor. So hosts, prefixes and patterns stand in
//! one list of words, each node with its text and with what ends there in one place, the nodes of an API behind each
//! other; a request reads a few lines of it. The routes themselves are not looked at: an entry says what methods they take.
//!
//! It answers for paths without escapes and parameters (`%`, `;`) and does not guess: whatever could be read in two ways,
//! and what it has no room for, it does not know, and the [`Router`](super::Router) looks it up the long way. Both say the
//! same, as `tests.rs` shows.
//!
//! Segments are looked up by a hash that is the same in upper and lower case. So who finds no hash knows that no other
//! spelling leads anywhere, and who finds one with another text does not know.

mod build;
mod record;
mod segment;
#[cfg(test)]
mod tests;

use super::hosts::{host_of, is_normal};
use super::when::{Asked, Candidate};
use http::header::HOST;
use record::{Child, Entry, Head};
pub(super) use record::{Entry as Ending, bit};
use segment::Segment;

/// The compact form of all hosts, prefixes and patterns.
///
/// A node of a prefix is linked to the patterns of its API; the node before all prefixes of a host to those of the next
/// less specific host; a node of a pattern to that of the parameter that may follow.
#[derive(Debug)]
pub(super) struct Quick {
    words: Box<[u64]>,
    /// The node before all hosts; none where no API names one.
    exact: Option<usize>,
    /// The node before all that follows `*.`; none where there is no such host.
    wildcards: Option<usize>,
    /// The prefixes of hosts that no API names.
    other: usize,
    /// What is served beside all APIs: its place in the router, and its patterns.
    outside: (usize, usize),
    /// Routes of which more than the method decides.
    sets: Box<[Box<[Candidate]>]>,
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place<'q> {
    /// The API's place in the router.
    pub(super) api: usize,
    /// The routes of the path, in the order in which they are asked.
    pub(super) entries: &'q [u64],
}

impl Quick {
    /// Where a normal path without `%` and `;` leads; `None` where this does not know.
    #[inline]
    pub(super) fn find(&self, asked: Asked<'_>, path: &str) -> Option<Place<'_>> {
        let path = path.as_bytes();
        let (api, node, at) = self.api(self.level(asked)?, path)?;
        Some(Place { api, entries: self.walk(node, at, path)? })
    }

    /// The candidates of an entry of which more than the method decides.
    pub(super) fn set(&self, entry: Ending) -> &[Candidate] {
        &self.sets[entry.index()]
    }

    /// The prefixes that count for a request's host.
    #[inline]
    fn level(&self, asked: Asked<'_>) -> Option<usize> {
        let Some(exact) = self.exact else { return Some(self.other) };
        let came = match asked.target.authority() {
            Some(authority) => authority.as_bytes(),
            None => match asked.fields.get(&HOST) {
                Some(value) => value,
                None => return Some(self.other),
            },
        };
        // The names are in normal form: a host that is one of them, byte by byte, needs no look.
        match self.named(exact, came, 0) {
            Some(0) if is_normal(came) => self.under(came),
            Some(level @ 1..) => Some(level),
            _ => match host_of(asked.target, asked.fields) {
                Some(host) => self.level_of(exact, host.as_bytes()),
                None => Some(self.other),
            },
        }
    }

    fn level_of(&self, exact: usize, host: &[u8]) -> Option<usize> {
        match self.named(exact, host, 0)? {
            0 => self.under(host),
            level => Some(level),
        }
    }

    /// The prefixes that count for a host that no API names.
    fn under(&self, host: &[u8]) -> Option<usize> {
        let Some(wildcards) = self.wildcards else { return Some(self.other) };
        // What a wildcard stands for is not empty: no dot at the beginning begins its name.
        for dot in memchr::memchr_iter(b'.', host).filter(|&dot| dot > 0) {
            let level = self.named(wildcards, host, dot + 1)?;
            if level != 0 {
                return Some(level);
            }
        }
        Some(self.other)
    }

    /// The node of the host that stands from a place on; 0 where there is none.
    fn named(&self, hosts: usize, host: &[u8], at: usize) -> Option<usize> {
        let name = Segment::at(host, at);
        if name.end < host.len() || host.last() == Some(&0) {
            return Some(0); // neither has a name: a slash ends segments, and zeros stand behind the last one
        }
        self.child(hosts, self.head(hosts), host, name)
    }

    /// The API of a path's longest prefix, its patterns, and from where on the path is read for them.
    #[inline]
    fn api(&self, mut level: usize, path: &[u8]) -> Option<(usize, usize, usize)> {
        loop {
            if let Some(longest) = self.longest(level, path)? {
                return Some(longest);
            }
            level = self.head(level).link();
            if level == 0 {
                let (api, node) = self.outside;
                return Some((api, node, 0));
            }
        }
    }

    #[inline]
    fn longest(&self, level: usize, path: &[u8]) -> Option<Option<(usize, usize, usize)>> {
        let (mut node, mut at, mut longest) = (level, 0, None);
        loop {
            let head = self.head(node);
            if head.here() > 0 {
                let prefix = Entry(self.words[node + head.before_here()]);
                longest = Some((prefix.index(), head.link(), if prefix.is_marked() { 0 } else { at }));
            }
            if !head.has_children() || at + 1 >= path.len() {
                return Some(longest);
            }
            let segment = Segment::at(path, at + 1);
            node = self.child(node, head, path, segment)?;
            if node == 0 {
                return Some(longest);
            }
            at = segment.end;
        }
    }

    /// What ends where the path does, from a slash at `at` on: nothing where it leads nowhere. A literal wins over a
    /// parameter, and a parameter over `**`.
    fn walk(&self, mut node: usize, mut at: usize, path: &[u8]) -> Option<&[u64]> {
        let mut wide = 0..0;
        loop {
            let head = self.head(node);
            let here = node + head.before_here();
            let rest = here + head.here();
            if head.rest() > 0 {
                wide = rest..rest + head.rest();
            }
            if at + 1 >= path.len() {
                return self.words.get(if head.here() > 0 { here..rest } else { wide });
            }
            let mut literal = 0;
            if head.has_children() {
                let segment = Segment::at(path, at + 1);
                literal = self.child(node, head, path, segment)?;
                at = segment.end;
            } else if head.link() > 0 {
                at = segment::end(path, at + 1);
            }
            node = match (literal, head.link()) {
                (0, 0) => return self.words.get(wide),
                (0, parameter) => parameter,
                (literal, 0) => literal,
                (literal, parameter) => match self.walk(literal, at, path)? {
                    [] => parameter,
                    found => return Some(found),
                },
            };
        }
    }

    /// The node that a segment leads to; 0 where there is none.
    #[inline(always)]
    fn child(&self, node: usize, head: Head, text: &[u8], segment: Segment) -> Option<usize> {
        let from = node + head.before_here() + head.here() + head.rest();
        let children = &self.words[from..from + head.children()];
        let child = match head.slot(segment.hash) {
            Some(slot) => tabled(children, slot, segment.hash),
            None => listed(children, segment.hash),
        };
        let Some(place) = child else { return (!head.is_partial()).then_some(0) };
        let label = &self.words[place + 1..place + self.head(place).before_here()];
        // Another text of this hash may be one that a lax server takes for this one.
        segment.is(text, label).then_some(place)
    }

    #[inline(always)]
    fn head(&self, node: usize) -> Head {
        Head(self.words[node])
    }
}

/// The place of the child of this hash, in a list.
#[inline(always)]
fn listed(children: &[u64], hash: u32) -> Option<usize> {
    for &child in children {
        if Child(child).hash() == hash {
            return Some(Child(child).place());
        }
    }
    None
}

/// The place of the child of this hash, in a table. Some of it is empty, so that a search ends.
#[inline(always)]
fn tabled(children: &[u64], mut slot: usize, hash: u32) -> Option<usize> {
    loop {
        let child = Child(*children.get(slot & children.len().wrapping_sub(1))?);
        if child.0 == 0 {
            return None;
        }
        if child.hash() == hash {
            return Some(child.place());
        }
        slot += 1;
    }
}
