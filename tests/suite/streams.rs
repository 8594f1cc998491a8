//! Answers and requests that last: events, gRPC, early hints, both directions at once, bodies larger than the memory that
//! they may take.

use super::streams_websocket::{settings, start_with_tls};
use crate::support::backend::Backend;
use crate::support::control::Console;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::grpc::Grpc;
use crate::support::websocket::{Echo, H2Pipe, Pipe, tls};
use crate::support::world::{OWNER, organization, with_one_key};
use crate::support::{get, post, wait};
use serde_json::json;
use std::time::Duration;

const EVENTS: &str = "/v1/openapi/events";
const CALL: &str = "/v1/open.Service/Talk";

#[test]
fn events_come_as_they_are_sent_over_each_protocol_and_end_with_the_client() {
    let (gateway, echo, key) = start_with_tls();
    let request = get(EVENTS).key(&key).bytes("gateway.test");
    for mut client in [gateway.connect(), tls(gateway.tls.expect("TLS"))] {
        client.write(&request);
        client.reply_head().expect("a head");
        for _ in 0..3 {
            assert_eq!(client.chunk().expect("an event").as_deref(), Some(&b"data: .\n\n"[..]));
        }
        drop(client);
        wait::until("the backend's connection has ended", || echo.open() == 0);
    }
    let mut client = H2Pipe::request(gateway.address, "GET", EVENTS, &[("x-api-key", &key)]);
    assert_eq!(client.head.headers["content-type"], "text/event-stream");
    assert_eq!(Pipe::take(&mut client, 27).expect("three events"), b"data: .\n\ndata: .\n\ndata: .\n\n");
    client.reset();
    wait::until("the backend's connection has ended", || echo.open() == 0);
}

fn grpc() -> (Gateway, Grpc, String) {
    let backend = Grpc::new();
    let key = ocriva_key();
    let mut organization = organization();
    organization.member(OWNER, "owner");
    organization.token(&key, json!({ "id": "calling" }));
    let settings = settings(&backend.url()).with(|value| {
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.retain(|route| route.get("upgrade").is_none());
        routes.push(json!({ "path": "/v1/open.Service/**", "methods": ["POST"], "upstream": "main" }));
    });
    (Gateway::start(&settings, &Fixture::default().with(organization)), backend, key)
}

fn call(gateway: &Gateway, key: &str, path: &str) -> H2Pipe {
    let fields = [("x-api-key", key), ("content-type", "application/grpc+proto"), ("te", "trailers")];
    H2Pipe::request(gateway.address, "POST", path, &fields)
}

#[test]
fn grpc_calls_go_both_ways_at_once_and_end_with_trailers() {
    let (gateway, backend, key) = grpc();
    let mut talk = call(&gateway, &key, CALL);
    for message in ["first", "second", "third"] {
        talk.write(message.as_bytes());
        assert_eq!(Pipe::take(&mut talk, message.len()).expect("an echo"), message.as_bytes());
    }
    talk.finish();
    let trailers = talk.trailers();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"nothing here".parse().unwrap())
    );
    assert_eq!(backend.head()["te"], "trailers");
    assert_eq!(backend.head()["content-type"], "application/grpc+proto");
    assert!(backend.head().get("x-api-key").is_none());
    // An answer of trailers only.
    let missing = call(&gateway, &key, "/v1/open.Service/Missing");
    assert_eq!(
        (&missing.head.headers["grpc-status"], missing.head.status.as_u16()),
        (&"5".parse().unwrap(), 200)
    );
}

#[test]
fn grpc_clients_are_told_of_refusals_in_their_own_way() {
    let (gateway, backend, key) = grpc();
    for (key, path, status) in
        [("ocr_nobody", CALL, "16"), (&*key, "/v1/open.Service/../x", "3"), (&*key, "/nowhere", "12")]
    {
        let mut refused = call(&gateway, key, path);
        let head = &refused.head;
        assert_eq!(
            (head.status.as_u16(), &head.headers["grpc-status"]),
            (200, &status.parse().unwrap()),
            "{path}"
        );
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert!(!head.headers["grpc-message"].is_empty() && head.headers.contains_key("x-request-id"));
        assert!(refused.is_over(), "it has a body");
    }
    // The operator sees what it was.
    wait::until("it is counted as what it was", || {
        gateway.metric("portcullis_requests_total", &[("status", "401"), ("route", "/v1/open.Service/**")])
            == 1.0
    });
    // A call under way whose key is taken away ends with a status too.
    let mut talk = call(&gateway, &key, CALL);
    talk.write(b"hello");
    assert_eq!(Pipe::take(&mut talk, 5).expect("an echo"), b"hello");
    Console::open(&gateway, OWNER).patch("calling", &json!({ "isActive": false })).expect(200);
    assert_eq!(talk.trailers()["grpc-status"], "16");
    // Nor does what its client still has to say reach the backend.
    wait::until("the backend's call is reset", || backend.under_way() == 0);
}

