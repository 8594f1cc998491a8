//! Limits that several nodes count in one Redis: one bucket for all, exactly, in both modes and with each algorithm; and
//! what a client is told of it.

use crate::support::admissions::{admitted, assert_within_bound, under_load};
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::redis::{Cluster, Redis};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const TARGET: &str = "/v1/openapi/templates";

/// Gateways with stores of their own, in which one key has one id.
pub(super) struct Nodes {
    pub(super) gateways: Vec<Gateway>,
    pub(super) key: String,
    pub(super) upstream: Upstream,
    settings: Settings,
    fixture: String,
}

impl Nodes {
    pub(super) fn start(count: usize, backend: &str, alter: impl FnOnce(&mut Value)) -> Self {
        let nodes = Self::start_away(count, backend, alter);
        nodes.connected();
        nodes
    }

    /// The same, where Redis can not be reached.
    pub(super) fn start_away(count: usize, backend: &str, alter: impl FnOnce(&mut Value)) -> Self {
        let upstream = Upstream::http();
        let key = ocriva_key();
        let mut org = organization();
        org.token(&key, json!({ "id": "68e0000000000000000000a1" }));
        let settings = Settings::usual(&upstream.url()).with(|value| {
            value["workers"] = json!(2);
            // Longer than any pause of a loaded machine: what is to be counted is counted in Redis.
            value["limits"]["timeout"] = json!("5s");
            value["limits"]["backend"] = json!(backend);
            value["limits"]["nodes"] = json!(count);
            alter(value);
        });
        let fixture = Fixture::default().with(org);
        let gateways = (0..count).map(|_| Gateway::start(&settings, &fixture)).collect();
        Self { gateways, key, upstream, settings, fixture: fixture.text() }
    }

    /// Waits until every worker has its connection.
    pub(super) fn connected(&self) {
        for gateway in &self.gateways {
            wait::until("every worker is connected", || backend_up(gateway));
        }
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.gateways.iter().map(|gateway| gateway.address).collect()
    }

    /// Sends one request to one of them.
    pub(super) fn send(&self, node: usize) -> crate::support::Reply {
        self.gateways[node].send(&get(TARGET).key(&self.key))
    }

    /// Sends so many to each at the same time; how many were let in.
    fn all_at_once(&self, each: usize) -> usize {
        let passed = |gateway: &Gateway| {
            let mut connection = gateway.connect();
            (0..each).filter(|_| connection.send(&get(TARGET).key(&self.key)).status == 200).count()
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .gateways
                .iter()
                .flat_map(|it| [it, it])
                .map(|it| scope.spawn(move || passed(it)))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a sender")).sum()
        })
    }

    /// Alters the configuration of all of them.
    fn reload(&self, alter: impl Fn(&mut Value)) {
        for gateway in &self.gateways {
            let before = gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
            gateway.configure(&self.settings.clone().with(&alter));
            gateway.signal("HUP");
            wait::until("the configuration is taken over", || {
                gateway.metric("portcullis_config_reloads_total", &[("result", "success")]) > before
            });
        }
    }
}

pub(super) fn backend_up(gateway: &Gateway) -> bool {
    gateway.metric("portcullis_rate_limit_backend_up", &[]) == 1.0
}

/// A limit that nothing comes back of while a test runs.
pub(super) fn limit(requests: u32, algorithm: &str) -> Value {
    json!({ "requests": requests, "per": "30d", "algorithm": algorithm })
}

#[test]
fn three_nodes_share_one_bucket_exactly_with_each_algorithm() {
    let redis = Redis::start();
    for algorithm in ["token_bucket", "sliding_window", "fixed_window"] {
        let nodes = Nodes::start(3, &redis.url(""), |value| {
            value["limits"]["prefix"] = json!(algorithm);
            value["apis"][0]["rate_limit"] = limit(30, algorithm);
        });
        assert_eq!(nodes.all_at_once(15), 30, "{algorithm}");
        assert_eq!(nodes.upstream.count(), 30, "{algorithm}");
        let refused = nodes.send(1).expect(429);
        assert_eq!((refused.number("x-ratelimit-limit"), refused.number("x-ratelimit-remaining")), (30, 0));
    }
}

