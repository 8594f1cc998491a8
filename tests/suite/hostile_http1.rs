//! What hostile clients and sloppy upstreams do to HTTP/1.1 itself: ends that are not where they seem, connections that
//! are cut at any byte, and thousands of requests that are slightly wrong.

use crate::support::backend::Backend;
use crate::support::certificate::trusting;
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