#[test]
fn early_hints_reach_the_client_that_they_are_for() {
    let backend = Backend::new();
    // One worker, so that both clients share its memory and its connection.
    let settings = settings(&backend.url()).with(|value| value["workers"] = json!(1));
    let (gateway, key) = with_one_key(&settings);
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";
    let mut client = gateway.connect();
    client.write(&get("/v1/openapi/x").key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 102 Processing\r\n\r\n");
    peer.write(hints);
    let hint = client.one_head().expect("the hints, before the answer");
    assert_eq!((hint.status, hint.header("link")), (103, Some("</style.css>; rel=preload")));
    assert_eq!(hint.header("x-hop"), None);
    peer.answer("200 OK", "done");
    assert_eq!(client.one_head().expect("the answer").status, 200);
    assert_eq!(client.take(4).expect("a body"), b"done");
    // HTTP/1.0 has no interim answers (RFC 9110, 15.2).
    let mut old = gateway.connect();
    old.write(format!("GET /v1/openapi/x HTTP/1.0\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    peer.head();
    peer.write(hints);
    peer.answer("200 OK", "done");
    assert_eq!(old.one_head().expect("the answer").status, 200);
}

/// A client that sends all of its request before it reads, and a backend that has begun to answer by then: each has to be
/// read although the other direction stands still.
#[test]
fn an_early_answer_does_not_stop_the_request() {
    let backend = Backend::new();
    let settings = settings(&backend.url()).with(|value| value["apis"][0]["body_limit"] = json!("64MiB"));
    let (gateway, key) = with_one_key(&settings);
    let (upload, download) = (24 << 20, 16 << 20);
    let mut client = gateway.connect();
    let head = post("/v1/openapi/x").key(&key).header("Content-Length", upload.to_string()).unframed();
    client.write(&head.bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    let mut answering = peer.twin();
    let sender = std::thread::spawn(move || {
        answering.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {download}\r\n\r\n").as_bytes());
        answering.write(&vec![b'a'; download]);
    });
    let receiver = std::thread::spawn(move || peer.read_exactly(upload));
    assert_eq!(client.reply_head().expect("the answer has begun").status, 200);
    let piece = vec![b'u'; 1 << 20];
    (0..upload / piece.len()).for_each(|_| client.write(&piece));
    receiver.join().expect("a thread").expect("the whole request");
    (0..download / piece.len())
        .for_each(|_| assert_eq!(client.take(piece.len()).expect("the answer").len(), piece.len()));
    sender.join().expect("a thread");
}

#[test]
fn bodies_larger_than_memory_pass_both_ways() {
    const WHOLE: usize = 128 << 20;
    const PIECE: usize = 1 << 20;
    let echo = Echo::new();
    let settings = settings(&echo.url()).with(|value| value["apis"][0]["body_limit"] = json!("1GiB"));
    let (gateway, key) = with_one_key(&settings);
    let download = |length: usize| {
        let mut client = gateway.connect();
        client.write(
            &get("/v1/openapi/bytes").key(&key).header("X-Length", length.to_string()).bytes("gateway.test"),
        );
        assert_eq!(client.reply_head().expect("a head").status, 200);
        client
    };
    // What is made once is made.
    assert_eq!(download(PIECE).take(PIECE).expect("a body").len(), PIECE);
    let (before, mut highest) = (gateway.resident(), 0);
    let mut client = download(WHOLE);
    // A client that does not read: whatever would be held, is held now.
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..WHOLE / PIECE {
        assert_eq!(client.take(PIECE).expect("the body").len(), PIECE);
        highest = gateway.resident().max(highest);
    }
    let mut client = gateway.connect();
    client.write(
        &post("/v1/openapi/sink")
            .key(&key)
            .header("Content-Length", WHOLE.to_string())
            .unframed()
            .bytes("gateway.test"),
    );
    let piece = vec![b'u'; PIECE];
    for _ in 0..WHOLE / PIECE {
        client.write(&piece);
        highest = gateway.resident().max(highest);
    }
    assert_eq!(client.reply("POST").expect("an answer").text(), "sunk");
    assert!(highest.saturating_sub(before) < 16 << 20, "it grew by {} KiB", (highest - before) >> 10);
}
