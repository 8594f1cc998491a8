//! The configuration: read from YAML, compiled into types that can only hold valid values.
//!
//! [`Config`] is what the rest of the program sees. Each module takes its own section.

mod check;
pub mod compile;
mod document;
mod json_schema;
mod load;
mod mask;
mod problem;
mod reference;
mod schema;
mod section;
mod substitute;
mod suggest;
mod tls;
mod units;
mod unsupported;
mod upstream;
pub mod watch;
mod yaml;

pub(crate) use document::{Document, Value};
pub use json_schema::json_schema;
pub use load::{LoadError, Loaded};
pub use problem::{Code, Problem, Problems};
pub use reference::key_reference;
pub(crate) use section::Section;
pub(crate) use substitute::Variables;
use tls::tls_problem;
pub use upstream::{
    Balance, Eject, Endpoint, Health, NoneHealthy, PemFile, Retry, RetryOn, Scheme, Timeouts, Upstream,
    UpstreamLimits, UpstreamTls,
};

use crate::limiter::Rate;
use crate::token::Secret;
pub use crate::token::signer::SigningAlgorithm;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A whole, valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// Where operators connect.
    pub admin: Admin,
    /// Where organizations, keys and usage are kept.
    pub store: Store,
    /// Where limits are counted, and what strangers may try.
    pub limits: Limits,
    /// Signing of client-facing tokens and of upstream identities.
    pub jwt: Jwt,
    /// How people get an account.
    pub accounts: Accounts,
    /// Backend services, by the index that routes hold.
    pub upstreams: Vec<Upstream>,
    /// The APIs, in the order of the file.
    pub apis: Vec<Api>,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// Where events may be sent to.
    pub webhooks: Webhooks,
    /// Worker threads on the data path; by default one per core of the process's affinity.
    pub workers: NonZeroUsize,
}

/// One listening socket of the data path.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to listen; also the `listener` label of metrics.
    pub address: SocketAddr,
    /// TLS, or plain HTTP/1.1 and h2c.
    pub tls: Option<ListenerTls>,
    /// Peers that may set `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// Bounds on what a client may send.
    pub bounds: Bounds,
}

/// The TLS side of a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Certificates; SNI picks, the first is the default. At least one.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate chain and its key, as PEM files. Relative paths were resolved against the configuration file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Chain, leaf first.
    pub cert: PathBuf,
    /// Private key: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// Bounds on what one client connection may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of request line and header fields together; more is answered 431. `header_size`, default 32 KiB.
    pub header_size: usize,
    /// Time from the first byte of a request head (or from accept) to its last. `header_timeout`, default 10 s.
    pub header_timeout: Duration,
    /// Time a connection may wait without a request, or its client may leave an answer unread. `idle_timeout`, default 75 s.
    pub idle_timeout: Duration,
    /// Concurrent HTTP/2 streams of one connection. `max_streams`, default 128.
    pub max_streams: u32,
    /// Open connections of this listener, over all workers; more are closed at accept. `max_connections`, default 65536.
    pub max_connections: usize,
}

/// The admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where to listen; loopback, or with TLS, or `insecure: true`.
    pub address: SocketAddr,
    /// TLS, when configured.
    pub tls: Option<ListenerTls>,
}

/// The store and its cache.
#[derive(Clone, Debug)]
pub struct Store {
    /// What to connect to.
    pub url: StoreUrl,
    /// Cut off from the store for longer than this, a node stops accepting keys. Default 5 s.
    pub max_staleness: Duration,
    /// Most keys held in memory. Default 1,000,000.
    pub cache_capacity: NonZeroUsize,
    /// How long an unknown key is remembered as unknown. Default 5 s.
    pub negative_ttl: Duration,
}

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite://PATH`; a relative path was resolved against the folder of the configuration file.
    Sqlite(PathBuf),
}

/// Where limits are counted, and the limit that is no API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Where.
    pub backend: LimitsBackend,
    /// How many credentials that nobody has an address may show; `None` for any number. Default 30 per minute, as a
    /// token bucket.
    pub unknown_keys: Option<Rate>,
}

/// Where limits are counted. `redis://` is refused by this version with a message that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsBackend {
    /// In this process.
    Local,
}

/// Signing.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// HS256 secret of client-facing tokens, at least 32 characters.
    pub secret: Secret,
    /// Life of an access token. Default 1 h.
    pub access_expiry: Duration,
    /// Life of a refresh token. Default 30 d.
    pub refresh_expiry: Duration,
    /// The identity that backends get.
    pub upstream: UpstreamIdentity,
}

/// How people get an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Accounts {
    /// Who may make one.
    pub signup: Signup,
    /// Who may make organizations, beside the server's admins.
    pub organizations: Founders,
}

/// Who may make organizations, beside the server's admins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Founders {
    /// Nobody.
    #[default]
    Admins,
    /// Everybody who has an account.
    Anyone,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Signup {
    /// Nobody but the operator makes any.
    Closed,
    /// Who has an invitation.
    #[default]
    Invited,
    /// Everybody.
    Open,
}

/// The signed identity for backends.
#[derive(Clone, Debug)]
pub struct UpstreamIdentity {
    /// The `iss` claim. Default `portcullis`.
    pub issuer: Arc<str>,
    /// Life of an identity token. Default 5 m.
    pub ttl: Duration,
    /// How it is signed.
    pub algorithm: SigningAlgorithm,
}

/// The client-facing habit of an API family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Ocriva's.
    Ocriva,
    /// oCore's.
    Ocore,
    /// RFC 9457 problem details.
    Problem,
}

