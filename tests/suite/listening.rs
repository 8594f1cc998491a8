//! Listeners: TLS, names, HTTP/1.1 and 2, heads that are too large, malformed or slow, drain, trusted proxies.

use crate::support::backend::Backend;
use crate::support::certificate::{self, Leaf, trusting};
use crate::support::client::Connection;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::h2::H2;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::{organization, world};
use crate::support::{Reply, assert_ocore, assert_ocriva, get, method, post, wait};
use rustls::ProtocolVersion;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";
const SECOND: Duration = Duration::from_secs(1);

/// A gateway with certificates for `a.test` and `b.test`, the first being the default.
struct Secure {
    gateway: Gateway,
    upstream: Upstream,
    key: String,
    a: Leaf,
    b: Leaf,
}

impl Secure {
    fn start() -> Self {
        let upstream = Upstream::http();
        let gateway = Gateway::prepare(&Settings::usual(&upstream.url()).unlimited().tls(&["a", "b"]));
        let (a, b) = (certificate::leaf(&["a.test", "*.a.test"]), certificate::leaf(&["b.test"]));
        a.write(gateway.folder(), "a");
        b.write(gateway.folder(), "b");
        let mut org = organization();
        let key = org.org_key();
        gateway.import(&Fixture::default().with(org).text()).expect_success();
        let mut secure = Self { gateway, upstream, key, a, b };
        secure.gateway.serve();
        secure
    }

    fn address(&self) -> std::net::SocketAddr {
        self.gateway.tls.expect("a TLS listener")
    }
}

fn plain_gateway(alter: impl FnOnce(&mut Value)) -> (Gateway, Upstream, String) {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| {
        value["listeners"] = json!([{}]);
        alter(value);
    });
    (Gateway::start(&settings, &Fixture::default().with(org)), upstream, key)
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let secure = Secure::start();
    for (only, version) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let config = trusting(&[b"http/1.1"], Some(only));
        let (mut connection, handshake) = Connection::tls(secure.address(), "a.test", config).expect("TLS");
        assert_eq!(handshake.version, Some(version));
        assert_eq!(handshake.alpn.as_deref(), Some(&b"http/1.1"[..]));
        let reply = connection.send(&get(TARGET).key(&secure.key)).expect(200);
        assert_eq!(secure.upstream.one(&reply.tag).header("x-forwarded-proto"), Some("https"));
    }
}

#[test]
fn the_server_name_picks_the_certificate_and_the_first_is_the_default() {
    let secure = Secure::start();
    let leaf = |name: &str| {
        Connection::tls(secure.address(), name, trusting(&[], None)).map(|(_, handshake)| handshake.leaf)
    };
    assert_eq!(leaf("a.test").expect("a handshake"), secure.a.der);
    assert_eq!(leaf("b.test").expect("a handshake"), secure.b.der);
    assert_eq!(leaf("B.TEST").expect("a handshake"), secure.b.der);
    assert_eq!(leaf("x.a.test").expect("a handshake"), secure.a.der);
    // Nobody's name gets the default, which this client then rightly refuses.
    assert!(leaf("c.test").is_err());
}

#[test]
fn certificates_are_read_again_when_they_change() {
    let secure = Secure::start();
    let leaf = || {
        let (_, handshake) = Connection::tls(secure.address(), "b.test", trusting(&[], None)).expect("TLS");
        handshake.leaf
    };
    assert_eq!(leaf(), secure.b.der);
    let (mut old, _) = Connection::tls(secure.address(), "b.test", trusting(&[], None)).expect("TLS");
    assert_eq!(old.send(&get(TARGET).key(&secure.key)).status, 200);
    let renewed = certificate::leaf(&["b.test"]);
    renewed.write(secure.gateway.folder(), "b");
    wait::until("the new certificate is shown", || leaf() == renewed.der);
    assert_eq!(old.send(&get(TARGET).key(&secure.key)).status, 200, "open connections stay");
    // A file that is no certificate changes nothing.
    std::fs::write(secure.gateway.path("b.pem"), "rubbish").expect("write");
    std::thread::sleep(SECOND);
    assert_eq!(leaf(), renewed.der);
}

#[test]
fn alpn_picks_http2() {
    let secure = Secure::start();
    let mut client = H2::tls(secure.address(), "a.test", trusting(&[b"h2", b"http/1.1"], None));
    let reply = client.send(&get(TARGET).key(&secure.key)).expect(200);
    let record = secure.upstream.one(&reply.tag);
    assert_eq!(record.header("x-forwarded-host"), Some("a.test"));
    let body = vec![b'x'; 100_000];
    let reply = client.send(&post("/v1/openapi/other").key(&secure.key).raw_body(&body)).expect(200);
    assert_eq!(secure.upstream.one(&reply.tag).body.len(), body.len());
}

