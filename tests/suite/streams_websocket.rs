//! WebSocket through the gateway: what a pass-through can influence of what a WebSocket test suite asks, over HTTP/1.1,
//! TLS and HTTP/2 (RFC 8441), and what becomes of handshakes that are not allowed.

use crate::support::backend::Backend;
use crate::support::certificate;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUATION, Echo, Frame, PING, PONG, Pipe, TEXT, closing, handshake, open_h1, open_h2,
    tls,
};
use crate::support::world::{organization, with_one_key};
use crate::support::{assert_ocriva, get, wait};
use serde_json::{Value, json};
use std::time::Duration;

const TARGET: &str = "/v1/socket/echo";
const RAW: &str = "/v1/socket/raw";

/// The usual settings with a route that allows WebSocket.
pub(crate) fn settings(upstream: &str) -> Settings {
    Settings::usual(upstream).unlimited().with(|value| {
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.push(json!({ "path": "/v1/socket/**", "upgrade": ["websocket"], "upstream": "main" }));
        routes.push(json!({ "path": "/v1/socket/scoped", "upgrade": ["websocket"], "upstream": "main",
            "require": { "scopes": ["sockets"] } }));
    })
}

fn start(alter: impl FnOnce(&mut Value)) -> (Gateway, Echo, String) {
    let echo = Echo::new();
    let (gateway, key) = with_one_key(&settings(&echo.url()).with(alter));
    (gateway, echo, key)
}

/// A gateway with TLS too.
pub(crate) fn start_with_tls() -> (Gateway, Echo, String) {
    let echo = Echo::new();
    let mut gateway = Gateway::prepare(&settings(&echo.url()).tls(&["main"]));
    certificate::leaf(&["gateway.test"]).write(gateway.folder(), "main");
    let mut organization = organization();
    let key = organization.org_key();
    gateway.import(&Fixture::default().with(organization).text()).expect_success();
    gateway.serve();
    (gateway, echo, key)
}

/// What is sent in one piece, what comes back, and how it is cut on its way out.
struct Case {
    name: &'static str,
    sent: Vec<Frame>,
    back: Vec<Frame>,
    chop: usize,
}

fn case(name: &'static str, sent: Vec<Frame>) -> Case {
    Case { name, back: sent.clone(), sent, chop: usize::MAX }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("empty text", vec![Frame::last(TEXT, "")]),
        case("empty binary", vec![Frame::last(BINARY, "")]),
        case("text beyond ASCII", vec![Frame::last(TEXT, "Hello-µ@ßöäüàá-UTF-8!!อ่าน")]),
        case(
            "a fragmented text",
            vec![
                Frame::more(TEXT, "one "),
                Frame::more(CONTINUATION, ""),
                Frame::more(CONTINUATION, "two "),
                Frame::last(CONTINUATION, "three"),
            ],
        ),
        case("reserved bits", vec![Frame { first: 0xc1, payload: b"\xcaH\xcd\xc9\xc9\x07\0".to_vec() }]),
        case("invalid UTF-8", vec![Frame::last(TEXT, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited")]),
        case("many small ones", (0..200).map(|n: u32| Frame::last(TEXT, n.to_string())).collect()),
        Case {
            name: "ping",
            sent: vec![Frame::last(PING, "are you there")],
            back: vec![Frame::last(PONG, "are you there")],
            chop: usize::MAX,
        },
        Case {
            name: "ping between fragments",
            chop: usize::MAX,
            sent: vec![Frame::more(TEXT, "a"), Frame::last(PING, "p"), Frame::last(CONTINUATION, "b")],
            back: vec![Frame::more(TEXT, "a"), Frame::last(PONG, "p"), Frame::last(CONTINUATION, "b")],
        },
        Case {
            name: "an unasked pong",
            sent: vec![Frame::last(PONG, "x"), Frame::last(TEXT, "y")],
            back: vec![Frame::last(TEXT, "y")],
            chop: usize::MAX,
        },
        Case {
            chop: 1,
            ..case("byte by byte", vec![Frame::last(TEXT, "slowly"), Frame::last(BINARY, vec![7; 300])])
        },
        Case { chop: 997, ..case("in odd pieces", vec![Frame::last(BINARY, vec![9; 65_536])]) },
    ];
    for length in [1, 125, 126, 127, 128, 65_535, 65_536, 1 << 20] {
        cases.push(case("a length at a boundary", vec![Frame::last(BINARY, pattern(length))]));
    }
    cases
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 256) as u8).collect()
}

fn hold(how: &str, pipe: &mut dyn Pipe) {
    for case in cases() {
        let bytes: Vec<u8> = case.sent.iter().flat_map(Frame::masked).collect();
        for piece in bytes.chunks(case.chop.min(bytes.len())) {
            pipe.write(piece);
        }
        for wanted in case.back {
            let frame = pipe.frame().unwrap_or_else(|e| panic!("{how}, {}: {e}", case.name));
            assert!(
                frame == wanted,
                "{how}, {}: {} bytes came, first {:#x}",
                case.name,
                frame.payload.len(),
                frame.first
            );
        }
    }
}

