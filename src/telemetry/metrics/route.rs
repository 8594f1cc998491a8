//! What is counted per route: requests by method and status, and how long they took.

use super::cells::{Distribution, Histogram, Sharded, Tally};
use super::exemplar::Latest;
use crate::telemetry::traces::TraceId;
use http::Method;
use std::collections::BTreeMap;
use std::time::Duration;

/// The cells of one route; kept by whoever compiled the route, so that a request looks nothing up.
#[derive(Debug)]
pub struct RouteCells {
    shards: Sharded<RouteShard>,
    traced: Latest,
}

#[derive(Debug, Default)]
struct RouteShard {
    total: Histogram,
    upstream: Histogram,
    requests: Tally,
}

impl RouteCells {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards: Sharded::new(shards), traced: Latest::default() }
    }

    /// Counts a request that has ended: after `total`, of which the upstream took `upstream` to answer.
    ///
    /// `shard` is the calling worker's number; no two threads may use the same one, or counts get lost.
    pub fn finished(
        &self,
        shard: usize,
        method: &Method,
        status: u16,
        total: Duration,
        upstream: Option<Duration>,
    ) {
        let shard = self.shards.of(shard);
        shard.requests.increment(key(method, status));
        shard.total.observe(total);
        if let Some(upstream) = upstream {
            shard.upstream.observe(upstream);
        }
    }

    /// Has a request that was traced stand for those that took as long: after `total`, at `at_ms` since 1970.
    pub fn exemplify(&self, trace: TraceId, total: Duration, at_ms: u64) {
        self.traced.note(trace, total, at_ms);
    }

    /// Requests by method and status.
    pub(super) fn requests(&self) -> BTreeMap<(&'static str, u16), u64> {
        let mut requests = BTreeMap::new();
        for shard in self.shards.all() {
            shard.requests.each(|key, count| *requests.entry(labels(key)).or_default() += count);
        }
        requests
    }

    /// Durations of requests, and of the upstream's share of them.
    pub(super) fn durations(&self) -> (Distribution, Distribution) {
        let (mut total, mut upstream) = (Distribution::default(), Distribution::default());
        for shard in self.shards.all() {
            total.merge(&shard.total);
            upstream.merge(&shard.upstream);
        }
        total.exemplars = self.traced.all();
        (total, upstream)
    }
}

/// Methods that have a name of their own; clients can invent others without end.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "other"];
const STATUS_BITS: u32 = 10;

fn key(method: &Method, status: u16) -> u16 {
    let index = match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::PATCH => 3,
        Method::DELETE => 4,
        Method::HEAD => 5,
        Method::OPTIONS => 6,
        Method::TRACE => 7,
        Method::CONNECT => 8,
        _ => 9,
    };
    index << STATUS_BITS | status.min((1 << STATUS_BITS) - 1)
}

fn labels(key: u16) -> (&'static str, u16) {
    let method = METHODS.get(usize::from(key >> STATUS_BITS)).unwrap_or(&"other");
    (method, key & ((1 << STATUS_BITS) - 1))
}
