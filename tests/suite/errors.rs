//! CONTRACT A.7, B.4 and traps 16 and 18: each status the edge can give, in the envelope of the path.

use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::world;
use crate::support::{assert_ocore, envelope, get, method, post};
use serde_json::json;

#[test]
fn a7_400() {
    let w = world();
    let text = "projectId is required for organization tokens";
    w.refused(&get("/v1/openapi/batch").key(&w.org_key()), 400, Some(text));
}

#[test]
fn a7_401_does_not_say_which_check_failed() {
    let w = world();
    let bodies = ["ocr_unknown".to_owned(), w.key("inactive"), w.key("expired")]
        .map(|key| w.refused(&get("/v1/openapi/templates").key(&key), 401, None).body);
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[1], bodies[2]);
}

#[test]
fn a7_403() {
    let w = world();
    w.refused(&get("/v1/openapi/permitted").key(&w.org_key()), 403, None);
    w.refused(&get("/v1/openapi/templates").key(&w.key("127.0.0.2")), 403, None);
}

#[test]
fn a7_404() {
    let w = world();
    w.refused(&get("/v1/nothing/here").key(&w.org_key()), 404, None);
    w.refused(&get("/api/v1/nothing").key(&w.org_key()), 404, None);
}

#[test]
fn a7_405_names_the_methods() {
    let w = world();
    let reply = w.refused(&method("PATCH", "/v1/openapi/templates").key(&w.org_key()), 405, None);
    let allow = reply.header("allow").expect("Allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "Allow: {allow}");
}

#[test]
fn a7_413_and_the_connection_closes() {
    let w = world();
    let request = post("/v1/openapi/other").body("application/octet-stream", vec![b'x'; 300 * 1024]);
    let reply = w.send(&request.key(&w.org_key()));
    crate::support::assert_ocriva(&reply, 413, None);
    assert!(reply.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close")), "{reply:?}");
}

#[test]
fn a7_502_when_the_upstream_refuses_or_breaks() {
    let w = world();
    w.refused(&get("/v1/openapi/dead").key(&w.org_key()), 502, None);
    w.upstream.script("abort", Answer { abort: true, ..Answer::default() });
    let reply = w.send(&get("/v1/openapi/templates").key(&w.org_key()).script("abort"));
    crate::support::assert_ocriva(&reply, 502, None);
    assert!(!reply.text().contains("127.0.0.1"), "the inside is nobody's business: {}", reply.text());
}

#[test]
fn a7_504_when_it_takes_too_long() {
    let w = world();
    let delay = std::time::Duration::from_secs(3);
    w.upstream.script("late", Answer { delay, ..Answer::default() });
    let reply = w.send(&get("/v1/openapi/slow").key(&w.org_key()).script("late"));
    crate::support::assert_ocriva(&reply, 504, None);
}

#[test]
fn a7_errors_of_unknown_prefixes_are_in_an_envelope_too() {
    let w = world();
    for target in ["/", "/favicon.ico", "/v2/x", "/apiary"] {
        let reply = w.send(&get(target));
        assert_eq!(reply.status, 404, "{target}");
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/") && kind.contains("json"), "{target}: {kind}");
        assert!(reply.json().is_object());
    }
}

#[test]
fn b4_400_validation_error() {
    let w = world();
    let request = post("/api/servers").body("text/plain", "x").bearer(&w.key("manage:servers"));
    w.refused_ocore(&request, 400);
    w.refused_ocore(&get("/api/servers/%2e%2e/x").bearer(&w.key("view:servers")), 400);
}

#[test]
fn b4_401_unauthorized() {
    let w = world();
    let servers = || get("/api/servers");
    for request in [servers(), servers().bearer("ocore_k_unknown"), servers().bearer("")] {
        assert_eq!(w.refused_ocore(&request, 401), json!({}));
    }
}

#[test]
fn b4_403_forbidden() {
    let w = world();
    assert_eq!(w.refused_ocore(&get("/api/servers").bearer(&w.key("banana")), 403), json!({}));
}

#[test]
fn b4_404_not_found() {
    let w = world();
    w.refused_ocore(&get("/api/no-such-thing").bearer(&w.key("view:servers")), 404);
}

#[test]
fn b4_405_method_not_allowed() {
    let w = world();
    let reply = w.send(&method("TRACE", "/api/servers").bearer(&w.key("manage:servers")));
    assert_ocore(&reply, 405);
}

#[test]
fn b4_413_payload_too_large() {
    let w = world();
    let body = format!("\"{}\"", "x".repeat(300 * 1024));
    let reply = w.send(&post("/api/servers").body("application/json", body).bearer(&w.key("manage:servers")));
    assert_ocore(&reply, 413);
}

#[test]
fn b4_502_and_504() {
    let w = world();
    w.refused_ocore(&get("/api/dead").bearer(&w.key("view:servers")), 502);
    let delay = std::time::Duration::from_secs(3);
    w.upstream.script("late ocore", Answer { delay, ..Answer::default() });
    let reply = w.send(&get("/api/slow").bearer(&w.key("view:servers")).script("late ocore"));
    assert_ocore(&reply, 504);
}

#[test]
fn c59_422_is_the_upstreams() {
    let w = world();
    let body = br#"{"error":{"code":"unprocessable_entity","message":"m","details":{}}}"#.to_vec();
    w.upstream.script("422", Answer { status: 422, body: body.clone(), ..Answer::default() });
    let reply = w.send(&get("/api/servers").bearer(&w.key("view:servers")).script("422"));
    assert_eq!((reply.status, reply.body), (422, body));
}

#[test]
fn c18_texts_and_reasons_are_exact() {
    let w = world();
    let reply = w.send(&get("/v1/openapi/templates"));
    assert_eq!((reply.status, reply.reason.as_str()), (401, "Unauthorized"));
    assert_eq!(reply.json()["error"], json!(envelope::reason(401)));
}

#[test]
fn the_problem_dialect_speaks_rfc_9457() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        let api = json!({ "name": "third", "dialect": "problem", "prefixes": ["/third"],
            "routes": [{ "path": "/third/x", "methods": ["GET"], "upstream": "dead" }] });
        value["apis"].as_array_mut().expect("apis").push(api);
    });
    let mut org = crate::support::world::organization();
    let key = org.org_key();
    let gateway = Gateway::start(&settings, &Fixture::default().with(org));
    envelope::assert_problem(&gateway.send(&get("/third/x")), 401);
    envelope::assert_problem(&gateway.send(&get("/third/y").key(&key)), 404);
    envelope::assert_problem(&gateway.send(&post("/third/x").key(&key)), 405);
    envelope::assert_problem(&gateway.send(&get("/third/../x").key(&key)), 400);
}

#[test]
fn every_answer_has_a_request_id_and_the_upstream_sees_the_same() {
    let w = world();
    let (reply, record) = w.arrives(&get("/v1/openapi/templates").key(&w.org_key()));
    let id = reply.header("x-request-id").expect("x-request-id");
    assert_eq!(record.header("x-request-id"), Some(id));
    for request in [get("/"), get("/v1/openapi/fixed").key(&w.org_key()), get("/v1/openapi/templates")] {
        assert!(w.send(&request).header("x-request-id").is_some(), "{request:?}");
    }
}

#[test]
fn a_fixed_answer_is_given_by_the_gateway() {
    let w = world();
    let reply = w.send(&get("/v1/openapi/fixed").key(&w.org_key())).expect(203);
    assert_eq!(reply.json(), json!({ "fixed": true }));
    assert!(w.upstream.seen(&reply.tag).is_empty());
    w.refused(&get("/v1/openapi/fixed"), 401, None);
}
