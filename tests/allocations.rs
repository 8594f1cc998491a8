//! What is decided about a request with a key in memory takes nothing from the heap: counted by the allocator itself.
//!
//! A program of its own, because an allocator is a whole program's. Each count is of one thread, so that tests may run
//! side by side.

#[path = "../benches/support/mod.rs"]
mod support;

use portcullis::clock::Moment;
use portcullis::limiter::{Algorithm, Leased, Limit, Limiter, Rate, Told};
use portcullis::token::Reach;
use portcullis::wire::Request;
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::Duration;
use support::Edge;
use support::store::{Keys, PROJECT, key};

/// The system's allocator, which counts for whoever wants to know.
struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    static FIRST: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator can not be written without; everything is handed on as it came")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(at, layout, size) }
    }
}

fn note() {
    // A thread that ends has nothing to count with any more.
    if !COUNTS.try_with(|counts| counts.replace(false)).unwrap_or(false) {
        return;
    }
    // From here on nothing is counted: saying where it was takes memory itself.
    if TAKEN.replace(TAKEN.get() + 1) == 0 {
        FIRST.with_borrow_mut(|first| *first = Some(Backtrace::force_capture()));
    }
    COUNTS.set(true);
}

/// How often `work` takes memory, and from where first.
fn allocations(work: impl FnOnce()) -> (usize, Option<Backtrace>) {
    TAKEN.set(0);
    COUNTS.set(true);
    work();
    COUNTS.set(false);
    (TAKEN.get(), FIRST.take())
}

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
    rate_limit: { requests: 10000, per: 1m, algorithm: ALGORITHM }
    routes:
      - { path: /v1/openapi/templates, methods: [GET], upstream: processing }
      - { path: '/v1/openapi/templates/{id}', methods: [GET], upstream: processing }
      - { path: /v1/openapi/processing-history/**, project: { in: query }, require: { scopes: [documents], permissions: [read] }, upstream: processing }
      - { path: /v1/openapi/files/**, upstream: processing }
      - { path: /v1/openapi/versioned, headers: { x-version: '2' }, upstream: processing }
      - { path: '/v1/organizations/{organizationId}/documents', upstream: processing }
  - name: tenants
    hosts: ['*.example.net']
    dialect: problem
    key_prefixes: [ocr_]
    prefixes: [/v1]
    rate_limit: { requests: 100000000, per: 1m }
    routes:
      - { path: /v1/**, upstream: processing }
telemetry: { access_log: { path: stderr, sample: 0.0 } }
";

/// A field of a request.
type Field = (&'static str, String);

/// Requests of every plain kind: what they are, their target, and the fields that they have besides the usual.
fn requests() -> Vec<(&'static str, String, Vec<Field>)> {
    let shown = || ("x-api-key", key(7));
    let bearer = || ("authorization", format!("Bearer {}", key(8)));
    let history = format!("/v1/openapi/processing-history?page=1&projectId={PROJECT}&limit=20");
    vec![
        ("literal route", "/v1/openapi/templates".into(), vec![shown()]),
        ("key as bearer", "/v1/openapi/templates".into(), vec![bearer()]),
        (
            "key in both",
            "/v1/openapi/templates".into(),
            vec![shown(), ("authorization", format!("Bearer {}", key(7)))],
        ),
        ("parameter", "/v1/openapi/templates/68db5cc4c78e1e17dd4c7a85".into(), vec![shown()]),
        ("wildcard", "/v1/openapi/files/2026/11/22".into(), vec![shown()]),
        ("project in the query", history.clone(), vec![shown()]),
        ("project in the query, key as bearer", history, vec![bearer()]),
        ("a query without one", "/v1/openapi/templates?page=1&sort=name".into(), vec![shown()]),
        ("decided by a field", "/v1/openapi/versioned".into(), vec![shown(), ("x-version", "2".into())]),
        (
            "organization in the path",
            "/v1/organizations/68da2880b45d7a01d90a3c51/documents".into(),
            vec![shown()],
        ),
        (
            "decided by the host",
            "/v1/anything/at/all".into(),
            vec![shown(), ("host", "a.example.net".into())],
        ),
    ]
}

fn request(edge: &Edge, target: &str, fields: &[Field]) -> Request {
    let mut request = http::Request::get(target).body(()).expect("a request");
    for (name, value) in [("host", "api.example.com"), ("user-agent", "a/1"), ("accept", "application/json")]
    {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().expect("visible ASCII"));
    }
    Request::of(request.into_parts().0, &edge.worker.pools.scratch)
}

fn edge(algorithm: &str, reach: Reach) -> Edge {
    Edge::new(&CONFIG.replace("ALGORITHM", algorithm), Keys { count: 100, reach })
}

/// What a thousand decisions take, when it is warm: tables have grown to their size, buffers were taken.
fn taken_by(edge: &Edge, target: &str, fields: &[Field]) -> (usize, Option<Backtrace>) {
    (0..50).for_each(|_| edge.decide(&request(edge, target, fields)));
    let parsed: Vec<_> = (0..1000).map(|_| request(edge, target, fields)).collect();
    allocations(|| parsed.iter().for_each(|request| edge.decide(request)))
}

fn nothing_is_taken(algorithm: &str, reach: Reach) {
    let edge = edge(algorithm, reach.clone());
    let mut taking = Vec::new();
    for (what, target, fields) in requests() {
        let (taken, first) = taken_by(&edge, &target, &fields);
        if let Some(first) = first {
            taking.push(format!("{what}: {taken} allocations in 1000 decisions, the first:\n{first}"));
        }
    }
    assert!(taking.is_empty(), "{algorithm}, {reach:?}:\n{}", taking.join("\n"));
}

#[test]
fn a_decision_on_a_key_in_memory_allocates_nothing() {
    for algorithm in ["token_bucket", "sliding_window", "fixed_window"] {
        nothing_is_taken(algorithm, Reach::Project(PROJECT.into()));
    }
}

#[test]
fn nor_does_one_on_a_key_of_an_organization() {
    nothing_is_taken("token_bucket", Reach::Organization);
}

#[test]
fn nor_does_a_permit_in_hand_of_a_bucket_that_nodes_share() {
    let now = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_800_000_000_000 };
    let requests = NonZeroU32::new(10_000).expect("not zero");
    let rate = Rate { requests, per: Duration::from_secs(60), algorithm: Algorithm::TokenBucket };
    let (limiter, limit) = (Limiter::new(), Limit::from(&rate));
    let (bucket, slot) = (limiter.bucket("key"), limiter.slot("api"));
    let asking = bucket.ask(slot, now).expect("nobody asks");
    bucket.leased(asking, 1000, false, &Told::default(), now);
    let (taken, first) = allocations(|| {
        for _ in 0..1000 {
            assert!(bucket.take_leased(slot, &limit, now) != Leased::None);
        }
    });
    assert!(taken == 0, "{first:?}");
    assert_eq!(bucket.take_leased(slot, &limit, now), Leased::None);
}

#[test]
fn a_query_that_gets_its_project_takes_its_new_text_and_nothing_else() {
    let edge = edge("token_bucket", Reach::Project(PROJECT.into()));
    let fields = [("x-api-key", key(7))];
    for query in ["", "?page=1&limit=20"] {
        let (taken, _) = taken_by(&edge, &format!("/v1/openapi/processing-history{query}"), &fields);
        assert_eq!(taken, 1000, "{query:?}");
    }
}

#[test]
fn what_is_taken_is_counted() {
    let (taken, first) = allocations(|| drop((std::hint::black_box(Box::new(1)), vec![0u8; 4096])));
    assert_eq!(taken, 2);
    assert!(first.is_some_and(|first| first.to_string().contains("what_is_taken_is_counted")));
    assert_eq!(allocations(|| _ = std::hint::black_box(1)).0, 0);
}