#[test]
fn many_streams_of_one_connection_run_at_once() {
    let secure = Secure::start();
    let delay = Duration::from_millis(500);
    secure.upstream.script("slow", Answer { delay, ..Answer::default() });
    let mut client = H2::tls(secure.address(), "a.test", trusting(&[b"h2"], None));
    let requests: Vec<_> = (0..30).map(|_| get(TARGET).key(&secure.key).script("slow")).collect();
    let start = wait::now();
    for reply in client.send_all(&requests) {
        assert_eq!(reply.status, 200);
    }
    assert!(wait::now().since(start) < 8 * SECOND, "one after the other would take 15 s");
}

#[test]
fn http2_without_tls_by_prior_knowledge() {
    let w = world();
    let key = w.org_key();
    let mut client = H2::plain(w.gateway.address);
    let reply = client.send(&get(TARGET).key(&key)).expect(200);
    assert_eq!(w.upstream.one(&reply.tag).target, TARGET);
    assert_eq!(client.send(&get(TARGET)).status, 401);
    let mut connection = w.gateway.connect();
    assert_eq!(connection.send(&get(TARGET).key(&key)).status, 200, "and HTTP/1.1 on the same port");
}

#[test]
fn the_same_rules_hold_over_http2() {
    let w = world();
    let mut client = H2::plain(w.gateway.address);
    let key = w.org_key();
    let needed = "projectId is required for organization tokens";
    let refused = [
        (get(TARGET), 401, None),
        (get("/v1/openapi/batch").key(&key), 400, Some(needed)),
        (get("/v1/openapi/%2e%2e/batch").key(&key), 400, None),
        (method("PATCH", TARGET).key(&key), 405, None),
        (get("/v1/nothing").key(&key), 404, None),
        (post("/v1/openapi/other").key(&key).raw_body(vec![0; 300 * 1024]), 413, None),
    ];
    for (request, status, message) in refused {
        assert_ocriva(&client.send(&request), status, message);
    }
    let spoofed = get(TARGET).key(&key).header("x-gateway-scopes", "all").header("cookie", "a=b");
    let reply = client.send(&spoofed).expect(200);
    let record = w.upstream.one(&reply.tag);
    assert_eq!((record.header("x-gateway-scopes"), record.header("cookie")), (Some("documents"), None));
}

fn raw(head: &str) -> io::Result<Reply> {
    raw_bytes(head.as_bytes())
}

fn raw_bytes(head: &[u8]) -> io::Result<Reply> {
    let mut connection = world().gateway.connect();
    connection.try_write(head)?;
    connection.reply("GET")
}

#[test]
fn c16_a_head_that_is_too_large_is_431_in_the_paths_envelope() {
    let filler = "x".repeat(40 * 1024);
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Filler: {filler}\r\n\r\n");
    assert_ocriva(&raw(&head("/v1/openapi/templates")).expect("an answer"), 431, None);
    assert_ocore(&raw(&head("/api/servers")).expect("an answer"), 431);
    let many: String = (0..3000).map(|i| format!("X-{i}: {i}-------\r\n")).collect();
    let reply = raw(&format!("GET /v1/x HTTP/1.1\r\nHost: a\r\n{many}\r\n")).expect("an answer");
    assert_ocriva(&reply, 431, None);
    let long = raw(&format!("GET /v1/{filler} HTTP/1.1\r\nHost: a\r\n\r\n")).expect("an answer");
    assert!(long.status == 431 || long.status == 414, "{long:?}");
    assert_ocriva(&long, long.status, None);
}

