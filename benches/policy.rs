//! What the policy costs: from a parsed request to the decision, on a key that is cached.
//!
//! `cargo bench --bench policy` prints nanoseconds per decision with ten thousand and with a million keys: once with
//! the keys in random order, so that a look-up finds its record in no processor cache, once with a thousand busy keys.
//! What it takes to make each request's head, in which the key has just been written as if it had just been parsed, is
//! measured by itself and taken off. It prints as well what a key takes of memory, of files mapped into it too.
//!
//! `-- --count N` makes exactly N decisions over ten thousand keys and times nothing. Under callgrind, with
//! `--toggle-collect='*Bench*decide*'`, such a run is exact.

mod support;

use portcullis::clock::Clock;
use portcullis::token::Reach;
use portcullis::wire::Request;
use std::hint::black_box;
use support::Edge;
use support::store::{Keys, PROJECT, key};

/// What the binary for production allocates with.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CONFIG: &str = "
listeners: [{ address: 127.0.0.1:18080 }]
admin: { address: 127.0.0.1:19090 }
store: { url: 'sqlite://unused.db' }
jwt: { secret: a-secret-of-the-benchmark-with-more-than-32-characters }
upstreams: { processing: { endpoints: ['http://127.0.0.1:9001'] } }
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: { requests: 100000000, per: 1m }
    routes:
      - { path: /v1/openapi/templates, methods: [GET], upstream: processing }
      - { path: /v1/openapi/processing-history/**, project: { in: query }, require: { scopes: [documents] }, upstream: processing }
      - { path: /v1/openapi/**, upstream: processing }
telemetry: { access_log: { path: stderr, sample: 0.0 } }
";

/// A worker over `keys` cached keys, a request's head, and a random choice of keys to write into it.
struct Bench {
    edge: Edge,
    head: http::request::Parts,
    shown: Vec<String>,
}

impl Bench {
    fn new(keys: usize, shown: usize) -> Self {
        let edge = Edge::new(CONFIG, Keys { count: keys, reach: Reach::Project(PROJECT.into()) });
        let shown = (0..shown).map(|n| key(scattered(n, keys))).collect();
        Self { edge, head: head(), shown }
    }

    /// A request with another key.
    fn request(&self, number: usize) -> Request {
        let mut head = self.head.clone();
        let key = http::HeaderValue::from_str(&self.shown[number % self.shown.len()]).expect("visible ASCII");
        head.headers.insert("x-api-key", key);
        Request::of(head, &self.edge.worker.pools.scratch)
    }

    fn decide(&self, number: usize) {
        let request = self.request(number);
        self.edge.decide(&request);
        request.release(&self.edge.worker.pools.scratch);
    }

    /// What [`Bench::decide`] does besides deciding: to be taken off.
    fn baseline(&self, number: usize) {
        black_box(self.request(number)).release(&self.edge.worker.pools.scratch);
    }
}

/// The `n`th of a fixed random choice among `keys`.
fn scattered(n: usize, keys: usize) -> usize {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17) % keys
}

fn head() -> http::request::Parts {
    let target = format!("/v1/openapi/processing-history/stats?projectId={PROJECT}&page=1&limit=20");
    let request = http::Request::get(target)
        .header("host", "api.example.com")
        .header("x-api-key", key(0))
        .header("user-agent", "measuring/1.0")
        .header("accept", "application/json");
    request.body(()).expect("a request").into_parts().0
}

/// Memory that this process has, files mapped into it included.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("a process");
    let pages: usize = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

/// Nanoseconds of one call: the least of several runs, because whatever else the machine does only adds.
fn least_ns(clock: &Clock, calls: usize, call: impl Fn(usize)) -> f64 {
    let run = |_| {
        let start = clock.now();
        (0..calls).for_each(&call);
        clock.now().since(start).as_nanos() as f64 / calls as f64
    };
    (0..7).map(run).fold(f64::INFINITY, f64::min)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        let count = arguments.get(at + 1).and_then(|count| count.parse().ok()).expect("--count N");
        let bench = Bench::new(10_000, 4096);
        (0..count).for_each(|number| bench.decide(number));
        return;
    }
    for keys in [10_000, 1_000_000] {
        let before = resident_bytes();
        let bench = Bench::new(keys, 200_000);
        let shown = bench.shown.iter().map(|key| key.capacity() + size_of::<String>()).sum::<usize>();
        println!(
            "policy, {keys} cached keys: {} resident bytes a key",
            resident_bytes().saturating_sub(before + shown) / keys
        );
        let clock = &bench.edge.worker.shared.clock;
        let cost = |of: fn(usize) -> usize| {
            let whole = least_ns(clock, 200_000, |number| bench.decide(of(number)));
            whole - least_ns(clock, 200_000, |number| bench.baseline(of(number)))
        };
        println!(
            "policy, {keys} cached keys, each request another key: {:.0} ns a decision",
            cost(|number| number)
        );
        println!(
            "policy, {keys} cached keys, a thousand busy ones: {:.0} ns a decision",
            cost(|number| number % 1000)
        );
    }
}
