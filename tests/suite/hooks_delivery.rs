//! Webhooks: each event arrives at least once with a valid signature, whatever becomes of receiver and gateway.

use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::hooks::{Habit, Hook, Person, Receiver, settings, write};
use crate::support::world::organization;
use crate::support::{Request, delete, get, patch, post, wait};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A gateway with an owner, whose events may go to the receivers of tests.
pub(super) fn gateway() -> Gateway {
    let mut organization = organization();
    organization.member("olivia", "owner");
    organization.member("adam", "admin");
    organization.member("dora", "developer");
    organization.member("vera", "viewer");
    Gateway::start(&settings("http://127.0.0.1:1"), &Fixture::default().with(organization))
}

fn of_token(hooks: &[Hook], kind: &str) -> BTreeSet<String> {
    let named = |hook: &Hook| hook.json()["data"]["token"]["name"].as_str().map(str::to_owned);
    hooks.iter().filter(|hook| hook.kind() == kind).filter_map(named).collect()
}

#[test]
fn the_life_of_an_ocore_key_is_told_as_well() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(204)));
    let owner = Person::of(&gateway, "olivia");
    owner.webhook(&receiver.url("/"));
    let send = |request: Request| owner.administer(request);
    let body = json!({ "name": "deploy", "permissions": ["view:servers"] });
    let key = send(post("/api/api-keys").json(&body)).expect(201).json();
    let path = format!("/api/api-keys/{}", key["id"].as_str().unwrap());
    for change in [json!({ "name": "again" }), json!({ "isActive": false }), json!({ "isActive": true })] {
        send(patch(&path).json(&change)).expect(200);
    }
    send(delete(&path)).expect(200);
    let mut kinds: Vec<String> = receiver.wait_for(5).iter().map(Hook::kind).collect();
    kinds.sort_unstable();
    let wanted = ["token.created", "token.deactivated", "token.deleted", "token.updated", "token.updated"];
    assert_eq!(kinds, wanted);
}

#[test]
fn a_token_s_life_is_told_signed_and_without_its_value() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(204)));
    let owner = Person::of(&gateway, "olivia");
    let hook = owner.webhook(&receiver.url("/hook?a=b"));
    let secret = hook["signingSecret"].as_str().expect("the secret").to_owned();
    let token = owner.token("CI");
    let path = Person::path(&format!("/api-tokens/{}", token["id"].as_str().unwrap()));
    owner.send(patch(&path).json(&json!({ "name": "CI 2" }))).expect(200);
    let second = owner.send(post(&format!("{path}/regenerate"))).expect(200).json();
    owner.send(patch(&path).json(&json!({ "isActive": false }))).expect(200);
    owner.send(delete(&path)).expect(204);
    let hooks = receiver.wait_for(5);
    let kinds: BTreeSet<String> = hooks.iter().map(Hook::kind).collect();
    let wanted =
        ["token.created", "token.updated", "token.regenerated", "token.deactivated", "token.deleted"];
    assert_eq!(kinds, wanted.map(str::to_owned).into());
    for hook in receiver.all() {
        hook.assert_signed(&secret);
        assert_eq!(hook.header("content-type"), "application/json");
        for value in [&token["token"], &second["token"], &json!(secret)] {
            assert!(!hook.body.contains(value.as_str().unwrap()), "{}", hook.body);
        }
    }
    let updated = hooks.iter().find(|hook| hook.kind() == "token.updated").unwrap().json();
    assert_eq!(updated["organizationId"], json!(crate::support::settings::ORG));
    assert_eq!(updated["data"]["token"], json!({ "id": token["id"], "name": "CI 2" }));
    assert_eq!(
        (&updated["data"]["before"]["name"], &updated["data"]["after"]["name"]),
        (&json!("CI"), &json!("CI 2"))
    );
    assert_eq!(updated["data"]["actor"]["id"], json!(owner.id));
    // Ids differ from event to event: receivers know by them what they have seen.
    let ids: BTreeSet<String> =
        receiver.all().iter().map(|hook| hook.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 6);
}

#[test]
fn a_receiver_that_fails_hangs_and_recovers_gets_everything_and_holds_nobody_up() {
    let gateway = gateway();
    let (bad, good) = (Receiver::start(Habit::Answer(500)), Receiver::start(Habit::Answer(200)));
    let owner = Person::of(&gateway, "olivia");
    let secret = owner.webhook(&bad.url("/"))["signingSecret"].as_str().unwrap().to_owned();
    owner.webhook(&good.url("/"));
    owner.token("while failing");
    wait::until("the failing one was tried", || bad.all().len() >= 2);
    bad.behave(Habit::Hang);
    let names: BTreeSet<String> = (0..40).map(|number| format!("while hanging {number}")).collect();
    let start = wait::now();
    names.iter().for_each(|name| drop(owner.token(name)));
    good.wait_for(41);
    // Ten rounds of four that hang for a second each would have taken longer.
    assert!(wait::now().since(start) < Duration::from_secs(8), "the hanging one held the other up");
    bad.behave(Habit::Answer(200));
    let hooks = bad.wait_for(41);
    let mut wanted = names;
    wanted.insert("while failing".to_owned());
    assert_eq!(of_token(&hooks, "token.created"), wanted);
    hooks.iter().for_each(|hook| hook.assert_signed(&secret));
    let outcome = |outcome| gateway.metric("portcullis_webhook_deliveries_total", &[("outcome", outcome)]);
    assert!(outcome("delivered") >= 82.0 && outcome("retried") >= 2.0);
    wait::until("the queue is empty", || gateway.metric("portcullis_webhook_queue_length", &[]) == 0.0);
}

