//! The harness tests itself, without a gateway: what its clients send is what its backends record.

use crate::support::certificate::{leaf, trusting};
use crate::support::client::Connection;
use crate::support::h2::H2;
use crate::support::settings::yaml;
use crate::support::upstream::{Answer, Upstream};
use crate::support::{get, jwt, post};
use serde_json::json;
use std::net::SocketAddr;

fn address(upstream: &Upstream) -> SocketAddr {
    let url = upstream.url();
    url.split_once("://").expect("a scheme").1.parse().expect("an address")
}

#[test]
fn a_request_is_recorded_as_sent() {
    let upstream = Upstream::http();
    upstream.script("other", Answer { status: 418, body: b"tea".to_vec(), ..Answer::default() });
    let mut connection = Connection::open(address(&upstream));
    for request in [post("/a%20b?c=%2F").raw_body("hello"), post("/a%20b?c=%2F").raw_body("hello").chunked(2)]
    {
        let reply = connection.send(&request.script("other"));
        assert_eq!((reply.status, reply.text().as_str()), (418, "tea"));
        let record = upstream.one(&reply.tag);
        assert_eq!((record.method.as_str(), record.target.as_str()), ("POST", "/a%20b?c=%2F"));
        assert_eq!(record.body, b"hello");
    }
    assert_eq!((upstream.count(), upstream.connections(), upstream.all().len()), (2, 1, 2));
}

#[test]
fn a_connection_can_come_from_another_loopback_address() {
    let upstream = Upstream::http();
    let mut connection = Connection::open_from([127, 0, 0, 9].into(), address(&upstream));
    assert_eq!(connection.send(&get("/")).status, 200);
}

#[test]
fn an_aborted_answer_is_an_error() {
    let upstream = Upstream::http();
    upstream.script("abort", Answer { abort: true, ..Answer::default() });
    let mut connection = Connection::open(address(&upstream));
    assert!(connection.try_send(&get("/").script("abort")).is_err());
}

#[test]
fn http2_goes_both_ways_with_trailers() {
    let upstream = Upstream::h2c();
    upstream.script("trailers", Answer { trailers: vec![("x-digest", "1")], ..Answer::default() });
    let mut client = H2::plain(address(&upstream));
    let reply = client.send(&post("/x?y").raw_body("hello").script("trailers"));
    assert_eq!((reply.status, reply.trailers.len()), (200, 1));
    let record = upstream.one(&reply.tag);
    assert!(record.http2 && record.complete && record.trailers.is_empty());
    assert_eq!(client.send_all(&[get("/1"), get("/2"), get("/3")]).len(), 3);
}

#[test]
fn tls_is_trusted_for_its_name_and_agrees_on_a_protocol() {
    let secure = leaf(&["a.test", "127.0.0.1"]);
    let upstream = Upstream::https(&secure, &[b"h2", b"http/1.1"]);
    let at = address(&upstream);
    let (mut connection, handshake) =
        Connection::tls(at, "a.test", trusting(&[b"http/1.1"], None)).expect("a handshake");
    assert_eq!((handshake.leaf, handshake.alpn.as_deref()), (secure.der.clone(), Some(&b"http/1.1"[..])));
    assert_eq!(connection.send(&get("/")).status, 200);
    assert_eq!(H2::tls(at, "a.test", trusting(&[b"h2"], None)).send(&get("/")).status, 200);
    assert!(Connection::tls(at, "b.test", trusting(&[], None)).is_err());
}

#[test]
fn settings_are_written_as_yaml() {
    let text = yaml(&json!({ "a": [{ "b": "x\"y", "c": [] }, 1], "d": { "e": {} }, "f": null }));
    let wanted = "a:\n  -\n    b: \"x\\\"y\"\n    c: []\n  - 1\nd:\n  e: {}\nf: null\n";
    assert_eq!(text, wanted);
}

#[test]
fn tokens_are_signed_as_the_rfc_has_it() {
    // RFC 7515, A.1 uses a binary key; the check here is that header, claims and length are what they should be.
    let token = jwt::hs256(&json!({ "sub": "x" }));
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(
        (jwt::header(&token)["alg"].as_str(), jwt::claims(&token)["sub"].as_str()),
        (Some("HS256"), Some("x"))
    );
    assert_eq!(token.rsplit('.').next().map(str::len), Some(43));
}
