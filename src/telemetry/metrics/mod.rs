//! Metrics. Workers count in cells of their own, which are added up when somebody scrapes.
//!
//! Labels are bounded: names from the configuration and short closed lists, never a key, a path or an address.

mod cells;
mod exemplar;
mod exposition;
mod families;
mod limits;
mod mirror;
mod outcome;
mod process;
mod route;
mod series;
#[cfg(test)]
mod tests;

pub use exposition::Format;
pub use limits::{LimitsAsked, LimitsCells, LimitsDecided};
pub use mirror::{MirrorCells, Mirrored};
pub use outcome::{ApiCells, AuthOutcome, CacheLookup, Policy, RateDecision};
pub use process::Standing;
pub use route::RouteCells;
pub use series::{Counter, Gauge};

use crate::clock::Moment;
use outcome::CacheCells;
use series::Series;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// All metrics of the process.
pub struct Metrics {
    shards: usize,
    routes: Mutex<BTreeMap<RouteKey, Arc<RouteCells>>>,
    weighted: Mutex<BTreeMap<DrawnKey, Arc<RouteCells>>>,
    mirrors: Mutex<BTreeMap<RouteKey, Arc<MirrorCells>>>,
    apis: Mutex<BTreeMap<Box<str>, Arc<ApiCells>>>,
    cache: CacheCells,
    limits: Arc<LimitsCells>,
    cache_entries: Gauge,
    cache_loading: Gauge,
    cache_load_seconds: Gauge,
    resident: Gauge,
    connections: Series<Gauge>,
    connections_refused: Series<Counter>,
    upstream_healthy: Series<Gauge>,
    upstream_retries: Series<Counter>,
    upstream_retries_exhausted: Series<Counter>,
    upstream_ejections: Series<Counter>,
    upstream_refused: Series<Counter>,
    upstream_health_checks: Series<Counter>,
    upstream_addresses: Series<Gauge>,
    upstream_queue: Series<Gauge>,
    upstream_under_way: Series<Gauge>,
    reloads_good: Counter,
    reloads_bad: Counter,
    last_reload_good: Gauge,
    last_good_reload_at: Gauge,
    handovers_good: Counter,
    handovers_bad: Counter,
    certificates: Series<Gauge>,
    certificates_outdated: Gauge,
    tls_handshakes: Series<Counter>,
    acme_orders: Series<Counter>,
    proxy_headers_refused: Series<Counter>,
    store_up: Gauge,
    store_staleness: Gauge,
    store_connections: Gauge,
    store_connections_opened: AtomicU64,
    store_connection_failures: AtomicU64,
    nodes: Gauge,
    nodes_lost: Counter,
    workers_hung: AtomicUsize,
    usage_unwritten: Gauge,
    refusals_dropped: AtomicU64,
    tokens_expiring: Series<Gauge>,
    log_dropped: Arc<Counter>,
    tunnels: Series<Gauge>,
    streams_closed: Series<Counter>,
    spans: Series<Counter>,
    webhook_deliveries: Series<Counter>,
    webhook_queue: Gauge,
    webhook_oldest: Gauge,
    standing: Mutex<Standing>,
    scrape_hooks: Mutex<Vec<ScrapeHook>>,
}

/// API and route.
type RouteKey = (Box<str>, Box<str>);

/// A route, and one of the upstreams that share it.
type DrawnKey = (RouteKey, Box<str>);

