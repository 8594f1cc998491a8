//! Several gateways on one store: what one of them has answered holds on all of them.

use crate::support::control::{Console, text};
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::person::people;
use crate::support::request::Request;
use crate::support::settings::{SLUG, Settings};
use crate::support::totp::code;
use crate::support::upstream::Upstream;
use crate::support::world::{OWNER, organization};
use crate::support::{delete, get, patch, person, post, wait};
use serde_json::{Value, json};
use std::time::Duration;

const TEMPLATES: &str = "/v1/openapi/templates";
/// What is waited for a silent node at most, with what these tests set as its lease, and some for a busy machine.
const LEASE: &str = "2s";
const OVER: Duration = Duration::from_millis(2_300);

/// Gateways on the store of the first of them.
struct Nodes {
    all: Vec<Gateway>,
    _upstream: Upstream,
}

impl Nodes {
    fn start(count: usize) -> Self {
        let mut ours = organization();
        ours.member(OWNER, "owner");
        Self::with(count, &Fixture::default().with(ours))
    }

    fn with(count: usize, fixture: &Fixture) -> Self {
        Self::leased(LEASE, count, fixture)
    }

    fn leased(lease: &str, count: usize, fixture: &Fixture) -> Self {
        let upstream = Upstream::http();
        let settings = Settings::usual(&upstream.url()).unlimited();
        let settings = settings.with(|value| value["store"]["max_staleness"] = json!(lease));
        let mut all = vec![Gateway::start(&settings, fixture)];
        let store = all[0].store_url();
        while all.len() < count {
            let here = settings.clone().with(|value| value["store"]["url"] = json!(store));
            let mut gateway = Gateway::prepare(&here);
            gateway.serve();
            all.push(gateway);
        }
        Self { all, _upstream: upstream }
    }

    /// Where a key is accepted, and where it is refused as unknown: for each node.
    fn statuses(&self, request: &Request) -> Vec<u16> {
        self.all.iter().map(|node| node.send(request).status).collect()
    }

    fn count(&self) -> f64 {
        self.all[0].metric("portcullis_nodes", &[])
    }
}

fn with(key: &str) -> Request {
    get(TEMPLATES).key(key)
}

#[test]
fn what_one_node_takes_away_is_gone_on_all() {
    let nodes = Nodes::start(3);
    let owner = Console::open(&nodes.all[0], OWNER);
    for round in 0..10 {
        let made = owner.made(&format!("key {round}"), json!({}));
        let (id, key) = (text(&made, "id"), text(&made, "token"));
        wait::until("the key is known everywhere", || nodes.statuses(&with(key)) == [200; 3]);
        owner.patch(id, &json!({ "isActive": false })).expect(200);
        assert_eq!(nodes.statuses(&with(key)), [401; 3], "deactivated");
        owner.patch(id, &json!({ "isActive": true })).expect(200);
        wait::until("the key is good again", || nodes.statuses(&with(key)) == [200; 3]);
        let again = owner.regenerate(id).expect(200).json();
        assert_eq!(nodes.statuses(&with(key)), [401; 3], "regenerated");
        let new = text(&again, "token");
        wait::until("the new value is known", || nodes.statuses(&with(new)) == [200; 3]);
        owner.delete(id).expect(204);
        assert_eq!(nodes.statuses(&with(new)), [401; 3], "deleted");
    }
}

