//! What each stage of a request costs by itself, on a worker with a key in memory and without a socket.
//!
//! `cargo bench --bench stages --features jemalloc` times them with divan. `-- --count N` calls each stage N times and
//! times nothing: under callgrind it gives instructions, which repeat exactly. `make stages` prints both in one table.

mod support;

use bytes::BytesMut;
use divan::Bencher;
use http_body_util::Full;
use portcullis::pipeline::bench::{known, swapped};
use portcullis::pipeline::route::Serve;
use portcullis::pipeline::{Payload, Trail, authenticate, authorize, foresee, limit, query};
use portcullis::token::Reach;
use portcullis::wire::{Request, Scratch};
use portcullis::{listen, upstream};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use support::Edge;
use support::store::{Keys, PROJECT, key};

/// What the binary for production allocates with.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DATE: &[u8] = b"Sat, 01 Nov 2025 00:00:00 GMT";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nserver: backend\r\ndate: Sat, 01 Nov 2025 00:00:00 GMT\r\n\
    content-type: application/json\r\ncontent-length: 110\r\nconnection: keep-alive\r\n\r\n";
const CONFIG: &str = "
listeners: [{ address: 127.0.0.1:18080 }]
admin: { address: 127.0.0.1:19090 }
store: { url: 'sqlite://unused.db' }
jwt:
  secret: a-secret-of-the-benchmark-with-more-than-32-characters
  upstream: { issuer: https://api.example.com, ttl: 5m, algorithm: EdDSA }
upstreams: { processing: { endpoints: ['http://127.0.0.1:9001'] } }
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1]
    identity: jwt
    rate_limit: { requests: 100000000, per: 1m }
    routes:
      - { path: /v1/openapi/templates, methods: [GET], upstream: processing }
      - { path: /v1/openapi/processing-history/**, project: { in: query }, require: { scopes: [documents] }, upstream: processing }
      - { path: /v1/openapi/**, upstream: processing }
telemetry: { access_log: { path: stderr, sample: 0.0 } }
";

/// What is done with each stage: timed, counted, or only named.
trait Visit {
    /// `run` is the stage; what it needs is made by `prepare`, and what it leaves is dropped, beside the measurement.
    fn stage<I, O>(&mut self, name: &'static str, prepare: impl FnMut() -> I, run: impl Fn(I) -> O);
}

/// The stages, in the order in which a request meets them.
fn each_stage(visit: &mut impl Visit) {
    let edge = Edge::new(CONFIG, Keys { count: 1000, reach: Reach::Project(PROJECT.into()) });
    let (worker, peer, scratch) = (&edge.worker, &edge.peer, &edge.worker.pools.scratch);
    let (snapshot, asked) = (worker.snapshot(), request(scratch));
    let found = snapshot.router.find(&asked);
    let routed = found.routed.as_ref().unwrap_or_else(|reject| panic!("no route: {}", reject.code()));
    let Serve::Upstream(service) = &routed.route.service else { panic!("no upstream") };
    let parts = || request(scratch);
    let trail = || Trail::begin(worker, &snapshot, peer, &asked, &found, worker.shared.clock.now());
    let who = || known(worker, routed, &asked.fields, None, &trail()).expect("the key is in memory");
    let granted = || {
        let (mut trail, parts) = (trail(), parts());
        let admitted = limit::admit(who(), routed.api, trail.at(), &mut trail).expect("the limit is far");
        let caller =
            authenticate::verify(admitted, routed, FROM, trail.at(), &mut trail).expect("it is good");
        let grant = authorize::check(caller, routed, &parts, &mut trail).expect("it is allowed");
        (trail, parts, grant)
    };

    visit.stage(
        "request-parsed",
        || read_buffer(&head()),
        |mut buffer| listen::bench::read(&mut buffer, scratch),
    );
    visit.stage(
        "key-foreseen",
        || (),
        |()| {
            let foreseen = foresee(worker, black_box(&asked.fields));
            foreseen.inspect(|foreseen| foreseen.approach(worker));
            foreseen
        },
    );
    visit.stage("routed", || (), |()| snapshot.router.find(black_box(&asked)));
    visit.stage(
        "key-looked-up",
        || (trail(), foresee(worker, &asked.fields)),
        |(trail, foreseen)| (known(worker, routed, &asked.fields, foreseen, &trail), trail),
    );
    visit.stage(
        "limited",
        || (who(), trail()),
        |(who, mut trail)| (limit::admit(who, routed.api, trail.at(), &mut trail).is_ok(), trail),
    );
    let admitted = || {
        let mut trail = trail();
        (limit::admit(who(), routed.api, trail.at(), &mut trail).expect("the limit is far"), parts(), trail)
    };
    visit.stage("verified-authorized", admitted, |(admitted, parts, mut trail)| {
        let caller = authenticate::verify(admitted, routed, FROM, trail.at(), &mut trail).ok()?;
        let grant = authorize::check(caller, routed, &parts, &mut trail);
        Some((grant, parts, trail))
    });
    visit.stage("project-read", || (), |()| query::read(black_box(asked.target.query().unwrap_or_default())));
    visit.stage(
        "decided-in-all",
        || request(scratch),
        |request| {
            edge.decide(&request);
            request
        },
    );
    visit.stage("swapped", granted, |(trail, parts, grant)| {
        (swapped(worker, peer, routed, &grant, service, parts, &trail), trail, grant)
    });
    let outbound = || {
        let (trail, parts, grant) = granted();
        (scratch.out(), swapped(worker, peer, routed, &grant, service, parts, &trail).expect("it is signed"))
    };
    visit.stage("request-written", outbound, |(out, head)| {
        (upstream::h1::bench::write(out, service, &head), head)
    });
    visit.stage(
        "answer-parsed",
        || read_buffer(ANSWER),
        |mut buffer| upstream::h1::bench::read(&mut buffer, scratch),
    );
    let answered = || {
        let (trail, ..) = granted();
        let answer = upstream::h1::bench::read(&mut read_buffer(ANSWER), scratch).expect("an answer");
        (scratch.out(), trail.follow(answer.map(|_| Payload::Own(Full::default()))))
    };
    visit.stage("answer-written", answered, |(out, answer)| listen::bench::write(out, answer, DATE));
    visit.stage("recorded", || (), |()| drop(trail()));
}

/// A request's head, as it comes.
fn head() -> String {
    format!(
        "GET /v1/openapi/processing-history/stats?projectId={PROJECT}&page=1&limit=20 HTTP/1.1\r\n\
         host: api.example.com\r\nx-api-key: {}\r\nuser-agent: measuring/1.0\r\naccept: application/json\r\n\r\n",
        key(7)
    )
}

/// What was read from a socket, in the memory that all connections share.
fn read_buffer(text: &str) -> BytesMut {
    let mut shared = BytesMut::with_capacity(8 * 1024);
    shared.extend_from_slice(text.as_bytes());
    shared.split()
}

fn request(scratch: &Scratch) -> Request {
    listen::bench::read(&mut read_buffer(&head()), scratch).expect("a request")
}

/// Times the one stage of this name.
struct Timed<'a, 'b>(&'static str, Option<Bencher<'a, 'b>>);

impl Visit for Timed<'_, '_> {
    fn stage<I, O>(&mut self, name: &'static str, prepare: impl FnMut() -> I, run: impl Fn(I) -> O) {
        if name == self.0
            && let Some(bencher) = self.1.take()
        {
            bencher.with_inputs(prepare).bench_local_values(run);
        }
    }
}

#[divan::bench(args = names())]
fn stage(bencher: Bencher<'_, '_>, name: &'static str) {
    each_stage(&mut Timed(name, Some(bencher)));
}

struct Named(Vec<&'static str>);

impl Visit for Named {
    fn stage<I, O>(&mut self, name: &'static str, _: impl FnMut() -> I, _: impl Fn(I) -> O) {
        self.0.push(name);
    }
}

fn names() -> Vec<&'static str> {
    let mut named = Named(Vec::new());
    each_stage(&mut named);
    named.0
}

/// Calls each stage so often, after as often unseen.
struct Counted(usize);

impl Visit for Counted {
    fn stage<I, O>(&mut self, name: &'static str, mut prepare: impl FnMut() -> I, run: impl Fn(I) -> O) {
        (0..self.0).for_each(|_| drop(black_box(run(prepare()))));
        begin(name);
        (0..self.0).for_each(|_| drop(black_box(counted(&run, prepare()))));
    }
}

/// Where callgrind begins another profile.
#[inline(never)]
#[expect(clippy::print_stdout, reason = "the names belong to the profiles, in this order")]
fn begin(name: &str) {
    println!("{name}");
}

/// Inside of this, and nowhere else, callgrind counts.
#[inline(never)]
fn counted<I, O>(run: &impl Fn(I) -> O, input: I) -> O {
    run(input)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--count") {
        Some(at) => {
            let calls = arguments.get(at + 1).and_then(|count| count.parse().ok()).expect("--count N");
            each_stage(&mut Counted(calls));
        }
        None => divan::main(),
    }
}
