//! Clients that are slow on purpose, or many: bodies that trickle, answers that nobody takes, connections without number,
//! heads that are none.

use super::hostile_http1::open_connections;
use crate::support::backend::Backend;
use crate::support::client::Connection;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{assert_ocore, assert_ocriva, get, post, wait};
use serde_json::{Value, json};
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SOON: Duration = Duration::from_secs(10);

fn with_limits(upstream: &str, limits: Value) -> (Gateway, String) {
    let settings = Settings::usual(upstream).unlimited();
    with_one_key(&settings.with(|value| value["listeners"] = json!([{ "limits": limits }])))
}

fn upload(target: &str, key: &str, length: usize) -> Request {
    post(target).key(key).header("Content-Length", length.to_string()).unframed()
}

#[test]
fn a_body_that_stalls_is_answered_408_wherever_it_is_read() {
    let upstream = Upstream::http();
    let (gateway, key) = with_limits(&upstream.url(), json!({ "body_timeout": "300ms" }));
    // Streamed, read for the project in it as JSON, and in parts.
    let json = upload("/v1/openapi/templates", &key, 100).header("Content-Type", "application/json");
    let parts = upload("/v1/openapi/batch/upload", &key, 100)
        .header("Content-Type", "multipart/form-data; boundary=A");
    for request in [upload(TARGET, &key, 100), json, parts] {
        let mut client = gateway.connect();
        client.write(&request.head("gateway.test"));
        client.write(b"--A");
        let reply = client.reply("POST").expect("an answer");
        assert_ocriva(&reply, 408, None);
        assert!(client.closes_within(SOON), "{request:?}: it stays open");
    }
    wait::until("all connections are given back", || open_connections(&gateway) == 0.0);
    assert!(upstream.all().iter().all(|record| !record.complete));
}

#[test]
fn a_body_that_trickles_is_answered_408_and_a_steady_one_is_not() {
    let upstream = Upstream::http();
    let (gateway, key) =
        with_limits(&upstream.url(), json!({ "min_body_rate": "1MiB", "body_timeout": "1m" }));
    let mut client = gateway.connect();
    client.write(&upload(TARGET, &key, 1000).head("gateway.test"));
    let mut trickle = gateway.connect();
    let steady = std::thread::spawn(move || {
        // Far slower than the rate, but over before anybody looks at it.
        for _ in 0..10 {
            client.write(&[b'x'; 100]);
            std::thread::sleep(Duration::from_millis(100));
        }
        client.reply("POST").expect("an answer").status
    });
    trickle.write(&upload(TARGET, &key, 1000).head("gateway.test"));
    let start = wait::now();
    let refused = wait::poll(Duration::from_secs(12), || {
        let ended = trickle.try_write(b"x").is_err() || trickle.has_come(Duration::from_millis(200));
        ended.then(|| trickle.reply("POST").expect("an answer").status)
    });
    assert_eq!(refused, Some(408));
    assert!(wait::now().since(start) > Duration::from_secs(4), "a slow start is no attack");
    assert_eq!(steady.join().expect("a client"), 200);
}

#[test]
fn a_body_may_be_silent_once_its_answer_has_begun() {
    let backend = Backend::new();
    let (gateway, key) = with_limits(&backend.url(), json!({ "body_timeout": "300ms" }));
    let mut client = gateway.connect();
    client.write(&upload(TARGET, &key, 5).head("gateway.test"));
    client.write(b"he");
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    let mut reply = client.reply_head().expect("a head");
    std::thread::sleep(Duration::from_millis(900));
    client.write(b"llo");
    peer.read_to(b"hello").expect("the whole body");
    peer.write(b"k");
    client.reply_body("POST", &mut reply).expect("the whole answer");
    assert_eq!(reply.text(), "ok");
}

