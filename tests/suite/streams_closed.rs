//! What is under way ends when whoever asked for it may not go on: within five seconds, over each protocol, and nobody
//! else's with it.

use super::streams_websocket::settings;
use crate::support::client::Connection;
use crate::support::control::Console;
use crate::support::fixture::{Fixture, ocore_key, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::settings::SLUG;
use crate::support::websocket::{Echo, Frame, H2Pipe, Pipe, TEXT, open_h1, open_h2};
use crate::support::world::{OWNER, organization};
use crate::support::{get, post, wait};
use serde_json::json;
use std::time::Duration;

const SOCKET: &str = "/v1/socket/echo";
const EVENTS: &str = "/v1/openapi/events";
/// What the contract allows, and what a loaded machine may take on top of it.
const SOON: Duration = Duration::from_secs(5);

fn start(keys: &[(&str, serde_json::Value)]) -> (Gateway, Echo) {
    let echo = Echo::new();
    let mut organization = organization();
    organization.member(OWNER, "owner");
    for (key, more) in keys {
        organization.token(key, more.clone());
    }
    (Gateway::start(&settings(&echo.url()), &Fixture::default().with(organization)), echo)
}

fn events(gateway: &Gateway, key: &str) -> Connection {
    let mut client = gateway.connect();
    client.write(&get(EVENTS).key(key).bytes("gateway.test"));
    assert_eq!(client.reply_head().expect("a head").status, 200);
    assert_eq!(client.chunk().expect("an event").as_deref(), Some(&b"data: .\n\n"[..]));
    client
}

fn socket(gateway: &Gateway, key: &str) -> Connection {
    let mut pipe = open_h1(gateway.connect(), SOCKET, key, "", b"");
    alive(&mut pipe);
    pipe
}

fn alive(pipe: &mut dyn Pipe) {
    pipe.write(&Frame::last(TEXT, "hello").masked());
    assert_eq!(pipe.frame().expect("an echo").payload, b"hello");
}

/// Reads until it ends; whether that is soon.
fn ends_soon(pipe: &mut dyn Pipe) -> bool {
    let start = wait::now();
    while pipe.take(1).is_ok() {
        if wait::now().since(start) > SOON {
            return false;
        }
    }
    wait::now().since(start) <= SOON
}

#[test]
fn a_deactivated_key_s_streams_are_closed_and_no_others() {
    let (doomed, other) = (ocriva_key(), ocriva_key());
    let (gateway, echo) = start(&[(&doomed, json!({ "id": "doomed" })), (&other, json!({ "id": "other" }))]);
    let fields = [("x-api-key", &*doomed)];
    let mut sockets = [socket(&gateway, &doomed), socket(&gateway, &doomed)];
    let mut stream = events(&gateway, &doomed);
    let (mut extended, _) = open_h2(gateway.address, SOCKET, &doomed, "websocket", &[]).expect("a stream");
    alive(&mut extended);
    let mut events_h2 = H2Pipe::request(gateway.address, "GET", EVENTS, &fields);
    // Requests that wait for their answers, one with its body under way.
    let mut waiting = gateway.connect();
    waiting.write(&get("/v1/openapi/never").key(&doomed).bytes("gateway.test"));
    let mut sending = gateway.connect();
    sending.write(
        &post("/v1/openapi/never")
            .key(&doomed)
            .header("Content-Length", "100000")
            .unframed()
            .bytes("gateway.test"),
    );
    sending.write(b"some");
    // One whose client reads nothing at all.
    let unread = events(&gateway, &doomed);
    let mut kept = (socket(&gateway, &other), events(&gateway, &other));
    wait::until("all are under way", || echo.open() == 10);

    let console = Console::open(&gateway, OWNER);
    console.patch("doomed", &json!({ "isActive": false })).expect(200);
    let pipes: [&mut dyn Pipe; 5] = match &mut sockets {
        [one, two] => [one, two, &mut stream, &mut extended, &mut events_h2],
    };
    for (number, pipe) in pipes.into_iter().enumerate() {
        assert!(ends_soon(pipe), "stream {number} goes on");
    }
    assert_eq!(waiting.reply("GET").expect("an answer").status, 401);
    assert_eq!(sending.reply("POST").expect("an answer").status, 401);
    wait::until("the backend has none of them any more", || echo.open() == 2);
    drop(unread);
    // A chunked answer that is cut must not look whole.
    assert!(!stream.leftover().ends_with(b"0\r\n\r\n"));
    alive(&mut kept.0);
    assert!(kept.1.chunk().is_ok(), "another key's stream was closed");
    assert_eq!(gateway.metric("portcullis_streams_closed_total", &[("reason", "inactive")]), 8.0);
    let said = gateway.stderr();
    assert!(said.contains("its key may not use it any more") && !said.contains(&*doomed), "{said}");
}

#[test]
fn each_way_to_lose_a_right_closes_and_no_other_change_does() {
    let keys: Vec<String> = (0..7).map(|_| ocriva_key()).collect();
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(6);
    let named = |id: &str| json!({ "id": id });
    let (gateway, _echo) = start(&[
        (&keys[0], named("deleted")),
        (&keys[1], named("regenerated")),
        (&keys[2], json!({ "id": "narrowed", "scopes": ["sockets"] })),
        (&keys[3], json!({ "id": "moved", "ipWhitelist": ["127.0.0.0/8"] })),
        (&keys[4], json!({ "id": "expiring", "expiresAt": later.to_string() })),
        (&keys[5], named("renamed")),
        (&keys[6], json!({ "id": "rescoped", "scopes": ["sockets", "documents"] })),
    ]);
    let scoped = "/v1/socket/scoped";
    let paths = [SOCKET, SOCKET, scoped, SOCKET, SOCKET, SOCKET, scoped];
    let mut pipes: Vec<Connection> =
        keys.iter().zip(paths).map(|(key, path)| open_h1(gateway.connect(), path, key, "", b"")).collect();
    pipes.iter_mut().for_each(|pipe| alive(pipe));
    let console = Console::open(&gateway, OWNER);
    console.delete("deleted").expect(204);
    console.regenerate("regenerated").expect(200);
    console.patch("narrowed", &json!({ "scopes": ["documents"] })).expect(200);
    console.patch("moved", &json!({ "ipWhitelist": ["10.0.0.0/8"] })).expect(200);
    console.patch("renamed", &json!({ "name": "another name" })).expect(200);
    console.patch("rescoped", &json!({ "scopes": ["sockets"] })).expect(200);
    for (pipe, how) in pipes.iter_mut().zip(["deleted", "regenerated", "narrowed", "moved"]) {
        assert!(ends_soon(pipe), "the stream of a {how} key goes on");
    }
    assert!(pipes[4].closes_within(Duration::from_secs(15)), "the stream of an expired key goes on");
    for (pipe, how) in pipes[5..].iter_mut().zip(["renamed", "rescoped"]) {
        alive(pipe);
        assert!(!pipe.closes_within(Duration::from_millis(10)), "the stream of a {how} key was closed");
    }
    for (reason, count) in [("revoked", 2.0), ("permission", 1.0), ("address", 1.0), ("expired", 1.0)] {
        assert_eq!(
            gateway.metric("portcullis_streams_closed_total", &[("reason", reason)]),
            count,
            "{reason}"
        );
    }
}

#[test]
fn where_addresses_are_only_observed_no_stream_is_closed_for_its_address() {
    let (echo, keys) = (Echo::new(), [ocriva_key(), ocriva_key()]);
    let settings = settings(&echo.url()).with(|value| {
        value["apis"][0]["addresses"] = json!({ "mode": "observe" });
    });
    let mut organization = organization();
    organization.member(OWNER, "owner");
    organization.token(&keys[0], json!({ "id": "moved", "ipWhitelist": ["127.0.0.0/8"] }));
    organization.token(&keys[1], json!({ "id": "deleted" }));
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    let (mut moved, mut deleted) = (socket(&gateway, &keys[0]), socket(&gateway, &keys[1]));
    let console = Console::open(&gateway, OWNER);
    console.patch("moved", &json!({ "ipWhitelist": ["10.0.0.0/8"] })).expect(200);
    console.delete("deleted").expect(204);
    assert!(ends_soon(&mut deleted), "streams were not looked at");
    assert!(!moved.closes_within(Duration::from_millis(1_500)), "the stream was closed for its address");
    alive(&mut moved);
    assert_eq!(gateway.metric("portcullis_streams_closed_total", &[("reason", "address")]), 0.0);
}

#[test]
fn an_ended_session_s_streams_are_closed() {
    let key = ocore_key();
    let echo = Echo::new();
    let settings = settings(&echo.url()).with(|value| {
        let routes = value["apis"][1]["routes"].as_array_mut().expect("routes");
        routes.push(json!({ "path": "/api/socket", "upgrade": ["websocket"], "upstream": "main" }));
    });
    let mut organization = organization();
    organization.member(OWNER, "owner");
    organization.token(&key, json!({}));
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    let (ended, kept) = (Console::open(&gateway, OWNER), Console::open(&gateway, OWNER));
    let open = |bearer: &str| {
        let more = format!("Authorization: Bearer {bearer}\r\nX-Org-Slug: {SLUG}\r\n");
        // The key's own field is an oCore key's no place.
        open_h1(gateway.connect(), "/api/socket", "", &more, b"")
    };
    let mut pipes = [open(&ended.access), open(&kept.access), open(&key)];
    pipes.iter_mut().for_each(|pipe| alive(pipe));
    ended.send(post("/api/auth/logout").org(SLUG)).expect(200);
    assert!(ends_soon(&mut pipes[0]), "the stream of an ended session goes on");
    pipes[1..].iter_mut().for_each(|pipe| alive(pipe));
}
