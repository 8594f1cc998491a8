//! Explains a request with a configuration and its store, without a gateway: nothing is bound, counted or written.

use crate::clock::{Clock, Moment};
use crate::config::{self, Config, Listener, LogPath, UpstreamIdentity};
use crate::limiter::Limiter;
use crate::pipeline::explain::{self, Asked, Question};
use crate::pipeline::{Peer, Shared, Snapshot, Worker};
use crate::store::cache::{Options, Tokens};
use crate::store::journal::Journal;
use crate::store::sqlite::Sqlite;
use crate::store::{self, Store, StoreError};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Metrics;
use crate::token::signer::{BadKey, KeyRing, Signer};
use crate::upstream::{Pools, Services, TlsError};
use crate::wire::{self, Scratch};
use arc_swap::ArcSwap;
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

pub use crate::pipeline::explain::{Answer, Ending, Explanation, Facts, Forwarded, Outcome, Stage, Step};

/// A request as somebody describes it.
#[derive(Debug)]
pub struct Described {
    /// Method.
    pub method: Method,
    /// A URL, or a path and query. Its scheme picks the listener, its host becomes `Host` where that is not given.
    pub url: Uri,
    /// Header fields.
    pub headers: HeaderMap,
    /// Address that it comes from.
    pub from: IpAddr,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The store is there and can not be read.
    #[error("the store can not be read: {}", chain(.0))]
    Store(#[from] StoreError),
    /// Threads, timers, random bytes or a folder for temporary files.
    #[error("the system refuses what explaining takes: {0}")]
    System(#[from] io::Error),
    /// TLS to an upstream.
    #[error(transparent)]
    Upstream(#[from] TlsError),
    /// No key could be made to sign with.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Explains a request.
///
/// # Errors
/// [`ExplainError`]; a request that would be refused is no error.
pub fn explain(config: &Config, described: Described) -> Result<Explanation, ExplainError> {
    let scratch = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = Clock::new();
        let now = clock.now();
        let found = store::open_read_only(&config.store.url)?;
        let store_exists = found.is_some();
        let (worker, log) = stage(config, found, clock, scratch.path(), now).await?;
        let question = question(config, described, store_exists, now);
        let explanation = explain::explain(&worker, question).await;
        drop(worker);
        log.shutdown();
        Ok(explanation)
    })
}

/// A worker that could serve requests by the configuration; what it writes of itself goes to `scratch`.
async fn stage(
    config: &Config,
    found: Option<Arc<dyn Store>>,
    clock: Clock,
    scratch: &Path,
    now: Moment,
) -> Result<(Rc<Worker>, AccessLog), ExplainError> {
    let store = match found {
        Some(store) => store,
        // An empty one in its place: the configured one is made by those who put something into it.
        None => Arc::new(Sqlite::open(&scratch.join("empty.db"))?),
    };
    let metrics = Metrics::new(1);
    let limiter = Arc::new(Limiter::new());
    // One key at the start is enough: the one that is asked about is looked up by itself.
    let options = Options {
        capacity: NonZeroUsize::MIN,
        negative_ttl: config.store.negative_ttl,
        max_staleness: config.store.max_staleness,
    };
    let journal = Journal::open(&scratch.join("usage"))?;
    let control = tokio::runtime::Handle::current();
    let tokens = Tokens::open(store, journal, limiter.clone(), options, None, control, now).await?;
    let ring = Arc::new(ArcSwap::from_pointee(ring(&config.jwt.upstream, now)?));
    let services = Services::new(&config.upstreams, &[], &metrics)?;
    let snapshot = Snapshot::new(config, &services, ring, &limiter, &metrics);
    let nothing = config::AccessLog { path: LogPath::Stderr, sample: 0.0 };
    let log = AccessLog::open(&nothing, &metrics)?;
    let shared = Arc::new(Shared::new(clock, tokens, limiter, metrics, snapshot));
    let worker =
        Worker::new(0, shared, Pools::new(Pools::tls_client()), log.writer()).map_err(io::Error::other)?;
    Ok((worker, log))
}

/// A signing key of this moment: what it signs is described and never shown, and the store's is not touched.
fn ring(identity: &UpstreamIdentity, now: Moment) -> Result<KeyRing, BadKey> {
    let private = Signer::generate(identity.algorithm)?;
    KeyRing::new([("explain", identity.algorithm.as_str(), &private, 0)].into_iter(), now)
}

fn question(config: &Config, described: Described, store_exists: bool, now: Moment) -> Question {
    let Described { method, url, headers, from } = described;
    let listener = listener(config, &url);
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    // Every client sends one.
    let address = listener.map(|listener| listener.address.to_string()).unwrap_or_default();
    let host = url.authority().map_or(&*address, |authority| authority.as_str());
    if let Ok(host) = HeaderValue::from_str(host) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    // As a client sends it: path and query.
    *request.uri_mut() = url.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    let (trusted, bounds) = (listener.map(Listener::forwarders), listener.map(|it| it.bounds.header_size));
    let tls = listener.is_some_and(|listener| listener.tls.is_some());
    let asked = Asked {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        from: from.to_string(),
        listener: listener.map_or_else(String::new, name),
    };
    let peer = Peer::new(from, tls, trusted.unwrap_or_default(), bounds.unwrap_or(usize::MAX));
    let request = wire::Request::of(request.into_parts().0, &Scratch::default());
    Question { peer, request, asked, store_exists, now }
}

/// The listener that a URL means: by port where one has it, else by scheme, else the first.
fn listener<'c>(config: &'c Config, url: &Uri) -> Option<&'c Listener> {
    let tls = url.scheme().map(|scheme| *scheme == Scheme::HTTPS);
    let fits = |listener: &&Listener| tls.is_none_or(|tls| listener.tls.is_some() == tls);
    let by_port = config.listeners.iter().filter(fits).find(|it| Some(it.address.port()) == url.port_u16());
    by_port.or_else(|| config.listeners.iter().find(fits)).or_else(|| config.listeners.first())
}

fn name(listener: &Listener) -> String {
    format!("{} ({})", listener.address, if listener.tls.is_some() { "TLS" } else { "no TLS" })
}
