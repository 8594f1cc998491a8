//! Requests that are sent again: only where that is safe, to another endpoint, within the budget.

use crate::support::gateway::Gateway;
use crate::support::pair::{Pair, TARGET, settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{get, post, put};
use serde_json::{Value, json};
use std::time::Duration;

fn failing_first(retry: Value) -> Pair {
    let pair = Pair::start(json!({ "balance": "round_robin", "retry": retry }));
    pair.a.answers_with(503);
    pair
}

fn retries(gateway: &Gateway) -> f64 {
    gateway.metric("portcullis_upstream_retries_total", &[("upstream", "main")])
}

#[test]
fn what_is_safe_goes_to_another_endpoint() {
    let pair = failing_first(json!({ "attempts": 2, "on": [503], "budget": "100%" }));
    for _ in 0..10 {
        pair.send(get(TARGET)).expect(200);
    }
    assert_eq!(pair.b.count(), 10);
    assert!(pair.a.count() >= 5 && retries(&pair.gateway) == pair.a.count() as f64);
    assert!(pair.a.connections() < 3, "an answer that is not passed on costs its connection");
}

#[test]
fn what_is_not_safe_is_sent_once() {
    let pair = failing_first(json!({ "on": [503] }));
    let statuses: Vec<u16> =
        (0..10).map(|_| pair.send(post(TARGET).body("text/plain", "once")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 5, "{statuses:?}");
    assert_eq!((pair.counts(), retries(&pair.gateway)), ((5, 5), 0.0));
}

#[test]
fn a_body_that_was_passed_on_is_not_sent_again() {
    let pair = failing_first(json!({ "on": [503] }));
    let statuses: Vec<u16> =
        (0..4).map(|_| pair.send(put(TARGET).body("text/plain", "once")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 2, "{statuses:?}");
}

#[test]
fn a_body_that_was_read_before_is_sent_again_whole() {
    let (a, b) = (Upstream::http(), Upstream::http());
    let keys = json!({ "balance": "round_robin", "retry": { "on": [503], "budget": "100%" } });
    let settings = settings(&[&a.url(), &b.url()], keys).with(|value| {
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        let route = json!({ "path": "/v1/openapi/spooled", "project": { "in": "json" }, "upstream": "main" });
        routes.push(route);
    });
    let (gateway, key) = with_one_key(&settings);
    a.answers_with(503);
    let body = json!({ "projectId": crate::support::settings::P1, "text": "x".repeat(100_000) });
    for _ in 0..2 {
        let request = put("/v1/openapi/spooled").key(&key).json(&body);
        gateway.send(&request).expect(200);
        assert_eq!(b.one(&request.tag).body, body.to_string().into_bytes());
    }
    assert_eq!((a.count(), b.count()), (1, 2));
    assert!(a.all()[0].body == b.all()[0].body);
}

#[test]
fn a_broken_connection_is_a_reason_where_that_is_safe() {
    let pair =
        Pair::start(json!({ "balance": "round_robin", "retry": { "on": ["reset"], "budget": "100%" } }));
    pair.a.answers(Answer { abort: true, ..Answer::default() });
    for _ in 0..4 {
        pair.send(get(TARGET)).expect(200);
    }
    let statuses: Vec<u16> =
        (0..4).map(|_| pair.send(post(TARGET).body("text/plain", "once")).status).collect();
    let broken = statuses.iter().filter(|status| **status == 502).count();
    assert!(broken > 0, "a POST that may have been acted on was sent twice: {statuses:?}");
}

#[test]
fn retries_have_a_budget() {
    let backend = Upstream::http();
    let keys = json!({ "retry": { "attempts": 3, "on": [503], "budget": "10%" } });
    let (gateway, key) = with_one_key(&settings(&[&backend.url()], keys));
    backend.answers_with(503);
    for _ in 0..100 {
        assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 503);
    }
    let again = backend.count() - 100;
    // More than the share only by what is granted to a service that gets few requests, for each window that it took.
    assert!((3..=16).contains(&again), "{again} of 100 requests were sent again");
    assert_eq!(retries(&gateway), again as f64);
    let labels = [("upstream", "main"), ("reason", "budget")];
    assert!(gateway.metric("portcullis_upstream_retries_exhausted_total", &labels) > 50.0);
}

#[test]
fn one_attempt_is_no_retry() {
    let pair = failing_first(json!({ "attempts": 1 }));
    let failed = (0..6).filter(|_| pair.send(get(TARGET)).status == 503).count();
    assert_eq!((failed, retries(&pair.gateway)), (3, 0.0));
}

#[test]
fn an_answer_that_does_not_come_is_a_reason_where_that_is_asked_for() {
    let pair = Pair::start(json!({
        "balance": "round_robin",
        "retry": { "on": ["timeout"], "budget": "100%" },
        "timeouts": { "response": "300ms" },
    }));
    pair.a.answers(Answer { delay: Duration::from_secs(5), ..Answer::default() });
    pair.send(get(TARGET)).expect(200);
    pair.send(get(TARGET)).expect(200);
    let statuses = [pair.send(post(TARGET)).status, pair.send(post(TARGET)).status];
    assert!(statuses.contains(&504), "a POST that may have been acted on was sent twice: {statuses:?}");
}
