//! HTTP/1.1 as clients speak it (RFC 9112): where messages end, and how long connections live.

use crate::support::backend::Backend;
use crate::support::client::Connection;
use crate::support::request::{Request, method};
use crate::support::settings::Settings;
use crate::support::world::{with_one_key, world};
use crate::support::{get, post};
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SOON: Duration = Duration::from_secs(5);

fn chunked(request: Request, chunks: &str) -> Request {
    request.header("Transfer-Encoding", "chunked").unframed().raw_body(chunks)
}

#[test]
fn a_request_is_the_same_however_it_is_cut() {
    let w = world();
    let mut connection = w.gateway.connect();
    for step in [1, 2, 3, 7, 31] {
        let request = chunked(post(TARGET).key(&w.org_key()), "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n");
        for piece in request.bytes("gateway.test").chunks(step) {
            connection.write(piece);
            std::thread::sleep(Duration::from_micros(300));
        }
        assert_eq!(connection.reply("POST").expect("an answer").status, 200, "by {step}");
        assert_eq!(w.upstream.one(&request.tag).body, b"abc0123456789", "by {step}");
    }
}

#[test]
fn chunks_that_servers_read_differently_are_refused() {
    let w = world();
    for chunks in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
    ] {
        let mut connection = w.gateway.connect();
        let reply = connection.send(&chunked(post(TARGET).key(&w.org_key()), chunks));
        assert_eq!(reply.status, 400, "{chunks:?}: {reply:?}");
        assert!(connection.closes_within(SOON), "{chunks:?}: it stays open");
    }
}

#[test]
fn an_answer_without_a_body_leaves_the_connection_where_it_is() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let mut client = gateway.connect();
    let ask = |client: &mut Connection, name: &str| {
        client.write(&method(name, TARGET).key(&key).bytes("gateway.test"));
    };
    let mut peer = None;
    for (name, answer, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Some("99")),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", Some("99")),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone", Some("4")),
    ] {
        ask(&mut client, name);
        let peer = peer.get_or_insert_with(|| backend.accept());
        assert!(peer.head().starts_with(name), "{answer:?}");
        peer.write(answer.as_bytes());
        let reply = client.reply(name).expect("an answer");
        assert_eq!(reply.header("content-length"), length, "{name} {answer:?}: {reply:?}");
        assert_eq!(reply.header("transfer-encoding"), None, "{name} {answer:?}: {reply:?}");
    }
    assert_eq!(client.leftover(), b"");
}

#[test]
fn a_refused_head_tells_the_length_that_get_would_have() {
    let w = world();
    let mut connection = w.gateway.connect();
    let head = connection.send(&method("HEAD", TARGET));
    let whole = connection.send(&get(TARGET));
    assert_eq!((head.status, whole.status), (401, 401));
    assert_eq!(head.header("content-length"), whole.header("content-length"));
}

#[test]
fn http_1_0_clients_keep_the_connection_only_if_they_say_so() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let mut client = gateway.connect();
    let head = |more: &str| format!("GET {TARGET} HTTP/1.0\r\nHost: a\r\nX-API-Key: {key}\r\n{more}\r\n");
    client.write(head("Connection: keep-alive\r\n").as_bytes());
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let reply = client.reply("GET").expect("an answer");
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("ok", Some("keep-alive")));
    // A body of unknown length ends with the connection: HTTP/1.0 knows no chunks.
    client.write(head("Connection: keep-alive\r\n").as_bytes());
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nun\r\n5\r\nknown\r\n0\r\n\r\n");
    let reply = client.reply("GET").expect("an answer");
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("unknown", Some("close")));
    assert_eq!(reply.header("transfer-encoding"), None);
}

#[test]
fn a_refusal_keeps_the_connection_when_the_body_is_there() {
    let w = world();
    let mut connection = w.gateway.connect();
    assert_eq!(connection.send(&post(TARGET).raw_body("a body nobody reads")).status, 401);
    assert_eq!(connection.send(&chunked(post(TARGET), "5\r\nhello\r\n0\r\n\r\n")).status, 401);
    assert_eq!(connection.send(&get(TARGET).key(&w.org_key())).status, 200);
}

#[test]
fn a_refused_upload_gets_its_answer_before_the_connection_closes() {
    let w = world();
    let mut connection = w.gateway.connect();
    let head = format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
    connection.write(head.as_bytes());
    // Far more than the system holds for an unread socket: a plain close would reset, and the answer would be lost.
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..20 {
        if connection.try_write(&piece).is_err() {
            break;
        }
    }
    let reply = connection.reply("POST").expect("an answer");
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
    assert!(connection.closes_within(SOON));
}

#[test]
fn an_upstream_may_answer_before_the_request_has_ended() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let mut client = gateway.connect();
    let request = post(TARGET).key(&key).header("Transfer-Encoding", "chunked").unframed();
    client.write(&request.head("gateway.test"));
    client.write(b"5\r\nfirst\r\n");
    let mut peer = backend.accept();
    peer.read_to(b"first").expect("the first chunk");
    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
    client.reply_head().expect("the head, while the request goes on");
    assert_eq!(client.chunk().expect("a chunk").as_deref(), Some(&b"early"[..]));
    client.write(b"6\r\nsecond\r\n0\r\n\r\n");
    peer.read_to(b"second").expect("the second chunk");
    peer.write(b"4\r\nlate\r\n0\r\n\r\n");
    assert_eq!(client.chunk().expect("a chunk").as_deref(), Some(&b"late"[..]));
    assert_eq!(client.chunk().expect("the end"), None);
}

#[test]
fn a_large_answer_arrives_whole_at_a_slow_reader() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let body: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    for coding in ["length", "chunks"] {
        let mut client = gateway.connect();
        client.write(&get(TARGET).key(&key).header("Connection", "close").bytes("gateway.test"));
        let mut peer = backend.accept();
        peer.head();
        let sent = body.clone();
        let sending = std::thread::spawn(move || {
            if coding == "length" {
                peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len()).as_bytes());
                return peer.write(&sent);
            }
            peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in sent.chunks(33_333) {
                peer.write(format!("{:x}\r\n", piece.len()).as_bytes());
                peer.write(piece);
                peer.write(b"\r\n");
            }
            peer.write(b"0\r\n\r\n");
        });
        std::thread::sleep(Duration::from_millis(300));
        let reply = client.reply("GET").expect("an answer");
        assert!(reply.body == body, "{coding}: {} of {} bytes", reply.body.len(), body.len());
        sending.join().expect("the backend");
    }
}

#[test]
fn every_answer_has_a_date() {
    let w = world();
    for request in [get(TARGET), get(TARGET).key(&w.org_key())] {
        let reply = w.gateway.connect().send(&request);
        assert_eq!(reply.all("date").len(), 1, "{reply:?}");
    }
}

#[test]
fn a_request_behind_a_bad_one_is_not_read() {
    let w = world();
    let mut connection = w.gateway.connect();
    connection.write(b"GET /v1/x HTTP/1.1\r\nHost: a\r\nbad field\r\n\r\n");
    let next = get(TARGET).key(&w.org_key());
    let _ = connection.try_write(&next.bytes("gateway.test"));
    assert_eq!(connection.reply("GET").expect("an answer").status, 400);
    assert!(connection.closes_within(SOON));
    assert_eq!(connection.leftover(), b"");
}