fn ends(how: &str, pipe: &mut dyn Pipe, payload: &[u8]) {
    pipe.write(&Frame::last(CLOSE, payload).masked());
    let frame = pipe.frame().unwrap_or_else(|e| panic!("{how}: {e}"));
    assert_eq!(frame, Frame::last(CLOSE, payload), "{how}");
    assert!(pipe.is_over(), "{how}: it goes on after the close");
}

#[test]
fn frames_pass_as_they_are_over_each_protocol() {
    let (gateway, echo, key) = start_with_tls();
    let address = gateway.tls.expect("TLS");
    hold("HTTP/1.1", &mut open_h1(gateway.connect(), TARGET, &key, "", b""));
    hold("TLS", &mut open_h1(tls(address), TARGET, &key, "", b""));
    let (mut pipe, _) =
        open_h2(gateway.address, TARGET, &key, "websocket", &[]).unwrap_or_else(|r| panic!("{r:?}"));
    hold("HTTP/2", &mut pipe);
    drop(pipe);
    for payload in
        [closing(1000, "done"), closing(1001, ""), closing(3999, "ours"), closing(999, "bad"), Vec::new()]
    {
        ends("HTTP/1.1", &mut open_h1(gateway.connect(), TARGET, &key, "", b""), &payload);
        ends("TLS", &mut open_h1(tls(address), TARGET, &key, "", b""), &payload);
        let (mut pipe, _) = open_h2(gateway.address, TARGET, &key, "websocket", &[]).expect("a stream");
        ends("HTTP/2", &mut pipe, &payload);
    }
    wait::until("the backend's connections have ended", || echo.open() == 0);
    // Each is logged once, with its bytes, when it has ended.
    wait::until("all are counted", || {
        gateway.metric("portcullis_requests_total", &[("status", "101"), ("route", "/v1/socket/**")]) == 18.0
    });
    assert_eq!(gateway.metric("portcullis_tunnels", &[]), 0.0);
}

#[test]
fn a_route_with_weights_may_be_upgraded_too() {
    let (gateway, _echo, key) = start(|value| {
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes
            .push(json!({ "path": "/v1/socket/echo", "upgrade": ["websocket"], "upstream": { "main": 1 } }));
    });
    let mut pipe = open_h1(gateway.connect(), TARGET, &key, "", b"");
    ends("HTTP/1.1", &mut pipe, b"\x03\xe8");
    let (mut pipe, _) =
        open_h2(gateway.address, TARGET, &key, "websocket", &[]).unwrap_or_else(|r| panic!("{r:?}"));
    ends("HTTP/2", &mut pipe, b"\x03\xe8");
}

#[test]
fn a_large_message_passes_whole() {
    let (gateway, _echo, key) = start(|_| {});
    let message = Frame::last(BINARY, pattern(16 << 20));
    let mut pipe = open_h1(gateway.connect(), TARGET, &key, "", b"");
    pipe.write(&message.masked());
    assert!(pipe.frame().expect("a frame") == message, "HTTP/1.1");
    let (mut pipe, _) = open_h2(gateway.address, TARGET, &key, "websocket", &[]).expect("a stream");
    pipe.write(&message.masked());
    assert!(pipe.frame().expect("a frame") == message, "HTTP/2");
}

#[test]
fn what_is_no_frame_passes_untouched() {
    let (gateway, _echo, key) = start(|_| {});
    let nonsense =
        [b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), vec![0xff; 4096], pattern(100_000)]
            .concat();
    let mut h1 = open_h1(gateway.connect(), RAW, &key, "", b"");
    let (mut h2, _) = open_h2(gateway.address, RAW, &key, "websocket", &[]).expect("a stream");
    for pipe in [&mut h1 as &mut dyn Pipe, &mut h2] {
        pipe.write(&nonsense);
        assert!(pipe.take(nonsense.len()).expect("all of it") == nonsense);
        // Half closed: the backend's last words still come, and its end follows.
        pipe.write(b"last words");
        pipe.finish();
        assert_eq!(pipe.take(10).expect("the last words"), b"last words");
        assert!(pipe.is_over());
    }
}

#[test]
fn the_first_frames_may_come_with_the_handshake() {
    let (gateway, echo, key) = start(|_| {});
    let first = Frame::last(TEXT, "early");
    let mut pipe = open_h1(gateway.connect(), TARGET, &key, "", &first.masked());
    assert_eq!(pipe.frame().expect("a frame"), first);
    assert_eq!(echo.open(), 1);
}