#[test]
fn a_node_that_stands_still_is_waited_for_and_accepts_nothing_after() {
    let nodes = Nodes::start(2);
    let owner = Console::open(&nodes.all[0], OWNER);
    let made = owner.made("key", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    wait::until("the key is known everywhere", || nodes.statuses(&with(key)) == [200; 2]);
    let mut kept = nodes.all[1].connect();
    assert_eq!(kept.send(&with(key)).status, 200);
    nodes.all[1].signal("STOP");
    let began = wait::now();
    owner.delete(id).expect(204);
    assert!(wait::now().since(began) >= Duration::from_secs(2), "it may have accepted until then");
    // Sent to it as it sleeps, and read by it before it has looked at anything else.
    kept.write(&with(key).bytes("gateway.test"));
    nodes.all[1].signal("CONT");
    let status = kept.reply("GET").expect("an answer").status;
    assert!(status == 503 || status == 401, "{status}");
    wait::until("it has come back by itself", || nodes.all[1].send(&with(key)).status == 401);
}

#[test]
fn who_repeats_a_removal_is_not_told_too_early_that_there_is_nothing_to_remove() {
    let nodes = Nodes::start(2);
    let owner = Console::open(&nodes.all[0], OWNER);
    let made = owner.made("key", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    wait::until("the key is known everywhere", || nodes.statuses(&with(key)) == [200; 2]);
    nodes.all[1].signal("STOP");
    let began = wait::now();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| owner.delete(id).expect(204));
        wait::until("it is written", || nodes.all[0].send(&with(key)).status == 401);
        owner.delete(id).expect(404);
        assert!(wait::now().since(began) >= Duration::from_secs(2), "it may have accepted until then");
        first.join().expect("the first answer");
    });
    nodes.all[1].signal("CONT");
    let after = nodes.all[1].send(&with(key)).status;
    assert!(after == 503 || after == 401, "{after}");
}

#[test]
fn a_dead_node_is_waited_for_only_until_it_is_known_to_be_dead() {
    let mut nodes = Nodes::start(2);
    wait::until("both are on the roll", || nodes.count() == 2.0);
    let mut dead = nodes.all.remove(1);
    let owner = Console::open(&nodes.all[0], OWNER);
    let first = text(&owner.made("first", json!({})), "id").to_owned();
    let second = text(&owner.made("second", json!({})), "id").to_owned();
    dead.kill9();
    let began = wait::now();
    owner.delete(&first).expect(204);
    assert!(wait::now().since(began) >= Duration::from_millis(1_500), "nobody can know yet that it is dead");
    wait::until("it is off the roll", || nodes.count() == 1.0);
    // Doubted: for a lease from then on. After that for nobody.
    std::thread::sleep(OVER + Duration::from_secs(2));
    let began = wait::now();
    owner.delete(&second).expect(204);
    assert!(wait::now().since(began) < Duration::from_secs(1), "{:?}", wait::now().since(began));
}

#[test]
fn an_operator_sees_who_accepts_keys() {
    // Long enough for one that is doubted to be seen so before it is struck.
    let nodes = Nodes::leased("10s", 2, &Fixture::default().with(organization()));
    let listed = |more: &[&str]| {
        let listed = nodes.all[0].run("nodes", more);
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout).expect("text")
    };
    let roll = || {
        let listed: Value = serde_json::from_str(&listed(&["--output", "json"])).expect("JSON");
        listed["data"].as_array().expect("a list").clone()
    };
    let states = || roll().iter().map(|node| node["state"].clone()).collect::<Vec<_>>();
    wait::until("both are well", || states() == [json!("well"), json!("well")]);
    assert_eq!(roll()[0]["leaseSeconds"], json!(10.0));
    wait::until("both have followed", || roll().iter().all(|node| node["changesBehind"] == json!(0)));
    nodes.all[1].signal("STOP");
    wait::until("the silent one is named", || states() == [json!("well"), json!("silent")]);
    nodes.all[1].signal("CONT");
    let table = listed(&[]);
    assert!(table.starts_with("NODE") && table.lines().count() == 3, "{table}");
}

#[test]
fn a_node_that_ends_properly_is_not_waited_for() {
    let mut nodes = Nodes::start(2);
    let mut ended = nodes.all.remove(1);
    let owner = Console::open(&nodes.all[0], OWNER);
    let id = text(&owner.made("key", json!({})), "id").to_owned();
    assert!(ended.stop().success());
    let began = wait::now();
    owner.delete(&id).expect(204);
    assert!(wait::now().since(began) < Duration::from_secs(1), "{:?}", wait::now().since(began));
}

#[test]
fn a_restart_after_kill_9_takes_the_dead_one_off_the_roll() {
    let mut nodes = Nodes::start(1);
    nodes.all[0].kill9();
    nodes.all[0].serve();
    let owner = Console::open(&nodes.all[0], OWNER);
    let id = text(&owner.made("key", json!({})), "id").to_owned();
    let began = wait::now();
    owner.delete(&id).expect(204);
    assert!(wait::now().since(began) < Duration::from_secs(1), "{:?}", wait::now().since(began));
}

