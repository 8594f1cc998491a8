//! Answers of many streams on one HTTP/2 connection: each its own, whole, and only as long as its client may have it.

use super::h2_frames::*;
use crate::support::backend::Backend;
use crate::support::certificate::{leaf, trusting};
use crate::support::control::Console;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::h2::H2;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::{OWNER, organization, with_one_key};
use crate::support::{Request, get, method};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";

#[test]
fn what_many_streams_say_at_once_arrives_whole() {
    let upstream = Upstream::http();
    let sizes = [0, 1, 255, 256, 257, 1023, 1024, 16_384, 16_385, 40_000, 100_000, 300_000];
    let body = |size: usize| (0..size).map(|at| ((at * 7 + size) % 251) as u8).collect::<Vec<_>>();
    for size in sizes {
        let headers = vec![("content-type", "application/octet-stream".into())];
        upstream.script(&format!("size-{size}"), Answer { body: body(size), headers, ..Answer::default() });
    }
    let mut gateway = Gateway::prepare(&Settings::usual(&upstream.url()).unlimited().tls(&["main"]));
    leaf(&["gateway.test"]).write(gateway.folder(), "main");
    let mut organization = organization();
    let key = organization.org_key();
    gateway.import(&Fixture::default().with(organization).text()).expect_success();
    gateway.serve();
    let secure = gateway.tls.expect("a listener with TLS");
    let mut client = H2::tls(secure, "gateway.test", trusting(&[b"h2"], None));
    for _ in 0..3 {
        let ask = |size: &usize| get(TARGET).key(&key).script(&format!("size-{size}"));
        let requests: Vec<Request> = sizes.iter().chain(&sizes).map(ask).collect();
        for (reply, size) in client.send_all(&requests).iter().zip(sizes.iter().chain(&sizes)) {
            assert_eq!(reply.status, 200);
            assert!(reply.body == body(*size), "{} bytes of {size}", reply.body.len());
        }
    }
}

#[test]
fn an_answer_of_the_gateway_s_own_to_head_tells_its_length_and_has_no_body() {
    let upstream = Upstream::http();
    let (gateway, _) = with_one_key(&Settings::usual(&upstream.url()));
    let mut client = H2::plain(gateway.address);
    let whole = client.send(&get(TARGET));
    let head = client.send(&method("HEAD", TARGET));
    assert_eq!((whole.status, head.status, head.body.len()), (401, 401, 0));
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
    assert_eq!(client.send(&get(TARGET)).status, 401, "the connection goes on");
}

#[test]
fn the_fields_of_each_answer_are_its_own_however_they_are_compressed() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url());
    let (gateway, key) = with_one_key(&settings);
    let mut client = H2::plain(gateway.address);
    let (mut ids, mut quotas) = (HashSet::new(), HashSet::new());
    // More than pass before the names are put into the table anew.
    for number in 0..150 {
        let reply = client.send(&get(TARGET).key(&key));
        let field = |name| reply.header(name).unwrap_or_else(|| panic!("{number}: {name}")).to_owned();
        assert!(ids.insert(field("x-request-id")), "answer {number} has the id of another");
        let (limit, remaining) = (field("x-ratelimit-limit"), field("x-ratelimit-remaining"));
        assert_eq!(reply.status == 429, reply.header("retry-after").is_some(), "{number}");
        assert!(field("ratelimit").contains(&format!("r={remaining};")), "{number}");
        assert!(field("ratelimit-policy").contains(&format!("q={limit};")), "{number}");
        assert!(field("date").ends_with("GMT"), "{number}");
        field("x-ratelimit-reset");
        quotas.insert(remaining);
    }
    assert!(quotas.len() > 1, "the quota stands still");
}

#[test]
fn an_answer_that_waits_for_its_client_ends_with_its_key() {
    let (doomed, backend) = (ocriva_key(), Backend::new());
    let mut organization = organization();
    organization.member(OWNER, "owner");
    organization.token(&doomed, json!({ "id": "doomed" }));
    let settings = Settings::usual(&backend.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    // No window for any answer.
    let mut raw = Raw::plain(gateway.address).greet(&[(4, 0)]);
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", TARGET),
        (":authority", "gateway.test"),
        ("x-api-key", &doomed),
    ];
    raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields)));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    peer.try_write(&[b'x'; 100_000]);
    loop {
        let frame = raw.next(Duration::from_secs(10)).expect("a head");
        if frame.kind == HEADERS {
            break;
        }
    }
    Console::open(&gateway, OWNER).patch("doomed", &json!({ "isActive": false })).expect(200);
    assert!(peer.closes_within(Duration::from_secs(10)), "the upstream is still held");
    loop {
        let frame = raw.next(Duration::from_secs(10)).expect("the stream's end");
        assert_ne!(frame.kind, DATA);
        if frame.kind == RST_STREAM {
            break;
        }
    }
}

#[test]
fn a_body_whose_stream_is_reset_is_not_passed_on_as_a_whole_one() {
    let (key, backend) = (ocriva_key(), Backend::new());
    let mut organization = organization();
    organization.token(&key, json!({}));
    let settings = Settings::usual(&backend.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    // Without an error, which servers may say (RFC 9113, 8.1), and with one.
    for code in [0u32, 8] {
        let mut raw = Raw::plain(gateway.address).greet(&[]);
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/v1/openapi/sink"),
            (":authority", "gateway.test"),
            ("x-api-key", &key),
        ];
        raw.write(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
        raw.write(&frame(DATA, 0, 1, b"a part"));
        let mut peer = backend.accept();
        peer.head();
        peer.read_to(b"a part\r\n").expect("a chunk");
        raw.write(&frame(RST_STREAM, 0, 1, &code.to_be_bytes()));
        assert!(peer.read_to(b"0\r\n\r\n").is_err(), "code {code}: the backend has a whole request");
    }
}

#[test]
fn a_request_that_is_taken_back_while_its_backend_is_at_work_is_given_up_at_once() {
    let (key, backend) = (ocriva_key(), Backend::new());
    let mut organization = organization();
    organization.token(&key, json!({}));
    let settings = Settings::usual(&backend.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", TARGET),
        (":authority", "gateway.test"),
        ("x-api-key", &key),
    ];
    // On the same connection, which goes on.
    for stream in [1, 3] {
        raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields)));
        let mut peer = backend.accept();
        peer.head();
        raw.write(&frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        assert!(peer.closes_within(Duration::from_secs(5)), "stream {stream}: the upstream is still held");
    }
}
