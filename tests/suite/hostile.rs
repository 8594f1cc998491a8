//! What a hostile client or tenant tries: each of these once got through.

use crate::support::backend::Backend;
use crate::support::client::Connection;
use crate::support::reply::values;
use crate::support::settings::{P1, P2, Settings};
use crate::support::world::{with_one_key, world};
use crate::support::{get, post, wait};
use serde_json::json;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";

#[test]
fn a_body_that_looks_like_an_answer_stays_a_body() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()));
    let mut client = Connection::open(gateway.address);
    client.write(format!("GET {TARGET} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234567890123456789");
    let mut reply = client.reply_head().expect("a head");
    // The rest is a piece of its own, as a later part of a large file is.
    std::thread::sleep(Duration::from_millis(200));
    peer.write(b"HTTP/1.1 400 0123456");
    client.reply_body("GET", &mut reply).expect("the body as it was sent");
    assert_eq!(reply.text(), "01234567890123456789HTTP/1.1 400 0123456");
}

#[test]
fn c49_no_identity_and_no_credential_in_trailers() {
    let w = world();
    let mut connection = Connection::open(w.gateway.address);
    let (key, tag) = (w.project_key(), "hostile-trailers");
    let names = ["X-Gateway-Project-Id", "x_gateway_project_id", "X-Api-Key", "X-Forwarded-For"];
    let fields: String = names.iter().map(|name| format!("{name}: evil\r\n")).collect();
    let head = format!(
        "POST {TARGET} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nx-test-tag: {tag}\r\n\
         Transfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: X-Digest, {}\r\n\r\n",
        names.join(", ")
    );
    connection.write(format!("{head}3\r\nabc\r\n0\r\nX-Digest: 1\r\n{fields}\r\n").as_bytes());
    assert_eq!(connection.reply("POST").expect("an answer").status, 200);
    let record = w.upstream.one(tag);
    assert_eq!(record.trailers, [("x-digest".to_owned(), "1".to_owned())]);
}

#[test]
fn c8_brackets_around_the_name_are_no_disguise() {
    let w = world();
    let target = "/v1/openapi/processing-history/1";
    for query in ["[projectId]=x", "%5BprojectId%5D=x", "projectId=x&[projectId]=y", "[%20projectId]=x"] {
        let request = get(&format!("{target}?{query}")).key(&w.project_key());
        w.refused(&request, 400, Some("projectId must be a single string"));
    }
}

#[test]
fn c8_multipart_types_and_fields_that_servers_read_differently() {
    let w = world();
    let target = "/v1/openapi/batch/upload";
    let inner = format!("--B\r\nContent-Disposition: form-data; name=\"projectId\"\r\n\r\n{P2}\r\n--B--");
    let send = |kind: &str, disposition: &str, value: &str| {
        let body =
            format!("--A\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n--A--\r\n");
        w.send(&post(target).key(&w.project_key()).body(&format!("multipart/form-data; {kind}"), body))
    };
    send("boundary=A", "name=\"x\"", &inner).expect(200);
    send("charset=utf-8; boundary=\"A\"", "name=\"x\"; filename=\"a.pdf\"", "1").expect(200);
    for kind in ["boundary=A; boundary*=utf-8''B", "xboundary=B; boundary=A", "boundary=A; boundary*0=B"] {
        send(kind, "name=\"x\"", &inner).expect(400);
    }
    for disposition in [
        "name=\"x\"; name*0=\"project\"; name*1=\"Id\"",
        "x-name=\"projectId\"; name=\"x\"",
        "filename=\" name=projectId\"; name=\"x\"",
        "name=\"=?utf-8?B?cHJvamVjdElk?=\"",
    ] {
        send("boundary=A", disposition, P2).expect(400);
    }
}

#[test]
fn c12_a_form_is_no_json_however_it_is_called() {
    let w = world();
    let body = format!("{{\"projectId\":\"{P1}\",\"x\":\"&projectId={P2}&\"}}");
    let request = post("/v1/openapi/templates").key(&w.org_key());
    w.send(&request.clone().body("application/vnd.x+json", &body)).expect(200);
    w.refused(&request.body("application/x-www-form-urlencoded+json", &body), 415, None);
}

#[test]
fn c51_a_wider_route_is_no_way_around_a_narrower_one() {
    let w = world();
    w.arrives(&get("/v1/openapi/anything;v=1/Permitted").key(&w.org_key()));
    for path in ["Permitted", "permitted;x=1", "PERMITTED/", "permitted%3Bx", "permitted;/"] {
        w.refused(&get(&format!("/v1/openapi/{path}")).key(&w.org_key()), 404, None);
    }
    for path in [";x/permitted", "%3B/permitted"] {
        w.refused(&get(&format!("/v1/openapi/{path}")).key(&w.org_key()), 400, None);
    }
    w.refused_ocore(&get("/api/V1/organizations/x").bearer(&w.key("view:servers")), 404);
}

#[test]
fn c50_no_field_overrides_the_method_or_the_path_that_were_checked() {
    let w = world();
    let names =
        ["X-HTTP-Method-Override", "X-Method-Override", "X_HTTP_METHOD", "X-Original-URL", "X-Rewrite-URL"];
    let mut request = get(TARGET).key(&w.org_key()).header("X.Gateway.Project.Id", P2);
    for name in names {
        request = request.header(name, "DELETE");
    }
    let (_, record) = w.arrives(&request);
    for name in names.iter().chain(&["X.Gateway.Project.Id"]) {
        assert!(values(&record.headers, name).is_empty(), "{name}: {record:?}");
    }
}

#[test]
fn no_credential_travels_in_a_host() {
    let w = world();
    let key = w.org_key();
    let (_, record) = w.arrives(&get(&format!("http://{key}@edge.test{TARGET}")).key(&key));
    assert_eq!(values(&record.headers, "x-forwarded-host"), ["edge.test"]);
}

#[test]
fn a_login_that_never_comes_is_not_waited_for() {
    let w = world();
    let mut client = Connection::open(w.gateway.address);
    client.write(b"POST /v1/openapi/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    client.write(b"Content-Length: 100\r\n\r\n{");
    assert_eq!(client.reply("POST").expect("an answer").status, 400);
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let backend = Backend::new();
    let settings = Settings::usual(&backend.url())
        .with(|value| value["listeners"] = json!([{ "limits": { "idle_timeout": "1s" } }]));
    let (gateway, key) = with_one_key(&settings);
    let mut client = Connection::open(gateway.address);
    client.write(format!("GET {TARGET} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    let flood = std::thread::spawn(move || {
        let piece = vec![b'x'; 1_000_000];
        (0..100).all(|_| peer.try_write(&piece))
    });
    let ended = wait::poll(Duration::from_secs(10), || flood.is_finished().then_some(()));
    assert!(ended.is_some(), "the gateway still waits for a client that does not read");
    assert!(!flood.join().expect("no panic"), "the client was given everything");
    drop(client);
}

#[test]
fn an_upload_over_a_slow_line_is_no_slow_upstream() {
    let w = world();
    let mut client = Connection::open(w.gateway.address);
    let key = w.org_key();
    let head = "POST /v1/openapi/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10";
    client.write(format!("{head}\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    // The upstream's time-out is 300 ms; the upload takes a second and a half.
    for _ in 0..10 {
        client.write(b"x");
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(client.reply("POST").expect("an answer").status, 200);
}