/// One API: some path prefixes, spoken in one dialect.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its name; also its label in metrics.
    pub name: Arc<str>,
    /// The client-facing habit.
    pub dialect: Dialect,
    /// Path prefixes, normalised, without a closing slash, e.g. `/api/v1`; `/` stands for every path. At least one.
    pub prefixes: Vec<Arc<str>>,
    /// The limit of each credential.
    pub rate_limit: Option<RateLimit>,
    /// What backends get.
    pub identity: Identity,
    /// Bytes of a request body; more is answered 413. Default 50 MiB.
    pub body_limit: u64,
    /// Which of the gateway's own endpoints of the dialect are served. Default: the usual ones.
    pub builtin: Builtin,
    /// The routes, in the order of the file.
    pub routes: Vec<Route>,
    /// Prefixes of keys, for the `problem` dialect; the others have their own.
    pub key_prefixes: Vec<Arc<str>>,
}

/// Which of the gateway's own endpoints an API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Those that every API of its dialect serves where nothing is said.
    pub usual: bool,
    more: [bool; BuiltinGroup::ALL.len()],
}

impl Builtin {
    /// The usual ones.
    pub const USUAL: Self = Self { usual: true, more: [false; BuiltinGroup::ALL.len()] };
    /// None at all.
    pub const NONE: Self = Self { usual: false, ..Self::USUAL };

    /// Whether this group is served beside the usual ones.
    pub fn serves(&self, group: BuiltinGroup) -> bool {
        self.more[group as usize]
    }
}

/// Endpoints whose paths are, on client listeners, the upstreams' unless an API says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinGroup {
    /// The caller's organizations, and each of them.
    Organizations,
    /// Members and invitations.
    Members,
    /// Roles and permissions.
    Roles,
    /// Projects.
    Projects,
    /// The audit log.
    AuditLog,
    /// Webhook endpoints and deliveries.
    Webhooks,
}

impl BuiltinGroup {
    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        schema::BUILTIN_GROUPS[self as usize]
    }

    /// Every group, in the order of their names in the schema.
    pub const ALL: [Self; 6] =
        [Self::Organizations, Self::Members, Self::Roles, Self::Projects, Self::AuditLog, Self::Webhooks];
}

/// An API's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests in what time.
    pub rate: Rate,
    /// Refuse, or only record.
    pub mode: Mode,
}

/// Whether a policy refuses or only records what it would have refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse.
    #[default]
    Enforce,
    /// Let through, and record.
    Observe,
}

/// What a backend learns of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Signed JWT and headers.
    Jwt,
    /// Headers only.
    Headers,
    /// Nothing.
    None,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path pattern as written; also the `route` label in metrics.
    pub path: Arc<str>,
    /// The pattern's segments.
    pub pattern: Vec<Segment>,
    /// Methods in upper case; empty means all.
    pub methods: Vec<http::Method>,
    /// Whether a credential is needed. `auth: none` opens the route.
    pub open: bool,
    /// Where the request names its project, and whether it must.
    pub project: Option<ProjectRule>,
    /// What the credential must hold.
    pub require: Require,
    /// Who answers.
    pub target: Target,
    /// Where it stands in the file, from 1; `None` when it does not come from one.
    pub line: Option<usize>,
}

/// One segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, in the normal form of paths.
    Literal(Arc<str>),
    /// `{name}`: any one segment.
    Parameter(Arc<str>),
    /// A closing `**`: any number of segments, none included.
    Rest,
}

/// Where a request names its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRule {
    /// The place, besides the query, which is always read.
    pub place: ProjectPlace,
    /// Who must name it. `required`, default `organization`.
    pub required: ProjectRequired,
    /// Whether a project key's own project is added to the query when the request names none. `inject`, default true
    /// for `in: query`, and not allowed elsewhere.
    pub inject: bool,
}

/// A place for `projectId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectPlace {
    /// The query only.
    Query,
    /// A member of the JSON body's top object.
    Json,
    /// A field of the multipart body.
    Multipart,
}

/// Who must name a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectRequired {
    /// Organization keys; a project key's is inferred.
    Organization,
    /// Every key.
    Always,
    /// Nobody; it is only checked.
    Never,
}

/// What a credential must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Require {
    /// Permissions, all of them.
    pub permissions: Vec<Arc<str>>,
    /// Scopes, all of them.
    pub scopes: Vec<Arc<str>>,
    /// Refuse, or only record.
    pub mode: Mode,
}

/// Who answers a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The upstream at this index of [`Config::upstreams`].
    Upstream(usize),
    /// The gateway, with this.
    Respond(Respond),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// Status code, 200 to 599.
    pub status: http::StatusCode,
    /// Body; `application/json` when it parses as JSON, else `text/plain; charset=utf-8`.
    pub body: Arc<str>,
}

/// Events that people's own systems are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// Networks into which events may be sent although they are private or special, and over plain HTTP too.
    pub allow_networks: Vec<IpNet>,
    /// To resolve, connect, send and be answered, all together. Default 10 s.
    pub timeout: Duration,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { allow_networks: Vec::new(), timeout: Duration::from_secs(10) }
    }
}

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The access log.
    pub access_log: AccessLog,
}

/// The access log: one JSON object a line.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// Where it goes.
    pub path: LogPath,
    /// Share of requests that are logged, 0 to 1. Default 1.
    pub sample: f64,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPath {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// This file, appended to, opened anew on SIGHUP.
    File(PathBuf),
}
