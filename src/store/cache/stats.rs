//! How much the index holds.

/// Sizes of the index. Look-ups are counted by those who make them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys held.
    pub entries: usize,
    /// Names remembered as unknown.
    pub negatives: usize,
    /// Whether the keys of the store were brought in, as far as there is room for them.
    pub filled: bool,
}
