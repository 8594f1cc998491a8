//! Redis gone, in all the ways in which it goes: what decides then, for how long anybody waits, and that nobody gets
//! anything back by it.

use super::shared_limits::{Nodes, TARGET, backend_up, limit};
use crate::support::admissions::{Attempt, admitted, assert_within_bound_and, attempt, under_load};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::{assert_ocriva, get, wait};
use serde_json::json;
use std::time::Duration;

fn decided(gateway: &Gateway, by: &str) -> f64 {
    gateway.metric("portcullis_rate_limit_decided_total", &[("by", by)])
}

/// Waits until every worker has noticed; each needs a request to do so, or an attempt to connect.
fn until_away(nodes: &Nodes) {
    for gateway in &nodes.gateways {
        wait::until("the gateway knows that Redis is gone", || {
            let _ = gateway.send(&get(TARGET).key(&nodes.key));
            !backend_up(gateway)
        });
    }
}

#[test]
fn a_redis_that_comes_back_empty_refills_nothing() {
    for algorithm in ["token_bucket", "sliding_window", "fixed_window"] {
        let mut redis = Redis::start();
        let nodes = Nodes::start(2, &redis.url(""), |value| {
            value["apis"][0]["rate_limit"] = limit(20, algorithm);
        });
        (0..16).for_each(|turn| assert_eq!(nodes.send(turn % 2).status, 200));
        redis.kill9();
        redis.serve();
        // Whatever is decided meanwhile by the nodes themselves.
        let mut passed = 0;
        wait::until("both have connected again", || {
            passed += (0..2).filter(|node| nodes.send(*node).status == 200).count();
            nodes.gateways.iter().all(backend_up)
        });
        passed += (0..20).filter(|turn| nodes.send(turn % 2).status == 200).count();
        assert!(passed <= 4, "{algorithm}: {passed} more than were left");
    }
}

#[test]
fn local_lets_all_nodes_together_admit_what_the_bucket_holds() {
    for algorithm in ["token_bucket", "sliding_window", "fixed_window"] {
        let mut redis = Redis::start();
        let nodes = Nodes::start(3, &redis.url(""), |value| {
            value["apis"][0]["rate_limit"] = limit(60, algorithm);
        });
        (0..9).for_each(|turn| assert_eq!(nodes.send(turn % 3).status, 200));
        redis.kill9();
        let mut passed = 9;
        for _ in 0..30 {
            passed += (0..3).filter(|node| nodes.send(*node).status == 200).count();
        }
        assert!((40..=60).contains(&passed), "{algorithm}: {passed}");
        assert!(nodes.gateways.iter().all(|gateway| decided(gateway, "local") > 0.0));
        let refused = nodes.send(0).expect(429);
        assert!(refused.number("retry-after") >= 1);
        assert_eq!(nodes.gateways[0].metric("portcullis_rate_limit_backend_up", &[]), 0.0);
        // Serving goes on, so that it is ready.
        assert_eq!(nodes.gateways[0].ask("/readyz").status, 200);
    }
}

#[test]
fn deny_answers_503_in_the_callers_dialect_and_is_not_ready() {
    let mut redis = Redis::start();
    let nodes = Nodes::start(1, &redis.url(""), |value| {
        value["limits"]["on_backend_failure"] = json!("deny");
        value["apis"][0]["rate_limit"] = limit(60, "token_bucket");
    });
    nodes.send(0).expect(200);
    redis.kill9();
    until_away(&nodes);
    let refused = nodes.send(0);
    assert_ocriva(
        &refused,
        503,
        Some("Requests can not be counted at the moment. Please try again shortly."),
    );
    assert_eq!(refused.number("retry-after"), 1);
    assert!(refused.header("x-request-id").is_some() && refused.header("x-ratelimit-limit").is_none());
    assert_eq!(nodes.upstream.count(), 1);
    wait::until("it is not ready", || nodes.gateways[0].ask("/readyz").status == 503);
    // What has no limit is served, and the cause is in the log only.
    nodes.gateways[0].send(&get("/v1/open/x")).expect(200);
    assert!(nodes.gateways[0].stderr().contains("requests with a limit are answered 503"));
    redis.serve();
    wait::until("it goes on by itself", || nodes.send(0).status == 200 && backend_up(&nodes.gateways[0]));
    assert_eq!(nodes.gateways[0].ask("/readyz").status, 200);
    assert!(nodes.gateways[0].stderr().contains("the limits backend answers again"));
}