type ScrapeHook = Arc<dyn Fn(&Metrics) + Send + Sync>;

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("shards", &self.shards).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics for `shards` threads that count requests.
    pub fn new(shards: usize) -> Arc<Self> {
        let metrics = Self {
            shards,
            routes: Mutex::default(),
            weighted: Mutex::default(),
            mirrors: Mutex::default(),
            apis: Mutex::default(),
            cache: CacheCells::new(shards),
            limits: Arc::new(LimitsCells::new(shards)),
            cache_entries: Gauge::default(),
            cache_loading: Gauge::default(),
            cache_load_seconds: Gauge::default(),
            resident: Gauge::default(),
            connections: Series::new(),
            connections_refused: Series::new(),
            upstream_healthy: Series::new(),
            upstream_retries: Series::new(),
            upstream_retries_exhausted: Series::new(),
            upstream_ejections: Series::new(),
            upstream_refused: Series::new(),
            upstream_health_checks: Series::new(),
            upstream_addresses: Series::new(),
            upstream_queue: Series::new(),
            upstream_under_way: Series::new(),
            reloads_good: Counter::default(),
            reloads_bad: Counter::default(),
            last_reload_good: Gauge::default(),
            last_good_reload_at: Gauge::default(),
            handovers_good: Counter::default(),
            handovers_bad: Counter::default(),
            certificates: Series::new(),
            certificates_outdated: Gauge::default(),
            tls_handshakes: Series::new(),
            acme_orders: Series::new(),
            proxy_headers_refused: Series::new(),
            store_up: Gauge::default(),
            store_staleness: Gauge::default(),
            store_connections: Gauge::default(),
            store_connections_opened: AtomicU64::default(),
            store_connection_failures: AtomicU64::default(),
            nodes: Gauge::default(),
            nodes_lost: Counter::default(),
            workers_hung: AtomicUsize::default(),
            usage_unwritten: Gauge::default(),
            refusals_dropped: AtomicU64::default(),
            tokens_expiring: Series::new(),
            log_dropped: Arc::default(),
            tunnels: Series::new(),
            streams_closed: Series::new(),
            spans: Series::new(),
            webhook_deliveries: Series::new(),
            webhook_queue: Gauge::default(),
            webhook_oldest: Gauge::default(),
            standing: Mutex::default(),
            scrape_hooks: Mutex::default(),
        };
        // From the start: who asks by how much a count has grown sees nothing of its first one.
        for outcome in ["delivered", "retried", "given_up"] {
            metrics.webhook_deliveries.of(&[outcome]);
        }
        // The process runs, so the configuration that it started with was good.
        metrics.last_reload_good.set(1.0);
        Arc::new(metrics)
    }

    /// The cells of a route: the same ones for the same labels, so that counts survive a reload.
    pub fn route(&self, api: &str, route: &str) -> Arc<RouteCells> {
        let mut routes = lock(&self.routes);
        let cells = routes.entry((api.into(), route.into()));
        Arc::clone(cells.or_insert_with(|| Arc::new(RouteCells::new(self.shards))))
    }

    /// The cells of one of the upstreams that share a route's requests: the same ones for the same labels.
    pub fn weighted(&self, api: &str, route: &str, upstream: &str) -> Arc<RouteCells> {
        let mut weighted = lock(&self.weighted);
        let cells = weighted.entry(((api.into(), route.into()), upstream.into()));
        Arc::clone(cells.or_insert_with(|| Arc::new(RouteCells::new(self.shards))))
    }

    /// The cells of a route's copies: the same ones for the same labels.
    pub fn mirror(&self, api: &str, route: &str) -> Arc<MirrorCells> {
        let mut mirrors = lock(&self.mirrors);
        let cells = mirrors.entry((api.into(), route.into()));
        Arc::clone(cells.or_insert_with(|| Arc::new(MirrorCells::new(self.shards))))
    }

    /// The cells of an API: the same ones for the same name.
    pub fn api(&self, api: &str) -> Arc<ApiCells> {
        let mut apis = lock(&self.apis);
        Arc::clone(apis.entry(api.into()).or_insert_with(|| Arc::new(ApiCells::new(self.shards))))
    }

    /// Open connections of a listener. The series ends when the last handle is dropped.
    pub fn listener(&self, address: &str) -> Arc<Gauge> {
        self.connections.of(&[address])
    }

    /// Connections of a listener that were closed at accept, and why: `total` or `address`.
    pub fn connections_refused(&self, address: &str, reason: &'static str) -> Arc<Counter> {
        self.connections_refused.of(&[address, reason])
    }

    /// Whether an endpoint is healthy: 1 or 0. The series ends when the last handle is dropped.
    pub fn upstream_healthy(&self, upstream: &str, endpoint: &str) -> Arc<Gauge> {
        self.upstream_healthy.of(&[upstream, endpoint])
    }

    /// Requests that were sent to an upstream again.
    pub fn upstream_retries(&self, upstream: &str) -> Arc<Counter> {
        self.upstream_retries.of(&[upstream])
    }

    /// Requests that were not sent again although their answer was a reason to: `attempts` were used up, or the `budget`.
    pub fn upstream_retries_exhausted(&self, upstream: &str, reason: &str) -> Arc<Counter> {
        self.upstream_retries_exhausted.of(&[upstream, reason])
    }

    /// How often an endpoint was left alone.
    pub fn upstream_ejections(&self, upstream: &str) -> Arc<Counter> {
        self.upstream_ejections.of(&[upstream])
    }

    /// Requests that were refused before they were sent: `full`, `queue_timeout` or `none_healthy`.
    pub fn upstream_refused(&self, upstream: &str, reason: &str) -> Arc<Counter> {
        self.upstream_refused.of(&[upstream, reason])
    }

    /// Active checks of an endpoint, by `success` or `failure`. The series ends when the last handle is dropped.
    pub fn upstream_health_checks(&self, upstream: &str, endpoint: &str, result: &str) -> Arc<Counter> {
        self.upstream_health_checks.of(&[upstream, endpoint, result])
    }

    /// Addresses of an endpoint. The series ends when the last handle is dropped.
    pub fn upstream_addresses(&self, upstream: &str, endpoint: &str) -> Arc<Gauge> {
        self.upstream_addresses.of(&[upstream, endpoint])
    }

    /// Requests that wait for an upstream with `limits`. The series ends when the last handle is dropped.
    pub fn upstream_queue(&self, upstream: &str) -> Arc<Gauge> {
        self.upstream_queue.of(&[upstream])
    }

    /// Requests under way to an upstream with `limits`. The series ends when the last handle is dropped.
    pub fn upstream_under_way(&self, upstream: &str) -> Arc<Gauge> {
        self.upstream_under_way.of(&[upstream])
    }

    /// Counts a look-up in the token cache. For `shard` see [`RouteCells::finished`].
    pub fn cache_lookup(&self, shard: usize, result: CacheLookup) {
        self.cache.looked_up(shard, result);
    }

    /// The cells of the limits backend.
    pub fn limits(&self) -> Arc<LimitsCells> {
        Arc::clone(&self.limits)
    }

    /// Sets how many bytes of memory the process holds.
    pub fn set_resident(&self, bytes: u64) {
        self.resident.set(bytes as f64);
    }

    /// Sets how many keys the cache holds, and whether those of the store were loaded.
    pub fn set_cache_entries(&self, entries: usize, loaded: bool) {
        self.cache_entries.set(entries as f64);
        self.cache_loading.set(f64::from(u8::from(!loaded)));
    }

    /// Sets how long it took to load the keys of the store.
    pub fn set_cache_loaded(&self, took: Duration) {
        self.cache_load_seconds.set(took.as_secs_f64());
    }

    /// Counts a reload of the configuration.
    pub fn config_reloaded(&self, good: bool) {
        if good { &self.reloads_good } else { &self.reloads_bad }.increment();
        self.last_reload_good.set(f64::from(u8::from(good)));
    }

    /// Sets since when the present configuration is in force.
    pub fn set_config_since(&self, now: Moment) {
        self.last_good_reload_at.set(now.unix_ms as f64 / 1000.0);
    }

    /// Counts a hand-over to a new process.
    pub fn handed_over(&self, good: bool) {
        if good { &self.handovers_good } else { &self.handovers_bad }.increment();
    }

    /// Hand-overs so far: good and bad ones.
    pub fn handovers(&self) -> [u64; 2] {
        [self.handovers_good.value(), self.handovers_bad.value()]
    }

    /// Goes on with the hand-overs that the processes before have counted.
    pub fn set_handovers(&self, [good, bad]: [u64; 2]) {
        self.handovers_good.add(good);
        self.handovers_bad.add(bad);
    }

    /// Replaces the set of certificates: names, and the Unix seconds at which they end.
    pub fn set_certificates<'a>(&self, certificates: impl IntoIterator<Item = (&'a str, i64)>) {
        self.certificates.clear();
        for (name, not_after_s) in certificates {
            self.certificates.of(&[name]).set(not_after_s as f64);
        }
    }

    /// Sets how many certificates are shown that are older than their files, because those can not be used.
    pub fn set_certificates_outdated(&self, count: usize) {
        self.certificates_outdated.set(count as f64);
    }

    /// Counts an attempt to obtain a certificate: `success`, `failure` or `rate_limited`.
    pub fn acme_ordered(&self, result: &'static str) {
        self.acme_orders.of(&[result]).increment();
    }

    /// TLS handshakes of a listener: `full`, `resumed` or `failed`.
    pub fn tls_handshakes(&self, listener: &str, result: &'static str) -> Arc<Counter> {
        self.tls_handshakes.of(&[listener, result])
    }

    /// Connections closed for their PROXY header: `untrusted` or `malformed`.
    pub fn proxy_headers_refused(&self, listener: &str, reason: &'static str) -> Arc<Counter> {
        self.proxy_headers_refused.of(&[listener, reason])
    }

    /// Sets whether the store answers, and how old the newest thing known from it is.
    pub fn set_store(&self, up: bool, staleness: Duration) {
        self.store_up.set(f64::from(u8::from(up)));
        self.store_staleness.set(staleness.as_secs_f64());
    }

    /// Sets how many connections to the store's server are open, were ever opened, and could not be opened.
    pub fn set_store_connections(&self, open: u64, opened: u64, failed: u64) {
        self.store_connections.set(open as f64);
        self.store_connections_opened.store(opened, Ordering::Relaxed);
        self.store_connection_failures.store(failed, Ordering::Relaxed);
    }

    /// Sets how many nodes accept keys on the store, this one among them.
    pub fn set_nodes(&self, nodes: usize) {
        self.nodes.set(nodes as f64);
    }

    /// Sets how old the oldest use may be that is not in the store, and how many refusals are missing from the history.
    pub fn set_usage(&self, unwritten: Duration, refusals_dropped: u64) {
        self.usage_unwritten.set(unwritten.as_secs_f64());
        self.refusals_dropped.store(refusals_dropped, Ordering::Relaxed);
    }

    /// Sets how many keys expire within a period such as `7d`.
    pub fn set_tokens_expiring(&self, within: &str, tokens: u64) {
        self.tokens_expiring.of(&[within]).set(tokens as f64);
    }

    /// Connections of a route that go on in another protocol. The series ends when the last handle is dropped.
    pub fn tunnels(&self, api: &str, route: &str) -> Arc<Gauge> {
        self.tunnels.of(&[api, route])
    }

    /// Counts an exchange that was closed because its key or session could not go on, and why.
    pub fn stream_closed(&self, reason: &'static str) {
        self.streams_closed.of(&[reason]).increment();
    }

    /// Spans of traces: `exported`, `dropped` because too many waited, or `failed` because no collector took them.
    pub fn spans(&self, result: &'static str) -> Arc<Counter> {
        self.spans.of(&[result])
    }

    /// Counts an attempt to deliver an event: `delivered`, `retried` or `given_up`.
    pub fn webhook_attempted(&self, outcome: &'static str) {
        self.webhook_deliveries.of(&[outcome]).increment();
    }

    /// Sets how many deliveries of events are on their way, and the age of the oldest.
    pub fn set_webhook_queue(&self, length: u64, oldest: Duration) {
        self.webhook_queue.set(length as f64);
        self.webhook_oldest.set(oldest.as_secs_f64());
    }

    /// Lines of the access log that were dropped because it could not be written fast enough.
    pub fn access_log_dropped(&self) -> Arc<Counter> {
        Arc::clone(&self.log_dropped)
    }

    /// Runs `hook` before each scrape, for gauges that are cheaper to ask for than to keep. It must not block.
    pub fn on_scrape(&self, hook: impl Fn(&Metrics) + Send + Sync + 'static) {
        lock(&self.scrape_hooks).push(Arc::new(hook));
    }

    /// The text of a scrape.
    pub fn encode(&self, format: Format) -> String {
        // Not under the lock: a hook may register another.
        let hooks = lock(&self.scrape_hooks).clone();
        for hook in hooks {
            hook(self);
        }
        let gauges = [
            &self.upstream_healthy,
            &self.upstream_addresses,
            &self.upstream_queue,
            &self.upstream_under_way,
            &self.tunnels,
        ];
        for series in gauges.into_iter().chain([&self.connections]) {
            series.forget_unheld();
        }
        self.connections_refused.forget_unheld();
        self.upstream_health_checks.forget_unheld();
        exposition::write(self.families(), format)
    }
}

// A map is whole between two calls, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
