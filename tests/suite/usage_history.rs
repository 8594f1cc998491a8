//! How keys were used, hour by hour: counted as it happens, by whichever node, and shown to whom it concerns.

use crate::support::control::{Console, write};
use crate::support::fixture::{Fixture, ocore_key, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::person::House;
use crate::support::settings::{FOREIGN, OTHER_ORG, OTHER_SLUG, P1, SLUG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::{OWNER, foreign, organization};
use crate::support::{Reply, Request, assert_ocore, assert_ocriva, delete, get, instead, post, wait};
use serde_json::{Value, json};
use std::time::Duration;

const TEMPLATES: &str = "/v1/openapi/templates";

fn usual(upstream: &Upstream) -> Settings {
    Settings::usual(&upstream.url())
}

/// Writes to the store behind the gateway's back, whatever it is.
fn tamper(gateway: &Gateway, sql: &str) {
    match instead::of_file(&gateway.db_path()) {
        Some(server) => drop(server.run(sql)),
        None => write(gateway, sql, []),
    }
}

fn admin(gateway: &Gateway, request: &Request) -> Reply {
    crate::support::client::Connection::open(gateway.admin).send(request)
}

/// A gateway, its owner's console, and a key that it makes.
struct Bench {
    gateway: Gateway,
    upstream: Upstream,
}

impl Bench {
    fn open() -> Self {
        Self::with(|settings| settings)
    }

    fn with(alter: impl FnOnce(Settings) -> Settings) -> Self {
        let upstream = Upstream::http();
        let (mut ours, mut theirs) = (organization(), foreign());
        ours.member(OWNER, "owner");
        ours.member("developer", "developer");
        theirs.member("stranger", "owner");
        let gateway = Gateway::start(&alter(usual(&upstream)), &Fixture::default().with(ours).with(theirs));
        Self { gateway, upstream }
    }

    fn owner(&self) -> Console<'_> {
        Console::open(&self.gateway, OWNER)
    }

    /// The history of a key.
    fn of(&self, id: &str, query: &str) -> Value {
        self.owner().send(get(&self.owner().path(&format!("/{id}/usage{query}")))).expect(200).json()
    }

    /// What all keys of the organization have counted, once it is as much as wanted.
    fn of_all(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let owner = self.owner();
        let path = owner.path("").replace("/api-tokens", "/usage");
        let found = wait::poll(Duration::from_secs(30), || {
            let history = admin(&self.gateway, &get(&path).bearer(&owner.access)).expect(200).json();
            wanted(&history["totals"]).then_some(history)
        });
        found.expect("what was counted")
    }
}

fn id(record: &Value) -> &str {
    record["id"].as_str().expect("an id")
}

fn value(record: &Value) -> &str {
    record["token"].as_str().expect("a value")
}

/// What a history says of one reason.
fn refused(totals: &Value, reason: &str) -> u64 {
    let all = totals["refusals"].as_array().expect("a list");
    let found: Vec<u64> = all
        .iter()
        .filter(|it| it["reason"] == reason)
        .map(|it| it["count"].as_u64().expect("a number"))
        .collect();
    assert!(found.len() <= 1, "{totals}");
    found.first().copied().unwrap_or_default()
}

fn counts(totals: &Value) -> [u64; 3] {
    ["uses", "accepted", "refused"].map(|name| totals[name].as_u64().expect("a number"))
}

#[test]
fn a_history_says_what_a_key_was_used_and_refused_for() {
    let bench = Bench::open();
    let (gateway, owner) = (&bench.gateway, bench.owner());
    let made = owner.made("measured", json!({ "ipWhitelist": ["127.0.0.1"] }));
    let key = value(&made);
    let send = |request: &Request, status: u16| gateway.send(request).expect(status);
    assert_eq!(counts(&bench.of(id(&made), "")["totals"]), [0, 0, 0]);
    for _ in 0..3 {
        send(&get(TEMPLATES).key(key), 200);
    }
    // Not its project: a good key, and so a use; it is let through nowhere.
    send(&get(&format!("{TEMPLATES}?projectId={FOREIGN}")).key(key), 401);
    // No project where one is needed, two, and what is no JSON.
    send(&get("/v1/openapi/processing-history").key(key), 400);
    send(&get(&format!("{TEMPLATES}?projectId={P1}&projectId=x")).key(key), 400);
    send(&post(TEMPLATES).key(key).body("text/plain", "x"), 415);
    send(&post(TEMPLATES).key(key).body("application/json", "{"), 400);
    // Elsewhere it may not be used at all.
    gateway.send_from([127, 0, 0, 9], &get(TEMPLATES).key(key)).expect(403);
    owner.patch(id(&made), &json!({ "isActive": false })).expect(200);
    send(&get(TEMPLATES).key(key), 401);
    send(&get(TEMPLATES).key(key), 401);
    let history = bench.of(id(&made), "");
    let totals = &history["totals"];
    assert_eq!(counts(totals), [8, 3, 8], "{totals}");
    for (reason, count) in [
        ("foreign_project", 1),
        ("project_required", 1),
        ("bad_request", 2),
        ("media_type", 1),
        ("address", 1),
        ("inactive", 2),
        ("limited", 0),
    ] {
        assert_eq!(refused(totals, reason), count, "{reason}: {totals}");
    }
    assert_eq!(owner.show(id(&made)).expect(200).json()["usageCount"], totals["uses"]);
    // By the hour, of which the last one (or, at its end, the last two) has all of it.
    let parts = history["data"].as_array().expect("hours");
    assert_eq!((parts.len(), &history["interval"]), (24, &json!("hour")));
    let sum = |name: &str| parts.iter().map(|it| it[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!([sum("uses"), sum("accepted"), sum("refused")], counts(totals));
    assert_eq!(parts[..20].iter().map(|it| it["uses"].as_u64().unwrap()).sum::<u64>(), 0);
    assert_eq!(parts[0]["start"], history["from"]);
    super::login::assert_timestamp(&history["keptSince"]);
    super::login::assert_timestamp(&history["to"]);
    assert_eq!(bench.upstream.count(), 3);
}

#[test]
fn an_empty_bucket_and_what_a_route_requires_are_told_apart() {
    let bench = Bench::with(|settings| {
        settings.with(|value| {
            value["apis"][0]["rate_limit"] = json!({ "requests": 2, "per": "1h" });
        })
    });
    let made = bench.owner().made("limited", json!({}));
    for status in [200, 200, 429, 429, 429] {
        bench.gateway.send(&get(TEMPLATES).key(value(&made))).expect(status);
    }
    let totals = bench.of(id(&made), "")["totals"].clone();
    // A refusal by the limit is no use.
    assert_eq!((counts(&totals), refused(&totals, "limited")), ([2, 2, 3], 3), "{totals}");
    // Read again, nothing is counted again.
    assert_eq!(bench.of(id(&made), "")["totals"], totals);
}

#[test]
fn an_upstream_s_failure_is_no_refusal_of_the_key() {
    let bench = Bench::open();
    let made = bench.owner().made("accepted", json!({}));
    bench.upstream.answers_with(503);
    bench.gateway.send(&get(TEMPLATES).key(value(&made))).expect(503);
    assert_eq!(counts(&bench.of(id(&made), "")["totals"]), [1, 1, 0]);
}

#[test]
fn ocore_keys_have_one_too_in_their_own_dialect() {
    let house = House::open();
    let owner = house.person("owner");
    let wanted = json!({ "name": "ci", "permissions": ["view:servers"] });
    let made = owner.ours(post("/api/api-keys").json(&wanted)).expect(201).json();
    let (id, key) = (id(&made), made["key"].as_str().expect("a value"));
    house.send(&get("/api/servers/1").bearer(key)).expect(200);
    assert_ocore(&house.send(&post("/api/servers/1").bearer(key).json(&json!({}))), 403);
    assert_ocore(&house.send(&get("/api/servers/1").bearer(key).org("another")), 403);
    let path = format!("/api/api-keys/{id}/usage");
    let totals = owner.ours(get(&path)).expect(200).json()["totals"].clone();
    assert_eq!(counts(&totals), [3, 1, 2], "{totals}");
    assert_eq!(
        (refused(&totals, "permission"), refused(&totals, "foreign_organization")),
        (1, 1),
        "{totals}"
    );
    // Whoever sees keys sees it; who is nobody here does not.
    house.person("viewer").ours(get(&path)).expect(200);
    assert_ocore(&house.person("stranger").ours(get(&path)), 403);
    assert_ocore(&house.person("stranger").send(get(&path).org(OTHER_SLUG)), 404);
    assert_ocore(&owner.ours(get("/api/api-keys/nobody/usage")), 404);
    assert_ocore(&owner.ours(get(&format!("{path}?interval=week"))), 400);
    // Of all keys together, on the admin listener.
    wait::until("it is written", || {
        house.person("viewer").admin(get("/api/usage").org(SLUG)).expect(200).json()["totals"] == totals
    });
    assert_ocore(&house.person("stranger").admin(get("/api/usage").org(SLUG)), 403);
}

#[test]
fn a_key_s_history_is_for_who_may_see_the_key() {
    let bench = Bench::open();
    let (gateway, owner) = (&bench.gateway, bench.owner());
    let made = owner.made("ours", json!({}));
    let path = owner.path(&format!("/{}/usage", id(&made)));
    let (developer, stranger) = (Console::open(gateway, "developer"), Console::open(gateway, "stranger"));
    assert_ocriva(&developer.send(get(&path)), 403, None);
    assert_ocriva(&stranger.send(get(&path)), 403, None);
    let elsewhere = path.replace(&owner.path(""), &stranger.in_organization(OTHER_ORG).path(""));
    assert_ocriva(&stranger.send(get(&elsewhere)), 404, None);
    assert_ocriva(&gateway.send(&get(&path)), 401, None);
    assert_ocriva(&gateway.send(&get(&path).key(value(&made))), 403, None);
    assert_ocriva(&owner.send(get(&owner.path("/nobody/usage"))), 404, None);
    // All together: for everybody who sees the organization's use, on the admin listener only.
    let together = owner.path("").replace("/api-tokens", "/usage");
    admin(gateway, &get(&together).bearer(&developer.access)).expect(200);
    assert_ocriva(&admin(gateway, &get(&together).bearer(&stranger.access)), 403, None);
    assert_ocriva(&admin(gateway, &get(&together)), 401, None);
    assert_ne!(gateway.send(&get(&together).bearer(&owner.access)).status, 200);
}

#[test]
fn what_is_asked_for_has_to_make_sense() {
    let bench = Bench::open();
    let made = bench.owner().made("asked", json!({}));
    let owner = bench.owner();
    let path = owner.path(&format!("/{}/usage", id(&made)));
    for query in [
        "?from=yesterday",
        "?interval=week",
        "?from=2026-01-02&to=2026-01-01T00:00:00Z",
        "?from=2000-01-01",
        "?from=9998-01-01",
        "?to=nonsense",
    ] {
        assert_ocriva(&owner.send(get(&format!("{path}{query}"))), 400, None);
    }
    let history = bench.of(id(&made), "?from=2026-03-01&to=2026-03-02");
    assert_eq!(
        (&history["from"], &history["to"], history["data"].as_array().map(Vec::len)),
        (&json!("2026-03-01T00:00:00.000Z"), &json!("2026-03-03T00:00:00.000Z"), Some(48))
    );
    let days = bench.of(id(&made), "?from=2026-03-01T05:00:00Z&to=2026-03-02T00:00:00.001Z&interval=day");
    assert_eq!(
        (&days["from"], &days["to"], days["data"].as_array().map(Vec::len), &days["interval"]),
        (&json!("2026-03-01T00:00:00.000Z"), &json!("2026-03-03T00:00:00.000Z"), Some(2), &json!("day"))
    );
}

#[test]
fn several_nodes_add_to_the_same_hours() {
    let bench = Bench::with(Settings::unlimited);
    let shared = json!(bench.gateway.store_url());
    let here = usual(&bench.upstream).unlimited().with(|value| value["store"]["url"] = shared);
    let mut other = Gateway::prepare(&here);
    other.serve();
    let made = bench.owner().made("shared", json!({}));
    for node in [&bench.gateway, &other] {
        wait::until("the node knows the key", || node.send(&get(TEMPLATES).key(value(&made))).status == 200);
        for _ in 0..20 {
            node.send(&get(TEMPLATES).key(value(&made))).expect(200);
            node.send(&get(&format!("{TEMPLATES}?projectId={FOREIGN}")).key(value(&made))).expect(401);
        }
    }
    let totals = bench.of_all(|totals| counts(totals)[0] >= 82 && counts(totals)[2] >= 40)["totals"].clone();
    assert_eq!(refused(&totals, "foreign_project"), 40, "{totals}");
    assert_eq!(bench.of(id(&made), "")["totals"], totals);
}

#[test]
fn it_goes_with_the_key_and_stays_in_the_sum_of_all() {
    let bench = Bench::open();
    let owner = bench.owner();
    let made = owner.made("short-lived", json!({}));
    bench.gateway.send(&get(TEMPLATES).key(value(&made))).expect(200);
    bench.of_all(|totals| counts(totals) == [1, 1, 0]);
    owner.send(delete(&owner.path(&format!("/{}", id(&made))))).expect(204);
    assert_ocriva(&owner.send(get(&owner.path(&format!("/{}/usage", id(&made))))), 404, None);
    bench.of_all(|totals| counts(totals) == [1, 1, 0]);
}

#[test]
fn uses_survive_a_kill_and_refusals_an_orderly_end() {
    let mut bench = Bench::with(Settings::unlimited);
    let made = bench.owner().made("killed", json!({}));
    let mut connection = bench.gateway.connect();
    for _ in 0..200 {
        connection.send(&get(TEMPLATES).key(value(&made))).expect(200);
    }
    bench.gateway.kill9();
    bench.gateway.serve();
    assert_eq!(counts(&bench.of(id(&made), "")["totals"]), [200, 200, 0]);
    bench.gateway.send(&get(&format!("{TEMPLATES}?projectId={FOREIGN}")).key(value(&made))).expect(401);
    assert!(bench.gateway.stop().success());
    bench.gateway.serve();
    assert_eq!(counts(&bench.of(id(&made), "")["totals"]), [201, 200, 1]);
}

#[test]
fn without_a_history_nothing_is_kept_and_uses_are_counted() {
    let bench = Bench::with(|settings| settings.with(|value| value["store"]["history"] = json!("none")));
    let made = bench.owner().made("unseen", json!({}));
    bench.gateway.send(&get(TEMPLATES).key(value(&made))).expect(200);
    bench.gateway.send(&get(&format!("{TEMPLATES}?projectId={FOREIGN}")).key(value(&made))).expect(401);
    let history = bench.of(id(&made), "");
    assert_eq!((&history["keptSince"], counts(&history["totals"])), (&Value::Null, [0, 0, 0]));
    assert_eq!(bench.owner().show(id(&made)).expect(200).json()["usageCount"], 2);
}

#[test]
fn a_flood_of_refusals_is_bounded_and_what_is_dropped_is_counted() {
    const MOST: usize = 8192;
    const MORE: usize = 40;
    let upstream = Upstream::http();
    let mut ours = organization();
    ours.member(OWNER, "owner");
    let keys: Vec<String> = (0..MOST + MORE).map(|_| ocriva_key()).collect();
    for key in &keys {
        ours.token(key, json!({ "isActive": false }));
    }
    let first = ocore_key();
    ours.token(&first, json!({ "permissions": ["view:servers"], "isActive": false }));
    let settings = usual(&upstream).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(ours));
    let bench = Bench { gateway, upstream };
    let dropped = || bench.gateway.metric("portcullis_usage_refusals_dropped_total", &[]);
    // The store takes no history: the first refusal that waits for it keeps the others where they were counted.
    tamper(&bench.gateway, "ALTER TABLE usage_hours RENAME TO usage_hours_away");
    bench.gateway.send(&get("/api/servers/1").bearer(&first)).expect(401);
    wait::until("it was tried", || bench.gateway.stderr().contains("refusals could not be written"));
    let mut connection = bench.gateway.connect();
    for key in &keys {
        connection.send(&get(TEMPLATES).key(key)).expect(401);
    }
    assert_eq!(dropped(), MORE as f64);
    // Those that have a place count on.
    connection.send(&get(TEMPLATES).key(&keys[0])).expect(401);
    assert_eq!(dropped(), MORE as f64);
    tamper(&bench.gateway, "ALTER TABLE usage_hours_away RENAME TO usage_hours");
    let totals = bench.of_all(|totals| counts(totals)[2] > 1)["totals"].clone();
    assert!(refused(&totals, "inactive") <= (MOST + 2) as u64, "{totals}");
    bench.of_all(|totals| refused(totals, "inactive") == (MOST + 2) as u64);
    assert_eq!(dropped(), MORE as f64);
}

#[test]
fn uses_that_can_not_be_written_are_told_by_their_age() {
    let bench = Bench::open();
    let made = bench.owner().made("late", json!({}));
    let age = || bench.gateway.metric("portcullis_usage_unwritten_seconds", &[]);
    assert!(age() < 30.0, "{}", age());
    tamper(&bench.gateway, "ALTER TABLE usage_hours RENAME TO usage_hours_away");
    bench.gateway.send(&get(TEMPLATES).key(value(&made))).expect(200);
    wait::until("it grows", || age() > 3.0);
    tamper(&bench.gateway, "ALTER TABLE usage_hours_away RENAME TO usage_hours");
    wait::until("it is written", || age() < 3.0);
    assert_eq!(counts(&bench.of(id(&made), "")["totals"]), [1, 1, 0]);
}
