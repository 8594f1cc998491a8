//! What the policy costs: from a parsed request to the decision, on a key that is cached.
//!
//! `cargo bench --bench policy` prints nanoseconds per decision with ten thousand and with a million keys: once with
//! the keys in random order, so that a look-up finds its record in no processor cache, once with a thousand busy keys.
//! What it takes to make each request's head, in which the key has just been written as if it had just been parsed, is
//! measured by itself and taken off. It prints as well what a key takes of memory, of files mapped into it too.
//!
//! `-- --count N` makes exactly N decisions over ten thousand keys and times nothing. Under callgrind, with
//! `--toggle-collect='*Bench*decide*'`, such a run is exact.

use portcullis::clock::Clock;
use portcullis::config::{self, Config};
use portcullis::limiter::Limiter;
use portcullis::pipeline::{Peer, Shared, Snapshot, Trail, Worker, decide, foresee};
use portcullis::store::cache::{Options, Tokens};
use portcullis::store::journal::Journal;
use portcullis::store::{
    Answer, Change, LiveSession, Organization, Project, SigningKey, Store, Terms, TokenRecord, TokenRow,
    Usage, UserRecord, import,
};
use portcullis::telemetry::{AccessLog, Metrics};
use portcullis::token::signer::{KeyRing, Signer};
use portcullis::token::{Digest, KeyFamily, OrganizationId, Permissions, Reach, TokenId, UserId};
use portcullis::upstream::{Pools, Services};
use std::future::Future;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What the binary for production allocates with.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PROJECT: &str = "68db4aa2967d9c03fa9b5e74";
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

/// A store that has `keys` keys and nothing else to say.
#[derive(Debug)]
struct Keys(usize);

fn key(number: usize) -> String {
    format!("ocr_{number:064x}")
}

fn ready<T: Send + 'static>(value: T) -> Answer<'static, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for Keys {
    fn token_rows(&self, after: u64, most: usize) -> Answer<'_, Vec<TokenRow>> {
        let rows = after + 1..=(self.0 as u64).min(after + most as u64);
        ready(rows.map(|row| TokenRow { row, last_used_ms: 0 }).collect())
    }

    fn tokens(&self, rows: Vec<u64>) -> Answer<'_, Vec<TokenRecord>> {
        let terms = Arc::new(Terms {
            family: KeyFamily::Ocriva,
            organization: "68da2880b45d7a01d90a3c51".into(),
            reach: Reach::Project(PROJECT.into()),
            permissions: Permissions::new(["read"]),
            scopes: vec!["documents".into()].into(),
            addresses: Vec::new(),
        });
        let record = |number: usize| TokenRecord {
            terms: Arc::clone(&terms),
            expires_ms: Some(u64::MAX),
            active: true,
            version: 1,
            id: format!("{number:024x}").into(),
            digest: Digest::of(&key(number)),
            row: number as u64 + 1,
            retiring: false,
            name: "Scanning receipts".into(),
        };
        ready(rows.into_iter().map(|row| record(row as usize - 1)).collect())
    }

    fn organization<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<Organization>> {
        let project = Project {
            id: PROJECT.into(),
            name: "Receipt Scanning".into(),
            description: None,
            active: true,
            created_ms: 0,
            updated_ms: 0,
        };
        let (id, slug, name) = (id.clone(), "measure".into(), "Measure".into());
        ready(Some(Organization { id, slug, name, projects: vec![project] }))
    }

    fn token_by_digest(&self, _: Digest) -> Answer<'_, Option<TokenRecord>> {
        ready(None)
    }

    fn token_by_id<'a>(&'a self, _: &'a TokenId) -> Answer<'a, Option<TokenRecord>> {
        ready(None)
    }

    fn user<'a>(&'a self, _: &'a UserId) -> Answer<'a, Option<UserRecord>> {
        ready(None)
    }

    fn live_session<'a>(&'a self, _: &'a str) -> Answer<'a, Option<LiveSession>> {
        ready(None)
    }

    fn import<'a>(&'a self, _: &'a import::Fixture, _: u64) -> Answer<'a, import::Imported> {
        ready(import::Imported::default())
    }

    fn newest_change(&self) -> Answer<'_, u64> {
        ready(0)
    }

    fn changes_after(&self, _: u64) -> Answer<'_, Vec<Change>> {
        ready(Vec::new())
    }

    fn add_usage<'a>(&'a self, _: &'a str, _: Vec<Usage>) -> Answer<'a, ()> {
        ready(())
    }

    fn usage<'a>(&'a self, _: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>> {
        ready(None)
    }

    fn forget_journal<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        ready(())
    }

    fn signing_keys(&self, _: u64) -> Answer<'_, Vec<SigningKey>> {
        ready(Vec::new())
    }

    fn add_signing_key<'a>(&'a self, _: SigningKey, _: u64) -> Answer<'a, ()> {
        ready(())
    }

    fn expiring(&self, _: u64, _: u64) -> Answer<'_, u64> {
        ready(0)
    }
}

