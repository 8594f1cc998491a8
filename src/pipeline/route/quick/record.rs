//! How a node is written: one word that says what follows, then the words that follow.
//!
//! 1. The label: the words of the segment that leads here; none where no text does.
//! 2. What ends here, a word each: [`Entry`].
//! 3. What has its `**` begin here, the same.
//! 4. The nodes of the next segments: a list, or a table where they are many. A word holds the hash of a label, and the
//!    place of its node.

use http::Method;

/// Most nodes that are listed; more are looked up.
pub(super) const MOST_LISTED: usize = 4;
/// Words of the longest label.
pub(super) const MOST_LABEL: usize = u8::MAX as usize;
/// Most entries of one kind.
pub(super) const MOST_ENTRIES: usize = 15;

const LABEL: u32 = 32;
const HERE: u32 = 40;
const REST: u32 = 44;
const CHILDREN: u32 = 48;
const TABLE: u64 = 1 << 56;
const PARTIAL: u64 = 1 << 57;

/// The first word of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head(pub(super) u64);

impl Head {
    pub(super) fn new(label: usize, here: usize, rest: usize) -> Self {
        Self((label as u64) << LABEL | (here as u64) << HERE | (rest as u64) << REST)
    }

    /// So many nodes follow in a list.
    pub(super) fn listed(self, children: usize) -> Self {
        Self(self.0 | (children as u64) << CHILDREN)
    }

    /// A table of two to the power of so many words follows.
    pub(super) fn tabled(self, bits: u32) -> Self {
        Self(self.0 | u64::from(bits) << CHILDREN | TABLE)
    }

    /// Some of what a text could lead to, or could seem to, is not written: who does not find it does not know.
    pub(super) fn partial(self) -> Self {
        Self(self.0 | PARTIAL)
    }

    /// Where it goes on without a text, see [`Quick`](super::Quick). The place 0 is none.
    pub(super) fn linked(self, place: u32) -> Self {
        Self(self.0 | u64::from(place))
    }

    pub(super) fn is_partial(self) -> bool {
        self.0 & PARTIAL != 0
    }

    pub(super) fn link(self) -> usize {
        self.0 as u32 as usize
    }

    pub(super) fn here(self) -> usize {
        self.0 as usize >> HERE & 0xf
    }

    pub(super) fn rest(self) -> usize {
        self.0 as usize >> REST & 0xf
    }

    /// Whether a segment may lead on from here.
    pub(super) fn has_children(self) -> bool {
        self.0 & (0xff << CHILDREN | PARTIAL) != 0
    }

    /// Where a hash is looked up first, where there is a table.
    pub(super) fn slot(self, hash: u32) -> Option<usize> {
        (self.0 & TABLE != 0).then(|| ((u64::from(hash) << (self.0 >> CHILDREN & 0xff)) >> 32) as usize)
    }

    /// Words of the list, or of the table.
    pub(super) fn children(self) -> usize {
        let number = self.0 as usize >> CHILDREN & 0xff;
        if self.0 & TABLE == 0 { number } else { 1 << number }
    }

    /// Words before what ends here.
    pub(super) fn before_here(self) -> usize {
        1 + (self.0 >> LABEL & 0xff) as usize
    }
}

/// One of the nodes behind a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child(pub(super) u64);

impl Child {
    pub(super) fn new(hash: u32, place: u32) -> Self {
        Self(u64::from(place) << 32 | u64::from(hash))
    }

    pub(super) fn hash(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn place(self) -> usize {
        (self.0 >> 32) as usize
    }
}

/// What stands at the end of a path.
///
/// Of a prefix, the API. Of a pattern, a route with its methods, or a set of routes of which more than the method decides.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Entry(pub(in super::super) u64);

/// For an entry: more than the method decides. For a prefix: the API's patterns are read from the beginning of the path.
const MARK: u64 = 1 << 63;

impl Entry {
    /// The API of a prefix; whether its patterns are read from the beginning of the path, and not from behind the prefix.
    pub(super) fn api(index: u32, from_start: bool) -> Self {
        Self(u64::from(index) | if from_start { MARK } else { 0 })
    }

    /// A route that takes these methods, all where none is named.
    pub(super) fn route(index: u32, methods: &[Method]) -> Self {
        let methods = match methods {
            [] => ALL,
            methods => methods.iter().map(taken).fold(0, |all, bits| all | bits),
        };
        Self(u64::from(methods) << 32 | u64::from(index))
    }

    /// Routes of which more than the method decides.
    pub(super) fn set(index: u32) -> Self {
        Self(u64::from(index) | MARK)
    }

    /// The API, the route, or the set.
    pub(in super::super) fn index(self) -> usize {
        self.0 as u32 as usize
    }

    pub(in super::super) fn is_marked(self) -> bool {
        self.0 & MARK != 0
    }

    /// Whether a route is for a method, as far as it has a bit.
    pub(in super::super) fn takes(self, bit: u32) -> bool {
        (self.0 >> 32) as u32 & bit != 0
    }
}

const ALL: u32 = 0x1ff;

/// HEAD is served where GET is (RFC 9110, 9.3.2).
fn taken(method: &Method) -> u32 {
    let head = if method == Method::GET { bit(&Method::HEAD) } else { 0 };
    bit(method) | head
}

/// The bit of a method; none of one that is not in RFC 9110, or 5789.
pub(in super::super) fn bit(method: &Method) -> u32 {
    match *method {
        Method::GET => 1,
        Method::POST => 1 << 1,
        Method::PUT => 1 << 2,
        Method::DELETE => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::HEAD => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::CONNECT => 1 << 7,
        Method::TRACE => 1 << 8,
        _ => 0,
    }
}
