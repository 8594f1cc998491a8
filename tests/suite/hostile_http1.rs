//! What hostile clients and sloppy upstreams do to HTTP/1.1 itself: ends that are not where they seem, connections that
//! are cut at any byte, and thousands of requests that are slightly wrong.

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

fn open_connections(gateway: &Gateway) -> f64 {
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
    assert!(matches!(&read, Err(_)) || read.as_deref() == Ok(b"firstsecond"), "{read:?}");
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

fn with_tls(upstream: &str, limits: serde_json::Value) -> (Gateway, String) {
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

/// A small generator of its own, so that a failure can be had again (Steele, Lea, Flood: SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

/// Fields that servers are known to read differently.
const FIELDS: [&str; 26] = [
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding: chunked\t\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding:\u{b}chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding\r\n: chunked\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n",
    "X: y\0Transfer-Encoding: chunked\r\n",
    "transfer_encoding: chunked\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length : 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length:\r\n",
    "Connection: close, content-length, transfer-encoding\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\nConnection: upgrade\r\n",
    "Host: b\r\n",
    "\u{0}: x\r\n",
];

/// A valid request whose body holds another one, complete with a good key.
fn seed(dice: &mut Dice, key: &str) -> Vec<u8> {
    let inner = format!(
        "GET /v1/openapi/smuggled HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
    );
    let inner = inner.into_bytes();
    let request = match dice.roll(4) {
        0 => post(TARGET).key(key).raw_body(&inner),
        1 => post(TARGET).key(key).raw_body(&inner).chunked(inner.len() + dice.roll(3)),
        2 => post(TARGET).raw_body(&inner).chunked(1 + dice.roll(30)),
        _ => get(TARGET).key(key).raw_body([b"0\r\n\r\n", &inner[..]].concat()),
    };
    request.bytes("a")
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let lines: Vec<usize> = (0..head).filter(|&at| bytes[at] == b'\n').map(|at| at + 1).collect();
    let at = dice.roll(bytes.len());
    let odd =
        dice.pick(&[" ", "\t", "\r", "\n", "\0", "\r\n", ":", "\u{7f}", "é", "0", "5", ";", ",", "%00"]);
    match dice.roll(8) {
        0..=2 if lines.len() > 1 => {
            let line = lines[dice.roll(lines.len() - 1)];
            let field = dice.pick(&FIELDS);
            bytes.splice(line..line, field.bytes());
        }
        3 => drop(bytes.splice(at..at, odd.bytes())),
        4 => bytes[at] = odd.as_bytes()[0],
        5 => drop(bytes.drain(at..(at + 1 + dice.roll(4)).min(bytes.len()))),
        6 => bytes[at] ^= 1 << dice.roll(8),
        _ => {
            let near = dice.roll(head.max(1));
            bytes.splice(near..near, odd.bytes());
        }
    }
}

/// Whether these bytes, read by the letter of RFC 9112 with the leniencies that it allows (line feeds alone in heads,
/// empty lines before a request), hold a request for the smuggled target.
fn asks_for_it(mut bytes: &[u8]) -> bool {
    loop {
        while let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = bytes {
            bytes = rest;
        }
        let Some((head, mut rest)) = split_head(bytes) else { return false };
        let mut lines = head.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        if lines.next().is_some_and(|line| line.windows(8).any(|w| w == b"smuggled")) {
            return true;
        }
        let (mut length, mut coded) = (0, false);
        for line in lines {
            let Some(colon) = line.iter().position(|&b| b == b':') else { return false };
            let value = line[colon + 1..].trim_ascii();
            match line[..colon].to_ascii_lowercase().as_slice() {
                b"content-length" => match std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()) {
                    Some(number) => length = number,
                    None => return false,
                },
                b"transfer-encoding" => coded = true,
                _ => {}
            }
        }
        if coded {
            let Some(length) = chunks(rest) else { return false };
            rest = &rest[length..];
        } else if length > rest.len() {
            return false;
        } else {
            rest = &rest[length..];
        }
        bytes = rest;
    }
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = |at: usize| match &bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    };
    let (at, end) = (0..bytes.len()).find_map(|at| ends(at).map(|end| (at, end)))?;
    Some((&bytes[..at], &bytes[end..]))
}

/// Length of a chunked body with its trailers.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|w| w == b"\r\n")?;
        let size = bytes[at..at + line].split(|&b| b == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()?;
        at += line + 2;
        if size == 0 {
            let rest = &bytes[at..];
            return match rest.starts_with(b"\r\n") {
                true => Some(at + 2),
                false => rest.windows(4).position(|w| w == b"\r\n\r\n").map(|end| at + end + 4),
            };
        }
        at += size + 2;
        bytes.get(at - 2..at).filter(|end| end == b"\r\n")?;
    }
}

