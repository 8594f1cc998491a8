//! Trap 51 and 62: one normal form of paths is matched and forwarded; HEAD and OPTIONS.

use crate::support::settings::P1;
use crate::support::world::world;
use crate::support::{get, method, post};

#[test]
fn c51_doubled_slashes_and_single_dots_collapse() {
    let w = world();
    let key = w.org_key();
    for target in ["//v1//openapi/templates", "/v1/./openapi/./templates", "/./v1/openapi///templates"] {
        let (_, record) = w.arrives(&get(target).key(&key));
        assert_eq!(record.target, "/v1/openapi/templates", "{target}");
    }
}

#[test]
fn c51_dot_segments_and_encoded_slashes_are_400() {
    let w = world();
    let key = w.org_key();
    let paths = [
        "/v1/openapi/../openapi/templates",
        "/v1/open/../openapi/batch",
        "/v1/openapi/templates/..",
        "/v1/openapi/%2e%2e/templates",
        "/v1/openapi/%2E%2E/templates",
        "/v1/openapi/.%2e/templates",
        "/v1/openapi/%2e./templates",
        "/v1/openapi%2ftemplates",
        "/v1/openapi%2Ftemplates",
        "/v1/openapi/a%5cb",
        "/v1/openapi/a%5Cb",
        "/v1/openapi/a\\b",
        "/v1/openapi/a%00b",
        "/v1/openapi/a%0ab",
        "/v1/openapi/a%0d%0ab",
        "/v1/openapi/a%7fb",
        "/v1/openapi/%252e%252e/x",
        "/v1/openapi/a%252fb",
        "/v1/openapi/a%",
        "/v1/openapi/a%4",
        "/v1/openapi/a%zz",
    ];
    for path in paths {
        w.refused(&get(path).key(&key), 400, None);
    }
}

#[test]
fn c51_a_trailing_slash_is_the_same_route_and_is_kept() {
    let w = world();
    let key = w.org_key();
    let (_, record) = w.arrives(&get("/v1/openapi/templates/").key(&key));
    assert_eq!(record.target, "/v1/openapi/templates/");
    // The same route, so the same rule: a project is needed.
    w.refused(
        &get("/v1/openapi/batch/").key(&key),
        400,
        Some("projectId is required for organization tokens"),
    );
    w.send(&get("/v1/openapi/projects/").key(&key)).expect(200).json();
}

#[test]
fn c51_another_case_is_another_path() {
    let w = world();
    let key = w.org_key();
    assert_eq!(w.send(&get("/V1/openapi/templates").key(&key)).status, 404);
    // Not the wider `/v1/openapi/**` either: a backend that is lax about case would serve the narrower route.
    w.refused(&get("/v1/openapi/Batch").key(&key), 404, None);
    w.refused(&get("/v1/OpenAPI/templates").key(&key), 404, None);
}

#[test]
fn c51_unreserved_escapes_are_decoded_before_matching() {
    let w = world();
    let key = w.org_key();
    for path in
        ["/v1/openapi/%62atch", "/v1/openapi/b%61tch", "/%76%31/openapi/batch", "/v1/%6Fpenapi/%62%61tch"]
    {
        w.refused(&get(path).key(&key), 400, Some("projectId is required for organization tokens"));
    }
    let (_, record) = w.arrives(&get(&format!("/v1/openapi/b%61tch?projectId={P1}")).key(&key));
    assert_eq!(record.target, format!("/v1/openapi/batch?projectId={P1}"));
}

#[test]
fn c51_other_escapes_are_kept() {
    let w = world();
    let (_, record) = w.arrives(&get("/v1/openapi/a%20b%E0%B8%81/c?x=%20&y=a+b").key(&w.org_key()));
    assert_eq!(record.target.to_uppercase(), "/V1/OPENAPI/A%20B%E0%B8%81/C?X=%20&Y=A+B");
}

#[test]
fn c51_absolute_form_is_the_same_request() {
    let w = world();
    let key = w.org_key();
    let (_, record) = w.arrives(&get("http://api.example.test/v1/openapi/templates?a=1").key(&key));
    assert_eq!(record.target, "/v1/openapi/templates?a=1");
    w.refused(&get("http://api.example.test/v1/openapi/batch").key(&key), 400, None);
    w.refused(&get("http://api.example.test/v1/openapi/../batch").key(&key), 400, None);
}

#[test]
fn the_query_arrives_as_sent() {
    let w = world();
    let query = "b=2&a=1&a=3&empty=&flag&enc=%2F%2e%26&utf8=%E0%B8%81&plus=1+1&sq[]=1";
    let (_, record) = w.arrives(&get(&format!("/v1/openapi/templates?{query}")).key(&w.org_key()));
    assert_eq!(record.query(), query);
}

#[test]
fn the_most_specific_path_wins() {
    let w = world();
    let key = w.org_key();
    w.refused(&get("/v1/openapi/processing-history").key(&key), 400, None);
    w.refused(&get("/v1/openapi/processing-history/a/b/c").key(&key), 400, None);
    w.arrives(&get("/v1/openapi/processing-history-of-others").key(&key));
    w.arrives(&get("/v1/openapi/templates/7").key(&key));
}

#[test]
fn c62_head_is_get_without_a_body() {
    let w = world();
    let key = w.org_key();
    let mut connection = w.gateway.connect();
    let reply = connection.send(&method("HEAD", "/v1/openapi/templates").key(&key));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(w.upstream.one(&reply.tag).method, "HEAD");
    let reply = connection.send(&method("HEAD", "/v1/openapi/projects").key(&key));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let reply = connection.send(&method("HEAD", "/v1/openapi/templates"));
    assert_eq!((reply.status, reply.body.len()), (401, 0));
    // Nothing of a body was sent: the next answer begins where it should.
    assert_eq!(connection.send(&get("/v1/openapi/templates").key(&key)).status, 200);
}

#[test]
fn c62_a_cors_preflight_is_never_forwarded() {
    let w = world();
    let preflight = method("OPTIONS", "/v1/openapi/templates")
        .header("Origin", "https://app.test")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "x-api-key");
    let reply = w.send(&preflight);
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{reply:?}");
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("GET")), "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert!(w.upstream.seen(&reply.tag).is_empty());
}

#[test]
fn c62_other_options_need_a_credential() {
    let w = world();
    w.refused(&method("OPTIONS", "/v1/openapi/other"), 401, None);
    let (_, record) = w.arrives(&method("OPTIONS", "/v1/openapi/other").key(&w.org_key()));
    assert_eq!(record.method, "OPTIONS");
}

#[test]
fn methods_are_forwarded_as_they_are() {
    let w = world();
    let key = w.org_key();
    for name in ["PUT", "PATCH", "DELETE", "PROPFIND"] {
        let (_, record) = w.arrives(&method(name, "/v1/openapi/other/7").key(&key));
        assert_eq!(record.method, name);
    }
    let reply = w.send(&method("CONNECT", "api.test:443"));
    assert!((400..=405).contains(&reply.status), "{reply:?}");
    let (_, record) = w.arrives(&post("/v1/openapi/other").body("text/csv", "a,b\n").key(&key));
    assert_eq!((record.header("content-type"), record.body.as_slice()), (Some("text/csv"), &b"a,b\n"[..]));
}
