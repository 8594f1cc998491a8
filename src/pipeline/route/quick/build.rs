//! Writes the compact form, from the one that the long way reads.

use super::super::api::RoutedApi;
use super::super::hosts::{Hosts, Prefixes, normal};
use super::super::tree::{Node, segments};
use super::super::when::Candidate;
use super::Quick;
use super::record::{Child, Entry, Head, MOST_ENTRIES, MOST_LABEL, MOST_LISTED};
use super::segment::{self, Segment};
use crate::config;
use std::collections::HashMap;
use std::sync::Arc;

/// What has been written so far.
struct Writer<'a> {
    words: Vec<u64>,
    sets: Vec<Box<[Candidate]>>,
    apis: &'a [RoutedApi],
    /// Names of hosts, and their nodes, by the address of their prefixes.
    names: HashMap<*const Prefixes, &'a str>,
    levels: HashMap<*const Prefixes, u32>,
    /// Nodes at which the patterns of an API begin, by what stands before them.
    starts: HashMap<(usize, &'a str), u32>,
}

/// The nodes behind a node.
struct Children<'t, T> {
    kept: Vec<(u32, &'t str, T)>,
    /// Some are not among them.
    partial: bool,
}

impl Quick {
    /// The last API is what is served beside the others.
    pub(in super::super) fn new(hosts: &Hosts, apis: &[RoutedApi]) -> Self {
        let (mut exact, wildcards) = (hosts.exact(), hosts.wildcards());
        // Nobody asks for another: the long way brings what it is asked for into normal form.
        exact.retain(|(name, _)| normal(name) == *name);
        let names = exact.iter().chain(&wildcards).map(|&(name, level)| (Arc::as_ptr(level), name)).collect();
        let (levels, starts) = (HashMap::new(), HashMap::new());
        // The place 0 is none, and leads nowhere.
        let mut writer = Writer { words: vec![0], sets: Vec::new(), apis, names, levels, starts };
        let other = writer.level(hosts.other()) as usize;
        let wildcards = (!wildcards.is_empty()).then(|| writer.hosts(wildcards));
        let exact = (wildcards.is_some() || !exact.is_empty()).then(|| writer.hosts(exact));
        let outside = apis.len() - 1;
        let patterns = writer.pattern(outside, None, &apis[outside].tree) as usize;
        let (words, sets) = (writer.words.into(), writer.sets.into());
        Self { words, exact, wildcards, other, outside: (outside, patterns), sets }
    }
}

impl<'a> Writer<'a> {
    fn hosts(&mut self, levels: Vec<(&'a str, &'a Arc<Prefixes>)>) -> usize {
        let children = Children::of(levels);
        let place = self.node(None, &[], &[], &children);
        for (hash, _, level) in children.kept {
            let level = self.level(level);
            self.put(place, hash, level);
        }
        place as usize
    }

    /// The prefixes of a host.
    fn level(&mut self, prefixes: &'a Arc<Prefixes>) -> u32 {
        if let Some(&place) = self.levels.get(&Arc::as_ptr(prefixes)) {
            return place;
        }
        let wider = prefixes.wider().map_or(0, |wider| self.level(wider));
        let name = self.names.get(&Arc::as_ptr(prefixes)).copied();
        let mut tree = Node::default();
        for (prefix, api) in prefixes.list() {
            let text = |text: &str| config::Segment::Literal(text.into());
            let pattern: Vec<config::Segment> = segments(prefix).map(text).collect();
            tree.entry(&pattern).push((&**prefix, *api));
        }
        let place = self.prefix(name, &tree, wider);
        self.levels.insert(Arc::as_ptr(prefixes), place);
        place
    }

