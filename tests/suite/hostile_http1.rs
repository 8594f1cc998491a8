//! What hostile clients and sloppy upstreams do to HTTP/1.1 itself: ends that are not where they seem, connections that
//! are cut at any byte. Thousands of requests that are slightly wrong are in `fuzzing`.

use crate::support::backend::Backend;
use crate::support::certificate::{self, trusting};
use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::request::{Request, method};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{organization, with_one_key, world};
use crate::support::{assert_ocore, assert_ocriva, get, post, wait};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SOON: Duration = Duration::from_secs(5);

fn chunked(request: Request) -> Request {
    request.header("Transfer-Encoding", "chunked").unframed()
}

pub(super) fn open_connections(gateway: &Gateway) -> f64 {
    gateway.metric("portcullis_connections", &[])
}

#[test]
fn a_head_whose_framing_is_refused_is_answered_in_its_paths_envelope() {
    let w = world();
    for fields in
        ["Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: 1\r\nContent-Length: 2"]
    {
        for path in [TARGET, "/api/servers"] {
            let mut connection = w.gateway.connect();
            let behind = "GET /v1/smuggled HTTP/1.1\r\n\r\n";
            let head = format!("\r\n\r\nPOST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{behind}");
            connection.write(head.as_bytes());
            let reply = connection.reply("POST").expect("an answer");
            match path {
                TARGET => assert_ocriva(&reply, 400, None),
                _ => drop(assert_ocore(&reply, 400)),
            }
            assert!(connection.closes_within(SOON));
            assert_eq!(connection.leftover(), b"");
        }
    }
}

#[test]
fn trailers_end_with_crlf_like_everything_in_chunks() {
    let w = world();
    for end in ["0\r\n\n", "0\r\nX-Digest: 1\n\r\n", "0\r\nX-Digest: 1\r\n\n", "0\n\r\n"] {
        let mut connection = w.gateway.connect();
        let request = chunked(post(TARGET).key(&w.org_key())).raw_body(format!("3\r\nabc\r\n{end}"));
        connection.write(&request.bytes("gateway.test"));
        let _ = connection.try_write(&get(TARGET).key(&w.org_key()).bytes("gateway.test"));
        assert_eq!(connection.reply("POST").expect("an answer").status, 400, "{end:?}");
        assert!(connection.closes_within(SOON), "{end:?}: it stays open");
        assert_eq!(connection.leftover(), b"", "{end:?}");
    }
}

#[test]
fn a_length_is_told_once() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let mut client = gateway.connect();
    client.write(&method("HEAD", TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.reply("HEAD").expect("an answer").header("content-length"), Some("9"));
}

#[test]
fn what_an_upstream_says_unasked_answers_nobody() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    for (first, at_once) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n", true),
        ("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true),
    ] {
        let mut client = gateway.connect();
        client.write(&get(TARGET).key(&key).bytes("gateway.test"));
        let mut peer = backend.accept();
        peer.head();
        match at_once {
            true => peer.write(format!("{first}{poison}").as_bytes()),
            false => peer.write(first.as_bytes()),
        }
        client.reply("GET").expect("the first answer");
        if !at_once {
            peer.write(poison.as_bytes());
            std::thread::sleep(Duration::from_millis(50));
        }
        client.write(&get(TARGET).key(&key).bytes("gateway.test"));
        let mut other = backend.accept();
        other.head();
        // It closes, so that the next round begins with a connection of its own.
        other.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nclean");
        assert_eq!(client.reply("GET").expect("the second answer").text(), "clean", "{first:?}");
        assert_eq!(client.leftover(), b"");
    }
    // A body that comes behind a 204, after the next request is on its way.
    let mut client = gateway.connect();
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(format!("HTTP/1.1 204 No Content\r\nContent-Length: {}\r\n\r\n", poison.len()).as_bytes());
    assert_eq!(client.reply("GET").expect("an answer").status, 204);
    client.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut other = backend.accept();
    other.head();
    other.answer("200 OK", "clean");
    assert_eq!(client.reply("GET").expect("an answer").text(), "clean");
}

