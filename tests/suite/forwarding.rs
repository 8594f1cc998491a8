//! Forwarding as bytes move: streamed both ways, cancelled, timed out, reused; over every kind of upstream.

use crate::support::backend::{Backend, Peer};
use crate::support::certificate;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{Request, assert_ocriva, get, post, wait};
use serde_json::json;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SECOND: Duration = Duration::from_secs(1);

/// A gateway in front of a backend that the test plays, and a key.
fn play(alter: impl FnOnce(&mut serde_json::Value)) -> (Gateway, Backend, String) {
    let backend = Backend::new();
    let (gateway, key) = in_front_of(&Settings::usual(&backend.url()).with(alter));
    (gateway, backend, key)
}

fn in_front_of(settings: &Settings) -> (Gateway, String) {
    with_one_key(&settings.clone().unlimited())
}

fn streaming_head(key: &str) -> Request {
    post(TARGET).key(key).header("Transfer-Encoding", "chunked").unframed()
}

fn finish(peer: &mut Peer) {
    peer.answer("200 OK", "done");
}

#[test]
fn the_upstream_sees_the_first_chunk_before_the_client_sends_the_last() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    client.write(&streaming_head(&key).head("gateway.test"));
    client.write(b"5\r\nfirst\r\n");
    let mut peer = backend.accept();
    assert!(peer.head().starts_with("POST /v1/openapi/other HTTP/1.1\r\n"));
    peer.read_to(b"first").expect("the first chunk, while the last is not sent");
    client.write(b"6\r\nsecond\r\n0\r\n\r\n");
    peer.read_to(b"second").expect("the second chunk");
    finish(&mut peer);
    assert_eq!(client.reply("POST").expect("an answer").text(), "done");
}

#[test]
fn c48_the_client_gets_the_first_event_before_the_second_is_sent() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).header("Accept", "text/event-stream").bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    let head = client.reply_head().expect("the head, before any event");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    for event in ["data: one\n\n", "data: two\n\n"] {
        peer.write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
        assert_eq!(client.chunk().expect("an event").as_deref(), Some(event.as_bytes()));
    }
    peer.write(b"0\r\n\r\n");
    assert_eq!(client.chunk().expect("the end"), None);
}

#[test]
fn c48_a_stream_may_outlast_the_response_time_out() {
    let (gateway, backend, key) =
        play(|value| value["upstreams"]["main"]["timeouts"] = json!({ "response": "400ms", "idle": "5s" }));
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.reply_head().expect("a head");
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(250));
        peer.write(b"1\r\n.\r\n");
        assert!(client.chunk().expect("a piece").is_some());
    }
}

#[test]
fn a_silent_stream_ends_with_the_idle_time_out() {
    let (gateway, backend, key) =
        play(|value| value["upstreams"]["main"]["timeouts"] = json!({ "idle": "500ms" }));
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n");
    client.reply_head().expect("a head");
    assert!(client.closes_within(5 * SECOND), "the client must learn that the answer is not whole");
    assert!(!client.leftover().ends_with(b"0\r\n\r\n"), "a broken answer must not look whole");
    assert!(peer.closes_within(5 * SECOND));
}

#[test]
fn trailers_go_both_ways() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    let request = streaming_head(&key).header("TE", "trailers").header("Trailer", "x-checksum");
    client.write(&request.head("gateway.test"));
    client.write(b"4\r\nbody\r\n0\r\nx-checksum: abc\r\n\r\n");
    let mut peer = backend.accept();
    peer.head();
    let body = peer.read_to(b"\r\n\r\n").expect("the end of the body");
    let body = String::from_utf8_lossy(&body).to_lowercase();
    assert!(body.contains("x-checksum: abc"), "{body:?}");
    peer.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-digest\r\n\r\n\
        2\r\nok\r\n0\r\nx-digest: 123\r\n\r\n",
    );
    let reply = client.reply("POST").expect("an answer");
    assert_eq!((reply.text().as_str(), reply.trailers.len()), ("ok", 1));
    assert_eq!(reply.trailers[0], ("x-digest".to_owned(), "123".to_owned()));
}