#[test]
fn who_works_on_the_store_itself_waits_for_the_nodes() {
    let nodes = Nodes::start(2);
    let owner = Console::open(&nodes.all[0], OWNER);
    let made = owner.made("key", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    wait::until("the key is known everywhere", || nodes.statuses(&with(key)) == [200; 2]);
    let done = nodes.all[0].run_words(&["token", "delete"], &[id]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(nodes.statuses(&with(key)), [401; 2]);
}

#[test]
fn the_second_step_of_a_login_may_come_to_another_node() {
    let nodes = Nodes::with(2, &people());
    let login = || nodes.all[0].send(&person::login("owner", person::PASSWORD)).expect(200).json();
    let token = text(&login(), "accessToken").to_owned();
    let ours = |request: Request| nodes.all[0].send(&request.bearer(&token)).expect(200).json();
    let setup = ours(post("/api/auth/totp/setup").json(&json!({ "password": person::PASSWORD })));
    let secret = text(&setup, "secret");
    let enabled = ours(post("/api/auth/totp/enable").json(&json!({ "code": code(secret, 0) })));
    let recovery = |place: usize| enabled["recoveryCodes"][place].as_str().expect("a code").to_owned();
    let partial = || text(&login(), "partialToken").to_owned();
    let second = |node: usize, partial: &str, code: &str| {
        let body = json!({ "partialToken": partial, "code": code });
        nodes.all[node].send(&post("/api/auth/login/2fa").json(&body))
    };
    let first = partial();
    second(1, &first, &code(secret, 1)).expect(200);
    for node in [0, 1] {
        assert_eq!(second(node, &first, &recovery(0)).status, 401, "it is used up");
    }
    // Its tries are counted over all of them.
    let tried = partial();
    for node in [0, 1, 0, 1, 0] {
        assert_eq!(second(node, &tried, "abcd-efgh-ijkl-mnop").status, 401);
    }
    assert_eq!(second(1, &tried, &recovery(0)).status, 401);
    second(1, &partial(), &recovery(0)).expect(200);
}

#[test]
fn an_ocore_client_is_given_an_operation_after_a_second() {
    let nodes = Nodes::with(2, &people());
    let answer = nodes.all[0].send(&person::login("owner", person::PASSWORD)).expect(200).json();
    let token = text(&answer, "accessToken").to_owned();
    let ours = |request: Request| nodes.all[0].send(&request.bearer(&token).header("x-org-slug", SLUG));
    let body = json!({ "name": "deploy", "permissions": ["manage:servers"] });
    let made = ours(post("/api/api-keys").json(&body)).expect(201).json();
    let (path, key) = (format!("/api/api-keys/{}", text(&made, "id")), text(&made, "key"));
    let servers = get("/api/servers").bearer(key);
    wait::until("the key is known everywhere", || nodes.statuses(&servers) == [200; 2]);

    nodes.all[1].signal("STOP");
    let soon = ours(patch(&path).json(&json!({ "isActive": false }))).expect(202);
    assert_eq!(soon.header("retry-after"), Some("1"));
    let operation = soon.json();
    assert_eq!((&operation["type"], &operation["tokenId"]), (&json!("confirm_change"), &made["id"]));
    assert_eq!(nodes.all[0].send(&servers).status, 401, "here it is in force");
    let location = soon.header("location").expect("a place").to_owned();
    let state = || ours(get(&location)).expect(200).json()["status"].clone();
    assert!([json!("pending"), json!("running")].contains(&state()));
    wait::until("it is certain", || state() == json!("succeeded"));
    nodes.all[1].signal("CONT");
    let after = nodes.all[1].send(&servers).status;
    assert!(after == 503 || after == 401, "{after}");

    // With nobody to wait for, it is answered as ever.
    wait::until("it has come back", || nodes.all[1].send(&servers).status == 401);
    let gone: Value = ours(delete(&path)).expect(200).json();
    assert!(gone["message"].is_string());
}