    fn prefix(&mut self, label: Option<&str>, node: &Node<(&'a str, usize)>, wider: u32) -> u32 {
        // The first of the list wins.
        let here = node.here.first().map(|&(prefix, api)| (api, self.is_from_start(api, prefix), prefix));
        let entry: Vec<u64> = here.iter().map(|&(api, start, _)| Entry::api(api as u32, start).0).collect();
        // Beside an odd one none is sure: a lax server may take it for another, which the longer prefix would win.
        let children = match node.literals().any(|(text, _)| is_odd(text)) {
            true => Children { kept: Vec::new(), partial: true },
            false => Children::of(node.literals()),
        };
        let place = self.node(label, &entry, &[], &children);
        let link = here.map_or(wider, |(api, from_start, prefix)| match from_start {
            true => self.start(api, ""),
            false => self.start(api, prefix),
        });
        self.link(place, link);
        for (hash, label, child) in children.kept {
            let child = self.prefix(Some(label), child, 0);
            self.put(place, hash, child);
        }
        place
    }

    /// Whether more patterns than those behind a prefix can have its paths.
    fn is_from_start(&self, api: usize, prefix: &str) -> bool {
        let mut node = Some(&self.apis[api].tree);
        segments(prefix).any(|segment| {
            let before = node.filter(|node| node.parameter.is_some() || !node.rest.is_empty());
            node = node.and_then(|node| node.literal(segment));
            before.is_some()
        })
    }

    /// The patterns of an API behind these segments.
    fn start(&mut self, api: usize, before: &'a str) -> u32 {
        if let Some(&place) = self.starts.get(&(api, before)) {
            return place;
        }
        let tree = &self.apis[api].tree;
        let node = segments(before).try_fold(tree, |node, segment| node.literal(segment));
        let place = node.map_or(0, |node| self.pattern(api, None, node));
        self.starts.insert((api, before), place);
        place
    }

    fn pattern(&mut self, api: usize, label: Option<&str>, node: &Node<Candidate>) -> u32 {
        let (here, rest) = (self.entries(api, &node.here), self.entries(api, &node.rest));
        let children = Children::of(node.literals());
        let place = self.node(label, &here, &rest, &children);
        if let Some(parameter) = &node.parameter {
            let parameter = self.pattern(api, None, parameter);
            self.link(place, parameter);
        }
        for (hash, label, child) in children.kept {
            let child = self.pattern(api, Some(label), child);
            self.put(place, hash, child);
        }
        place
    }

    fn entries(&mut self, api: usize, candidates: &[Candidate]) -> Vec<u64> {
        if candidates.len() > MOST_ENTRIES || candidates.iter().any(|candidate| !candidate.is_any()) {
            self.sets.push(candidates.into());
            return vec![Entry::set(self.sets.len() as u32 - 1).0];
        }
        let methods = |route: usize| &self.apis[api].routes[route].config.methods;
        let entry = |candidate: &Candidate| Entry::route(candidate.route as u32, methods(candidate.route)).0;
        candidates.iter().map(entry).collect()
    }

    /// Writes a node, with room for the places of its children.
    fn node<T>(
        &mut self,
        label: Option<&str>,
        here: &[u64],
        rest: &[u64],
        children: &Children<'_, T>,
    ) -> u32 {
        let place = self.words.len() as u32;
        let count = children.kept.len();
        let label: Vec<u64> = label.map(|text| segment::words(text.as_bytes()).collect()).unwrap_or_default();
        let head = Head::new(label.len(), here.len(), rest.len());
        let head = match count <= MOST_LISTED {
            true => head.listed(count),
            // A quarter of it stays empty, so that a search ends.
            false => head.tabled((count + count.div_ceil(3)).next_power_of_two().trailing_zeros()),
        };
        self.words.push(if children.partial { head.partial().0 } else { head.0 });
        self.words.extend(label);
        self.words.extend_from_slice(here);
        self.words.extend_from_slice(rest);
        self.words.resize(self.words.len() + head.children(), 0);
        place
    }

    fn link(&mut self, place: u32, to: u32) {
        let head = &mut self.words[place as usize];
        *head = Head(*head).linked(to).0;
    }

    /// Notes a child in the room that its parent has.
    fn put(&mut self, parent: u32, hash: u32, child: u32) {
        let head = Head(self.words[parent as usize]);
        let from = parent as usize + head.before_here() + head.here() + head.rest();
        let room = &mut self.words[from..from + head.children()];
        let (first, length) = (head.slot(hash).unwrap_or(0), room.len());
        if let Some(free) = (first..first + length).map(|slot| slot % length).find(|&slot| room[slot] == 0) {
            room[free] = Child::new(hash, child).0;
        }
    }
}

impl<'t, T> Children<'t, T> {
    /// Those that can be found by their hash, in the order of their texts.
    fn of(children: impl IntoIterator<Item = (&'t str, T)>) -> Self {
        let hashed = |(text, child): (&'t str, T)| (Segment::at(text.as_bytes(), 0).hash, text, child);
        let mut kept: Vec<(u32, &str, T)> = children.into_iter().map(hashed).collect();
        let all = kept.len();
        let mut times: HashMap<u32, usize> = HashMap::new();
        kept.iter().for_each(|(hash, ..)| *times.entry(*hash).or_default() += 1);
        let is_plain = |text: &str| text.len() < 8 * MOST_LABEL && !text.contains(['%', ';', '/']);
        kept.retain(|(hash, text, _)| times[hash] == 1 && is_plain(text));
        kept.sort_unstable_by_key(|(_, text, _)| *text);
        Self { partial: kept.len() < all, kept }
    }
}

/// Whether a text has what the compact form does not read: escapes, or parameters of a segment.
fn is_odd(text: &str) -> bool {
    text.contains(['%', ';'])
}