#[test]
fn trailers_can_not_carry_an_identity() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    client.write(&streaming_head(&key).head("gateway.test"));
    client.write(b"1\r\nx\r\n0\r\nx-gateway-project-id: spoofed\r\nauthorization: spoofed\r\n\r\n");
    let mut peer = backend.accept();
    peer.head();
    let body = peer.read_to(b"0\r\n").expect("the last chunk");
    let end = peer.read_to(b"\r\n").expect("the end");
    assert!(!String::from_utf8_lossy(&[body, end].concat()).contains("spoofed"));
}

#[test]
fn trailers_can_not_carry_what_the_file_sets_or_removes() {
    let (gateway, backend, key) = play(|value| {
        value["apis"][0]["request_headers"] = json!({ "set": { "X-Tenant": "acme" }, "remove": ["X-Debug"] });
    });
    let mut client = gateway.connect();
    client.write(&streaming_head(&key).head("gateway.test"));
    client.write(b"1\r\nx\r\n0\r\nx-tenant: evil\r\nx_tenant: evil\r\nx-debug: evil\r\nx-sum: 1\r\n\r\n");
    let mut peer = backend.accept();
    peer.head();
    let body = peer.read_to(b"0\r\n").expect("the last chunk");
    let end = peer.read_to(b"\r\n\r\n").expect("the end");
    let text = String::from_utf8_lossy(&[body, end].concat()).into_owned();
    assert!(!text.contains("evil") && text.contains("x-sum: 1"), "{text}");
}

#[test]
fn expect_100_continue_is_answered_when_the_body_is_wanted() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    let request =
        post(TARGET).key(&key).header("Expect", "100-continue").header("Content-Length", "4").unframed();
    client.write(&request.head("gateway.test"));
    let answers = std::thread::spawn(move || {
        let mut peer = backend.accept();
        peer.head();
        peer.read_to(b"body").expect("the body");
        finish(&mut peer);
    });
    assert_eq!(client.one_head().expect("an interim answer").status, 100);
    client.write(b"body");
    assert_eq!(client.reply("POST").expect("an answer").status, 200);
    answers.join().expect("the backend");
}

#[test]
fn expect_100_continue_gets_the_refusal_without_a_100() {
    let (gateway, _backend, _) = play(|_| {});
    let request = post(TARGET)
        .key("ocr_unknown")
        .header("Expect", "100-continue")
        .header("Content-Length", "4")
        .unframed();
    let reply = gateway.send(&request);
    assert_ocriva(&reply, 401, None);
    assert_eq!(reply.interim, Vec::<u16>::new());
}

#[test]
fn a_client_that_hangs_up_cancels_the_upstream() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    drop(client);
    assert!(peer.closes_within(5 * SECOND), "waiting for the answer's head");
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n");
    client.reply_head().expect("a head");
    drop(client);
    assert!(peer.closes_within(5 * SECOND), "in the middle of the answer's body");
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_answer_off() {
    let (gateway, backend, key) = play(|_| {});
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    drop(peer);
    assert!(client.reply("GET").is_err(), "an answer that is not whole must not look whole");
}

#[test]
fn an_upstream_that_speaks_no_http_is_502() {
    let (gateway, backend, key) = play(|_| {});
    let answers = std::thread::spawn(move || {
        let mut peer = backend.accept();
        peer.head();
        peer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n");
    });
    assert_ocriva(&gateway.send(&get(TARGET).key(&key)), 502, None);
    answers.join().expect("the backend");
}

#[test]
fn a_connection_that_cannot_be_made_times_out_as_504_or_502() {
    // An address that does not answer at all (TEST-NET-1): neither refused nor accepted.
    let settings = Settings::usual("http://192.0.2.1:9")
        .with(|value| value["upstreams"]["main"]["timeouts"] = json!({ "connect": "300ms" }));
    let (gateway, key) = in_front_of(&settings);
    let start = wait::now();
    let reply = gateway.send(&get(TARGET).key(&key));
    assert!(reply.status == 504 || reply.status == 502, "{reply:?}");
    assert_ocriva(&reply, reply.status, None);
    assert!(wait::now().since(start) < 5 * SECOND);
}