/// Answers until the end of what came; panics at bytes that are none.
fn only_answers(connection: &mut Connection, sent: &[u8]) -> usize {
    let mut answers = 0;
    while !connection.leftover().is_empty() {
        let left = String::from_utf8_lossy(connection.leftover()).into_owned();
        let reply = connection.reply("GET");
        let shown = String::from_utf8_lossy(sent);
        let reply = reply.unwrap_or_else(|e| panic!("{e}: {left:?} is no answer to {shown:?}"));
        assert!((200..=599).contains(&reply.status), "{reply:?} to {shown:?}");
        answers += 1;
    }
    answers
}

/// Gives how often the body of a request was one by its sender's own fault.
fn fuzz(open: &dyn Fn() -> Connection, upstream: &Upstream, key: &str, seed_of: u64, cases: usize) -> usize {
    let mut dice = Dice(seed_of);
    let (mut waiting, mut answered, mut seen, mut asked_for) = (Vec::new(), 0, 0, 0);
    for _ in 0..cases {
        let mut connection = open();
        let mut sent = Vec::new();
        for _ in 0..1 + dice.roll(3) {
            let mut bytes = seed(&mut dice, key);
            for _ in 0..dice.roll(4) {
                mutate(&mut dice, &mut bytes);
            }
            sent.extend_from_slice(&bytes);
        }
        sent.extend_from_slice(&get(TARGET).key(key).header("Connection", "close").bytes("a"));
        // In two pieces, at any place.
        let cut = dice.roll(sent.len());
        let _ = connection.try_write(&sent[..cut]).and_then(|()| connection.try_write(&sent[cut..]));
        if connection.closes_within(Duration::from_millis(30)) {
            answered += only_answers(&mut connection, &sent);
        } else {
            waiting.push((connection, sent.clone()));
        }
        let new = upstream.after(seen);
        seen += new.len();
        if new.iter().any(|record| record.target.contains("smuggled")) {
            let asked = asks_for_it(&sent) || waiting.iter().any(|(_, sent)| asks_for_it(sent));
            assert!(asked, "smuggled: {:?}", String::from_utf8_lossy(&sent));
            asked_for += 1;
        }
    }
    for (mut connection, sent) in waiting {
        let shown = String::from_utf8_lossy(&sent).into_owned();
        assert!(connection.closes_within(SOON), "it hangs: {shown:?}");
        answered += only_answers(&mut connection, &sent);
    }
    assert!(answered > cases / 2, "{answered} answers to {cases} cases: they show nothing");
    asked_for
}

#[test]
fn thousands_of_requests_that_are_slightly_wrong() {
    let upstream = Upstream::http();
    let limits = json!({ "header_timeout": "1s", "idle_timeout": "1s" });
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| {
        value["listeners"] = json!([{ "limits": limits }]);
        value["upstreams"]["main"]["timeouts"] = json!({ "response": "1s" });
    });
    let (gateway, key) = with_one_key(&settings);
    let asked_for = fuzz(&|| gateway.connect(), &upstream, &key, 1, 2500);
    assert!(asked_for > 0, "no case is so wrong that its body is a request: there is nothing to smuggle");
    still_serves(&gateway, &key);
}

#[test]
fn hundreds_of_them_over_tls() {
    let upstream = Upstream::http();
    let (gateway, key) = with_tls(&upstream.url(), json!({ "header_timeout": "1s", "idle_timeout": "1s" }));
    let (address, tls) = (gateway.tls.expect("TLS"), trusting(&[b"http/1.1"], None));
    let open = || Connection::tls(address, "a.test", tls.clone()).expect("TLS").0;
    fuzz(&open, &upstream, &key, 2, 200);
    still_serves(&gateway, &key);
}

fn still_serves(gateway: &Gateway, key: &str) {
    wait::until("all connections are given back", || open_connections(gateway) == 0.0);
    assert_eq!(gateway.send(&get(TARGET).key(key)).status, 200);
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

#[test]
fn the_oracle_of_the_fuzzer_sees_what_is_there() {
    let inner = "GET /v1/openapi/smuggled HTTP/1.1\r\n\r\n";
    let length = inner.len();
    for (head, asks) in [
        (format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"), false),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), true),
        ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n0\r\n\r\n".to_owned(), true),
        (format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"), false),
    ] {
        assert_eq!(asks_for_it(format!("{head}{inner}").as_bytes()), asks, "{head:?}");
    }
}