#[test]
fn an_answer_can_not_be_split() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    for bad in [
        "X: a\rSet-Cookie: evil=1",
        "X: a\0b",
        "X\u{1}: a",
        "X : a",
        "X: a\r\n folded",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Upgrade: h2c\r\nno colon",
    ] {
        let mut client = gateway.connect();
        client.write(&get(TARGET).key(&key).header("Connection", "close").bytes("gateway.test"));
        let mut peer = backend.accept();
        peer.head();
        peer.write(format!("HTTP/1.1 200 OK\r\n{bad}\r\n\r\nok").as_bytes());
        assert_eq!(client.reply("GET").expect("an answer").status, 502, "{bad:?}");
        assert!(client.closes_within(SOON));
        assert_eq!(client.leftover(), b"", "{bad:?}");
        assert!(peer.closes_within(SOON), "{bad:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    for (answer, whole) in [
        ("Content-Length: 9\r\n\r\nhalf", "123456789"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: un", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf!\r\n0\r\n\r\n", "0\r\n\r\n"),
    ] {
        let mut client = gateway.connect();
        client.write(&get(TARGET).key(&key).bytes("gateway.test"));
        let mut peer = backend.accept();
        peer.head();
        peer.write(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
        drop(peer);
        assert!(client.closes_within(SOON), "{answer:?}");
        let came = String::from_utf8_lossy(client.leftover()).into_owned();
        assert!(!came.ends_with(whole), "{answer:?}: {came:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_each_with_its_own_body() {
    let w = world();
    let mut connection = w.gateway.connect();
    let requests = [
        post(TARGET).key(&w.org_key()).raw_body("one\r\n\r\nGET /v1/openapi/smuggled HTTP/1.1\r\n\r\n"),
        method("HEAD", TARGET).key(&w.org_key()),
        chunked(post(TARGET).key(&w.org_key())).raw_body("5;a=b\r\nthree\r\n0\r\nX-T: 1\r\n\r\n"),
        get(TARGET),
        post(TARGET).key(&w.org_key()).raw_body("five"),
    ];
    let all: Vec<u8> = requests.iter().flat_map(|request| request.bytes("gateway.test")).collect();
    connection.write(&all);
    for (request, status) in requests.iter().zip([200, 200, 200, 401, 200]) {
        let reply = connection.reply(&request.method).expect("an answer");
        assert_eq!(reply.status, status, "{request:?}: {reply:?}");
    }
    assert_eq!(connection.leftover(), b"");
    assert_eq!(w.upstream.one(&requests[0].tag).body, requests[0].body);
    assert_eq!(w.upstream.one(&requests[2].tag).body, b"three");
    assert_eq!(w.upstream.one(&requests[4].tag).body, b"five");
}

#[test]
fn a_client_that_expects_a_100_and_does_not_wait_keeps_its_connection() {
    let w = world();
    let mut connection = w.gateway.connect();
    for _ in 0..2 {
        let request = post(TARGET).key(&w.org_key()).header("Expect", "100-continue").raw_body("at once");
        assert_eq!(connection.send(&request).status, 200);
        assert_eq!(w.upstream.one(&request.tag).body, b"at once");
    }
    // Refused before its body was asked for: nobody can tell whether what follows is the body.
    let refused = post(TARGET).header("Expect", "100-continue").header("Content-Length", "9").unframed();
    connection.write(&refused.bytes("gateway.test"));
    let reply = connection.reply("POST").expect("an answer");
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
    assert!(connection.closes_within(SOON));
}

/// An upstream over HTTP/2 that answers at once and reads the request's body afterwards; what became of that is sent.
fn answers_early() -> (String, mpsc::Receiver<Result<Vec<u8>, String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("h2c://{}", listener.local_addr().expect("an address"));
    let (told, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            listener.set_nonblocking(true).expect("non-blocking");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let service = service_fn(move |request: http::Request<Incoming>| {
                let told = told.clone();
                tokio::spawn(async move {
                    let read = request.into_body().collect().await;
                    let read = read.map(|all| all.to_bytes().to_vec()).map_err(|e| e.to_string());
                    let _ = told.send(read);
                });
                async { Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"early")))) }
            });
            while let Ok((socket, _)) = listener.accept().await {
                let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(http2.serve_connection(TokioIo::new(socket), service.clone()));
            }
        });
    });
    (url, outcome)
}