#[test]
fn upstream_connections_are_kept_and_reused() {
    let upstream = Upstream::http();
    let (gateway, key) =
        in_front_of(&Settings::usual(&upstream.url()).with(|value| value["workers"] = json!(1)));
    for _ in 0..20 {
        gateway.send(&get(TARGET).key(&key)).expect(200);
    }
    assert_eq!(upstream.connections(), 1, "one worker, one request at a time");
}

#[test]
fn a_kept_connection_that_the_upstream_closed_costs_the_client_nothing() {
    let (gateway, backend, key) = play(|value| value["workers"] = json!(1));
    for _ in 0..3 {
        let mut client = gateway.connect();
        client.write(&get(TARGET).key(&key).bytes("gateway.test"));
        let mut peer = backend.accept();
        peer.head();
        finish(&mut peer);
        assert_eq!(client.reply("GET").expect("an answer").status, 200);
        // It said keep-alive and closes all the same.
        drop(peer);
    }
}

#[test]
fn large_bodies_pass_in_both_directions() {
    let upstream = Upstream::http();
    let body = vec![b'z'; 8 << 20];
    upstream.script("large", Answer { body: body.clone(), ..Answer::default() });
    let settings =
        Settings::usual(&upstream.url()).with(|value| value["apis"][0]["body_limit"] = json!("16MiB"));
    let (gateway, key) = in_front_of(&settings);
    for request in [post(TARGET).raw_body(&body), post(TARGET).raw_body(&body).chunked(65536)] {
        let reply = gateway.send(&request.key(&key).script("large")).expect(200);
        assert_eq!((reply.body.len(), upstream.one(&reply.tag).body.len()), (body.len(), body.len()));
    }
}

#[test]
fn an_h2c_upstream_sees_http2() {
    let upstream = Upstream::h2c();
    upstream.script(
        "trailers",
        Answer {
            headers: vec![("trailer", "x-digest".to_owned())],
            trailers: vec![("x-digest", "123")],
            ..Answer::default()
        },
    );
    let (gateway, key) = in_front_of(&Settings::usual(&upstream.url()));
    let request =
        post(TARGET).key(&key).body("text/plain", "hello").header("TE", "trailers").script("trailers");
    let reply = gateway.send(&request).expect(200);
    let record = upstream.one(&reply.tag);
    assert!(record.http2 && record.body == b"hello");
    assert_eq!(reply.trailers, [("x-digest".to_owned(), "123".to_owned())]);
}

#[test]
fn an_https_upstream_is_verified_and_spoken_to_by_alpn() {
    let leaf = certificate::leaf(&["127.0.0.1"]);
    for (alpn, http2) in [(&[&b"h2"[..], b"http/1.1"][..], true), (&[&b"http/1.1"[..]][..], false)] {
        let upstream = Upstream::https(&leaf, alpn);
        let (gateway, key) = in_front_of(&Settings::usual(&upstream.url()));
        let reply = gateway.send(&get(TARGET).key(&key)).expect(200);
        assert_eq!(upstream.one(&reply.tag).http2, http2);
    }
}

#[test]
fn an_https_upstream_of_another_name_is_502() {
    let upstream = Upstream::https(&certificate::leaf(&["somebody.test"]), &[b"http/1.1"]);
    let (gateway, key) = in_front_of(&Settings::usual(&upstream.url()));
    assert_ocriva(&gateway.send(&get(TARGET).key(&key)), 502, None);
    assert_eq!(upstream.count(), 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::http();
    for name in ["one", "two", "three"] {
        upstream.script(name, Answer { body: name.into(), ..Answer::default() });
    }
    let (gateway, key) = in_front_of(&Settings::usual(&upstream.url()));
    let mut client = gateway.connect();
    let all: Vec<u8> = ["one", "two", "three"]
        .iter()
        .flat_map(|name| get(TARGET).key(&key).script(name).bytes("gateway.test"))
        .collect();
    client.write(&all);
    for name in ["one", "two", "three"] {
        assert_eq!(client.reply("GET").expect("an answer").text(), name);
    }
}
