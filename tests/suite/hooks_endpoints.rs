//! Webhook endpoints and the log of their deliveries, in both dialects.

use super::hooks_delivery::gateway;
use crate::support::hooks::{Habit, Person, Receiver};
use crate::support::settings::{ORG, OTHER_ORG, SLUG};
use crate::support::{Request, assert_ocore, assert_ocriva, delete, get, patch, post, wait};
use serde_json::{Value, json};

const HOOKS: &str = "/webhook-endpoints";

fn id(record: &Value) -> &str {
    record["id"].as_str().expect("an id")
}

#[test]
fn an_endpoint_is_made_listed_altered_and_removed() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    let admin = Person::of(&gateway, "adam");
    let body = json!({ "url": receiver.url("/"), "events": ["token.created", "token.deleted"], "description": "CI" });
    let reply = admin.send(post(&Person::path(HOOKS)).json(&body)).expect(201);
    let made = reply.json();
    let path = Person::path(&format!("{HOOKS}/{}", id(&made)));
    assert_eq!(reply.header("location"), Some(path.as_str()));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let secret = made["signingSecret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && made["secret"] == json!(true));
    let shown = admin.send(get(&path)).expect(200);
    assert!(!shown.text().contains(&secret));
    let mut wanted = made.clone();
    wanted.as_object_mut().unwrap().remove("signingSecret");
    assert_eq!(shown.json(), wanted);
    let list = admin.send(get(&Person::path(HOOKS))).expect(200).json();
    assert_eq!(list["data"], json!([wanted]));
    assert_eq!(list["pagination"], json!({ "page": 1, "limit": 20, "total": 1, "pages": 1 }));
    let altered =
        admin.send(patch(&path).json(&json!({ "description": null, "isActive": false }))).expect(200);
    assert_eq!((&altered.json()["description"], &altered.json()["isActive"]), (&Value::Null, &json!(false)));
    admin.send(delete(&path)).expect(204);
    assert_ocriva(&admin.send(get(&path)), 404, None);
    assert_ocriva(&admin.send(delete(&path)), 404, None);
}

#[test]
fn only_what_was_asked_for_is_told() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    let owner = Person::of(&gateway, "olivia");
    let body = json!({ "url": receiver.url("/"), "events": ["token.deleted"] });
    owner.send(post(&Person::path(HOOKS)).json(&body)).expect(201);
    let token = owner.token("CI");
    owner.send(delete(&Person::path(&format!("/api-tokens/{}", id(&token))))).expect(204);
    assert_eq!(receiver.wait_for(1)[0].kind(), "token.deleted");
    // The test event goes its own way, and may come after.
    wait::until("the test event has come too", || receiver.all().len() >= 2);
    assert_eq!(receiver.all().len(), 2);
}

#[test]
fn urls_that_lead_inside_are_refused() {
    let mut organization = crate::support::world::organization();
    organization.member("olivia", "owner");
    let settings = crate::support::settings::Settings::usual("http://127.0.0.1:1");
    let fixture = crate::support::fixture::Fixture::default().with(organization);
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    let owner = Person::of(&gateway, "olivia");
    let bad = [
        "http://example.com/",
        "ftp://example.com/",
        "example.com",
        "https://me:pw@example.com/",
        "https://127.0.0.1/",
        "https://10.1.2.3:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://255.255.255.255/",
        "",
        "https://example.com/#x",
    ];
    for url in bad {
        let body = json!({ "url": url, "events": ["*"] });
        let reply = owner.send(post(&Person::path(HOOKS)).json(&body));
        assert_eq!(reply.status, 400, "{url}: {}", reply.text());
        assert_ocriva(&reply, 400, None);
    }
    let made = owner.webhook("https://hooks.invalid/");
    let path = Person::path(&format!("{HOOKS}/{}", id(&made)));
    let reply = owner.send(patch(&path).json(&json!({ "url": "https://127.0.0.1/" })));
    assert_ocriva(&reply, 400, None);
}