#[test]
fn what_is_left_and_the_wait_are_told_as_one_node_would() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = json!({ "requests": 4, "per": "8s" });
    });
    let left: Vec<u64> =
        [0, 1, 0, 1].map(|node| nodes.send(node).expect(200).number("x-ratelimit-remaining")).into();
    // Two seconds may pass on a loaded machine, and give one back.
    assert!(left[0] == 3 && left.windows(2).all(|pair| pair[1] <= pair[0]), "{left:?}");
    let refused =
        (0..8).map(|turn| nodes.send(turn % 2)).find(|reply| reply.status == 429).expect("a refusal");
    let wait_s = refused.number("retry-after");
    assert!((1..=2).contains(&wait_s), "{refused:?}");
    assert!(refused.number("x-ratelimit-reset") >= wait::now().unix_s() + 5);
    std::thread::sleep(Duration::from_secs(wait_s));
    nodes.send(1).expect(200);
}

#[test]
fn all_forms_of_a_key_draw_on_one_bucket_of_all_nodes() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = limit(9, "token_bucket");
    });
    let login = crate::support::post("/v1/openapi/auth/login").json(&json!({ "token": nodes.key }));
    let token = nodes.gateways[0].send(&login).expect(200).json()["accessToken"].as_str().map(str::to_owned);
    let token = token.expect("a token");
    let bearer = |gateway: &Gateway, text: &str| gateway.send(&get(TARGET).bearer(text)).status;
    let statuses: Vec<u16> = (0..5)
        .flat_map(|_| [bearer(&nodes.gateways[1], &nodes.key), bearer(&nodes.gateways[0], &token)])
        .collect();
    // The login was one of the nine.
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 429, 429]);
    nodes.send(0).expect(429);
}

#[test]
fn another_rate_does_not_refill() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = limit(20, "token_bucket");
    });
    (0..12).for_each(|turn| assert_eq!(nodes.send(turn % 2).status, 200));
    // One more is used by each look.
    for (requests, algorithm, left) in [
        (30, "token_bucket", 17),
        (20, "fixed_window", 6),
        (16, "sliding_window", 1),
        (40, "token_bucket", 24),
    ] {
        nodes.reload(|value| value["apis"][0]["rate_limit"] = limit(requests, algorithm));
        let told = nodes.send(0).expect(200).number("x-ratelimit-remaining");
        assert_eq!(told, left, "{requests} by {algorithm}");
    }
}

#[test]
fn leased_permits_are_used_in_full_and_never_beyond_the_bucket() {
    let redis = Redis::start();
    let nodes = Nodes::start(3, &redis.url(""), |value| {
        value["limits"]["mode"] = json!("leased");
        value["apis"][0]["rate_limit"] = limit(400, "token_bucket");
    });
    let mut passed = nodes.all_at_once(100);
    assert!(passed <= 400, "{passed}");
    // What one node holds and does not use comes back to the others.
    wait::until("all permits are used", || {
        passed += nodes.all_at_once(20);
        std::thread::sleep(Duration::from_millis(300));
        passed >= 400
    });
    std::thread::sleep(Duration::from_secs(3));
    passed += nodes.all_at_once(20);
    assert_eq!((passed, nodes.upstream.count()), (400, 400));
    let by_lease: f64 = nodes
        .gateways
        .iter()
        .map(|it| it.metric("portcullis_rate_limit_decided_total", &[("by", "lease")]))
        .sum();
    assert!(by_lease > 100.0, "{by_lease} by permits in hand");
}

#[test]
fn a_small_limit_is_used_in_full_also_with_leases() {
    let redis = Redis::start();
    let nodes = Nodes::start(3, &redis.url(""), |value| {
        value["limits"]["mode"] = json!("leased");
        value["apis"][0]["rate_limit"] = limit(5, "token_bucket");
    });
    let statuses: Vec<u16> = (0..9).map(|turn| nodes.send(turn % 3).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429, 429]);
}

#[test]
fn in_every_window_no_more_is_let_in_than_the_bucket_holds() {
    let redis = Redis::start();
    for mode in ["script", "leased"] {
        let nodes = Nodes::start(3, &redis.url(""), |value| {
            value["limits"]["mode"] = json!(mode);
            value["limits"]["prefix"] = json!(mode);
            value["apis"][0]["rate_limit"] = json!({ "requests": 40, "per": "2s" });
        });
        let attempts =
            under_load(&nodes.addresses(), 2, Duration::from_millis(5), TARGET, &nodes.key, || {
                std::thread::sleep(Duration::from_secs(5));
            });
        assert_within_bound(&attempts, 40, Duration::from_secs(2));
        let passed = admitted(&attempts);
        // Forty at once and twenty a second, less what a loaded machine sleeps through.
        assert!((100..=142).contains(&passed), "{mode}: {passed} of {}", attempts.len());
    }
}

