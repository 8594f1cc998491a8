//! Every key of the configuration: name, type, default, meaning. One table behind the structural check, the JSON Schema
//! for editors and the key reference in the documentation, so that the three cannot disagree.

/// One key of a section.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// One line for editors and for the reference, in Markdown.
    pub(crate) doc: &'static str,
    /// As it would be written; shown only, the value itself is where the section is compiled.
    pub(crate) default: Option<&'static str>,
    pub(crate) required: bool,
}

/// What a key takes.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    /// Any text.
    Text,
    /// IP address and port.
    Address,
    /// IP address, or network in CIDR form.
    Network,
    /// A file, relative to the folder of the configuration file.
    Path,
    /// Whole number, bounds included.
    Integer(u64, u64),
    /// Number, bounds included.
    Number(f64, f64),
    Boolean,
    Duration,
    /// A duration, or this word.
    DurationOr(&'static str),
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    List(&'static Type),
    /// True, false, or a list of some of these words.
    BooleanOrWords(&'static [&'static str]),
    Section(&'static [Key]),
    /// A section, or this word.
    SectionOr(&'static str, &'static [Key]),
    /// Sections under names that the file chooses.
    Named(&'static [Key]),
    /// Values under names that the file chooses.
    Map(&'static Type),
    /// One of two: a single value, or a list or section.
    ScalarOr(&'static Type, &'static Type),
}

impl Key {
    const fn new(name: &'static str, kind: Type, doc: &'static str) -> Self {
        Self { name, kind, doc, default: None, required: false }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }
}

const DIALECTS: &[&str] = &["ocriva", "ocore", "problem"];
/// Groups of the gateway's own endpoints, in the order of [`BuiltinGroup::ALL`](super::BuiltinGroup::ALL).
pub(super) const BUILTIN_GROUPS: &[&str] =
    &["organizations", "members", "roles", "projects", "audit_log", "webhooks"];
const MODES: &[&str] = &["enforce", "observe"];
/// In the order of [`Balance::ALL`](super::Balance::ALL).
pub(super) const BALANCES: &[&str] = &["least_requests", "round_robin", "random", "ip_hash"];
const NONE_HEALTHY: &[&str] = &["refuse", "try"];
const ALGORITHMS: &[&str] = &["token_bucket", "sliding_window", "fixed_window"];
/// Methods that a route may name.
pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The whole file.
pub(crate) const ROOT: &[Key] = &[
    Key::new("listeners", Type::List(&Type::Section(LISTENER)), "Where clients connect; at least one.")
        .required(),
    Key::new("admin", Type::Section(ADMIN), "Where operators connect."),
    Key::new("store", Type::Section(STORE), "Where organizations, keys and usage are kept.").required(),
    Key::new(
        "limits",
        Type::Section(LIMITS),
        "Where rate limits are counted, and how many unknown keys an address may show.",
    ),
    Key::new("jwt", Type::Section(JWT), "Tokens for clients, and the signed identity for upstreams.")
        .required(),
    Key::new("accounts", Type::Section(ACCOUNTS), "How people get an account."),
    Key::new("upstreams", Type::Named(UPSTREAM), "Backend services, by the names that routes use."),
    Key::new("dns", Type::Section(DNS), "How names of endpoints are resolved."),
    Key::new("apis", Type::List(&Type::Section(API)), "What is served; at least one.").required(),
    Key::new("telemetry", Type::Section(TELEMETRY), "Logs and traces."),
    Key::new("webhooks", Type::Section(WEBHOOKS), "Events that people's own systems are told of."),
    Key::new("drain", Type::Section(DRAIN), "How the process ends on SIGTERM."),
    Key::new("workers", Type::Integer(1, 1024), "Worker threads on the data path.")
        .default("one per CPU core of the process"),
];

const LISTENER: &[Key] = &[
    Key::new("address", Type::Address, "IP address and port, e.g. `0.0.0.0:8443` or `[::]:8443`.").required(),
    Key::new(
        "tls",
        Type::Section(LISTENER_TLS),
        "TLS 1.2 and 1.3 with HTTP/1.1 and HTTP/2; without it plain HTTP/1.1 and h2c.",
    ),
    Key::new(
        "trusted_proxies",
        Type::List(&Type::Network),
        "Peers that may set `X-Forwarded-For`, or with `proxy_protocol` connect; nobody else's is believed.",
    )
    .default("[]"),
    Key::new(
        "proxy_protocol",
        Type::Boolean,
        "Every connection begins with a PROXY protocol header, version 1 or 2; only `trusted_proxies` may connect, and `X-Forwarded-For` is nobody's.",
    )
    .default("false"),
    Key::new("limits", Type::Section(BOUNDS), "Bounds on what one client connection may use."),
];

/// Words of `min_version`.
pub(crate) const TLS_VERSIONS: &[&str] = &["1.2", "1.3"];
/// Words of `client_auth`.
pub(crate) const CLIENT_AUTH: &[&str] = &["required", "optional"];

const LISTENER_TLS: &[Key] = &[
    Key::new(
        "certificates",
        Type::List(&Type::Section(CERTIFICATE)),
        "SNI picks, the first is the default; at least one where there is no `acme`.",
    ),
    Key::new("min_version", Type::Choice(TLS_VERSIONS), "The oldest version of TLS that is spoken.")
        .default("1.2"),
    Key::new(
        "strict_sni",
        Type::Boolean,
        "Turn away clients that name no server of the certificates; else they get the default.",
    )
    .default("false"),
    Key::new(
        "client_ca",
        Type::Path,
        "PEM file of the authorities whose client certificates are accepted (mTLS).",
    ),
    Key::new(
        "client_auth",
        Type::Choice(CLIENT_AUTH),
        "Whether a client may come without a certificate; a bad one is refused either way.",
    )
    .default("required"),
    Key::new(
        "forward_client_cert",
        Type::Boolean,
        "Show upstreams the client's certificate as `Client-Cert` (RFC 9440); a client's own field of that name never passes.",
    )
    .default("false"),
    Key::new("acme", Type::Section(ACME), "Certificates fetched by ACME."),
];

const CERTIFICATE: &[Key] = &[
    Key::new("cert", Type::Path, "PEM file of the chain, leaf first.").required(),
    Key::new("key", Type::Path, "PEM file of the private key: PKCS#8, SEC1 or PKCS#1.").required(),
];

/// Where certificates are asked for when the file does not say.
pub(crate) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Words of `challenge`.
pub(crate) const CHALLENGES: &[&str] = &["tls-alpn-01", "http-01"];

const ACME: &[Key] = &[
    Key::new("domains", Type::List(&Type::Text), "Names that one certificate is asked for; no wildcards.").required(),
    Key::new("email", Type::Text, "Contact of the account."),
    Key::new("directory", Type::Text, "URL of the ACME directory; asking there agrees to its terms of service.")
        .default(LETS_ENCRYPT),
    Key::new("ca", Type::Path, "PEM file of the root of the directory's own TLS, where it is no public one."),
    Key::new(
        "challenge",
        Type::Choice(CHALLENGES),
        "How the names are proven: on this listener, reached as port 443, or on one without TLS, reached as port 80.",
    )
    .default("tls-alpn-01"),
    Key::new("renew_before", Type::Duration, "How long before its end a certificate is renewed.")
        .default("a third of its life"),
];

const BOUNDS: &[Key] = &[
    Key::new(
        "header_size",
        Type::Size,
        "Request line and header fields together, `1KiB` to `1MiB`; more is answered 431.",
    )
    .default("32KiB"),
    Key::new(
        "header_timeout",
        Type::Duration,
        "From the first byte of a request head, or from accept, to its last.",
    )
    .default("10s"),
    Key::new(
        "idle_timeout",
        Type::Duration,
        "How long a connection may wait without a request, or its client without reading.",
    )
    .default("75s"),
    Key::new("max_streams", Type::Integer(1, 65_535), "Concurrent HTTP/2 streams of one connection.")
        .default("128"),
    Key::new(
        "max_connections",
        Type::Integer(1, 10_000_000),
        "Open connections of the listener; more are closed at accept.",
    )
    .default("65536"),
    Key::new(
        "max_connections_per_address",
        Type::Integer(1, 10_000_000),
        "The same of one client address, or of one /64 with IPv6. Those of trusted proxies are not counted.",
    )
    .default("16384"),
    Key::new(
        "body_timeout",
        Type::Duration,
        "Longest wait for the next piece of a request's body, until its answer begins; then 408.",
    )
    .default("30s"),
    Key::new(
        "min_body_rate",
        Type::Size,
        "Bytes a second that a request's body has to bring on the average, after 5 s; 0B: not looked at.",
    )
    .default("240B"),
    Key::new(
        "min_answer_rate",
        Type::Size,
        "Bytes a second that a client has to take of answers that wait for it, once that has been as long as `idle_timeout`; 0B: not looked at.",
    )
    .default("240B"),
];

const ADMIN: &[Key] = &[
    Key::new("address", Type::Address, "Loopback; any other address needs `tls` or `insecure: true`.")
        .default("127.0.0.1:9090"),
    Key::new("tls", Type::Section(ADMIN_TLS), "TLS on the admin listener."),
    Key::new("insecure", Type::Boolean, "Allow a plain admin listener on an address that is not loopback.")
        .default("false"),
];

const ADMIN_TLS: &[Key] = &[
    Key::new(
        "certificates",
        Type::List(&Type::Section(CERTIFICATE)),
        "At least one; SNI picks, the first is the default.",
    )
    .required(),
    Key::new("min_version", Type::Choice(TLS_VERSIONS), "The oldest version of TLS that is spoken.")
        .default("1.2"),
    Key::new("client_ca", Type::Path, "PEM file of the authorities of operators' certificates (mTLS)."),
    Key::new("client_auth", Type::Choice(CLIENT_AUTH), "Whether an operator may come without a certificate.")
        .default("required"),
];

const STORE: &[Key] = &[
    Key::new("url", Type::Text, "`sqlite://data/x.db` relative to the configuration file, `sqlite:///var/lib/x.db` absolute; or `postgres://user@host/db`.")
        .required(),
    Key::new("password", Type::Text, "The password for `postgres://`, so that it need not be escaped for an address: `${PORTCULLIS_DB_PASSWORD}`."),
    Key::new("connections", Type::Integer(5, 1000), "With `postgres://`: most connections of this process, besides the one that hears of changes.")
        .default("8"),
    Key::new("usage", Type::Path, "With `postgres://`: the folder of this node's own usage journals, on a disk that stays. A file has them beside it.")
        .default("data/usage"),
    Key::new("max_staleness", Type::Duration, "Cut off from the store for longer, keys are no longer accepted (503, never 401).")
        .default("5s"),
    Key::new("audit", Type::DurationOr("forever"), "How long the audit log is kept: `1d` at least, or `forever`. See `docs/life-cycle.md`.")
        .default("forever"),
    Key::new("history", Type::DurationOr("none"), "How long it is kept how keys were used, hour by hour: `1h` to `90d`; or `none`. See `docs/operations.md`.")
        .default("90d"),
    Key::new("cache", Type::Section(CACHE), "The keys held in memory."),
];

const CACHE: &[Key] = &[
    Key::new("capacity", Type::Integer(1, 1_000_000_000), "Most keys held in memory.").default("1000000"),
    Key::new("negative_ttl", Type::Duration, "How long an unknown key is remembered as unknown.")
        .default("5s"),
];

const LIMITS: &[Key] = &[
    Key::new(
        "backend",
        Type::Text,
        "`local`, in this process; or in Redis or Valkey, one count for all nodes: `redis://user:password@host:6379/0`, `rediss://…` with TLS, `redis-cluster://host-1:6379,host-2:6379` or `rediss-cluster://…` for a cluster. See `docs/limits.md`.",
    )
    .default("local"),
    Key::new(
        "mode",
        Type::Choice(&["script", "leased"]),
        "How Redis is asked: for each decision, or for blocks of permits, by which most requests wait for nobody.",
    )
    .default("script"),
    Key::new(
        "timeout",
        Type::Duration,
        "Longest that a request waits for Redis, at most 5s. After that `on_backend_failure` decides, and no further request waits until Redis answers again.",
    )
    .default("50ms"),
    Key::new(
        "on_backend_failure",
        Type::Choice(&["local", "allow", "deny"]),
        "What decides while Redis is away: each node for its share of the limit, nobody (all pass), or nobody (503).",
    )
    .default("local"),
    Key::new(
        "nodes",
        Type::Integer(1, 1000),
        "How many nodes share the limits at least, for `on_backend_failure: local`: each grants its share.",
    )
    .default("1"),
    Key::new(
        "prefix",
        Type::Text,
        "What every name in Redis begins with; gateways that share it share their limits.",
    )
    .default("portcullis"),
    Key::new(
        "unknown_keys",
        Type::SectionOr("none", UNKNOWN_KEYS),
        "How many unknown or forged credentials one client address (IPv6: one /64) may show; more are answered 429 without a look-up. Known keys are not affected.",
    )
    .default("30 per 1m"),
    Key::new(
        "memory",
        Type::Size,
        "Resident memory of the process over which new connections are closed at once and open ones end with their present answers; by default none.",
    ),
];

const UNKNOWN_KEYS: &[Key] = &[
    Key::new("requests", Type::Integer(1, u32::MAX as u64), "How many at once.").required(),
    Key::new("per", Type::Duration, "In what time as many are granted again, evenly.").required(),
    Key::new("mode", Type::Choice(MODES), "`observe` lets through and records what would have been refused.")
        .default("enforce"),
];

const JWT: &[Key] = &[
    Key::new("secret", Type::Text, "HS256 secret of the tokens that clients get, at least 32 characters.")
        .required(),
    Key::new(
        "other_secret",
        Type::Text,
        "Another secret whose tokens are accepted, and never made: the one before, or the next one, while `secret` is rotated.",
    ),
    Key::new("access_expiry", Type::Duration, "Life of an access token.").default("1h"),
    Key::new("refresh_expiry", Type::Duration, "Life of a refresh token.").default("30d"),
    Key::new(
        "upstream",
        Type::Section(JWT_UPSTREAM),
        "The signed identity that upstreams get; its keys are at `/.well-known/jwks.json`.",
    ),
];

const ACCOUNTS: &[Key] = &[
    Key::new(
        "signup",
        Type::Choice(&["closed", "invited", "open"]),
        "Who may make an account at `/api/auth/signup`: nobody, who has an invitation, or everybody.",
    )
    .default("invited"),
    Key::new(
        "organizations",
        Type::Choice(&["admins", "anyone"]),
        "Who may make organizations at `/api/org`: the server's admins, or everybody who has an account.",
    )
    .default("admins"),
];

const JWT_UPSTREAM: &[Key] = &[
    Key::new("issuer", Type::Text, "The `iss` claim.").default("portcullis"),
    Key::new("ttl", Type::Duration, "Life of an identity token.").default("5m"),
    Key::new(
        "algorithm",
        Type::Choice(&["EdDSA", "ES256"]),
        "How it is signed; `ES256` for JWT libraries without EdDSA.",
    )
    .default("EdDSA"),
];

const UPSTREAM: &[Key] = &[
    Key::new(
        "endpoints",
        Type::List(&Type::Text),
        "At least one of `http://host:port`, `https://host`, `h2c://host:port`.",
    )
    .required(),
    Key::new("timeouts", Type::Section(TIMEOUTS), "How long to wait for the service."),
    Key::new("balance", Type::Choice(BALANCES), "Which endpoint gets a request; see `docs/upstreams.md`.")
        .default("least_requests"),
    Key::new("health", Type::Section(HEALTH), "Active checks of each endpoint."),
    Key::new(
        "retry",
        Type::Section(RETRY),
        "When a request is sent again, to another endpoint where there is one.",
    )
    .default("connect, where there are several endpoints"),
    Key::new("eject", Type::Section(EJECT), "When an endpoint that fails requests is left alone."),
    Key::new(
        "limits",
        Type::Section(UPSTREAM_LIMITS),
        "How many requests the service gets at once, over all workers.",
    ),
    Key::new("tls", Type::Section(UPSTREAM_TLS), "How TLS to `https` endpoints differs from the usual."),
];

const DNS: &[Key] = &[
    Key::new(
        "servers",
        Type::List(&Type::Address),
        "Name servers, asked one after the other, such as `10.0.0.53:53`.",
    )
    .default("those of `/etc/resolv.conf`"),
    Key::new("timeout", Type::Duration, "How long one server may take to answer.").default("2s"),
];

const TIMEOUTS: &[Key] = &[
    Key::new("connect", Type::Duration, "To connect, TLS included.").default("2s"),
    Key::new("response", Type::Duration, "From the request's last byte to the answer's head.").default("30s"),
    Key::new(
        "idle",
        Type::Duration,
        "Between two pieces of an answer's body, and the age at which an unused connection is closed.",
    )
    .default("60s"),
    Key::new(
        "tunnel",
        Type::Duration,
        "How long both sides of a WebSocket, or what else `upgrade` allows, may be silent.",
    )
    .default("10m"),
];

const HEALTH: &[Key] = &[
    Key::new("path", Type::Text, "Path and query that is asked for with `GET`, such as `/healthz`.")
        .required(),
    Key::new("interval", Type::Duration, "From one check of an endpoint to the next; varied by a tenth.")
        .default("5s"),
    Key::new("timeout", Type::Duration, "For a check as a whole.").default("2s"),
    Key::new("unhealthy_after", Type::Integer(1, 1000), "Failures in a row that take an endpoint out.")
        .default("3"),
    Key::new("healthy_after", Type::Integer(1, 1000), "Successes in a row that bring it back.").default("2"),
    Key::new("expected_status", Type::Integer(100, 599), "The status of a healthy endpoint.")
        .default("200 to 399"),
    Key::new(
        "none_healthy",
        Type::Choice(NONE_HEALTHY),
        "While no endpoint is healthy, `refuse` answers 503 at once, `try` sends as if there were no checks.",
    )
    .default("refuse"),
];

const RETRY: &[Key] = &[
    Key::new("attempts", Type::Integer(1, 10), "Tries in all; `1` never sends again.").default("2"),
    Key::new(
        "on",
        Type::List(&Type::Text),
        "`connect`, `reset`, `timeout`, or status codes from 500 to 599.",
    )
    .default("[connect, reset, 502, 503, 504]"),
    Key::new("budget", Type::Text, "Most retries, as a share of the requests of the last ten seconds.")
        .default("20%"),
];

const EJECT: &[Key] = &[
    Key::new(
        "consecutive_failures",
        Type::Integer(1, 1000),
        "Failures in a row: no connection, no answer, 502, 503, 504.",
    )
    .default("5"),
    Key::new(
        "for",
        Type::Duration,
        "How long it is left alone; each time in a row as much longer, up to ten times.",
    )
    .default("30s"),
    Key::new(
        "max_ejected",
        Type::Text,
        "Most endpoints that are left alone at once, as a share; never all of them.",
    )
    .default("50%"),
];

const UPSTREAM_LIMITS: &[Key] = &[
    Key::new("max_requests", Type::Integer(1, 1_000_000), "Requests under way at once, bodies included.")
        .required(),
    Key::new(
        "max_queued",
        Type::Integer(0, 1_000_000),
        "Requests that wait for one of those to end; more are answered 503.",
    )
    .default("0"),
    Key::new("queue_timeout", Type::Duration, "How long one waits before it is answered 503.").default("1s"),
];

const UPSTREAM_TLS: &[Key] = &[
    Key::new("ca", Type::Path, "PEM file of the authorities that are trusted, in place of the system's."),
    Key::new(
        "certificate",
        Type::Section(CERTIFICATE),
        "What the gateway shows when the service asks who it is (mTLS).",
    ),
    Key::new(
        "server_name",
        Type::Text,
        "Name for SNI and for the check of the certificate, in place of the endpoint's host.",
    ),
];

const API: &[Key] = &[
    Key::new("name", Type::Text, "Its name, and its label in metrics.").required(),
    Key::new(
        "dialect",
        Type::Choice(DIALECTS),
        "Where credentials are, and which envelope errors and lists have.",
    )
    .required(),
    Key::new(
        "prefixes",
        Type::List(&Type::Text),
        "Path prefixes; the longest one that matches a request picks the API.",
    )
    .required(),
    Key::new("hosts", Type::List(&Type::Text), HOSTS_DOC).default("all"),
    Key::new(
        "redirect_to_https",
        Type::Boolean,
        "Send clients that come without TLS to `https://` on the same host, port 443, with status 308.",
    )
    .default("false"),
    Key::new("rate_limit", Type::SectionOr("none", RATE_LIMIT), "The limit of each key.")
        .default("ocriva: 60 per 1m, ocore: 600 per 1m, problem: none"),
    Key::new(
        "identity",
        Type::Choice(&["jwt", "headers", "none"]),
        "What upstreams learn of the caller: a signed JWT and headers, headers only, nothing.",
    )
    .default("jwt"),
    Key::new("body_limit", Type::Size, "Largest request body; more is answered 413.").default("50MiB"),
    Key::new("request_headers", Type::Section(EDITS), "Header fields of what upstreams get, altered."),
    Key::new("response_headers", Type::Section(EDITS), "Header fields of answers, altered."),
    Key::new("cors", Type::Section(CORS), "Which pages of other origins may use the API from a browser."),
    Key::new("addresses", Type::Section(OBSERVED), "The addresses that a key is bound to."),
    Key::new(
        "builtin",
        Type::BooleanOrWords(BUILTIN_GROUPS),
        "Serve the endpoints of the dialect that the gateway itself has; a list names those to serve beside the usual ones.",
    )
    .default("true"),
    Key::new(
        "key_prefixes",
        Type::List(&Type::Text),
        "How keys begin; for the `problem` dialect, the others have their own.",
    )
    .default("[]"),
    Key::new(
        "routes",
        Type::List(&Type::Section(ROUTE)),
        "What goes where; the most specific path wins, in any order.",
    )
    .default("[]"),
];

const RATE_LIMIT: &[Key] = &[
    Key::new(
        "requests",
        Type::Integer(1, u32::MAX as u64),
        "How many requests; at most 10000 with `sliding_window`.",
    )
    .required(),
    Key::new("per", Type::Duration, "In what time.").required(),
    Key::new("algorithm", Type::Choice(ALGORITHMS), "How they are counted.").default("token_bucket"),
    Key::new("mode", Type::Choice(MODES), "`observe` lets through and records what would have been refused.")
        .default("enforce"),
];

const ROUTE: &[Key] = &[
    Key::new(
        "path",
        Type::Text,
        "Literal segments, `{name}` for one segment, a closing `**` for any number of them.",
    )
    .required(),
    Key::new("methods", Type::List(&Type::Choice(METHODS)), "Methods; `HEAD` goes where `GET` goes.")
        .default("all"),
    Key::new("hosts", Type::List(&Type::Text), "Of the hosts of its API, those that the route is for.")
        .default("all of them"),
    Key::new(
        "headers",
        Type::Map(TEST),
        "Header fields that a request must have to be this route's; of routes of one path, more conditions win.",
    )
    .default("none"),
    Key::new("query", Type::Map(TEST), "Query parameters that a request must have to be this route's.")
        .default("none"),
    Key::new("auth", Type::Choice(&["none"]), "`none` opens the route to everyone."),
    Key::new(
        "project",
        Type::Section(PROJECT),
        "Where a request names its project; without it only the query is checked.",
    ),
    Key::new("require", Type::Section(REQUIRE), "What the key must hold."),
    Key::new(
        "upgrade",
        Type::List(&Type::Text),
        "Protocols that a client may go on in by `Upgrade`, e.g. `[websocket]`; see [streams](streams.md).",
    )
    .default("[]"),
    Key::new(
        "upstream",
        Type::ScalarOr(&Type::Text, &Type::Map(&Type::Integer(0, 1_000_000))),
        "The upstream that answers, or several with weights: `{ stable: 95, canary: 5 }`; this, `respond` or `redirect`.",
    ),
    Key::new(
        "sticky",
        Type::Choice(&["key"]),
        "With weights: each key always gets the same upstream. Without it each request is drawn.",
    ),
    Key::new("respond", Type::Section(RESPOND), "A fixed answer from the gateway."),
    Key::new("redirect", Type::Section(REDIRECT), "Sends the client elsewhere."),
    Key::new("rewrite", Type::Section(REWRITE), "The path that the upstream gets, where it is another one."),
    Key::new("request_headers", Type::Section(EDITS), "As that of the API, and after it."),
    Key::new("response_headers", Type::Section(EDITS), "As that of the API, and after it."),
    Key::new(
        "timeout",
        Type::Duration,
        "From the request's last byte to the answer's head, in place of the upstream's `timeouts.response`.",
    ),
    Key::new("body_limit", Type::Size, "Largest request body, in place of the API's."),
    Key::new("mirror", Type::Section(MIRROR), "An upstream that gets a copy of the requests; its answers go nowhere."),
];

const HOSTS_DOC: &str = "Hosts that the API is served on: `api.example.com`, or `*.example.com` for one label or more before \
                         it; a host wins over a longer prefix.";

/// A text, or one test.
const TEST: &Type = &Type::ScalarOr(&Type::Text, &Type::Section(TESTS));

const TESTS: &[Key] = &[
    Key::new("exact", Type::Text, "The value is this text."),
    Key::new("prefix", Type::Text, "The value begins with this text."),
    Key::new("present", Type::Boolean, "Whether it is there, with any value."),
];

const REWRITE: &[Key] = &[
    Key::new("strip_prefix", Type::Text, "Literal segments that the path loses: `/v1`."),
    Key::new("path", Type::Text, "The whole new path, with parameters of the route's: `/internal/{id}/**`."),
];

const REDIRECT: &[Key] = &[
    Key::new(
        "to",
        Type::Text,
        "A path or URL with parameters of the route's path; `{host}` is the request's host, where `hosts` are named. The query is kept.",
    )
    .required(),
    Key::new("status", Type::Integer(300, 399), "301, 302, 303, 307 or 308.").default("308"),
];

const EDITS: &[Key] = &[
    Key::new("remove", Type::List(&Type::Text), "Names of fields that are taken out.").default("[]"),
    Key::new("set", Type::Map(&Type::Text), "Fields put in place of whatever is there."),
    Key::new("add", Type::Map(&Type::Text), "Fields put beside whatever is there."),
];

const MIRROR: &[Key] = &[
    Key::new("upstream", Type::Text, "Who gets the copies.").required(),
    Key::new("share", Type::Text, "Of how many requests, such as `10%`.").default("100%"),
];

const CORS: &[Key] = &[
    Key::new(
        "origins",
        Type::List(&Type::Text),
        "`https://app.example.com`, `https://*.example.com` for one label or more, or `*` for every page.",
    )
    .required(),
    Key::new("methods", Type::List(&Type::Choice(METHODS)), "Methods that a page may use.").default("all"),
    Key::new(
        "headers",
        Type::List(&Type::Text),
        "Header fields that a page may send beside the credentials of the dialect and `Content-Type`; `*` for any.",
    )
    .default("[]"),
    Key::new(
        "expose",
        Type::List(&Type::Text),
        "Header fields that a page may read beside those that the gateway sets.",
    )
    .default("[]"),
    Key::new("credentials", Type::Boolean, "Whether a browser may send cookies along; never with `origins: [\"*\"]`.")
        .default("false"),
    Key::new("max_age", Type::Duration, "How long a browser may remember a preflight's answer.").default("10m"),
];

const OBSERVED: &[Key] = &[Key::new(
    "mode",
    Type::Choice(MODES),
    "`observe` lets through and records what would have been refused.",
)
.default("enforce")];

const PROJECT: &[Key] = &[
    Key::new("in", Type::Choice(&["query", "json", "multipart"]), "Where `projectId` is, besides the query.")
        .required(),
    Key::new(
        "required",
        Type::Choice(&["organization", "always", "never"]),
        "Who must name it: organization keys, every key, nobody.",
    )
    .default("organization"),
    Key::new("inject", Type::Boolean, "Add a project key's own project to the query; only with `in: query`.")
        .default("true for `in: query`"),
    Key::new(
        "mode",
        Type::Choice(MODES),
        "`observe` lets requests through that name none and have to; another's is always refused.",
    )
    .default("enforce"),
];

const REQUIRE: &[Key] = &[
    Key::new("permissions", Type::List(&Type::Text), "All of these; `manage:x` includes `view:x`.")
        .default("[]"),
    Key::new("scopes", Type::List(&Type::Text), "All of these.").default("[]"),
    Key::new("mode", Type::Choice(MODES), "`observe` lets through and records what would have been refused.")
        .default("enforce"),
];

const RESPOND: &[Key] = &[
    Key::new("status", Type::Integer(200, 599), "Status code.").required(),
    Key::new("body", Type::Text, "Sent as `application/json` when it is JSON, else as plain text.")
        .default("\"\""),
];

const WEBHOOKS: &[Key] = &[
    Key::new(
        "allow_networks",
        Type::List(&Type::Network),
        "Private or special networks into which events may be sent all the same, over plain HTTP too.",
    )
    .default("[]"),
    Key::new("timeout", Type::Duration, "To resolve, connect, send and be answered, all together.")
        .default("10s"),
];

const DRAIN: &[Key] = &[
    Key::new(
        "delay",
        Type::Duration,
        "How long it goes on accepting after `/readyz` has begun to answer 503, so that load balancers notice.",
    )
    .default("none"),
    Key::new(
        "timeout",
        Type::Duration,
        "How long requests and streams that are under way may take to end; what is left then is cut.",
    )
    .default("30s"),
];

const TELEMETRY: &[Key] = &[
    Key::new("access_log", Type::Section(ACCESS_LOG), "One JSON object for each request."),
    Key::new("traces", Type::Section(TRACES), "Traces for OpenTelemetry: see docs/traces.md."),
];

const ACCESS_LOG: &[Key] = &[
    Key::new("path", Type::Text, "`stdout`, `stderr` or a file, which is opened anew on SIGHUP.")
        .default("stdout"),
    Key::new("format", Type::Choice(&["json"]), "How a line is written.").default("json"),
    Key::new("sample", Type::Number(0.0, 1.0), "Share of requests that are logged.").default("1.0"),
];

const TRACES: &[Key] = &[
    Key::new(
        "otlp",
        Type::Text,
        "Where a collector takes OTLP over HTTP: `http://` or `https://`; `/v1/traces` is added to a path that does not end so.",
    )
    .required(),
    Key::new("sample", Type::Number(0.0, 1.0), "Share of requests that are traced although their client does not say that it traces them.")
        .default("0.01"),
    Key::new(
        "requested",
        Type::Number(0.0, 1.0),
        "Share of requests that are traced when their client says, in `traceparent`, that it traces them.",
    )
    .default("1.0"),
    Key::new("service_name", Type::Text, "What collectors know this gateway by: `service.name`.")
        .default("portcullis"),
    Key::new("headers", Type::List(&Type::Section(TRACES_HEADERS)), "Fields that the collector wants to see, such as a token.")
        .default("none"),
    Key::new("timeout", Type::Duration, "To connect, send and be answered, all together.").default("10s"),
];

const TRACES_HEADERS: &[Key] = &[
    Key::new("name", Type::Text, "Its name.").required(),
    Key::new("value", Type::Text, "Its value, which nothing shows.").required(),
];
