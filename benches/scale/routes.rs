//! What it costs to find a request's route, among ten, a thousand and ten thousand of them.
//!
//! `cargo bench --bench routes` prints nanoseconds for each, requests in random order over all routes. Each request is made
//! just before, as if it had just been parsed; what that takes is measured by itself and taken off.
//!
//! `-- --count N --routes M` finds the routes of exactly N requests among M and times nothing. Under callgrind, with
//! `--toggle-collect='*Bench*find*'`, such a run is exact.

use portcullis::clock::Clock;
use portcullis::config::{self, Config};
use portcullis::limiter::Limiter;
use portcullis::pipeline::Snapshot;
use portcullis::pipeline::route::Route;
use portcullis::telemetry::Metrics;
use portcullis::token::signer::{KeyRing, Signer};
use portcullis::upstream::Services;
use portcullis::wire::{Request, Scratch};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const HEAD: &str = "
listeners: [{ address: 127.0.0.1:18080 }]
admin: { address: 127.0.0.1:19090 }
store: { url: 'sqlite://unused.db' }
jwt: { secret: a-secret-of-the-benchmark-with-more-than-32-characters }
upstreams: { service: { endpoints: ['http://127.0.0.1:9001'] } }
telemetry: { access_log: { path: stderr, sample: 0.0 } }
apis:
";

/// Routes of one resource, and resources of one API.
const OF_RESOURCE: usize = 5;
const RESOURCES: usize = 10;

/// Requests of one run, which is shorter than what a scheduler leaves a process alone for, and runs.
const CALLS: usize = 5_000;
const RUNS: usize = 300;

/// A router over so many routes, and requests for them.
struct Bench {
    snapshot: Snapshot,
    apis: usize,
    resources: usize,
    scratch: Scratch,
}

/// Half of the APIs have a host of their own and share their prefix, the others have a prefix of their own.
fn place(api: usize) -> (Option<String>, String) {
    match api % 2 {
        0 => (None, format!("/service-{api}/v1")),
        _ => (Some(format!("service-{api}.example.com")), "/v1".to_owned()),
    }
}

fn config(apis: usize, resources: usize) -> Config {
    let mut text = HEAD.to_owned();
    let mut line = |line: String| writeln!(text, "{line}").expect("memory");
    for api in 0..apis {
        let (host, prefix) = place(api);
        let hosts = host.map_or_else(String::new, |host| format!("hosts: [{host}], "));
        line(format!("  - name: api-{api}\n    dialect: problem\n    {hosts}\n    prefixes: [{prefix}]\n    routes:").replace(", \n", "\n"));
        for resource in 0..resources {
            let path = format!("{prefix}/resource-{resource}");
            for (path, methods) in [
                (path.clone(), "methods: [GET], "),
                (path.clone(), "methods: [POST], "),
                (format!("{path}/{{id}}"), ""),
                (format!("{path}/{{id}}/parts/{{part}}"), "methods: [GET, PUT], "),
                (format!("{path}/files/**"), ""),
            ] {
                line(format!("      - {{ path: \"{path}\", {methods}upstream: service, auth: none }}"));
            }
        }
    }
    config::compile::from_str(&text, "routes.yaml", std::path::Path::new("."), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

impl Bench {
    fn new(routes: usize) -> Self {
        let resources = RESOURCES.min(routes / OF_RESOURCE / 2).max(1);
        let apis = routes / OF_RESOURCE / resources;
        let config = config(apis, resources);
        let (clock, limiter, metrics) = (Clock::new(), Limiter::new(), Metrics::new(1));
        let services = Services::new(&config.upstreams, &[], &metrics).expect("the upstream");
        let private = Signer::generate(config::SigningAlgorithm::EdDSA).expect("a key");
        let keys = [("k", "EdDSA", &private, 0)];
        let ring = KeyRing::new(keys.into_iter(), clock.now()).expect("a ring");
        let ring = Arc::new(arc_swap::ArcSwap::from_pointee(ring));
        let snapshot = Snapshot::new(&config, &services, ring, &limiter, &metrics);
        Self { snapshot, apis, resources, scratch: Scratch::default() }
    }

    fn request(&self, number: usize) -> Request {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let (host, prefix) = place(random % self.apis);
        let resource = (random >> 16) % self.resources;
        let tail = match (random >> 24) % 4 {
            0 => String::new(),
            1 => format!("/{random:x}"),
            2 => format!("/{:x}/parts/{}", random >> 8, random % 100),
            _ => format!("/files/{}/page-{}.png", random % 1000, random % 7),
        };
        let host = host.unwrap_or_else(|| "other.example.com".to_owned());
        let request = http::Request::get(format!("{prefix}/resource-{resource}{tail}?page=1"));
        let request = request.header("host", host).header("accept", "application/json").body(());
        Request::of(request.expect("a request").into_parts().0, &self.scratch)
    }

    #[inline(never)]
    fn find(&self, request: &Request) -> &Route {
        let found = self.snapshot.router.find(request);
        assert!(found.routed.is_ok(), "{found:?} for {}", request.target.path());
        found.route
    }

    fn baseline(&self, number: usize) {
        black_box(self.request(number)).release(&self.scratch);
    }

    /// With a `look` at the route, which brings a piece of it from memory: whoever uses it pays for that.
    fn both(&self, number: usize, look: bool) {
        let request = black_box(self.request(number));
        let route = black_box(self.find(&request));
        if look {
            black_box(route.index);
        }
        request.release(&self.scratch);
    }
}

/// Nanoseconds of one request, without the making of it: the least of many short runs, because whatever else the machine
/// does only adds. They go on where the last one ended, so that each finds what it would find in a gateway under load.
fn least_ns(clock: &Clock, bench: &Bench, look: bool) -> f64 {
    let took = |run: usize, call: &dyn Fn(usize)| {
        let start = clock.now();
        (run * CALLS..(run + 1) * CALLS).for_each(call);
        clock.now().since(start).as_nanos() as f64 / CALLS as f64
    };
    let (mut both, mut baseline) = (f64::MAX, f64::MAX);
    for run in 0..RUNS {
        both = both.min(took(run, &|number| bench.both(number, look)));
        baseline = baseline.min(took(run, &|number| bench.baseline(number)));
    }
    both - baseline
}

fn number(name: &str) -> Option<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    Some(arguments.get(at + 1).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} N")))
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    if let Some(count) = number("--count") {
        let bench = Bench::new(number("--routes").unwrap_or(10));
        (0..count).for_each(|number| bench.both(number, true));
        return;
    }
    let (clock, mut least) = (Clock::new(), None);
    for routes in [10, 1_000, 10_000] {
        let bench = Bench::new(routes);
        let costs = [least_ns(&clock, &bench, false), least_ns(&clock, &bench, true)];
        let [least, least_looked] = *least.get_or_insert(costs);
        let [found, looked] = costs;
        println!(
            "routes, {routes} of them: {found:.0} ns a request, {:.2} of the least; with a look at the route {looked:.0}, {:.2}",
            found / least,
            looked / least_looked
        );
    }
}