#[test]
fn a_client_that_takes_an_answer_by_the_drop_is_let_go() {
    let backend = Backend::new();
    let limits = json!({ "idle_timeout": "1s", "min_answer_rate": "100MiB" });
    let (gateway, key) = with_limits(&backend.url(), limits);
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    let flood = std::thread::spawn(move || {
        let piece = vec![b'x'; 1_000_000];
        (0..1000).all(|_| peer.try_write(&piece))
    });
    // It takes enough, and often enough, never to stand still for a second.
    let ended = wait::poll(Duration::from_secs(15), || {
        let _ = client.take(300_000);
        std::thread::sleep(Duration::from_millis(50));
        flood.is_finished().then_some(())
    });
    assert!(ended.is_some(), "the gateway still waits for a client that hardly reads");
    assert!(!flood.join().expect("no panic"), "the client was given everything");
}

#[test]
fn an_address_can_not_take_the_connections_of_all_others() {
    let upstream = Upstream::http();
    let limits = json!({ "max_connections_per_address": 3, "max_connections": 5 });
    let (gateway, key) = with_limits(&upstream.url(), limits);
    let request = get(TARGET).key(&key);
    let mut held: Vec<Connection> = (0..3).map(|_| gateway.connect()).collect();
    for connection in &mut held {
        assert_eq!(connection.send(&request).status, 200);
    }
    assert!(gateway.connect().closes_within(SOON), "one more than its share");
    let mut others: Vec<Connection> =
        (0..2).map(|_| Connection::open_from([127, 0, 0, 9].into(), gateway.address)).collect();
    for connection in &mut others {
        assert_eq!(connection.send(&request).status, 200);
    }
    let mut late = Connection::open_from([127, 0, 0, 10].into(), gateway.address);
    assert!(late.closes_within(SOON), "one more than there may be");
    let refused = |reason| gateway.metric("portcullis_connections_refused_total", &[("reason", reason)]);
    assert_eq!((refused("address"), refused("total")), (1.0, 1.0));
    held.pop();
    wait::until("a place is given back", || gateway.connect().try_send(&request).is_ok());
}

#[test]
fn connections_of_a_trusted_proxy_are_not_counted_as_one_clients() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["listeners"] = json!([{ "trusted_proxies": ["127.0.0.0/8"],
            "limits": { "max_connections_per_address": 1 } }]);
    });
    let (gateway, key) = with_one_key(&settings);
    let mut held: Vec<Connection> = (0..4).map(|_| gateway.connect()).collect();
    for connection in &mut held {
        assert_eq!(connection.send(&get(TARGET).key(&key)).status, 200);
    }
}

#[test]
fn what_never_became_a_request_is_dated_counted_and_logged() {
    let upstream = Upstream::http();
    let (gateway, _) = with_limits(&upstream.url(), json!({ "header_timeout": "300ms" }));
    let long = format!("GET {TARGET}?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET {TARGET} HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    for (bytes, status, code) in [
        (format!("GET {TARGET} HTTP/1.1\r\nbad\r\n\r\n"), 400, "malformed"),
        (format!("GET {TARGET} HTTP/2.0\r\n\r\n"), 505, "version"),
        (format!("GET {TARGET} HTTP/1.1\r\nHost: a"), 408, "slow_head"),
        (many, 431, "head_too_large"),
        (long, 414, "target_too_long"),
    ] {
        let mut client = gateway.connect();
        client.write(bytes.as_bytes());
        let reply = client.reply("GET").expect("an answer");
        assert_ocriva(&reply, status, None);
        assert_eq!((reply.all("date").len(), reply.header("connection")), (1, Some("close")), "{reply:?}");
        let id = reply.header("x-request-id").expect("an id").to_owned();
        assert!(client.closes_within(SOON));
        let labels = [("api", "open-api"), ("route", "none"), ("status", &status.to_string())];
        wait::until("it is counted", || gateway.metric("portcullis_requests_total", &labels) == 1.0);
        let line = || {
            let log = std::fs::read_to_string(gateway.path("access.log")).unwrap_or_default();
            log.lines().find(|line| line.contains(&id)).map(str::to_owned)
        };
        wait::until("it is logged", || line().is_some());
        let line: Value = serde_json::from_str(&line().expect("a line")).expect("JSON");
        assert_eq!((&line["refused"], &line["path"]), (&json!(code), &json!(TARGET)), "{line}");
    }
    let mut client = gateway.connect();
    client.write(b"GET /api/servers HTTP/1.1\r\nbad\r\n\r\n");
    assert_ocore(&client.reply("GET").expect("an answer"), 400);
}
