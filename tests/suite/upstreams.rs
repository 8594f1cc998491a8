//! Traps 46, 47, 50 and 61: what an upstream says arrives as it said it; only hop-by-hop fields go.

use crate::support::reply::values;
use crate::support::upstream::Answer;
use crate::support::world::world;
use crate::support::{get, post};

const TARGET: &str = "/v1/openapi/other";

fn answering(name: &str, answer: Answer) -> crate::support::Reply {
    let w = world();
    w.upstream.script(name, answer);
    w.send(&get(TARGET).key(&w.org_key()).script(name))
}

#[test]
fn c46_bytes_type_and_disposition_are_untouched() {
    let body: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let disposition = "attachment; filename=\"r\u{e9}sum\u{e9}.pdf\"";
    let reply = answering(
        "export",
        Answer {
            headers: vec![
                ("content-type", "application/pdf".into()),
                ("content-disposition", disposition.into()),
                ("etag", "\"abc\"".into()),
            ],
            body: body.clone(),
            ..Answer::default()
        },
    );
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/pdf")));
    assert_eq!(reply.header("content-disposition"), Some(disposition));
    assert_eq!(reply.header("etag"), Some("\"abc\""));
    assert!(reply.body == body);
}

#[test]
fn c46_json_is_not_written_anew() {
    let body = b"{ \"b\":1.10, \"a\":1e2, \"a\" : 2, \"u\":\"\\u0041\" }\n".to_vec();
    let reply = answering("odd json", Answer { body: body.clone(), ..Answer::default() });
    assert_eq!(reply.body, body);
}

#[test]
fn c46_a_compressed_answer_stays_compressed() {
    let body = b"\x1f\x8b\x08not really".to_vec();
    let headers = vec![("content-encoding", "gzip".to_owned()), ("vary", "accept-encoding".to_owned())];
    let reply = answering("gzip", Answer { headers, body: body.clone(), ..Answer::default() });
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(reply.body, body);
}

#[test]
fn c47_202_stays_202() {
    let headers = vec![("location", "/api/operations/7".to_owned()), ("retry-after", "5".to_owned())];
    let body = br#"{"status":"queued"}"#.to_vec();
    let reply = answering("202", Answer { status: 202, headers, body: body.clone(), ..Answer::default() });
    assert_eq!((reply.status, reply.body.clone()), (202, body));
    assert_eq!(reply.header("location"), Some("/api/operations/7"));
    assert_eq!(reply.header("retry-after"), Some("5"));
}

#[test]
fn c61_the_upstreams_own_errors_pass() {
    for status in [400, 401, 402, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504] {
        let body = format!("<h1>{status} of the upstream</h1>").into_bytes();
        let headers = vec![("content-type", "text/html".to_owned())];
        let name = format!("status {status}");
        let reply = answering(&name, Answer { status, headers, body: body.clone(), ..Answer::default() });
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("text/html")));
        assert_eq!(reply.body, body);
    }
}

#[test]
fn redirects_and_empty_answers_pass() {
    let headers = vec![("location", "https://elsewhere.test/".to_owned())];
    let reply = answering("302", Answer { status: 302, headers, body: vec![], ..Answer::default() });
    assert_eq!((reply.status, reply.header("location")), (302, Some("https://elsewhere.test/")));
    for status in [204, 304] {
        let reply = answering(
            &format!("empty {status}"),
            Answer { status, headers: vec![], body: vec![], ..Answer::default() },
        );
        assert_eq!((reply.status, reply.body.len()), (status, 0));
    }
}

#[test]
fn cookies_of_the_upstream_stay_separate() {
    let headers = vec![("set-cookie", "a=1; Path=/".to_owned()), ("set-cookie", "b=2".to_owned())];
    let reply = answering("cookies", Answer { headers, ..Answer::default() });
    assert_eq!(reply.all("set-cookie"), ["a=1; Path=/", "b=2"]);
}

#[test]
fn c50_hop_by_hop_fields_of_the_request_are_dropped() {
    let w = world();
    let request = get(TARGET)
        .key(&w.org_key())
        .header("Connection", "x-hop, x-gateway-project-id, x-api-key")
        .header("X-Hop", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Authorization", "Basic eA==")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "gzip")
        .header("X-Stays", "1");
    let (_, record) = w.arrives(&request);
    for name in ["x-hop", "keep-alive", "proxy-authorization", "proxy-connection", "upgrade"] {
        assert_eq!(record.header(name), None, "{name}");
    }
    assert_ne!(record.header("te"), Some("gzip"));
    assert_eq!(record.header("x-stays"), Some("1"));
    assert!(record.header("x-gateway-token-id").is_some(), "Connection can not remove what we add");
}

#[test]
fn c50_connection_can_not_remove_the_identity() {
    let w = world();
    let listed =
        "authorization, x-gateway-organization-id, x-gateway-token-id, x-request-id, x-forwarded-for, host";
    let (_, record) = w.arrives(&get(TARGET).key(&w.org_key()).header("Connection", listed));
    for name in [
        "authorization",
        "x-gateway-organization-id",
        "x-gateway-token-id",
        "x-request-id",
        "x-forwarded-for",
        "host",
    ] {
        assert!(record.header(name).is_some(), "{name} was removed by the client");
    }
}

#[test]
fn c50_hop_by_hop_fields_of_the_answer_are_dropped() {
    let headers = vec![
        ("connection", "x-inner".to_owned()),
        ("x-inner", "1".to_owned()),
        ("keep-alive", "timeout=99".to_owned()),
        ("proxy-authenticate", "Basic".to_owned()),
        ("x-outer", "1".to_owned()),
    ];
    let reply = answering("hop", Answer { headers, ..Answer::default() });
    for name in ["x-inner", "keep-alive", "proxy-authenticate"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!(reply.header("x-outer"), Some("1"));
}

#[test]
fn c50_upgrades_are_not_asked_for_by_clients_of_other_things() {
    let w = world();
    let request = get(TARGET).key(&w.org_key()).header("Connection", "Upgrade, HTTP2-Settings");
    let request = request.header("Upgrade", "h2c").header("HTTP2-Settings", "AAMAAABkAAQAAP__");
    let (_, record) = w.arrives(&request);
    assert_eq!((record.header("upgrade"), record.header("http2-settings")), (None, None));
}

#[test]
fn other_fields_arrive_in_their_number_and_order() {
    let w = world();
    let request = post(TARGET)
        .key(&w.org_key())
        .header("X-Many", "one")
        .header("X-Many", "two")
        .header("Accept", "text/csv;q=0.9, */*")
        .header("User-Agent", "test/1")
        .header("Idempotency-Key", "abc")
        .header("X-Latin", b"caf\xe9");
    let (_, record) = w.arrives(&request);
    assert_eq!(values(&record.headers, "x-many"), ["one", "two"]);
    assert_eq!(record.header("accept"), Some("text/csv;q=0.9, */*"));
    assert_eq!(record.header("user-agent"), Some("test/1"));
    assert_eq!(record.header("idempotency-key"), Some("abc"));
    assert!(record.header("x-latin").is_some());
}