#[test]
fn a_limit_that_observes_lets_through_and_records_also_in_redis() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = limit(1, "token_bucket");
        value["apis"][0]["rate_limit"]["mode"] = json!("observe");
    });
    (0..4).for_each(|turn| assert_eq!(nodes.send(turn % 2).status, 200));
    let observed: f64 = nodes
        .gateways
        .iter()
        .map(|it| it.metric("portcullis_rate_limit_total", &[("api", "open-api"), ("decision", "observed")]))
        .sum();
    assert_eq!(observed, 3.0);
}

#[test]
fn tls_and_a_password_are_used() {
    let redis = Redis::tls();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = limit(6, "token_bucket");
    });
    assert_eq!(nodes.all_at_once(4), 6);
    let redis = Redis::with(&["--requirepass", "a secret: really"]);
    let nodes = Nodes::start(2, &redis.url(":a%20secret%3A%20really@"), |value| {
        value["apis"][0]["rate_limit"] = limit(6, "token_bucket");
    });
    assert_eq!(nodes.all_at_once(4), 6);
}

#[test]
fn a_cluster_counts_each_key_on_one_of_its_nodes() {
    let cluster = Cluster::start();
    for (mode, algorithm) in [("script", "sliding_window"), ("leased", "token_bucket")] {
        let nodes = Nodes::start(3, &cluster.url(), |value| {
            value["limits"]["mode"] = json!(mode);
            value["limits"]["prefix"] = json!(mode);
            value["apis"][0]["rate_limit"] = limit(12, algorithm);
        });
        let mut passed = nodes.all_at_once(5);
        wait::until("all are used", || {
            passed += nodes.all_at_once(1);
            passed >= 12
        });
        assert_eq!(passed, 12, "{mode}");
    }
    let sizes = cluster.sizes();
    assert!(sizes.iter().sum::<u32>() >= 2, "{sizes:?}");
}

#[test]
fn a_new_process_goes_on_with_what_was_counted() {
    let mut redis = Redis::start();
    let mut nodes = Nodes::start(1, &redis.url(""), |value| {
        value["limits"]["timeout"] = json!("1s");
        value["apis"][0]["rate_limit"] = limit(10, "token_bucket");
    });
    (0..6).for_each(|_| assert_eq!(nodes.send(0).status, 200));
    nodes.gateways[0].hand_over().end();
    nodes.connected();
    assert_eq!(nodes.send(0).expect(200).number("x-ratelimit-remaining"), 3);
    // Also where Redis has lost it meanwhile: it was handed on.
    nodes.gateways[0].hand_over().end();
    redis.kill9();
    redis.serve();
    nodes.connected();
    wait::until("Redis answers again", || backend_up(&nodes.gateways[0]));
    let passed = (0..8).filter(|_| nodes.send(0).status == 200).count();
    assert!(passed <= 3, "{passed}");
}

#[test]
fn counting_moves_between_the_process_and_redis_by_a_reload() {
    let redis = Redis::start();
    for algorithm in ["token_bucket", "sliding_window"] {
        let nodes = Nodes::start(1, &redis.url(""), |value| {
            value["limits"]["prefix"] = json!(algorithm);
            value["apis"][0]["rate_limit"] = limit(12, algorithm);
        });
        (0..4).for_each(|_| assert_eq!(nodes.send(0).status, 200));
        nodes.reload(|value| value["limits"]["backend"] = json!("local"));
        let left: Vec<u64> = (0..2).map(|_| nodes.send(0).number("x-ratelimit-remaining")).collect();
        assert_eq!(left, [7, 6], "{algorithm}");
        // What was counted here is claimed there, where the bucket is a new one.
        nodes.reload(|value| value["limits"]["prefix"] = json!(format!("{algorithm}-2")));
        nodes.connected();
        assert_eq!(nodes.send(0).expect(200).number("x-ratelimit-remaining"), 5, "{algorithm}");
    }
}

#[test]
fn a_fixture_with_the_same_id_is_the_same_key() {
    let redis = Redis::start();
    let nodes = Nodes::start(2, &redis.url(""), |value| {
        value["apis"][0]["rate_limit"] = limit(3, "token_bucket");
    });
    assert!(nodes.fixture.contains("68e0000000000000000000a1"));
    nodes.send(0).expect(200);
    assert_eq!(redis.ask(&["EXISTS", "portcullis:{68e0000000000000000000a1}:open-api"]), "1\n");
    let lives: i64 =
        redis.ask(&["PTTL", "portcullis:{68e0000000000000000000a1}:open-api"]).trim().parse().unwrap();
    // A third of thirty days, when the one that was taken is back.
    assert!((863_000_000..=864_001_000).contains(&lives), "{lives} ms");
}
