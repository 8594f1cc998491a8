//! What the policy costs: from a parsed request to the decision, on a key that is cached.
//!
//! `cargo bench --bench policy` prints nanoseconds per decision with ten thousand and with a million keys: once with
//! the keys in random order, so that a look-up finds its record in no processor cache, once with a thousand busy keys. `-- --count N` makes exactly N decisions
//! over ten thousand keys and times nothing: the difference between two such runs under callgrind is exact.

use portcullis::clock::Clock;
use portcullis::config::{self, Config};
use portcullis::limiter::Limiter;
use portcullis::pipeline::{Peer, Shared, Snapshot, Trail, Worker, decide};
use portcullis::store::cache::{Options, Tokens};
use portcullis::store::journal::Journal;
use portcullis::store::{
    Answer, Change, Organization, Project, SigningKey, Store, TokenRecord, Usage, UserRecord, import,
};
use portcullis::telemetry::{AccessLog, Metrics};
use portcullis::token::signer::{KeyRing, Signer};
use portcullis::token::{Digest, KeyFamily, OrganizationId, Permissions, Reach, TokenId, UserId};
use portcullis::upstream::Pools;
use std::future::Future;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

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
    fn tokens(&self, limit: usize) -> Answer<'_, Vec<TokenRecord>> {
        let record = |number: usize| TokenRecord {
            id: format!("token-{number}").into(),
            row: number as u64,
            digest: Digest::of(&key(number)),
            family: KeyFamily::Ocriva,
            name: "measured".into(),
            organization: "68da2880b45d7a01d90a3c51".into(),
            reach: Reach::Project(PROJECT.into()),
            permissions: Permissions::new(["read"]),
            scopes: vec!["documents".into()].into(),
            expires_ms: Some(u64::MAX),
            active: true,
            addresses: Vec::new(),
            version: 1,
            retiring: false,
        };
        ready((0..self.0.min(limit)).map(record).collect())
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

/// A worker over `keys` cached keys, and request heads for a random choice of them.
struct Bench {
    worker: Rc<Worker>,
    peer: Peer,
    heads: Vec<http::request::Parts>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(keys: usize, heads: usize) -> Self {
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
        let tokens = runtime.block_on(opening).expect("the keys are loaded");
        let config = config();
        let metrics = Metrics::new(1);
        let log = AccessLog::open(&config.telemetry.access_log, &metrics).expect("a log").writer();
        let snapshot = Snapshot::new(&config, ring(&clock), &limiter, &metrics);
        let shared = Arc::new(Shared::new(clock, tokens, limiter, metrics, snapshot));
        let worker = Worker::new(0, shared, Pools::new(Pools::tls_client()), log).expect("a worker");
        let peer = Peer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), false, &[], 32 * 1024);
        Self { worker, peer, heads: (0..heads).map(|n| head(scattered(n, keys))).collect(), folder }
    }

    /// One decision; its value is dropped, as it would be at the end of the request.
    fn decide(&self, number: usize) {
        let head = &self.heads[number % self.heads.len()];
        let snapshot = self.worker.snapshot();
        let request = http::Request::from_parts(head.clone(), ());
        let found = snapshot.router.find(&request);
        let now = self.worker.shared.clock.now();
        let mut trail = Trail::begin(&self.worker, &snapshot, &self.peer, &request, &found, now);
        let Ok(routed) = &found.routed else { panic!("no route") };
        let deciding = pin!(decide(&self.worker, &snapshot, &self.peer, routed, head, &mut trail));
        match deciding.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(grant)) => drop(black_box(grant)),
            Poll::Ready(Err(reject)) => panic!("refused: {}", reject.code()),
            Poll::Pending => panic!("the key is not cached"),
        }
    }

    /// What [`Bench::decide`] does besides deciding: to be taken off.
    fn baseline(&self, number: usize) {
        let head = &self.heads[number % self.heads.len()];
        let request = http::Request::from_parts(head.clone(), ());
        black_box(&request);
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

fn head(number: usize) -> http::request::Parts {
    let target = format!("/v1/openapi/processing-history/stats?projectId={PROJECT}&page=1&limit=20");
    let request = http::Request::get(target)
        .header("host", "api.example.com")
        .header("x-api-key", key(number))
        .header("user-agent", "measuring/1.0")
        .header("accept", "application/json");
    request.body(()).expect("a request").into_parts().0
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
        let bench = Bench::new(keys, 200_000);
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
