//! A worker over keys in memory, without a socket: what benches and counts of the request path have in common.

pub(crate) mod store;

use portcullis::clock::Clock;
use portcullis::config::{self, Config};
use portcullis::limiter::Limiter;
use portcullis::pipeline::{Peer, Shared, Snapshot, Trail, Worker, decide, foresee};
use portcullis::store::cache::{Options, Tokens};
use portcullis::store::journal::Journal;
use portcullis::telemetry::{AccessLog, Metrics};
use portcullis::token::signer::{KeyRing, Signer};
use portcullis::upstream::{Pools, Services};
use portcullis::wire::Request;
use std::future::Future;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use store::Keys;

/// A worker, who asks it, and where its journal is.
pub(crate) struct Edge {
    pub(crate) worker: Rc<Worker>,
    pub(crate) peer: Peer,
    _folder: tempfile::TempDir,
}

impl Edge {
    /// A worker that serves by this configuration and has all these keys in memory.
    pub(crate) fn new(yaml: &str, keys: Keys) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("a journal");
        let (clock, limiter) = (Clock::new(), Arc::new(Limiter::new()));
        let options = Options {
            capacity: NonZeroUsize::new(keys.count).expect("some keys"),
            negative_ttl: Duration::from_secs(5),
            max_staleness: Duration::from_secs(100_000),
        };
        let (handle, now) = (runtime.handle().clone(), clock.now());
        let opening = Tokens::open(Arc::new(keys), journal, limiter.clone(), options, None, handle, now);
        let tokens = runtime.block_on(opening).expect("an index");
        runtime.block_on(tokens.fill(clock.now())).expect("the keys are loaded");
        let config = config(yaml);
        let metrics = Metrics::new(1);
        let log = AccessLog::open(&config.telemetry.access_log, &metrics).expect("a log").writer();
        let services = Services::new(&config.upstreams, &[], &metrics).expect("the upstreams");
        let snapshot = Snapshot::new(&config, &services, ring(&clock), &limiter, &metrics);
        let shared = Arc::new(Shared::new(clock, tokens, limiter, metrics, snapshot));
        let worker = Worker::new(0, shared, Pools::new(Pools::tls_client()), log).expect("a worker");
        let peer = Peer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), false, &[], 32 * 1024);
        Self { worker, peer, _folder: folder }
    }

    /// One decision, from the parsed request on; its value is dropped, as it would be at the end of the request.
    pub(crate) fn decide(&self, request: &Request) {
        let foreseen = foresee(&self.worker, &request.fields);
        let snapshot = self.worker.snapshot();
        let found = snapshot.router.find(request);
        foreseen.inspect(|foreseen| foreseen.approach(&self.worker));
        let now = self.worker.shared.clock.now();
        let mut trail = Trail::begin(&self.worker, &snapshot, &self.peer, request, &found, now);
        trail.foreseen = foreseen;
        let Ok(routed) = &found.routed else { panic!("no route for {}", request.target.path()) };
        let decided = now_or_never(decide(&self.worker, &snapshot, &self.peer, routed, request, &mut trail));
        match decided {
            Ok(grant) => drop(black_box(grant)),
            Err(reject) => panic!("refused: {}", reject.code()),
        }
        trail.forget();
    }
}

/// The value of a future that waits for nothing.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits: the key is not in memory"),
    }
}

fn config(yaml: &str) -> Config {
    config::compile::from_str(yaml, "bench.yaml", std::path::Path::new("."), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn ring(clock: &Clock) -> Arc<arc_swap::ArcSwap<KeyRing>> {
    let private = Signer::generate(config::SigningAlgorithm::EdDSA).expect("a key");
    let keys = [("k", "EdDSA", &private, 0)];
    Arc::new(arc_swap::ArcSwap::from_pointee(KeyRing::new(keys.into_iter(), clock.now()).expect("a ring")))
}