#[test]
fn a_body_does_not_outlive_its_request() {
    let (url, outcome) = answers_early();
    let (gateway, key) = with_one_key(&Settings::usual(&url).unlimited());
    let mut client = gateway.connect();
    client.write(&chunked(post(TARGET).key(&key)).head("gateway.test"));
    client.write(b"5\r\nfirst\r\n");
    assert_eq!(client.reply("POST").expect("an answer").text(), "early");
    // The gateway has no use for the rest; the upstream must not take the part for the whole, nor wait for ever.
    let _ = client.try_write(b"6\r\nsecond\r\n0\r\n\r\n");
    let read = outcome.recv_timeout(SOON).expect("the body's end, whichever");
    assert!(read.is_err() || read.as_deref() == Ok(b"firstsecond"), "{read:?}");
    // A client that stays silent does not hold its socket open behind the gauge.
    let mut client = gateway.connect();
    client.write(&chunked(post(TARGET).key(&key)).head("gateway.test"));
    client.write(b"5\r\nfirst\r\n");
    assert_eq!(client.reply("POST").expect("an answer").text(), "early");
    let read = outcome.recv_timeout(SOON).expect("the body's end");
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn a_drain_answers_what_was_begun() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let mut kept = gateway.connect();
    assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
    let request = post(TARGET).key(&key).raw_body("body");
    let bytes = request.bytes("gateway.test");
    kept.write(&bytes[..40]);
    let mut idle = gateway.connect();
    assert_eq!(idle.send(&get(TARGET).key(&key)).status, 200);
    std::thread::sleep(Duration::from_millis(200));
    gateway.signal("TERM");
    assert!(idle.closes_within(SOON), "an idle connection is not waited for");
    kept.write(&bytes[40..]);
    let reply = kept.reply("POST").expect("an answer to what was begun before");
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert!(kept.closes_within(SOON));
    assert_eq!(gateway.wait_for_end().code(), Some(0));
}

pub(super) fn with_tls(upstream: &str, limits: serde_json::Value) -> (Gateway, String) {
    let settings = Settings::usual(upstream).unlimited().tls(&["a"]).with(|value| {
        value["upstreams"]["main"]["timeouts"] = json!({ "response": "1s" });
    });
    let gateway = Gateway::prepare(&settings);
    let mut filled = gateway.filled(&settings);
    for listener in filled.value["listeners"].as_array_mut().expect("listeners") {
        listener["limits"] = limits.clone();
    }
    gateway.configure_text(&filled.yaml());
    certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
    let mut organization = organization();
    let key = organization.org_key();
    gateway.import(&Fixture::default().with(organization).text()).expect_success();
    let mut gateway = gateway;
    gateway.serve();
    (gateway, key)
}