#[test]
fn nothing_is_lost_when_the_gateway_is_killed() {
    let mut gateway = gateway();
    let receiver = Receiver::start(Habit::Hang);
    let mut wanted = BTreeSet::new();
    let mut secret = Value::Null;
    for round in 0..3 {
        {
            let owner = Person::of(&gateway, "olivia");
            if secret.is_null() {
                secret = owner.webhook(&receiver.url("/"))["signingSecret"].clone();
            }
            for number in 0..5 {
                let name = format!("round {round}, {number}");
                owner.token(&name);
                wanted.insert(name);
            }
        }
        gateway.kill9();
        gateway.serve();
    }
    receiver.behave(Habit::Answer(200));
    let arrived = wait::poll(Duration::from_secs(60), || {
        let hooks = receiver.acknowledged();
        (of_token(&hooks, "token.created") == wanted).then_some(hooks)
    });
    let hooks =
        arrived.unwrap_or_else(|| panic!("lost: {:?}", of_token(&receiver.acknowledged(), "token.created")));
    hooks.iter().for_each(|hook| hook.assert_signed(secret.as_str().unwrap()));
}

#[test]
fn a_redirect_is_not_followed() {
    let gateway = gateway();
    let elsewhere = Receiver::start(Habit::Answer(200));
    let receiver = Receiver::start(Habit::Redirect(elsewhere.url("/")));
    let owner = Person::of(&gateway, "olivia");
    owner.webhook(&receiver.url("/"));
    let deliveries = Person::path("/webhook-deliveries");
    let failed = wait::poll(Duration::from_secs(10), || {
        let list = owner.send(get(&deliveries)).expect(200).json();
        Some(list["data"][0].clone()).filter(|delivery| delivery["attempts"] != json!(0))
    });
    let delivery = failed.expect("an attempt");
    assert_eq!((&delivery["status"], &delivery["responseStatus"]), (&json!("pending"), &json!(302)));
    assert_eq!((receiver.connections(), elsewhere.connections()), (1, 0));
}

