//! Which endpoint gets a request, and which is left alone because its requests fail.

use crate::support::pair::{NOBODY, Pair, TARGET, settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::wait;
use crate::support::world::with_one_key;
use crate::support::{get, post};
use serde_json::json;
use std::time::Duration;

#[test]
fn round_robin_takes_turns() {
    let pair = Pair::start(json!({ "balance": "round_robin" }));
    for round in 1..=10 {
        pair.send(get(TARGET)).expect(200);
        pair.send(get(TARGET)).expect(200);
        assert_eq!(pair.counts(), (round, round));
    }
}

#[test]
fn random_reaches_all() {
    let pair = Pair::start(json!({ "balance": "random" }));
    wait::until("both were asked", || {
        pair.send(get(TARGET)).expect(200);
        pair.a.count() > 3 && pair.b.count() > 3
    });
}

#[test]
fn least_requests_spares_who_is_slow() {
    let pair = Pair::start(json!({}));
    pair.a.answers(Answer { delay: Duration::from_millis(800), ..Answer::default() });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..15).for_each(|_| drop(pair.send(get(TARGET)).expect(200))));
        }
    });
    let (slow, fast) = pair.counts();
    assert_eq!(slow + fast, 60);
    assert!(fast > 2 * slow, "{slow} requests went to the slow one, {fast} to the other");
}

#[test]
fn ip_hash_keeps_a_client_where_it_was() {
    let pair = Pair::start(json!({ "balance": "ip_hash" }));
    let home = |client: u8| {
        let before = pair.counts();
        let request = get(TARGET).key(&pair.key);
        pair.gateway.send_from([127, 0, 1, client], &request).expect(200);
        pair.a.count() > before.0
    };
    let homes: Vec<bool> = (1..=30).map(home).collect();
    let at_a = homes.iter().filter(|at_a| **at_a).count();
    assert!((1..30).contains(&at_a), "all clients went to one endpoint");
    let again: Vec<bool> = (1..=30).map(home).collect();
    assert_eq!(homes, again);
}

#[test]
fn an_endpoint_that_is_down_is_not_noticed() {
    let alive = Upstream::http();
    let (gateway, key) =
        with_one_key(&settings(&[&alive.url(), NOBODY], json!({ "balance": "round_robin" })));
    for _ in 0..20 {
        gateway.send(&get(TARGET).key(&key)).expect(200);
        gateway.send(&post(TARGET).key(&key).body("text/plain", "to be sent once")).expect(200);
    }
    assert_eq!(alive.count(), 40);
    let retries = gateway.metric("portcullis_upstream_retries_total", &[("upstream", "main")]);
    assert!((1.0..=20.0).contains(&retries), "{retries}: it is left alone for a while after each try");
}

#[test]
fn who_fails_is_left_alone_and_comes_back() {
    let pair = Pair::start(json!({
        "balance": "round_robin",
        "eject": { "consecutive_failures": 3, "for": "1s" },
    }));
    pair.a.answers_with(503);
    let statuses: Vec<u16> = (0..20).map(|_| pair.send(get(TARGET)).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 3, "{statuses:?}");
    assert!(!pair.healthy(&pair.a) && pair.healthy(&pair.b));
    let log = pair.gateway.stderr();
    assert!(log.contains("an endpoint is left alone") && log.contains("it answers 503"), "{log}");
    assert_eq!(pair.gateway.metric("portcullis_upstream_ejections_total", &[("upstream", "main")]), 1.0);
    pair.a.answers_with(200);
    let before = pair.a.count();
    wait::until("it is asked again", || {
        pair.send(get(TARGET)).expect(200);
        pair.a.count() > before + 3
    });
    assert!(pair.healthy(&pair.a));
    assert!(pair.gateway.stderr().contains("answers again"));
}

#[test]
fn not_all_are_left_alone() {
    let pair = Pair::start(json!({
        "eject": { "consecutive_failures": 1, "for": "1h", "max_ejected": "100%" },
    }));
    pair.a.answers_with(502);
    pair.b.answers_with(502);
    for _ in 0..20 {
        assert_eq!(pair.send(get(TARGET)).status, 502);
    }
    let (a, b) = pair.counts();
    assert_eq!((a + b, a.min(b) <= 1), (20, true), "one is left alone, the other never");
    assert!(pair.healthy(&pair.a) != pair.healthy(&pair.b));
}

#[test]
fn an_error_of_the_application_ejects_nobody() {
    let pair = Pair::start(json!({ "eject": { "consecutive_failures": 1, "for": "1h" } }));
    pair.a.answers_with(500);
    pair.b.answers_with(500);
    (0..10).for_each(|_| assert_eq!(pair.send(get(TARGET)).status, 500));
    assert!(pair.healthy(&pair.a) && pair.healthy(&pair.b));
}

#[test]
fn a_client_that_stalls_ejects_nobody() {
    let pair = Pair::start(json!({
        "eject": { "consecutive_failures": 1, "for": "1h" },
        "timeouts": { "response": "300ms" },
    }));
    for _ in 0..3 {
        let mut client = pair.gateway.connect();
        let request = post(TARGET).key(&pair.key).header("Content-Length", "10").unframed();
        client.write(&request.head("gateway.test"));
        client.write(b"abc");
        assert_eq!(client.reply("POST").expect("an answer").status, 504);
    }
    assert!(pair.healthy(&pair.a) && pair.healthy(&pair.b));
}

#[test]
fn explain_says_where_a_request_would_go() {
    let pair = Pair::start(json!({ "balance": "ip_hash" }));
    let key = format!("X-API-Key: {}", pair.key);
    let output = pair.gateway.run("explain", &["GET", TARGET, "-H", &key]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (a, b) = (pair.a.url(), pair.b.url());
    assert!(said.contains(&format!("to main, at {a} or {b} (by ip_hash)")), "{said}");
}
