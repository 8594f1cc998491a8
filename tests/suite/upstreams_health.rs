//! Active checks: who fails them gets no requests, who passes them again does.

use crate::support::get;
use crate::support::pair::{Pair, TARGET, settings};
use crate::support::{assert_ocriva, wait};
use serde_json::{Value, json};

fn checked(more: Value) -> Pair {
    let mut health = json!({ "path": "/healthz?from=gateway", "interval": "100ms", "unhealthy_after": 2 });
    for (key, value) in more.as_object().expect("keys") {
        health[key] = value.clone();
    }
    Pair::start(json!({ "balance": "round_robin", "health": health }))
}

/// A request that a backend answers with 200, whatever it answers to checks.
fn request() -> crate::support::Request {
    get(TARGET).script("whatever checks get")
}

#[test]
fn who_fails_its_checks_gets_no_requests_until_it_passes_them_again() {
    let pair = checked(json!({}));
    wait::until("it is checked", || pair.a.count() > 0 && pair.b.count() > 0);
    let check = pair.a.all().remove(0);
    assert_eq!((&*check.method, &*check.target), ("GET", "/healthz?from=gateway"));
    pair.a.answers_with(500);
    wait::until("it is unhealthy", || !pair.healthy(&pair.a));
    assert!(pair.healthy(&pair.b));
    for _ in 0..10 {
        let request = request();
        let reply = pair.send(request).expect(200);
        assert_eq!((pair.a.seen(&reply.tag).len(), pair.b.seen(&reply.tag).len()), (0, 1));
    }
    let log = pair.gateway.stderr();
    assert!(log.contains("an endpoint is unhealthy") && log.contains("it answered 500"), "{log}");
    pair.a.answers_with(200);
    wait::until("it is healthy", || pair.healthy(&pair.a));
    assert!(pair.gateway.stderr().contains("an endpoint is healthy again"));
    let replies = [pair.send(request()).expect(200), pair.send(request()).expect(200)];
    assert!(replies.iter().any(|reply| !pair.a.seen(&reply.tag).is_empty()));
    let labels = [("upstream", "main"), ("endpoint", &*pair.a.url()), ("result", "failure")];
    assert!(pair.gateway.metric("portcullis_upstream_health_checks_total", &labels) >= 2.0);
}

#[test]
fn with_no_healthy_endpoint_requests_are_refused_at_once() {
    let pair = checked(json!({ "expected_status": 204 }));
    wait::until("none is healthy", || !pair.healthy(&pair.a) && !pair.healthy(&pair.b));
    let reply = pair.send(request());
    assert_ocriva(&reply, 503, None);
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert!(pair.a.seen(&reply.tag).is_empty() && pair.b.seen(&reply.tag).is_empty());
    let labels = [("upstream", "main"), ("reason", "none_healthy")];
    assert_eq!(pair.gateway.metric("portcullis_upstream_refused_total", &labels), 1.0);
}

#[test]
fn or_they_are_tried_where_the_operator_wants_that() {
    let pair = checked(json!({ "expected_status": 204, "none_healthy": "try" }));
    wait::until("none is healthy", || !pair.healthy(&pair.a) && !pair.healthy(&pair.b));
    pair.send(request()).expect(200);
}

#[test]
fn what_is_known_of_an_endpoint_survives_a_reload() {
    let health = json!({ "path": "/", "interval": "1h", "healthy_after": 2 });
    let keys = json!({ "health": health });
    let pair = Pair::start(keys.clone());
    pair.a.answers_with(500);
    // The first check ever decides alone, and there is no second one for an hour.
    let fresh =
        settings(&[&pair.a.url(), &pair.b.url()], json!({ "health": { "path": "/new", "interval": "1h" } }));
    pair.gateway.configure(&fresh);
    wait::until("both were checked anew", || pair.a.all().iter().any(|r| r.target == "/new"));
    let known = pair.healthy(&pair.a);
    let mut keys = keys;
    keys["health"]["path"] = json!("/third");
    pair.gateway.configure(&settings(&[&pair.a.url(), &pair.b.url()], keys));
    wait::until("both were checked once more", || pair.b.all().iter().any(|r| r.target == "/third"));
    wait::until("both were checked once more", || pair.a.all().iter().any(|r| r.target == "/third"));
    // Healthy at its first check ever, it is not made unhealthy by the one check that follows a reload.
    assert_eq!(pair.healthy(&pair.a), known);
    pair.send(request()).expect(200);
}