#[test]
fn a_client_that_goes_takes_its_backend_connection_with_it() {
    let (gateway, echo, key) = start(|_| {});
    let pipe = open_h1(gateway.connect(), TARGET, &key, "", b"");
    let (mut stream, _) = open_h2(gateway.address, TARGET, &key, "websocket", &[]).expect("a stream");
    wait::until("both are open", || echo.open() == 2);
    wait::until("both are counted", || gateway.metric("portcullis_tunnels", &[]) == 2.0);
    drop(pipe);
    wait::until("one is left", || echo.open() == 1);
    stream.reset();
    wait::until("none is left", || echo.open() == 0);
    wait::until("none is counted", || gateway.metric("portcullis_tunnels", &[]) == 0.0);
}

#[test]
fn the_backend_sees_a_handshake_with_our_identity_and_none_of_the_key() {
    let (gateway, echo, key) = start(|_| {});
    let more = "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: https://app.test\r\n";
    open_h1(gateway.connect(), TARGET, &key, more, b"");
    let head = echo.head().to_lowercase();
    for line in [
        "get /v1/socket/echo http/1.1\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nupgrade: websocket\r\n",
        "\r\nsec-websocket-version: 13\r\n",
        "\r\nsec-websocket-protocol: chat, superchat\r\n",
        "\r\norigin: https://app.test\r\n",
        "\r\nsec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n",
        "\r\nauthorization: bearer ey",
    ] {
        assert!(head.contains(line), "{line:?} is missing in {head}");
    }
    assert!(!head.contains("ocr_") && !head.contains("content-length"), "{head}");
    let (_pipe, fields) = open_h2(
        gateway.address,
        TARGET,
        &key,
        "websocket",
        &[("sec-websocket-extensions", "permessage-deflate"), ("sec-websocket-key", "stale")],
    )
    .expect("a stream");
    assert_eq!(
        fields.get("sec-websocket-extensions").map(|v| v.as_bytes()),
        Some(&b"permessage-deflate"[..])
    );
    assert!(fields.get("sec-websocket-accept").is_none() && fields.get("upgrade").is_none(), "{fields:?}");
    let head = echo.head().to_lowercase();
    assert!(head.starts_with("get /v1/socket/echo http/1.1\r\n") && !head.contains("stale"), "{head}");
    assert_eq!(head.matches("sec-websocket-version: 13").count(), 1, "{head}");
    assert_eq!(head.matches("sec-websocket-key:").count(), 1, "{head}");
}

#[test]
fn the_policy_is_applied_to_the_handshake() {
    let (gateway, echo, key) = start(|_| {});
    let ask = |target: &str, key: &str| {
        let mut client = gateway.connect();
        client.write(handshake(target, key, "").as_bytes());
        client.reply("GET").expect("an answer")
    };
    for (target, key, status) in [
        (TARGET, "ocr_unknown", 401),
        ("/v1/socket/echo?projectId=foreign", &*key, 401),
        ("/v1/socket/scoped", &*key, 403),
        // A route that allows no upgrade.
        ("/v1/openapi/other", &*key, 403),
        ("/v1/openapi/fixed", &*key, 403),
    ] {
        assert_ocriva(&ask(target, key), status, None);
        let over_h2 = open_h2(gateway.address, target, key, "websocket", &[]).err().expect("a refusal");
        assert_eq!(over_h2.status(), status, "{target} over HTTP/2");
    }
    let other = open_h2(gateway.address, TARGET, &key, "connect-udp", &[]).err().expect("a refusal");
    assert_eq!(other.status(), 403);
    assert_eq!(echo.open(), 0, "one reached the backend");
}

#[test]
fn a_limit_counts_handshakes() {
    let (gateway, _echo, key) = start(|value| {
        value["apis"][0]["rate_limit"] = json!({ "requests": 1, "per": "1h" });
    });
    open_h1(gateway.connect(), TARGET, &key, "", b"");
    let mut client = gateway.connect();
    client.write(handshake(TARGET, &key, "").as_bytes());
    assert_ocriva(&client.reply("GET").expect("an answer"), 429, None);
}

/// What a client sends behind a handshake that is refused is requests, each held to the whole policy; and to the backend
/// nothing of it is sent before it has agreed.
#[test]
fn what_comes_behind_a_refused_handshake_is_no_other_protocol() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&settings(&backend.url()));
    let mut client = gateway.connect();
    let next = format!("GET /v1/openapi/next HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n");
    let unknown = "GET /v1/openapi/next HTTP/1.1\r\nHost: x\r\nX-API-Key: ocr_nobody\r\n\r\n";
    client.write(format!("{}{next}{unknown}", handshake(TARGET, &key, "")).as_bytes());
    let mut peer = backend.accept();
    assert!(peer.head().starts_with("GET /v1/socket/echo"));
    peer.answer("400 Bad Request", "no");
    assert!(peer.head().starts_with("GET /v1/openapi/next"), "the second as a request of its own");
    peer.answer("200 OK", "next");
    assert_eq!(client.reply("GET").expect("an answer").text(), "no");
    assert_eq!(client.reply("GET").expect("an answer").text(), "next");
    assert_ocriva(&client.reply("GET").expect("an answer"), 401, None);
}