#[test]
fn a_name_that_leads_inside_is_never_connected_to() {
    let mut organization = organization();
    organization.member("olivia", "owner");
    // Nothing is allowed but the public internet.
    let settings = crate::support::settings::Settings::usual("http://127.0.0.1:1");
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    let receiver = Receiver::start(Habit::Answer(200));
    let owner = Person::of(&gateway, "olivia");
    // Names that every resolver takes for 127.0.0.1, and no reader of URLs for an address.
    for name in ["127.1", "2130706433", "0x7f000001", "localhost"] {
        owner.webhook(&format!("https://{name}:{}/", receiver.port()));
    }
    let tried = wait::poll(Duration::from_secs(10), || {
        let list = owner.send(get(&Person::path("/webhook-deliveries"))).expect(200).json()["data"].clone();
        let tried = list.as_array().unwrap().iter().all(|delivery| delivery["attempts"] != json!(0));
        tried.then_some(list)
    });
    for delivery in tried.expect("all were tried").as_array().unwrap() {
        let error = delivery["error"].as_str().unwrap();
        assert!(error.contains("may not be sent") || error.contains("does not resolve"), "{delivery}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn who_fails_for_a_day_is_switched_off_and_that_is_told() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    let owner = Person::of(&gateway, "olivia");
    let hook = owner.webhook(&receiver.url("/"));
    owner.until_nothing_is_pending();
    receiver.behave(Habit::Answer(503));
    let path = Person::path(&format!("/webhook-endpoints/{}", hook["id"].as_str().unwrap()));
    let yesterday = wait::now().unix_ms as i64 - 25 * 3_600_000;
    write(&gateway, "UPDATE webhook_endpoints SET failing_since_ms = ?1", [yesterday]);
    owner.token("CI");
    wait::until("it is switched off", || {
        owner.send(get(&path)).expect(200).json()["isActive"] == json!(false)
    });
    let record = owner.send(get(&path)).expect(200).json();
    super::login::assert_timestamp(&record["disabledAt"]);
    super::login::assert_timestamp(&record["failingSince"]);
    // What was pending is given up, and can be seen; nothing more is sent.
    let failed = owner.send(get(&Person::path("/webhook-deliveries?status=failed"))).expect(200).json();
    assert_eq!(failed["pagination"]["total"], json!(1));
    let replay =
        Person::path(&format!("/webhook-deliveries/{}/replay", failed["data"][0]["id"].as_str().unwrap()));
    owner.send(post(&replay)).expect(409);
    let before = receiver.all().len();
    owner.token("not told");
    // Switched on again, it begins anew.
    receiver.behave(Habit::Answer(200));
    let record = owner.send(patch(&path).json(&json!({ "isActive": true }))).expect(200).json();
    assert_eq!((&record["disabledAt"], &record["failingSince"]), (&Value::Null, &Value::Null));
    let replayed = owner.send(post(&replay)).expect(202).json();
    assert_eq!(replayed["eventId"], failed["data"][0]["eventId"]);
    let hooks = receiver.wait_for(1);
    assert_eq!(hooks[0].header("webhook-id"), failed["data"][0]["eventId"].as_str().unwrap());
    assert_eq!(receiver.all().len(), before + 1);
}

#[test]
fn an_expiry_that_comes_near_is_told_once() {
    let (mut gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    {
        let owner = Person::of(&gateway, "olivia");
        owner.webhook(&receiver.url("/"));
        owner.token("long");
        owner.token("soon");
        owner.until_nothing_is_pending();
    }
    assert_eq!(receiver.acknowledged().len(), 2);
    gateway.stop();
    let soon = wait::now().unix_ms as i64 + 20 * 3_600_000;
    write(&gateway, "UPDATE tokens SET expires_ms = ?1 WHERE name = 'soon'", [soon]);
    for _ in 0..2 {
        gateway.serve();
        let hooks = receiver.wait_for(3);
        let data = hooks[2].json()["data"].clone();
        assert_eq!(hooks[2].kind(), "token.expiring");
        assert_eq!((&data["token"]["name"], &data["days"]), (&json!("soon"), &json!(1)));
        super::login::assert_timestamp(&data["expiresAt"]);
        Person::of(&gateway, "olivia").until_nothing_is_pending();
        gateway.stop();
    }
    assert_eq!(receiver.acknowledged().len(), 3);
}

#[test]
fn an_address_is_told_when_a_key_is_first_used_from_it() {
    let upstream = crate::support::upstream::Upstream::http();
    let mut organization = organization();
    organization.member("olivia", "owner");
    let key = organization.org_key();
    let fixture = Fixture::default().with(organization);
    let mut gateway = Gateway::start(&settings(&upstream.url()).unlimited(), &fixture);
    let receiver = Receiver::start(Habit::Answer(200));
    let request = get("/v1/openapi/templates").key(&key);
    let body = json!({ "url": receiver.url("/"), "events": ["token.first_seen_address"] });
    Person::of(&gateway, "olivia").send(post(&Person::path("/webhook-endpoints")).json(&body)).expect(201);
    let addresses = |count: usize| -> Vec<Value> {
        let hooks = receiver.acknowledged();
        assert!(hooks.len() <= count, "told twice");
        hooks.iter().map(|hook| hook.json()["data"]["address"].clone()).collect()
    };
    for (count, last) in [(1, 5), (2, 6)] {
        // It takes a moment until workers know that somebody wants to know.
        wait::until("it is told", || {
            gateway.send_from([127, 0, 0, last], &request).expect(200);
            addresses(count).len() == count
        });
    }
    assert_eq!(addresses(2), [json!("127.0.0.5"), json!("127.0.0.6")]);
    Person::of(&gateway, "olivia").until_nothing_is_pending();
    // Known for old, to the next process as well.
    gateway.restart();
    for _ in 0..30 {
        gateway.send_from([127, 0, 0, 5], &request).expect(200);
        std::thread::sleep(Duration::from_millis(50));
    }
    wait::until("a third is told", || {
        gateway.send_from([127, 0, 0, 7], &request).expect(200);
        addresses(3).len() == 3
    });
    assert_eq!(addresses(3)[2], json!("127.0.0.7"));
}

#[test]
fn tls_is_checked_for_the_name_of_the_url() {
    use crate::support::certificate::leaf;
    use crate::support::upstream::Upstream;
    let gateway = gateway();
    let right = Upstream::https(&leaf(&["127.0.0.1"]), &[b"http/1.1"]);
    let wrong = Upstream::https(&leaf(&["elsewhere.test"]), &[b"http/1.1"]);
    let owner = Person::of(&gateway, "olivia");
    owner.webhook(&format!("{}/right", right.url()));
    owner.webhook(&format!("{}/wrong", wrong.url()));
    wait::until("the right one is told", || right.all().iter().any(|it| it.complete));
    let record = right.all().remove(0);
    assert_eq!((record.method.as_str(), record.target.as_str()), ("POST", "/right"));
    let error = wait::poll(Duration::from_secs(10), || {
        let list = owner.send(get(&Person::path("/webhook-deliveries"))).expect(200).json();
        let failed = list["data"].as_array().unwrap().iter().find(|it| it["error"] != Value::Null).cloned();
        failed.map(|it| it["error"].clone())
    });
    assert_eq!(error, Some(json!("the TLS handshake failed")));
    assert_eq!(wrong.count(), 0);
}