#[test]
fn what_is_wrong_is_told_at_once() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    let body = json!({ "url": "x", "events": ["token.created", "banana"], "secret": "short" });
    let reply = owner.send(post(&Person::path(HOOKS)).json(&body)).expect(400);
    assert_eq!(reply.json()["message"].as_array().map(Vec::len), Some(3), "{}", reply.text());
    for body in [json!({ "url": "https://x.test/" }), json!({ "url": 1, "events": ["*"] }), json!([])] {
        assert_ocriva(&owner.send(post(&Person::path(HOOKS)).json(&body)), 400, None);
    }
    let own = json!({ "url": "https://x.test/", "events": ["*"], "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    let made = owner.send(post(&Person::path(HOOKS)).json(&own)).expect(201).json();
    assert_eq!(made["signingSecret"], own["secret"]);
    for _ in 1..20 {
        owner.webhook("https://x.test/");
    }
    owner.send(post(&Person::path(HOOKS)).json(&own)).expect(409);
}

#[test]
fn only_owners_and_admins_have_to_do_with_them() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    let hook = owner.webhook("https://x.test/");
    let delivery =
        owner.send(get(&Person::path("/webhook-deliveries"))).expect(200).json()["data"][0].clone();
    let body = json!({ "url": "https://x.test/", "events": ["*"] });
    let one = format!("{HOOKS}/{}", id(&hook));
    let log = format!("/webhook-deliveries/{}", id(&delivery));
    let calls = |base: &str| -> Vec<Request> {
        vec![
            get(&format!("{base}{HOOKS}")),
            post(&format!("{base}{HOOKS}")).json(&body),
            get(&format!("{base}{one}")),
            patch(&format!("{base}{one}")).json(&json!({ "description": "x" })),
            post(&format!("{base}{one}/test")),
            get(&format!("{base}/webhook-deliveries")),
            get(&format!("{base}{log}")),
            post(&format!("{base}{log}/replay")),
            delete(&format!("{base}{one}")),
        ]
    };
    let here = format!("/api/v1/organizations/{ORG}");
    for name in ["dora", "vera"] {
        let person = Person::of(&gateway, name);
        for call in calls(&here) {
            assert_ocriva(&person.send(call), 403, None);
        }
        for call in calls("/api") {
            assert_ocore(&person.administer(call), 403);
        }
    }
    for call in calls(&format!("/api/v1/organizations/{OTHER_ORG}")) {
        assert_ocriva(&owner.send(call), 403, None);
    }
    for call in calls(&here) {
        assert_ocriva(&gateway.send(&call), 401, None);
        assert_ocriva(&gateway.send(&call.key("ocr_unknown")), 403, None);
    }
    for call in calls("/api") {
        assert_ocore(&owner.administer(call.org("nobody-s")), 403);
    }
    owner.send(get(&Person::path(&one))).expect(200);
}

#[test]
fn the_log_shows_what_was_sent_and_it_can_be_sent_again() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(418)));
    let owner = Person::of(&gateway, "olivia");
    let hook = owner.webhook(&receiver.url("/"));
    let one =
        |id: &str| owner.send(get(&Person::path(&format!("/webhook-deliveries/{id}")))).expect(200).json();
    wait::until("the test event was tried", || receiver.all().len() == 1);
    let list = owner.send(get(&Person::path("/webhook-deliveries"))).expect(200).json();
    let first = list["data"][0].clone();
    wait::until("the attempt is in the log", || one(id(&first))["attempts"] == json!(1));
    let shown = one(id(&first));
    assert_eq!((&shown["eventType"], &shown["status"]), (&json!("webhook.test"), &json!("pending")));
    assert_eq!(
        (&shown["responseStatus"], &shown["attemptLog"][0]["responseStatus"]),
        (&json!(418), &json!(418))
    );
    assert_eq!(shown["event"], receiver.all()[0].json());
    super::login::assert_timestamp(&shown["nextAttemptAt"]);
    receiver.behave(Habit::Answer(200));
    let tested = owner.send(post(&Person::path(&format!("{HOOKS}/{}/test", id(&hook))))).expect(202).json();
    wait::until("the second test event arrived", || one(id(&tested))["status"] == json!("delivered"));
    let again =
        owner.send(post(&Person::path(&format!("/webhook-deliveries/{}/replay", id(&tested))))).expect(202);
    let again = again.json();
    assert_eq!(again["eventId"], tested["eventId"]);
    assert_ne!(again["id"], tested["id"]);
    wait::until("it was sent again", || one(id(&again))["status"] == json!("delivered"));
    let delivered = Person::path(&format!("/webhook-deliveries?status=delivered&endpointId={}", id(&hook)));
    assert!(owner.send(get(&delivered)).expect(200).json()["pagination"]["total"].as_u64().unwrap() >= 2);
    assert_ocriva(&owner.send(get(&Person::path("/webhook-deliveries?status=x"))), 400, None);
    assert_ocriva(&owner.send(get(&Person::path("/webhook-deliveries/none"))), 404, None);
}

#[test]
fn the_ocore_twin_is_on_the_admin_listener_with_cursors() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    let owner = Person::of(&gateway, "olivia");
    let body = json!({ "url": receiver.url("/"), "events": ["*"], "active": true });
    let made = owner.administer(post("/api/webhook-endpoints").org(SLUG).json(&body)).expect(201).json();
    assert!(
        made["signingSecret"].is_string() && made["active"] == json!(true) && made["secret"] == json!(true)
    );
    for name in ["a", "b", "c"] {
        owner.token(name);
    }
    receiver.wait_for(3);
    let mut seen = Vec::new();
    let mut next = "/api/webhook-deliveries?limit=3".to_owned();
    loop {
        let page = owner.administer(get(&next)).expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|it| id(it).to_owned()));
        if page["has_more"] == json!(false) {
            assert_eq!(page["next_cursor"], Value::Null);
            break;
        }
        next = format!("/api/webhook-deliveries?limit=3&cursor={}", page["next_cursor"].as_str().unwrap());
        // What comes in between is not in the way.
        owner.token("between");
    }
    assert_eq!(seen.len(), 4);
    let details = assert_ocore(&owner.administer(get("/api/webhook-deliveries?cursor=x")), 400);
    assert_eq!(details["field"], json!("cursor"));
    owner.administer(delete(&format!("/api/webhook-endpoints/{}", id(&made)))).expect(200);
    // At the edge the path is an upstream's.
    assert_ocore(&owner.send(get("/api/webhook-endpoints")), 404);
}