#[test]
fn allow_lets_everything_through_visibly() {
    let mut redis = Redis::start();
    let nodes = Nodes::start(1, &redis.url(""), |value| {
        value["limits"]["on_backend_failure"] = json!("allow");
        value["apis"][0]["rate_limit"] = limit(3, "token_bucket");
    });
    redis.kill9();
    until_away(&nodes);
    (0..10).for_each(|_| assert_eq!(nodes.send(0).status, 200));
    assert!(decided(&nodes.gateways[0], "allow") >= 10.0);
    assert_eq!(nodes.gateways[0].stderr().matches("everything passes").count(), 1, "logged once per change");
}

#[test]
fn a_redis_that_hangs_costs_one_wait_and_then_none() {
    let redis = Redis::start();
    let nodes = Nodes::start(1, &redis.url(""), |value| {
        value["workers"] = json!(1);
        value["limits"]["timeout"] = json!("400ms");
        value["apis"][0]["rate_limit"] = limit(1000, "token_bucket");
    });
    nodes.send(0).expect(200);
    redis.pause();
    let mut connection = nodes.gateways[0].connect();
    let tries: Vec<Attempt> = (0..40).map(|_| attempt(&mut connection, TARGET, &nodes.key)).collect();
    assert_eq!(admitted(&tries), 40);
    // None where the gateway itself has noticed first: it looks when nobody has asked for a second.
    let waited = tries.iter().filter(|it| it.answered - it.sent >= 350_000_000).count();
    // The circuit is tried again by the gateway, not by a request.
    assert!(waited <= 1, "{waited} of 40 waited");
    assert!(
        nodes.gateways[0].metric("portcullis_rate_limit_backend_requests_total", &[("result", "timeout")])
            >= 1.0
    );
    redis.resume();
    wait::until("it is asked again", || backend_up(&nodes.gateways[0]));
    let before = decided(&nodes.gateways[0], "backend");
    nodes.send(0).expect(200);
    assert_eq!(decided(&nodes.gateways[0], "backend"), before + 1.0);
}

#[test]
fn a_wrong_password_is_told_in_the_log_and_the_policy_decides() {
    let redis = Redis::with(&["--requirepass", "right"]);
    let settings = |value: &mut serde_json::Value| {
        value["limits"]["nodes"] = json!(1);
        value["apis"][0]["rate_limit"] = limit(2, "token_bucket");
    };
    let nodes = Nodes::start_away(1, &redis.url(":wrong@"), settings);
    let statuses: Vec<u16> = (0..3).map(|_| nodes.send(0).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let log = nodes.gateways[0].stderr();
    assert!(log.contains("does not answer") && log.contains("authentication failed"), "{log}");
    assert!(!log.contains("wrong@") && !log.contains(":wrong"), "{log}");
    // Whoever may log in but not write gets no further.
    let nodes = Nodes::start_away(1, &readonly(&redis), settings);
    assert_eq!((0..3).map(|_| nodes.send(0).status).collect::<Vec<_>>(), [200, 200, 429]);
    let log = nodes.gateways[0].stderr();
    assert!(log.contains("NOPERM") || log.contains("permission"), "{log}");
}

/// A login that may read only.
fn readonly(redis: &Redis) -> String {
    let rights = ["ACL", "SETUSER", "reader", "on", ">pass", "~*", "+@read", "+@connection"];
    assert_eq!(redis.ask_as("right", &rights), "OK\n");
    redis.url("reader:pass@")
}

#[test]
fn in_every_window_the_bound_holds_while_redis_is_killed_and_comes_back_empty() {
    for mode in ["script", "leased"] {
        let mut redis = Redis::start();
        let nodes = Nodes::start(3, &redis.url(""), |value| {
            value["limits"]["mode"] = json!(mode);
            value["apis"][0]["rate_limit"] = json!({ "requests": 60, "per": "3s" });
        });
        let attempts =
            under_load(&nodes.addresses(), 2, Duration::from_millis(10), TARGET, &nodes.key, || {
                std::thread::sleep(Duration::from_secs(4));
                redis.kill9();
                std::thread::sleep(Duration::from_secs(2));
                redis.serve();
                std::thread::sleep(Duration::from_secs(4));
            });
        // Two may go on by themselves for a third of a second when the third has noticed that Redis is back, each with a
        // third of 20 a second.
        assert_within_bound_and(&attempts, 60, Duration::from_secs(3), 2.0 / 3.0 * 20.0 / 3.0);
        let passed = admitted(&attempts);
        assert!(passed >= 140, "{mode}: {passed} of {}", attempts.len());
        assert!(nodes.gateways.iter().all(|gateway| decided(gateway, "local") > 0.0));
    }
}