#[test]
fn tls_that_ends_in_peace_says_so() {
    let upstream = Upstream::http();
    let (gateway, key) = with_tls(&upstream.url(), json!({ "idle_timeout": "300ms" }));
    let socket = std::net::TcpStream::connect(gateway.tls.expect("TLS")).expect("connect");
    socket.set_read_timeout(Some(SOON)).expect("a read time-out");
    let name = rustls_pki_types::ServerName::try_from("a.test").expect("a name");
    let session = rustls::ClientConnection::new(trusting(&[b"http/1.1"], None), name).expect("a session");
    let mut stream = rustls::StreamOwned::new(session, socket);
    let request = get(TARGET).key(&key);
    std::io::Write::write_all(&mut stream, &request.bytes("a.test")).expect("write");
    // Without the closing alert, rustls reports an unexpected end.
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut all).expect("an end with a closing alert");
    assert!(all.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_tls_client_that_does_not_read_is_let_go() {
    let backend = Backend::new();
    let (gateway, key) = with_tls(&backend.url(), json!({ "idle_timeout": "500ms" }));
    let config = trusting(&[b"http/1.1"], None);
    let (mut client, _) = Connection::tls(gateway.tls.expect("TLS"), "a.test", config).expect("TLS");
    client.write(&get(TARGET).key(&key).bytes("a.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    let piece = vec![b'x'; 1_000_000];
    assert!(!(0..100).all(|_| peer.try_write(&piece)), "the client was given everything");
    wait::until("its connection is given back", || open_connections(&gateway) == 0.0);
}

#[test]
fn empty_lines_before_a_request_are_no_part_of_it() {
    let w = world();
    let mut connection = w.gateway.connect();
    for _ in 0..2 {
        connection.write("\r\n".repeat(50_000).as_bytes());
        assert_eq!(connection.send(&get(TARGET).key(&w.org_key())).status, 200);
    }
}

#[test]
fn a_drain_under_load_cuts_no_answer() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (mut client, key) = (gateway.connect(), key.clone());
            std::thread::spawn(move || {
                for answers in 0.. {
                    let request = post(TARGET).key(&key).raw_body("some body");
                    let sent = client.try_write(&request.bytes("a"));
                    let Ok(mut reply) = sent.and_then(|()| client.reply_head()) else {
                        assert_eq!(client.leftover(), b"");
                        return answers;
                    };
                    client
                        .reply_body("POST", &mut reply)
                        .expect("the whole body of an answer that was begun");
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
                0
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_end().code(), Some(0));
    for client in clients {
        assert!(client.join().expect("answers, whole or none") > 0);
    }
}

#[test]
fn a_client_may_go_at_any_byte() {
    let upstream = Upstream::http();
    let (gateway, key) = with_tls(&upstream.url(), json!({}));
    let tls = trusting(&[b"http/1.1"], None);
    let request = chunked(post(TARGET).key(&key)).header("Expect", "100-continue");
    let bytes = request.raw_body("5;x=y\r\nhello\r\n5\r\nworld\r\n0\r\nX-T: 1\r\n\r\n").bytes("a.test");
    for end in 0..=bytes.len() {
        gateway.connect().write(&bytes[..end]);
        if end % 16 == 0 {
            let address = gateway.tls.expect("TLS");
            let (mut client, _) = Connection::tls(address, "a.test", tls.clone()).expect("TLS");
            client.write(&bytes[..end]);
        }
    }
    wait::until("all connections are given back", || open_connections(&gateway) == 0.0);
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}

#[test]
fn large_bodies_go_both_ways_at_once() {
    let backend = Backend::new();
    let settings = Settings::usual(&backend.url()).unlimited();
    let (gateway, key) = with_one_key(&settings.with(|value| {
        value["apis"][0]["body_limit"] = json!("16MiB");
    }));
    let size = 6 << 20;
    let mut client = gateway.connect();
    let request = post(TARGET).key(&key).header("Content-Length", size.to_string()).unframed();
    client.write(&request.head("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes());
    let echo = std::thread::spawn(move || {
        for _ in 0..size / 4096 {
            let piece = peer.read_to(b"\n").expect("a piece");
            peer.write(&piece);
        }
    });
    let mut reply = client.reply_head().expect("a head");
    // A window of 256 KiB ahead of what came back, as a client that reads and writes at once has.
    let mut piece = vec![b'x'; 4095];
    piece.push(b'\n');
    let ahead = 64;
    let (mut sent, mut came) = (0, 0);
    while sent < size / 4096 {
        client.write(&piece);
        sent += 1;
        if sent > ahead {
            came += 1;
            assert_eq!(client.take(4096).expect("a piece").len(), 4096);
        }
    }
    assert_eq!(came, size / 4096 - ahead);
    reply.headers.retain(|(name, _)| name != "content-length");
    assert_eq!(client.take(ahead * 4096).expect("the rest").last(), Some(&b'\n'));
    echo.join().expect("the backend");
}