#[test]
fn a_switch_that_nobody_asked_for_is_no_answer() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&settings(&backend.url()));
    let switch = |upgrade: &str| {
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\r\n")
    };
    // To an ordinary request, and to another protocol than the one that was asked for.
    for (request, upgrade) in [
        (String::from_utf8(get(TARGET).key(&key).bytes("gateway.test")).expect("text"), "websocket"),
        (handshake(TARGET, &key, ""), "h2c"),
    ] {
        let mut client = gateway.connect();
        client.write(request.as_bytes());
        let mut peer = backend.accept();
        peer.head();
        peer.write(switch(upgrade).as_bytes());
        assert_ocriva(&client.reply("GET").expect("an answer"), 502, None);
        assert!(peer.closes_within(Duration::from_secs(5)));
    }
    // Over HTTP/2, a backend that does not show that it speaks WebSocket.
    for answer in [switch("websocket"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()] {
        let (address, key) = (gateway.address, key.clone());
        let client = std::thread::spawn(move || open_h2(address, TARGET, &key, "websocket", &[]).err());
        let mut peer = backend.accept();
        peer.head();
        peer.write(answer.as_bytes());
        let refused = client.join().expect("a thread").expect("a refusal");
        assert_eq!(refused.status(), 502, "{answer}");
    }
}

#[test]
fn other_protocols_are_passed_over_and_an_ordinary_answer_is_one() {
    let (gateway, echo, key) = start(|_| {});
    // h2c is never forwarded, even where the route allows WebSocket.
    for upgrade in ["h2c", "websocket, h2c", "TLS/1.0"] {
        let mut client = gateway.connect();
        let head = handshake(TARGET, &key, "").replace("Upgrade: WebSocket", &format!("Upgrade: {upgrade}"));
        client.write(head.as_bytes());
        assert_eq!(client.reply("GET").expect("an answer").status, 426);
        assert!(!echo.head().to_lowercase().contains("upgrade:"), "{}", echo.head());
    }
}

#[test]
fn a_silent_tunnel_ends_after_its_time_and_one_with_traffic_does_not() {
    let (gateway, echo, key) = start(|value| {
        value["upstreams"]["main"]["timeouts"] = json!({ "tunnel": "1s", "idle": "200ms" });
    });
    let mut pipe = open_h1(gateway.connect(), TARGET, &key, "", b"");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(400));
        // One way only: the echo server does not answer a pong.
        pipe.write(&Frame::last(PONG, "alive").masked());
    }
    pipe.write(&Frame::last(TEXT, "still here").masked());
    assert_eq!(pipe.frame().expect("it was never silent").payload, b"still here");
    assert!(pipe.closes_within(Duration::from_secs(10)), "it is silent");
    wait::until("the backend's connection has ended", || echo.open() == 0);
}

#[test]
fn check_refuses_what_can_not_work() {
    for (route, complaint) in [
        (json!({ "path": "/v1/a", "upgrade": ["h2c"], "upstream": "main" }), "can not be passed on"),
        (json!({ "path": "/v1/a", "upgrade": ["web socket"], "upstream": "main" }), "is no protocol"),
        (json!({ "path": "/v1/a", "upgrade": ["websocket", "WebSocket"], "upstream": "main" }), "twice"),
        (
            json!({ "path": "/v1/a", "upgrade": ["websocket"], "methods": ["POST"], "upstream": "main" }),
            "begins with GET",
        ),
        (
            json!({ "path": "/v1/a", "upgrade": ["websocket"], "respond": { "status": 200 } }),
            "needs an upstream",
        ),
        (
            json!({ "path": "/v1/a", "upgrade": ["websocket"], "redirect": { "to": "https://a.test/" } }),
            "needs an upstream",
        ),
        (json!({ "path": "/v1/a", "upgrade": ["websocket"], "upstream": "modern" }), "endpoints of `modern`"),
        (
            json!({ "path": "/v1/a", "upgrade": ["websocket"], "upstream": { "main": 1, "modern": 1 } }),
            "endpoints of `modern`",
        ),
    ] {
        let settings = Settings::usual("http://127.0.0.1:1").with(|value| {
            value["upstreams"]["modern"] = json!({ "endpoints": ["h2c://127.0.0.1:2"] });
            value["apis"][0]["routes"].as_array_mut().expect("routes").push(route);
        });
        let output = Gateway::prepare(&settings).run("check", &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(complaint), "{complaint}: {said}");
    }
}
