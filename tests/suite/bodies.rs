//! Traps 6, 7, 11, 12, 45 and 50: bodies that name a project, bodies that hide one, bodies that are too large.

use crate::support::settings::{FOREIGN, P1, P2};
use crate::support::world::world;
use crate::support::{Request, assert_ocriva, get, post};
use serde_json::json;
use std::time::Duration;

const TEMPLATES: &str = "/v1/openapi/templates";
const BATCH: &str = "/v1/openapi/batch/upload";
const KIB: usize = 1024;

fn form(target: &str, body: impl AsRef<[u8]>) -> Request {
    post(target).body("multipart/form-data; boundary=BOUND", body)
}

fn file(size: usize) -> Vec<u8> {
    let mut part = b"--BOUND\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.pdf\"\r\n\
        Content-Type: application/pdf\r\n\r\n"
        .to_vec();
    part.extend((0..size).map(|i| (i % 251) as u8));
    part.extend_from_slice(b"\r\n");
    part
}

fn field(name: &str, value: &str) -> Vec<u8> {
    format!("--BOUND\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

fn end() -> Vec<u8> {
    b"--BOUND--\r\n".to_vec()
}

#[test]
fn c06_project_in_the_json_body() {
    let w = world();
    let body = json!({ "name": "t", "projectId": P1, "nested": { "projectId": FOREIGN } });
    let (_, record) = w.arrives(&post(TEMPLATES).json(&body).key(&w.org_key()));
    assert_eq!(record.body, body.to_string().as_bytes(), "the body arrives byte for byte");
    assert_eq!(record.header("x-gateway-project-id"), Some(P1));
    w.refused(&post(TEMPLATES).json(&json!({ "projectId": FOREIGN })).key(&w.org_key()), 401, None);
    // Only the top object counts.
    let nested = json!({ "nested": { "projectId": P1 } });
    w.refused(&post(TEMPLATES).json(&nested).key(&w.org_key()), 400, None);
}

#[test]
fn c06_json_bytes_are_not_rewritten() {
    let w = world();
    let body = format!("{{ \"z\":1.0e0, \"a\": 1,\"a\":2,\t\"projectId\" : \"{P1}\", \"u\":\"\\u0e01\" }}\n");
    let request = post(TEMPLATES).body("application/json; charset=UTF-8", &body).key(&w.org_key());
    let (_, record) = w.arrives(&request);
    assert_eq!(String::from_utf8_lossy(&record.body), body);
    let (_, record) = w.arrives(&request.clone().chunked(7));
    assert_eq!(String::from_utf8_lossy(&record.body), body);
}

#[test]
fn c06_json_that_is_not_json_is_400() {
    let w = world();
    let key = w.org_key();
    let bad = [
        "",
        "{",
        "[]",
        "\"projectId\"",
        "{\"projectId\":\"a\"",
        "{'projectId':'a'}",
        "{} {}",
        "NaN",
        "{\"a\":01}",
    ];
    for body in bad {
        w.refused(&post(TEMPLATES).body("application/json", body).key(&key), 400, None);
    }
    let deep = "[".repeat(100_000);
    w.refused(&post(TEMPLATES).body("application/json", format!("{{\"a\":{deep}")).key(&key), 400, None);
}

#[test]
fn c07_multipart_field_after_the_file() {
    let w = world();
    let body = [file(100 * KIB), field("projectId", P2), field("fileName", "x.pdf"), end()].concat();
    for request in [form(BATCH, &body), form(BATCH, &body).chunked(1000)] {
        let (_, record) = w.arrives(&request.key(&w.org_key()));
        assert_eq!(record.header("x-gateway-project-id"), Some(P2));
        assert!(record.body == body, "the body arrives byte for byte");
    }
}

#[test]
fn c07_a_foreign_upload_never_reaches_the_upstream() {
    let w = world();
    let body = [file(100 * KIB), field("projectId", FOREIGN), end()].concat();
    w.refused(&form(BATCH, &body).key(&w.org_key()), 401, None);
    w.refused(&form(BATCH, &body).chunked(999).key(&w.org_key()), 401, None);
    let body = [file(100 * KIB), field("projectId", P2), end()].concat();
    w.refused(&form(BATCH, &body).key(&w.project_key()), 401, None);
    w.arrives(&form(BATCH, &body).key(&w.org_key()));
}

#[test]
fn c07_a_multipart_body_that_is_none_is_400() {
    let w = world();
    let key = w.org_key();
    let whole = [field("projectId", P1), end()].concat();
    let cut = &whole[..whole.len() - 6];
    w.refused(&form(BATCH, cut).key(&key), 400, None);
    w.refused(&form(BATCH, "").key(&key), 400, None);
    w.refused(&form(BATCH, "no boundary at all").key(&key), 400, None);
    w.refused(&post(BATCH).body("multipart/form-data", &whole).key(&key), 400, None);
    w.refused(&post(BATCH).body("multipart/form-data; boundary=", &whole).key(&key), 400, None);
    let reply = w.send(&post(BATCH).json(&json!({ "projectId": P1 })).key(&key));
    assert!(reply.status == 415 || reply.status == 400, "{reply:?}");
    w.arrives(&form(BATCH, &whole).key(&key));
}

#[test]
fn c08_two_parts_of_different_value() {
    let w = world();
    let key = w.org_key();
    let two = [field("projectId", P1), file(10), field("projectId", FOREIGN), end()].concat();
    w.refused(&form(BATCH, two).key(&key), 400, Some("projectId must be a single string"));
    let bracketed = [field("projectId", P1), field("projectId[]", FOREIGN), end()].concat();
    w.refused(&form(BATCH, bracketed).key(&key), 400, None);
}

#[test]
fn c11_compressed_bodies_are_415_where_the_body_is_read() {
    let w = world();
    let key = w.org_key();
    for coding in ["gzip", "br", "deflate", "zstd", "gzip, identity", "x-unknown"] {
        let body = json!({ "projectId": P1 });
        w.refused(&post(TEMPLATES).json(&body).header("Content-Encoding", coding).key(&key), 415, None);
        let body = [field("projectId", P1), end()].concat();
        w.refused(&form(BATCH, body).header("Content-Encoding", coding).key(&key), 415, None);
    }
    let body = json!({ "projectId": P1 });
    w.arrives(&post(TEMPLATES).json(&body).header("Content-Encoding", "identity").key(&key));
    // Elsewhere it is the upstream's business.
    let request =
        post("/v1/openapi/other").header("Content-Encoding", "gzip").raw_body("\x1f\u{8b}").key(&key);
    w.arrives(&request);
}

#[test]
fn c12_only_utf8_json_where_the_body_is_read() {
    let w = world();
    let key = w.org_key();
    let body = json!({ "projectId": P1 }).to_string();
    let send = |kind: &str, body: &[u8]| post(TEMPLATES).body(kind, body).key(&key);
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "Application/JSON",
    ] {
        w.arrives(&send(kind, body.as_bytes()));
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json5", ""] {
        w.refused(&send(kind, body.as_bytes()), 415, None);
    }
    w.refused(&post(TEMPLATES).raw_body(&body).key(&key), 415, None);
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (kind, bytes) in [
        ("application/json", utf16.clone()),
        ("application/json", [b"\xef\xbb\xbf", body.as_bytes()].concat()),
        ("application/json", [b"{\"projectId\":\"", &b"\xff"[..], b"\"}"].concat()),
    ] {
        w.refused(&send(kind, &bytes), 400, None);
    }
    let reply = w.send(&send("application/json; charset=utf-16", &utf16));
    assert!(reply.status == 415 || reply.status == 400, "{reply:?}");
}

#[test]
fn c45_content_length_over_the_limit_is_413_before_reading() {
    let w = world();
    for target in [TEMPLATES, BATCH, "/v1/openapi/other"] {
        let mut connection = w.gateway.connect();
        let request = post(target)
            .header("Content-Type", "application/json")
            .header("Content-Length", "999999999999")
            .key(&w.org_key())
            .unframed();
        // Not a byte of the body is sent.
        let reply = connection.send(&request);
        assert_ocriva(&reply, 413, None);
        assert!(connection.closes_within(Duration::from_secs(10)), "{target}: it stays open");
        assert!(w.upstream.seen(&reply.tag).is_empty());
    }
}

#[test]
fn c45_chunked_bodies_are_counted() {
    let w = world();
    for target in [TEMPLATES, "/v1/openapi/other"] {
        let body = format!("{{\"projectId\":\"{P1}\",\"x\":\"{}\"}}", "y".repeat(300 * KIB));
        let request = post(target).body("application/json", body).chunked(8 * KIB).key(&w.org_key());
        let reply = w.send(&request);
        assert_ocriva(&reply, 413, None);
        assert!(!w.upstream.seen(&reply.tag).iter().any(|r| r.complete), "a whole body arrived");
    }
}

#[test]
fn c45_no_100_before_a_413() {
    let w = world();
    let mut connection = w.gateway.connect();
    let request =
        post("/v1/openapi/other").header("Content-Length", "99999999").header("Expect", "100-continue");
    let reply = connection.send(&request.key(&w.org_key()).unframed());
    assert_ocriva(&reply, 413, None);
    assert_eq!(reply.interim, Vec::<u16>::new());
}

#[test]
fn c45_a_body_of_the_limit_passes() {
    let w = world();
    let body = vec![b'x'; 256 * KIB];
    let (_, record) = w.arrives(&post("/v1/openapi/other").body("text/plain", &body).key(&w.org_key()));
    assert_eq!(record.body.len(), body.len());
    let larger = vec![b'x'; 256 * KIB + 1];
    let reply = w.send(&post("/v1/openapi/other").body("text/plain", &larger).key(&w.org_key()));
    assert_ocriva(&reply, 413, None);
}

#[test]
fn c50_a_body_framed_two_ways_is_refused() {
    let w = world();
    let framings: [&[(&str, &str)]; 8] = [
        &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        &[("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
        &[("Content-Length", "5"), ("Content-Length", "6")],
        &[("Content-Length", "5, 6")],
        &[("Content-Length", "+5")],
        &[("Content-Length", "-1")],
        &[("Transfer-Encoding", "xchunked")],
        &[("Transfer-Encoding", "chunked, identity")],
    ];
    for framing in framings {
        let mut request = post("/v1/openapi/other").key(&w.org_key()).unframed();
        for (name, value) in framing {
            request = request.header(name, value);
        }
        request.body = b"0\r\n\r\nGET /v1/open/smuggled HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        let mut connection = w.gateway.connect();
        let reply = connection.send(&request);
        // RFC 9112, 6.1: a request framed by both may be read by its coding, if the connection then closes.
        let both = framing.len() == 2 && framing[0].0 != framing[1].0;
        let right = matches!(reply.status, 400 | 501) || (both && reply.status == 200);
        assert!(right, "{framing:?}: {reply:?}");
        assert!(connection.closes_within(Duration::from_secs(5)), "{framing:?}: it stays open");
        let smuggled = w.upstream.all().iter().any(|r| r.target.contains("smuggled"));
        assert!(!smuggled, "{framing:?}: a second request came through");
    }
}

#[test]
fn a_get_with_a_body_does_not_confuse_the_connection() {
    let w = world();
    let key = w.org_key();
    let mut connection = w.gateway.connect();
    let request = get(TEMPLATES).key(&key).header("Content-Length", "5").unframed().raw_body("hello");
    assert_eq!(connection.send(&request).status, 200);
    assert_eq!(connection.send(&get(TEMPLATES).key(&key)).status, 200);
}
