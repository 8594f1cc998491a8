//! What the configuration accepts, what it refuses, and with which words.

use super::from_str;
use crate::config::{
    AccessLog, BackendFailure, Bounds, Builtin, Config, Counting, Identity, LimitsBackend, LoadError,
    LogPath, Mode, PostgresTls, Problems, ProjectPlace, ProjectRequired, ProjectRule, Segment, StoreUrl,
    Target, Timeouts,
};
use std::path::Path;
use std::time::Duration;

const SECRET: &str = "0123456789-0123456789-0123456789";

fn env(name: &str) -> Option<String> {
    (name == "JWT_SECRET").then(|| SECRET.to_owned())
}

fn load(source: &str) -> Result<Config, Problems> {
    from_str(source, "portcullis.yaml", Path::new("/nowhere"), &env)
}

/// A folder with a certificate and a key that can be read; nobody looks into them here.
fn folder_with_certificate() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["fullchain.pem", "privkey.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.path().join("tls").join(name), "").unwrap();
    }
    folder
}

#[test]
fn the_commented_example_loads() {
    let folder = folder_with_certificate();
    let source = include_str!("../../../config/portcullis.yaml");
    let config = from_str(source, "portcullis.yaml", folder.path(), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((config.listeners.len(), config.apis.len(), config.upstreams.len()), (2, 2, 1));
    assert_eq!(config.apis[0].routes.len(), 8);
}

#[test]
fn the_demo_loads() {
    let folder = folder_with_certificate();
    let data = folder.path().display().to_string();
    let env = |name: &str| match name {
        "PORTCULLIS_DEMO_DATA" => Some(data.clone()),
        "PORTCULLIS_DEMO_UPSTREAM" => Some("http://127.0.0.1:9001".to_owned()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let source = include_str!("../../../config/demo.yaml");
    let config = from_str(source, "demo.yaml", Path::new("/nowhere"), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8443");
    assert!(config.listeners[1].tls.is_none());
}

/// A small valid file; `{apis}` and the like are put in by the tests.
fn file(listeners: &str, more: &str, routes: &str) -> String {
    format!(
        "listeners: [{listeners}]\nstore: {{ url: \"sqlite://x.db\" }}\njwt: {{ secret: \"${{JWT_SECRET}}\" }}\n\
         upstreams: {{ processing: {{ endpoints: [\"http://127.0.0.1:9001\"] }} }}\n{more}\n\
         apis:\n  - name: a\n    dialect: problem\n    prefixes: [/v1, /v2]\n    routes: [{routes}]\n"
    )
}

const PLAIN: &str = "{ address: \"127.0.0.1:8080\" }";

/// `code path` of every problem.
fn problems(source: &str) -> Vec<String> {
    match load(source) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| format!("{} {}", p.code.as_str(), p.path)).collect(),
    }
}

fn only(source: &str) -> String {
    let found = problems(source);
    assert_eq!(found.len(), 1, "{source}\n{found:?}");
    found.into_iter().next().unwrap()
}

fn route(route: &str) -> String {
    only(&file(PLAIN, "", route))
}

fn more(text: &str) -> String {
    only(&file(PLAIN, text, ""))
}

#[test]
fn five_mistakes_give_five_diagnostics_at_their_places() {
    let source = "\
listeners:
  - address: localhost:8080
store:
  url: sqlite://data/portcullis.db
jwt:
  secret: too-short-but-still-secret # rotate
upstreams:
  processing:
    endpoints: [http://127.0.0.1:9001]
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: { requets: 60, requests: 60, per: 1min }
    routes:
      - { path: /v1/openapi/**, upstream: procesing }
";
    let rendered = load(source).unwrap_err().to_string();
    assert_eq!(
        rendered,
        "\
portcullis.yaml:2:14: error[invalid-value]: `localhost:8080` is not an IP address and a port
 2 |   - address: localhost:8080
   |              ^
help: such as `0.0.0.0:8443`, `127.0.0.1:8080` or `[::]:8443`

portcullis.yaml:6:11: error[invalid-value]: the secret is shorter than 32 characters
 6 |   secret: *** # rotate
   |           ^
help: make one with `openssl rand -base64 48` and pass it in: `secret: ${JWT_SECRET}` or `${file:/path}`

portcullis.yaml:14:19: error[unknown-key]: unknown key `requets` in `apis[0].rate_limit`
 14 |     rate_limit: { requets: 60, requests: 60, per: 1min }
    |                   ^
help: did you mean `requests`?

portcullis.yaml:14:51: error[invalid-value]: `1min` is not a duration
 14 |     rate_limit: { requets: 60, requests: 60, per: 1min }
    |                                                   ^
help: write a whole number and a unit: `250ms`, `5s`, `1m`, `1h` or `30d`

portcullis.yaml:16:43: error[unknown-reference]: there is no upstream `procesing`
 16 |       - { path: /v1/openapi/**, upstream: procesing }
    |                                           ^
help: did you mean `processing`?
"
    );
}

#[test]
fn the_measured_configuration_loads_with_its_defaults() {
    let folder = folder_with_certificate();
    let source = "\
listeners:
  - address: 127.0.0.1:8080
  - address: 127.0.0.1:8443
    tls:
      certificates: [{ cert: \"tls/cert.pem\", key: \"tls/key.pem\" }]
admin:
  address: 127.0.0.1:9090
store:
  url: \"sqlite://data/portcullis.db\"
limits:
  backend: local
jwt:
  secret: measuring-needs-no-secret-but-32-characters
  upstream: { issuer: https://api.example.com, ttl: 5m, algorithm: EdDSA }
upstreams:
  processing:
    endpoints: [http://127.0.0.1:9001]
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1, /api/v1]
    rate_limit: { requests: 100000000, per: 1m, algorithm: token_bucket }
    identity: jwt
    routes:
      - { path: /v1/openapi/processing-history, project: { in: query }, require: { scopes: [documents] }, upstream: processing }
      - { path: /v1/openapi/processing-history/**, project: { in: query }, require: { scopes: [documents] }, upstream: processing }
telemetry:
  access_log: { path: stdout, format: json, sample: 0.0 }
";
    let config = from_str(source, "p.yaml", folder.path(), &|_| None).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.store.url, StoreUrl::Sqlite(folder.path().join("data/portcullis.db")));
    assert_eq!(config.listeners[0].bounds, Bounds::default());
    assert_eq!(config.telemetry.access_log, AccessLog { path: LogPath::Stdout, sample: 0.0 });
    let api = &config.apis[0];
    assert_eq!(api.rate_limit.unwrap().rate.requests.get(), 100_000_000);
    assert_eq!((api.body_limit, api.builtin, api.identity), (50 << 20, Builtin::USUAL, Identity::Jwt));
    let rule = ProjectRule {
        place: ProjectPlace::Query,
        required: ProjectRequired::Organization,
        inject: true,
        mode: Mode::Enforce,
    };
    assert_eq!(api.routes[0].project, Some(rule));
    assert_eq!(api.routes[1].pattern.last(), Some(&Segment::Rest));
    assert_eq!(api.routes[0].target, Target::Upstream(0));
}

#[test]
fn defaults_are_those_that_the_reference_names() {
    let config = load(&file(PLAIN, "", "")).unwrap();
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9090");
    assert_eq!(config.store.max_staleness, Duration::from_secs(5));
    assert_eq!(config.store.cache_capacity.get(), 1_000_000);
    assert_eq!(config.jwt.access_expiry, Duration::from_secs(3_600));
    assert_eq!(config.jwt.refresh_expiry, Duration::from_secs(2_592_000));
    assert_eq!(&*config.jwt.upstream.issuer, "portcullis");
    assert_eq!(config.upstreams[0].timeouts, Timeouts::default());
    assert_eq!(config.workers, std::thread::available_parallelism().unwrap());
    assert!(config.apis[0].rate_limit.is_none());
    let of = |dialect: &str, more: &str| {
        let source =
            file(PLAIN, "", "").replace("dialect: problem", &format!("dialect: {dialect}\n    {more}"));
        load(&source).unwrap().apis[0].rate_limit.map(|limit| limit.rate.requests.get())
    };
    assert_eq!((of("ocriva", ""), of("ocore", "")), (Some(60), Some(600)));
    assert_eq!(of("ocriva", "rate_limit: none"), None);
}

#[test]
fn listeners_and_admin_are_checked() {
    let listeners = |list: &str| only(&file(list, "", ""));
    assert_eq!(listeners(""), "invalid-value listeners");
    assert_eq!(listeners("{ address: \":8080\" }"), "invalid-value listeners[0].address");
    assert_eq!(listeners("{ }"), "missing-key listeners[0].address");
    let twice = format!("{PLAIN}, {PLAIN}");
    assert_eq!(listeners(&twice), "conflict listeners[1].address");
    assert_eq!(
        listeners(&format!("{PLAIN}, {{ address: \"0.0.0.0:8080\" }}")),
        "conflict listeners[1].address"
    );
    assert!(load(&file("{ address: \"127.0.0.1:0\" }, { address: \"127.0.0.1:0\" }", "", "")).is_ok());
    assert_eq!(
        listeners("{ address: \"127.0.0.1:1\", trusted_proxies: [10.0.0.0/33] }"),
        "invalid-value listeners[0].trusted_proxies[0]"
    );
    assert_eq!(
        listeners("{ address: \"127.0.0.1:1\", limits: { header_size: 1B } }"),
        "invalid-value listeners[0].limits.header_size"
    );
    assert_eq!(more("admin: { address: \"127.0.0.1:8080\" }"), "conflict admin.address");
    assert_eq!(listeners("{ address: \"127.0.0.1:9090\" }"), "conflict listeners[0].address");
    assert_eq!(more("admin: { address: \"0.0.0.0:9090\" }"), "conflict admin.address");
    assert!(load(&file(PLAIN, "admin: { address: \"0.0.0.0:9090\", insecure: true }", "")).is_ok());
    let missing = "{ address: \"127.0.0.1:1\", tls: { certificates: [{ cert: a.pem, key: b.pem }] } }";
    assert_eq!(
        problems(&file(missing, "", "")),
        ["file listeners[0].tls.certificates[0].cert", "file listeners[0].tls.certificates[0].key",]
    );
}

#[test]
fn unknown_keys_are_limited_unless_that_is_turned_off() {
    let limit = |limits: &str| {
        let limits = load(&file(PLAIN, limits, "")).unwrap_or_else(|p| panic!("{p}")).limits;
        limits.unknown_keys.map(|rate| (rate.requests.get(), rate.per.as_secs()))
    };
    for default in ["", "limits: { backend: local }"] {
        assert_eq!(limit(default), Some((30, 60)));
    }
    assert_eq!(limit("limits: { unknown_keys: none }"), None);
    assert_eq!(limit("limits: { unknown_keys: { requests: 5, per: 1h } }"), Some((5, 3600)));
    for (bad, path) in [
        ("nnoe", "wrong-type limits.unknown_keys"),
        ("false", "wrong-type limits.unknown_keys"),
        ("{ per: 1m }", "missing-key limits.unknown_keys.requests"),
        ("{ requests: 5 }", "missing-key limits.unknown_keys.per"),
        ("{ requests: 0, per: 1m }", "invalid-value limits.unknown_keys.requests"),
        ("{ requests: 5, per: 0s }", "invalid-value limits.unknown_keys.per"),
        ("{ requests: 5, per: 1m, algorithm: x }", "unknown-key limits.unknown_keys.algorithm"),
    ] {
        assert_eq!(more(&format!("limits: {{ unknown_keys: {bad} }}")), path);
    }
}

#[test]
fn limits_are_counted_in_the_process_or_in_redis() {
    let backend = |text: &str| {
        let limits =
            load(&file(PLAIN, &format!("limits: {{ {text} }}"), "")).unwrap_or_else(|p| panic!("{p}"));
        match limits.limits.backend {
            LimitsBackend::Local => None,
            LimitsBackend::Shared(shared) => Some(shared),
        }
    };
    // What says how Redis is asked may stand there before it is.
    assert!(backend("backend: local, mode: leased, on_backend_failure: deny, timeout: 1s").is_none());
    let usual = backend("backend: \"redis://host:6379\"").unwrap();
    assert_eq!((usual.counting, usual.on_failure), (Counting::Script, BackendFailure::Local));
    assert_eq!((usual.timeout.as_millis(), &*usual.prefix, usual.nodes.get()), (50, "portcullis", 1));
    let addresses = |text: &str| {
        let shared = backend(&format!("backend: \"{text}\"")).unwrap();
        let all: Vec<String> = shared.addresses.iter().map(|it| it.expose().to_owned()).collect();
        (shared.cluster, all.join(" "))
    };
    for (text, cluster, all) in [
        ("redis://host", false, "redis://host"),
        ("rediss://me:pw@host:6380/3", false, "rediss://me:pw@host:6380/3"),
        ("redis://[::1]:6379/", false, "redis://[::1]:6379"),
        ("redis-cluster://a:1,b:2", true, "redis://a:1 redis://b:2"),
        ("rediss-cluster://:pw@a,b", true, "rediss://:pw@a rediss://:pw@b"),
    ] {
        assert_eq!(addresses(text), (cluster, all.to_owned()), "{text}");
    }
    for (bad, path) in [
        ("backend: redis", "limits.backend"),
        ("backend: \"redis://\"", "limits.backend"),
        ("backend: \"redis://host:0\"", "limits.backend"),
        ("backend: \"redis://host:port\"", "limits.backend"),
        ("backend: \"redis://host/name\"", "limits.backend"),
        ("backend: \"redis://a,b\"", "limits.backend"),
        ("backend: \"redis-cluster://a/1,b\"", "limits.backend"),
        ("backend: \"http://host\"", "limits.backend"),
        ("backend: local, mode: blocks", "limits.mode"),
        ("backend: local, timeout: 6s", "limits.timeout"),
        ("backend: local, on_backend_failure: pass", "limits.on_backend_failure"),
        ("backend: local, nodes: 1001", "limits.nodes"),
        ("backend: local, prefix: \"a{b}\"", "limits.prefix"),
    ] {
        assert_eq!(more(&format!("limits: {{ {bad} }}")), format!("invalid-value {path}"), "{bad}");
    }
}

#[test]
fn networks_may_be_addresses_and_lose_their_host_bits() {
    let source = file("{ address: \"127.0.0.1:1\", trusted_proxies: [10.1.2.3/8, 192.0.2.7] }", "", "");
    let nets: Vec<String> =
        load(&source).unwrap().listeners[0].trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.0.0.0/8", "192.0.2.7/32"]);
}

#[test]
fn the_secret_is_counted_in_characters_and_never_shown() {
    let with = |secret: &str| file(PLAIN, "", "").replace("${JWT_SECRET}", secret);
    assert!(load(&with(&"ก".repeat(32))).is_ok());
    assert_eq!(only(&with(&"ก".repeat(31))), "invalid-value jwt.secret");
    assert_eq!(only(&with("${UNSET}")), "variable jwt.secret");
    assert_eq!(only(&with("hunter2").replace("secret:", "sceret:")), "unknown-key jwt.sceret");
}

#[test]
fn the_audit_log_is_kept_for_a_day_at_least() {
    let with = |audit: &str| file(PLAIN, "", "").replace("x.db\" }", &format!("x.db\", audit: {audit} }}"));
    assert_eq!(load(&file(PLAIN, "", "")).unwrap().store.audit, None);
    assert_eq!(load(&with("forever")).unwrap().store.audit, None);
    assert_eq!(load(&with("1d")).unwrap().store.audit, Some(Duration::from_secs(86_400)));
    assert_eq!(only(&with("23h")), "invalid-value store.audit");
}

#[test]
fn a_second_secret_is_as_long_as_the_first_and_another_one() {
    let one = "1".repeat(32);
    let with = |other: &str| {
        let both = format!("secret: {one}, other_secret: {other}");
        file(PLAIN, "", "").replace("secret: \"${JWT_SECRET}\"", &both)
    };
    assert_eq!(load(&with(&"2".repeat(32))).unwrap().jwt.other_secret.unwrap().expose(), "2".repeat(32));
    assert_eq!(only(&with(&"2".repeat(31))), "invalid-value jwt.other_secret");
    assert_eq!(only(&with(&one)), "conflict jwt.other_secret");
}

#[test]
fn no_diagnostic_holds_a_secret() {
    for broken in [
        "jwt: { secret: hunter2 }",
        "jwt: { sceret: hunter2 }",
        "jwt: { secret: [hunter2] }",
        "jwt: { secret: hunter2, secret: hunter2 }",
        "jwt: { secret: hunter2, [",
        "jwt:\n  secret: hunter2\n  oops",
        "jwt:\n  secret: |\n    hunter2\n  oops: 1",
        "jwt: { secret: 'hunter2",
        "jwt: { secret: \"${SHORT}\" }",
        "jwt:\n  ? secret\n  : hunter2",
        "store: { url: 'x, jwt: { secret: hunter2 }' }\nadmin: 'x, jwt: { secret: hunter2 }'",
        "listeners: [{ address: \"http://me:hunter2@host\", trusted_proxies: [\"http://me:hunter2@host\"] }]",
        "jwt: { access_expiry: 1h, secret: \"${UNSET:-hunter2}\" }",
        "store: { url: postgres://me:hunter2@host/db }",
        "store: { url: mysql://me:hunter2@host/db }",
        "limits: { backend: \"redis://:hunter2@host:0\" }",
        "limits: { backend: \"redis://me:hunter2@host-1,host-2\" }",
        "limits: { backend: \"radis://me:hunter2@host\" }",
        "upstreams: { a: { endpoints: [\"http://me:hunter2@host\"] } }",
    ] {
        let env = |name: &str| (name == "SHORT").then(|| "hunter2".to_owned());
        let problems = from_str(broken, "f.yaml", Path::new("/"), &env).unwrap_err();
        assert!(!problems.to_string().contains("hunter2"), "{broken}\n{problems}");
        assert!(!problems.iter().any(|p| format!("{p:?}").contains("hunter2")), "{broken}");
    }
}

#[test]
fn a_store_is_a_file_or_a_server() {
    let file = |store: &str| file(PLAIN, "", "").replace("{ url: \"sqlite://x.db\" }", store);
    let StoreUrl::Postgres(server) =
        load(&file("{ url: \"postgres://me@host/db\", password: \"a/b@c\", connections: 16 }"))
            .unwrap()
            .store
            .url
    else {
        panic!()
    };
    assert_eq!((server.user.as_str(), server.database.as_str(), server.connections), ("me", "db", 16));
    assert_eq!(
        (server.tls, server.usage.file_name().unwrap().to_str()),
        (PostgresTls::Verified, Some("usage"))
    );
    assert_eq!(server.password.as_ref().map(crate::token::Secret::expose), Some("a/b@c"));
    for (store, want) in [
        ("{ url: \"postgres://host/db\" }", "invalid-value store.url"),
        ("{ url: \"postgres://me:x@host/db\", password: y }", "conflict store.url"),
        ("{ url: \"postgres://me@host/db?sslrootcert=missing.pem\" }", "file store.url"),
        ("{ url: \"postgres://me@host/db\", connections: 3 }", "invalid-value store.connections"),
        ("{ url: \"sqlite://x.db\", password: y }", "conflict store.password"),
        ("{ url: \"sqlite://x.db\", usage: y }", "conflict store.usage"),
        ("{ url: \"mysql://me@host/db\" }", "invalid-value store.url"),
    ] {
        assert_eq!(only(&file(store)), want, "{store}");
    }
}

#[test]
fn what_a_listener_asks_of_its_clients_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.pem");
    std::fs::write(&path, "").unwrap();
    let path = path.display();
    let of = |text: &str| file(&format!("{{ address: \"127.0.0.1:1\", {text} }}"), "", "");
    let pair = format!("certificates: [{{ cert: {path}, key: {path} }}]");
    let tls = |text: &str| of(&format!("tls: {{ {pair}, {text} }}"));
    let acme = |text: &str| of(&format!("tls: {{ acme: {{ {text} }} }}"));
    for (text, want) in [
        (of("proxy_protocol: true"), "conflict listeners[0].proxy_protocol"),
        (of("tls: {}"), "missing-key listeners[0].tls.certificates"),
        (tls("min_version: 1.1"), "invalid-value listeners[0].tls.min_version"),
        (tls("client_auth: optional"), "conflict listeners[0].tls.client_auth"),
        (tls("forward_client_cert: true"), "conflict listeners[0].tls.forward_client_cert"),
        (tls("client_ca: none.pem"), "file listeners[0].tls.client_ca"),
        (tls(&format!("client_ca: {path}, acme: {{ domains: [a.test] }}")), "conflict listeners[0].tls.acme"),
        (acme("domains: []"), "invalid-value listeners[0].tls.acme.domains"),
        (acme("domains: [\"*.a.test\"]"), "invalid-value listeners[0].tls.acme.domains[0]"),
        (acme("domains: [192.0.2.1]"), "invalid-value listeners[0].tls.acme.domains[0]"),
        (acme("domains: [a_b.test]"), "invalid-value listeners[0].tls.acme.domains[0]"),
        (
            acme("domains: [a.test], directory: \"http://a/\""),
            "invalid-value listeners[0].tls.acme.directory",
        ),
        (acme("domains: [a.test], challenge: dns-01"), "invalid-value listeners[0].tls.acme.challenge"),
    ] {
        assert_eq!(only(&text), want);
    }
    let good = format!(
        "min_version: 1.3, client_ca: {path}, client_auth: optional, acme: {{ domains: [B.test, a.test] }}"
    );
    let good = of(&format!("proxy_protocol: true, trusted_proxies: [192.0.2.1], tls: {{ {pair}, {good} }}"));
    let listener = load(&good).unwrap().listeners.remove(0);
    assert!(listener.proxy_protocol && listener.forwarders().is_empty());
    let tls = listener.tls.unwrap();
    assert_eq!(tls.min_version, crate::config::TlsVersion::V1_3);
    assert!(tls.clients.is_some_and(|clients| !clients.required && !clients.forward));
    assert_eq!(tls.acme.unwrap().name(), "https://acme-v02.api.letsencrypt.org/directory a.test,b.test");
}

#[test]
fn upstreams_are_checked() {
    let with = |keys: &str| file(PLAIN, "", "").replace("endpoints:", &format!("{keys}, endpoints:"));
    for good in [
        "balance: ip_hash",
        "health: { path: /healthz, interval: 5s, unhealthy_after: 3, healthy_after: 2, none_healthy: try }",
        "retry: { attempts: 2, on: [connect, 502, 503, 504], budget: 20% }",
        "retry: { attempts: 1, on: [] }",
        "eject: { consecutive_failures: 5, for: 30s, max_ejected: 100% }",
        "limits: { max_requests: 100, max_queued: 0, queue_timeout: 1s }",
    ] {
        load(&with(good)).unwrap_or_else(|p| panic!("{good}: {p}"));
    }
    for (bad, want) in [
        ("balance: fastest", "invalid-value balance"),
        ("health: { interval: 5s }", "missing-key health.path"),
        ("health: { path: healthz }", "invalid-value health.path"),
        ("health: { path: \"/a b\" }", "invalid-value health.path"),
        ("health: { path: /, expected_status: 99 }", "invalid-value health.expected_status"),
        ("retry: { attempts: 0 }", "invalid-value retry.attempts"),
        ("retry: { on: [connect, 404] }", "invalid-value retry.on[1]"),
        ("retry: { budget: 101% }", "invalid-value retry.budget"),
        ("retry: { budget: 0% }", "invalid-value retry.budget"),
        ("retry: { budget: 20 }", "invalid-value retry.budget"),
        ("eject: { consecutive_failures: 0 }", "invalid-value eject.consecutive_failures"),
        ("eject: { max_ejected: 200% }", "invalid-value eject.max_ejected"),
        ("limits: { max_queued: 5 }", "missing-key limits.max_requests"),
        ("limits: { max_requests: 0 }", "invalid-value limits.max_requests"),
        ("tls: { server_name: a.example }", "conflict tls"),
        ("tls: { ca: nowhere.pem }", "file tls.ca"),
    ] {
        let (code, key) = want.split_once(' ').unwrap();
        let found = problems(&with(bad));
        assert!(found.contains(&format!("{code} upstreams.processing.{key}")), "{bad}: {found:?}");
    }
}

#[test]
fn routes_are_checked() {
    let up = "upstream: processing";
    assert!(load(&file(PLAIN, "", &format!("{{ path: \"/v1/{{id}}/**\", {up} }}"))).is_ok());
    for (text, want) in [
        ("{ path: /v3/x, upstream: processing }", "conflict apis[0].routes[0].path"),
        ("{ path: /v1x, upstream: processing }", "conflict apis[0].routes[0].path"),
        ("{ path: \"/{v}/x\", upstream: processing }", "conflict apis[0].routes[0].path"),
        ("{ path: \"/v1/**/x\", upstream: processing }", "invalid-value apis[0].routes[0].path"),
        ("{ path: /v1/%2e%2e, upstream: processing }", "invalid-value apis[0].routes[0].path"),
        ("{ path: /v1/a }", "missing-key apis[0].routes[0].upstream"),
        (
            "{ path: /v1/a, upstream: processing, respond: { status: 200 } }",
            "conflict apis[0].routes[0].respond",
        ),
        ("{ path: /v1/a, upstream: nobody }", "unknown-reference apis[0].routes[0].upstream"),
        (
            "{ path: /v1/a, methods: [get], upstream: processing }",
            "invalid-value apis[0].routes[0].methods[0]",
        ),
        ("{ path: /v1/a, methods: [], upstream: processing }", "invalid-value apis[0].routes[0].methods"),
        (
            "{ path: /v1/a, methods: [GET, GET], upstream: processing }",
            "conflict apis[0].routes[0].methods[1]",
        ),
        ("{ path: /v1/a, auth: nobody, upstream: processing }", "invalid-value apis[0].routes[0].auth"),
        ("{ path: /v1/a, respond: { status: 100 } }", "invalid-value apis[0].routes[0].respond.status"),
        (
            "{ path: /v1/a, project: { in: json, inject: true }, upstream: processing }",
            "conflict apis[0].routes[0].project.inject",
        ),
        (
            "{ path: /v1/a, auth: none, project: { in: query }, upstream: processing }",
            "conflict apis[0].routes[0].project",
        ),
        (
            "{ path: /v1/a, auth: none, require: { scopes: [x] }, upstream: processing }",
            "conflict apis[0].routes[0].require",
        ),
        (
            "{ path: /v1/a, require: { scopes: [] }, upstream: processing }",
            "invalid-value apis[0].routes[0].require.scopes",
        ),
    ] {
        assert_eq!(route(text), want, "{text}");
    }
}

#[test]
fn two_routes_must_not_want_the_same_requests() {
    let two = |a: &str, b: &str| {
        let route = |methods: &str, name: &str| {
            format!("{{ path: \"/v1/{{{name}}}\", {methods} upstream: processing }}")
        };
        problems(&file(PLAIN, "", &format!("{}, {}", route(a, "x"), route(b, "y"))))
    };
    let conflict = ["conflict apis[0].routes[1].path"];
    assert_eq!(two("", ""), conflict);
    assert_eq!(two("", "methods: [GET],"), conflict);
    assert_eq!(two("methods: [GET, POST],", "methods: [POST],"), conflict);
    assert_eq!(two("methods: [GET],", "methods: [POST],"), [""; 0]);
}

#[test]
fn prefixes_belong_to_one_api() {
    let two = |first: &str, second: &str, path: &str| {
        let api = |name: &str, prefix: &str, routes: &str| {
            format!("  - {{ name: {name}, dialect: problem, prefixes: [{prefix}], routes: [{routes}] }}\n")
        };
        let route =
            if path.is_empty() { String::new() } else { format!("{{ path: {path}, upstream: processing }}") };
        let source = file(PLAIN, "", "");
        let head = source.split("apis:").next().unwrap();
        problems(&format!("{head}apis:\n{}{}", api("a", first, &route), api("b", second, "")))
    };
    assert_eq!(two("/v1", "/v1/", ""), ["conflict apis[1].prefixes[0]"]);
    assert_eq!(two("/api", "/api/v1", "/api/x"), [""; 0]);
    assert_eq!(two("/api", "/api/v1", "/api/v1/x"), ["conflict apis[0].routes[0].path"]);
    assert_eq!(two("/", "/api", "/x"), [""; 0]);
    assert_eq!(two("/a*", "/b", ""), ["invalid-value apis[0].prefixes[0]"]);
    let same_name = file(PLAIN, "", "") + "  - { name: a, dialect: ocore, prefixes: [/x] }\n";
    assert_eq!(only(&same_name), "conflict apis[1].name");
}

#[test]
fn apis_are_checked() {
    let api = |key: &str| {
        only(&file(PLAIN, "", "").replace("dialect: problem", &format!("dialect: problem\n    {key}")))
    };
    let limit = |more: &str| api(&format!("rate_limit: {{ requests: 10001, per: 1m, {more} }}"));
    assert_eq!(limit("algorithm: sliding_window"), "invalid-value apis[0].rate_limit.requests");
    assert_eq!(limit("algorithm: leaky"), "invalid-value apis[0].rate_limit.algorithm");
    assert_eq!(limit("mode: watch"), "invalid-value apis[0].rate_limit.mode");
    assert_eq!(api("rate_limit: { requests: 0, per: 1m }"), "invalid-value apis[0].rate_limit.requests");
    assert_eq!(api("rate_limit: { requests: 1, per: 0s }"), "invalid-value apis[0].rate_limit.per");
    assert_eq!(api("rate_limit: { requests: 1 }"), "missing-key apis[0].rate_limit.per");
    assert_eq!(api("rate_limit: off"), "wrong-type apis[0].rate_limit");
    assert_eq!(api("identity: jtw"), "invalid-value apis[0].identity");
    assert_eq!(api("body_limit: 50mb"), "invalid-value apis[0].body_limit");
    assert_eq!(api("key_prefixes: [\"a b\"]"), "invalid-value apis[0].key_prefixes[0]");
    assert_eq!(api("builtin: \"yes\""), "wrong-type apis[0].builtin");
    assert_eq!(api("builtin: [members, role]"), "invalid-value apis[0].builtin[1]");
    assert_eq!(api("builtin: [true]"), "invalid-value apis[0].builtin[0]");
    let source = file(PLAIN, "", "").replace("problem", "ocirva");
    assert!(load(&source).unwrap_err().to_string().contains("did you mean `ocriva`?"));
    let source = file(PLAIN, "", "").replace("problem", "ocore\n    key_prefixes: [x_]");
    assert_eq!(only(&source), "conflict apis[0].key_prefixes");
}

#[test]
fn a_variable_can_be_a_number_a_duration_or_an_address() {
    let env = |name: &str| match name {
        "JWT_SECRET" => Some(SECRET.to_owned()),
        "PORT" => Some("8080".to_owned()),
        "N" => Some("60".to_owned()),
        _ => None,
    };
    let source = file("{ address: \"127.0.0.1:${PORT}\" }", "workers: \"${N}\"", "").replace(
        "dialect: problem",
        "dialect: problem\n    rate_limit: { requests: \"${N}\", per: \"${PER:-5m}\" }",
    );
    let config = from_str(&source, "f", Path::new("/"), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.workers.get(), 60);
    assert_eq!(config.apis[0].rate_limit.unwrap().rate.per, Duration::from_secs(300));
}

#[test]
fn a_secret_file_is_read_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let path = folder.path().join("portcullis.yaml");
    std::fs::write(&path, file(PLAIN, "", "").replace("${JWT_SECRET}", "${file:secret}")).unwrap();
    let loaded = Config::load_with(&path, &|_| None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.config.jwt.secret.expose(), SECRET);
    assert_eq!(loaded.files, [path.clone(), folder.path().join("secret")]);
    assert!(matches!(
        Config::load_with(&folder.path().join("none"), &env),
        Err(LoadError::Unreadable { .. })
    ));
}

proptest::proptest! {
    /// Whatever is done to the example, the answer is a configuration or problems with places inside the file.
    #[test]
    fn no_mutation_of_the_example_panics(
        cuts in proptest::collection::vec((0usize..8_000, 0usize..40, "[-{}\\[\\]:,#&*!|>'\"%@`$ \n\ta-z0-9ก]{0,6}"), 1..6),
    ) {
        let mut source = include_str!("../../../config/portcullis.yaml").to_owned();
        for (at, length, text) in cuts {
            let floor = |mut at: usize| { while !source.is_char_boundary(at) { at -= 1; } at };
            let (from, to) = (floor(at.min(source.len())), floor((at + length).min(source.len())));
            source.replace_range(from.min(to)..to, &text);
        }
        if let Err(problems) = load(&source) {
            proptest::prop_assert!(problems.count() > 0);
            let lines = source.split('\n').count();
            proptest::prop_assert!(problems.iter().all(|p| (1..=lines + 1).contains(&p.line) && p.column > 0));
            proptest::prop_assert!(!problems.to_string().is_empty());
        }
    }
}
