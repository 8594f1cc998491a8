//! Pages of other origins: preflights, what they may read, and that errors can be read too.

use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{Reply, Request, get, method, post};
use serde_json::json;
use std::sync::OnceLock;

const PAGE: &str = "https://app.example.com";

struct Place {
    gateway: Gateway,
    upstream: Upstream,
    key: String,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Option<Place>> = OnceLock::new();
    let place = PLACE.get_or_init(|| std::panic::catch_unwind(start).ok());
    place.as_ref().expect("the gateway of these tests did not start: see the first that failed")
}

fn start() -> Place {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["apis"][0]["cors"] = json!({ "origins": [PAGE, "https://*.preview.example.com"], "credentials": true,
            "headers": ["X-Custom"], "expose": ["X-Total"], "max_age": "1h" });
        value["apis"][0]["rate_limit"] = json!({ "requests": 1000, "per": "1s" });
        value["apis"].as_array_mut().expect("apis").push(json!({
            "name": "public", "dialect": "ocriva", "prefixes": ["/public"], "builtin": false,
            "rate_limit": { "requests": 1, "per": "1h" },
            "cors": { "origins": ["*"], "methods": ["GET"], "headers": ["*"] },
            "routes": [{ "path": "/public/**", "upstream": "main" }, { "path": "/public/dead", "upstream": "dead" }],
        }));
    });
    let (gateway, key) = with_one_key(&settings);
    Place { gateway, upstream, key }
}

fn preflight(target: &str, origin: &str, wants: &str) -> Request {
    method("OPTIONS", target).header("Origin", origin).header("Access-Control-Request-Method", wants)
}

fn allow_origin(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

#[test]
fn a_preflight_is_answered_without_a_credential_and_not_forwarded() {
    let p = place();
    let reply = p.gateway.send(
        &preflight("/v1/openapi/templates", PAGE, "POST")
            .header("Access-Control-Request-Headers", "x-api-key,x-custom")
            .header("x-test-tag", "preflight"),
    );
    assert_eq!((reply.status, allow_origin(&reply)), (204, Some(PAGE)));
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET, HEAD, POST, PUT, PATCH, DELETE"));
    assert_eq!(
        reply.header("access-control-allow-headers"),
        Some("authorization, content-type, x-api-key, x-custom")
    );
    assert_eq!(reply.header("access-control-max-age"), Some("3600"));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    let vary = reply.all("vary").join(", ");
    for name in ["origin", "access-control-request-method", "access-control-request-headers"] {
        assert!(vary.contains(name), "{vary}");
    }
    // Not by their number: the other tests of this place ask the same upstream meanwhile.
    assert!(p.upstream.seen("preflight").is_empty());
}

#[test]
fn only_the_origins_that_are_named_are_told_yes() {
    let p = place();
    for origin in [PAGE, "https://a.preview.example.com", "https://b.a.preview.example.com"] {
        assert_eq!(
            allow_origin(&p.gateway.send(&preflight("/v1/openapi/other", origin, "GET"))),
            Some(origin)
        );
    }
    for origin in [
        "https://preview.example.com",
        "http://app.example.com",
        "https://app.example.com.evil.net",
        "https://evil.net/.preview.example.com",
        "https://app.example.com:444",
        "https://evilapp.example.com",
        "null",
        "",
    ] {
        let reply = p.gateway.send(&preflight("/v1/openapi/other", origin, "GET"));
        assert_eq!((reply.status, allow_origin(&reply)), (204, None), "{origin}");
        let answer =
            p.gateway.send(&get("/v1/openapi/other").header("Origin", origin).key(&p.key)).expect(200);
        assert_eq!(allow_origin(&answer), None, "{origin}");
        assert!(answer.all("vary").contains(&"origin"), "{origin}");
    }
}

#[test]
fn a_page_may_read_the_answer_and_its_quota_and_the_upstream_has_no_say() {
    let p = place();
    p.upstream.script(
        "own cors",
        Answer {
            headers: vec![
                ("access-control-allow-origin", "*".into()),
                ("access-control-expose-headers", "x-internal".into()),
                ("vary", "accept".into()),
            ],
            ..Answer::default()
        },
    );
    let request = get("/v1/openapi/other").header("Origin", PAGE).key(&p.key).script("own cors");
    let reply = p.gateway.send(&request).expect(200);
    assert_eq!(allow_origin(&reply), Some(PAGE));
    let exposed = reply.header("access-control-expose-headers").expect("exposed");
    for name in ["x-request-id", "x-ratelimit-remaining", "ratelimit", "retry-after", "x-total"] {
        assert!(exposed.split(", ").any(|it| it == name), "{name}: {exposed}");
    }
    assert_eq!(reply.all("vary"), ["accept", "origin"]);
    // Without an Origin too: what the upstream said of other origins is not passed on.
    let plain = p.gateway.send(&get("/v1/openapi/other").key(&p.key).script("own cors")).expect(200);
    assert_eq!(allow_origin(&plain), None);
}

#[test]
fn errors_can_be_read_by_the_page() {
    let p = place();
    let from_page = |request: Request| p.gateway.send(&request.header("Origin", PAGE));
    for (reply, status) in [
        (from_page(get("/v1/openapi/other")), 401),
        (from_page(get("/v1/openapi/dead").key(&p.key)), 502),
        (from_page(get("/v1/nothing")), 404),
        (from_page(post("/v1/openapi/fixed").raw_body(vec![0; 300 * 1024]).key(&p.key)), 413),
        (from_page(get("/v1/openapi/..%2f")), 400),
    ] {
        assert_eq!((reply.status, allow_origin(&reply)), (status, Some(PAGE)), "{}", reply.text());
    }
}

#[test]
fn every_origin_means_every_origin() {
    let p = place();
    let asked =
        preflight("/public/x", "null", "GET").header("Access-Control-Request-Headers", "x-any, x-other");
    let reply = p.gateway.send(&asked);
    assert_eq!((reply.status, allow_origin(&reply)), (204, Some("*")));
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("x-any, x-other"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    // The second one is over the limit, and says so to the page.
    let request = get("/public/x").header("Origin", "https://anybody.net").key(&p.key);
    let replies = [p.gateway.send(&request), p.gateway.send(&request)];
    let seen: Vec<_> = replies.iter().map(|reply| (reply.status, allow_origin(reply))).collect();
    assert_eq!(seen, [(200, Some("*")), (429, Some("*"))]);
    assert!(replies[1].header("retry-after").is_some());
    assert!(!replies[0].all("vary").contains(&"origin"));
}

#[test]
fn an_api_that_says_nothing_of_origins_says_nothing_of_them() {
    let p = place();
    let reply = p.gateway.send(&preflight("/api/open", PAGE, "GET"));
    assert_eq!((reply.status, allow_origin(&reply)), (204, None));
}
