//! What the configuration says of a route that more than one upstream sees: weights, and copies.

/// Upstreams that share a route's requests by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indexes of [`Config::upstreams`](super::Config::upstreams) and their weights, in the order of the file; the sum
    /// is not 0.
    pub parts: Vec<(usize, u32)>,
    /// Whether a key always gets the same one.
    pub sticky: bool,
}

/// A copy of a route's requests for another upstream, whose answers nobody sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirror {
    /// Index of [`Config::upstreams`](super::Config::upstreams).
    pub upstream: usize,
    /// Share of the requests, above 0 and at most 1.
    pub share: f64,
}
