//! Upstreams that share a route by weight, and copies of requests: who gets what, and what is counted.

use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::{Answer, Record, Upstream};
use crate::support::world::{organization, with_one_key};
use crate::support::{Request, get, post, wait};
use serde_json::json;
use std::time::Duration;

fn settings(stable: &Upstream, canary: &Upstream, routes: serde_json::Value) -> Settings {
    Settings::usual(&stable.url()).unlimited().with(|value| {
        value["upstreams"]["canary"] = json!({ "endpoints": [canary.url()] });
        value["upstreams"]["shadow"] = json!({ "endpoints": [canary.url()] });
        value["apis"].as_array_mut().expect("apis").push(json!({
            "name": "shared", "dialect": "ocriva", "prefixes": ["/s"], "builtin": false, "routes": routes,
            "rate_limit": { "requests": 1_000_000, "per": "1s" },
        }));
    })
}

#[test]
fn weights_part_the_requests_and_the_metrics_tell_them_apart() {
    let (stable, canary) = (Upstream::http(), Upstream::http());
    let routes = json!([
        { "path": "/s/even", "upstream": { "main": 50, "canary": 50 } },
        { "path": "/s/all", "upstream": { "main": 1, "canary": 0 } },
    ]);
    let (gateway, key) = with_one_key(&settings(&stable, &canary, routes));
    let mut client = gateway.connect();
    for _ in 0..60 {
        client.send(&get("/s/even").key(&key)).expect(200);
    }
    let got = canary.count();
    // One in 10^8 runs would be outside.
    assert!((8..=52).contains(&got), "{got} of 60");
    assert_eq!(stable.count(), 60 - got);
    for _ in 0..10 {
        client.send(&get("/s/all").key(&key)).expect(200);
    }
    assert_eq!(canary.count(), got);
    let labels =
        |upstream| [("api", "shared"), ("route", "/s/even"), ("upstream", upstream), ("status", "200")];
    let counted = |upstream| gateway.metric("portcullis_weighted_requests_total", &labels(upstream));
    wait::until("the counts", || counted("canary") as usize == got && counted("main") as usize == 60 - got);
    // The identity is for who gets it.
    for (upstream, name) in [(&stable, "main"), (&canary, "canary")] {
        let record: Record = upstream.all().pop().expect("a record");
        assert_eq!(record.identity()["aud"], name);
    }
}

#[test]
fn a_key_stays_with_its_upstream() {
    let (stable, canary) = (Upstream::http(), Upstream::http());
    let mut organization = organization();
    let keys: Vec<String> = (0..24).map(|_| organization.org_key()).collect();
    let routes = json!([{ "path": "/s/**", "upstream": { "main": 1, "canary": 1 }, "sticky": "key" }]);
    let gateway = Gateway::start(&settings(&stable, &canary, routes), &Fixture::default().with(organization));
    let mut client = gateway.connect();
    let mut of_canary = 0;
    for key in &keys {
        let mut seen: Vec<bool> = Vec::new();
        for path in ["/s/a", "/s/b", "/s/a"] {
            let reply = client.send(&get(path).key(key)).expect(200);
            seen.push(!canary.seen(&reply.tag).is_empty());
        }
        assert!(seen.iter().all(|it| *it == seen[0]), "{seen:?}");
        of_canary += usize::from(seen[0]);
    }
    assert!((1..24).contains(&of_canary), "{of_canary} of 24 keys");
}

fn mirrored(gateway: &Gateway, route: &str, outcome: &str) -> f64 {
    let labels = [("api", "shared"), ("route", route), ("outcome", outcome)];
    gateway.metric("portcullis_mirrored_requests_total", &labels)
}

#[test]
fn a_copy_is_the_request_as_the_upstream_got_it_with_a_mark() {
    let (main, shadow) = (Upstream::http(), Upstream::http());
    let routes = json!([
        { "path": "/s/**", "upstream": "main", "mirror": { "upstream": "shadow" },
          "rewrite": { "strip_prefix": "/s" } },
        { "path": "/s/json", "methods": ["POST"], "upstream": "main", "mirror": { "upstream": "shadow" },
          "project": { "in": "json", "required": "never" } },
    ]);
    let (gateway, key) = with_one_key(&settings(&main, &shadow, routes));
    let copy_of = |request: Request| {
        // A client's own mark says nothing.
        let reply = gateway.send(&request.header("X-Portcullis-Mirror", "7").key(&key)).expect(200);
        wait::until("the copy", || shadow.seen(&reply.tag).len() == 1);
        (main.one(&reply.tag), shadow.one(&reply.tag))
    };
    for request in [
        get("/s/a?b=1").header("X-Custom", "c"),
        post("/s/a").raw_body(vec![b'x'; 60_000]),
        post("/s/a").raw_body("in pieces").chunked(2),
        post("/s/json").json(&json!({ "a": 1 })),
    ] {
        let (real, copy) = copy_of(request);
        assert_eq!((&copy.method, &copy.target, &copy.body), (&real.method, &real.target, &real.body));
        assert_eq!(
            (real.header("x-portcullis-mirror"), copy.header("x-portcullis-mirror")),
            (None, Some("1"))
        );
        for name in ["x-request-id", "x-custom", "x-gateway-token-id", "x-forwarded-for", "x-api-key"] {
            assert_eq!(real.header(name), copy.header(name), "{name}");
        }
        assert_eq!((&real.identity()["aud"], &copy.identity()["aud"]), (&json!("main"), &json!("shadow")));
        assert_eq!(real.identity()["sub"], copy.identity()["sub"]);
    }
    wait::until("the counts", || mirrored(&gateway, "/s/**", "sent") == 3.0);
}

#[test]
fn what_is_too_large_is_not_copied_but_counted() {
    let (main, shadow) = (Upstream::http(), Upstream::http());
    let routes = json!([{ "path": "/s/**", "upstream": "main", "mirror": { "upstream": "shadow" } }]);
    let (gateway, key) = with_one_key(&settings(&main, &shadow, routes));
    let large = vec![b'x'; 70_000];
    let reply = gateway.send(&post("/s/a").raw_body(&large).key(&key)).expect(200);
    assert_eq!(main.one(&reply.tag).body, large);
    wait::until("the count", || mirrored(&gateway, "/s/**", "body_too_large") == 1.0);
    assert_eq!(shadow.count(), 0);
}

#[test]
fn a_mirror_that_fails_or_sleeps_harms_nobody() {
    let (main, shadow) = (Upstream::http(), Upstream::http());
    let routes = json!([
        { "path": "/s/slow", "upstream": "main", "mirror": { "upstream": "shadow" } },
        { "path": "/s/dead", "upstream": "main", "mirror": { "upstream": "dead" } },
        { "path": "/s/some", "upstream": "main", "mirror": { "upstream": "shadow", "share": "0.0001%" } },
    ]);
    let (gateway, key) = with_one_key(&settings(&main, &shadow, routes));
    shadow.script("asleep", Answer { delay: Duration::from_secs(60), ..Answer::default() });
    let mut client = gateway.connect();
    // More than one worker keeps under way, on one connection and so at one worker.
    for _ in 0..80 {
        client.send(&get("/s/slow").key(&key).script("asleep")).expect(200);
    }
    wait::until("copies that found no place", || mirrored(&gateway, "/s/slow", "busy") == 16.0);
    let reply = gateway.connect().send(&get("/s/dead").key(&key));
    assert_eq!(reply.status, 200);
    for _ in 0..20 {
        client.send(&get("/s/some").key(&key)).expect(200);
    }
    assert!(shadow.count() <= 64 + 1, "{}", shadow.count());
}