/// A worker over `keys` cached keys, a request's head, and a random choice of keys to write into it.
struct Bench {
    worker: Rc<Worker>,
    peer: Peer,
    head: http::request::Parts,
    shown: Vec<String>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(keys: usize, shown: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("a journal");
        let (clock, limiter) = (Clock::new(), Arc::new(Limiter::new()));
        let options = Options {
            capacity: NonZeroUsize::new(keys).expect("some keys"),
            negative_ttl: Duration::from_secs(5),
            max_staleness: Duration::from_secs(100_000),
        };
        let opening = Tokens::open(
            Arc::new(Keys(keys)),
            journal,
            limiter.clone(),
            options,
            runtime.handle().clone(),
            clock.now(),
        );
        let tokens = runtime.block_on(opening).expect("an index");
        runtime.block_on(tokens.fill(clock.now())).expect("the keys are loaded");
        let config = config();
        let metrics = Metrics::new(1);
        let log = AccessLog::open(&config.telemetry.access_log, &metrics).expect("a log").writer();
        let services = Services::new(&config.upstreams, &[], &metrics).expect("the upstreams");
        let snapshot = Snapshot::new(&config, &services, ring(&clock), &limiter, &metrics);
        let shared = Arc::new(Shared::new(clock, tokens, limiter, metrics, snapshot));
        let worker = Worker::new(0, shared, Pools::new(Pools::tls_client()), log).expect("a worker");
        let peer = Peer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), false, &[], 32 * 1024);
        let shown = (0..shown).map(|n| key(scattered(n, keys))).collect();
        Self { worker, peer, head: head(), shown, folder }
    }

    /// A request with another key.
    fn request(&self, number: usize) -> http::Request<()> {
        let mut head = self.head.clone();
        let key = http::HeaderValue::from_str(&self.shown[number % self.shown.len()]).expect("visible ASCII");
        head.headers.insert("x-api-key", key);
        http::Request::from_parts(head, ())
    }

    /// One decision; its value is dropped, as it would be at the end of the request.
    fn decide(&self, number: usize) {
        let request = self.request(number);
        let foreseen = foresee(&self.worker, request.headers());
        let snapshot = self.worker.snapshot();
        let found = snapshot.router.find(&request);
        foreseen.inspect(|foreseen| foreseen.approach(&self.worker));
        let now = self.worker.shared.clock.now();
        let mut trail = Trail::begin(&self.worker, &snapshot, &self.peer, &request, &found, now);
        trail.foreseen = foreseen;
        let Ok(routed) = &found.routed else { panic!("no route") };
        let (head, ()) = request.into_parts();
        {
            let deciding = pin!(decide(&self.worker, &snapshot, &self.peer, routed, &head, &mut trail));
            match deciding.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(grant)) => drop(black_box(grant)),
                Poll::Ready(Err(reject)) => panic!("refused: {}", reject.code()),
                Poll::Pending => panic!("the key is not cached"),
            }
        }
        trail.forget();
    }

    /// What [`Bench::decide`] does besides deciding: to be taken off.
    fn baseline(&self, number: usize) {
        black_box(self.request(number).into_parts());
    }
}

fn config() -> Config {
    config::compile::from_str(CONFIG, "policy.yaml", std::path::Path::new("."), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn ring(clock: &Clock) -> Arc<arc_swap::ArcSwap<KeyRing>> {
    let private = Signer::generate(config::SigningAlgorithm::EdDSA).expect("a key");
    let keys = [("k", "EdDSA", &private, 0)];
    Arc::new(arc_swap::ArcSwap::from_pointee(KeyRing::new(keys.into_iter(), clock.now()).expect("a ring")))
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
        let clock = &bench.worker.shared.clock;
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
        drop(bench.folder);
    }
}