#[test]
fn c16_a_malformed_head_is_400_in_the_paths_envelope() {
    let heads = [
        "Bad Header: x",
        "No-Colon",
        "Space-Before : x",
        ": no name",
        "X: a\x00b",
        " folded: first",
        "X\u{7f}: x",
        "Host: b",
    ];
    for line in heads {
        for path in ["/v1/openapi/templates", "/api/servers"] {
            let reply = raw(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"));
            let reply = reply.unwrap_or_else(|e| panic!("{line:?}: {e}"));
            if path.starts_with("/v1") {
                assert_ocriva(&reply, 400, None);
            } else {
                assert_ocore(&reply, 400);
            }
        }
    }
}

#[test]
fn c16_what_is_no_request_is_400_in_some_envelope() {
    for head in [
        "HELLO\r\n\r\n",
        "GET  /v1/x  HTTP/1.1\r\n\r\n",
        "GET /v1/x HTTP/9.9\r\nHost: a\r\n\r\n",
        "\u{1}\u{2}\r\n\r\n",
    ] {
        let reply = raw(head).unwrap_or_else(|e| panic!("{head:?}: {e}"));
        assert!(reply.status == 400 || reply.status == 505, "{head:?}: {reply:?}");
        assert!(reply.json().is_object());
    }
}

#[test]
fn a_request_without_host_is_400() {
    let reply = raw("GET /v1/openapi/templates HTTP/1.1\r\nX-Api-Key: x\r\n\r\n").expect("an answer");
    assert_ocriva(&reply, 400, None);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let w = world();
    let mut connection = w.gateway.connect();
    connection.write(format!("GET {TARGET} HTTP/1.0\r\nX-Api-Key: {}\r\n\r\n", w.org_key()).as_bytes());
    assert_eq!(connection.reply("GET").expect("an answer").status, 200);
    assert!(connection.closes_within(5 * SECOND));
}

#[test]
fn a_slow_head_ends_the_connection() {
    let (gateway, _upstream, _) =
        plain_gateway(|value| value["listeners"][0]["limits"] = json!({ "header_timeout": "500ms" }));
    for begun in ["", "GET /v1/openapi/templ", "GET /v1/openapi/templates HTTP/1.1\r\nHost: a\r\nX-"] {
        let mut connection = gateway.connect();
        connection.write(begun.as_bytes());
        let start = wait::now();
        assert!(connection.closes_within(8 * SECOND), "after {begun:?}");
        assert!(wait::now().since(start) >= Duration::from_millis(300), "not before its time");
        let said = String::from_utf8_lossy(connection.leftover()).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
}

#[test]
fn an_idle_connection_ends_in_time() {
    let (gateway, _upstream, key) =
        plain_gateway(|value| value["listeners"][0]["limits"] = json!({ "idle_timeout": "500ms" }));
    let mut connection = gateway.connect();
    assert_eq!(connection.send(&get(TARGET).key(&key)).status, 200);
    assert!(connection.closes_within(8 * SECOND));
}

#[test]
fn sigterm_lets_what_is_in_flight_finish() {
    let backend = Backend::new();
    let mut org = organization();
    let key = org.org_key();
    let settings = Settings::usual(&backend.url());
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut idle = gateway.connect();
    let mut peer = backend.accept();
    peer.head();
    gateway.signal("TERM");
    wait::until("new connections are refused", || std::net::TcpStream::connect(gateway.address).is_err());
    assert!(idle.closes_within(10 * SECOND), "an idle connection is not waited for");
    peer.answer("200 OK", "finished");
    let reply = client.reply("GET").expect("the answer of a request that was under way");
    assert_eq!((reply.status, reply.text().as_str()), (200, "finished"));
    assert!(client.closes_within(10 * SECOND));
    assert_eq!(gateway.wait_for_end().code(), Some(0));
}

#[test]
fn only_trusted_proxies_may_name_the_client() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = ocriva_key();
    org.token(&key, json!({ "ipWhitelist": ["203.0.113.7", "2001:db8::7"] }));
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| {
        value["listeners"] = json!([{ "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"] }]);
    });
    let gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let ask = |forwarded: &str| get(TARGET).key(&key).header("X-Forwarded-For", forwarded);
    for good in [
        "203.0.113.7",
        "198.51.100.1, 203.0.113.7",
        "rubbish, 203.0.113.7, 10.1.2.3",
        "2001:db8::7",
        "::ffff:203.0.113.7",
        "r\u{e9}sum\u{e9}, 203.0.113.7",
    ] {
        let reply = gateway.send(&ask(good));
        assert_eq!(reply.status, 200, "{good}: {}", reply.text());
        let record = upstream.one(&reply.tag);
        let told = record.header("x-forwarded-for").expect("x-forwarded-for");
        assert!(told.contains("203.0.113.7") || told.contains("2001:db8::7"), "{good} became {told}");
    }
    // The rightmost address that no trusted proxy has is the client, whatever stands to the left of it.
    for bad in ["203.0.113.7, 198.51.100.1", "203.0.113.7, 198.51.100.1, 10.1.2.3", "rubbish", ""] {
        assert_ocriva(&gateway.send(&ask(bad)), 403, None);
    }
    let untrusted = gateway.send_from([127, 0, 0, 44], &ask("203.0.113.7"));
    assert_ocriva(&untrusted, 403, None);
    let two = get(TARGET)
        .key(&key)
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-For", "198.51.100.1");
    assert_ocriva(&gateway.send(&two), 403, None);
}
