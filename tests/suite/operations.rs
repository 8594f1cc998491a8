//! Operations that take longer than a request: keys are rotated with both values working for a while, organizations end.

use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::hooks::{Habit, Person, Receiver, settings};
use crate::support::settings::{FOREIGN, ORG, P1, SLUG};
use crate::support::upstream::Upstream;
use crate::support::world::{foreign, organization};
use crate::support::{Request, assert_ocore, assert_ocriva, get, patch, post, wait};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const OPERATIONS: &str = "/operations";

/// A gateway with people, these keys of the organization, and one key of another.
fn gateway(upstream: &Upstream, keys: &[String], foreign_key: &str) -> Gateway {
    let (mut ours, mut theirs) = (organization(), foreign());
    for (name, role) in [("olivia", "owner"), ("adam", "admin"), ("dora", "developer")] {
        ours.member(name, role);
    }
    keys.iter().for_each(|key| ours.token(key, json!({})));
    theirs.token(foreign_key, json!({}));
    let settings = settings(&upstream.url()).unlimited();
    Gateway::start(&settings, &Fixture::default().with(ours).with(theirs))
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|_| ocriva_key()).collect()
}

pub(super) fn start(person: &Person<'_>, body: &Value) -> crate::support::Reply {
    person.send(post(&Person::path(OPERATIONS)).json(body))
}

/// Waits for the end of an operation; gives its record.
#[track_caller]
pub(super) fn ended(person: &Person<'_>, started: &Value) -> Value {
    let path = Person::path(&format!("{OPERATIONS}/{}", started["id"].as_str().unwrap()));
    let ended = wait::poll(Duration::from_secs(60), || {
        let record = person.send(get(&path)).expect(200).json();
        (record["finishedAt"] != Value::Null).then_some(record)
    });
    ended.unwrap_or_else(|| panic!("it does not end: {}", person.send(get(&path)).text()))
}

fn status(gateway: &Gateway, key: &str) -> u16 {
    gateway.send(&get("/v1/openapi/templates").key(key)).status
}

fn result(started: &Value) -> String {
    Person::path(&format!("{OPERATIONS}/{}/result", started["id"].as_str().unwrap()))
}

/// Collects the new values: by the names of their keys.
#[track_caller]
fn collect(person: &Person<'_>, started: &Value) -> BTreeMap<String, String> {
    let data = person.send(post(&result(started))).expect(200).json()["data"].clone();
    let pair =
        |it: &Value| (it["name"].as_str().unwrap().to_owned(), it["token"].as_str().unwrap().to_owned());
    data.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn a_rotation_lets_both_values_work_for_a_while() {
    let (upstream, old, theirs) = (Upstream::http(), keys(3), ocriva_key());
    let gateway = gateway(&upstream, &old, &theirs);
    let (owner, admin) = (Person::of(&gateway, "olivia"), Person::of(&gateway, "adam"));
    // In the gateway's memory before and after.
    assert_eq!(status(&gateway, &old[0]), 200);
    let jwt =
        gateway.send(&post("/v1/openapi/auth/login").json(&json!({ "token": old[0] }))).expect(200).json();
    let jwt = jwt["accessToken"].as_str().unwrap().to_owned();
    let by_jwt = |jwt: &str| gateway.send(&get("/v1/openapi/templates").bearer(jwt)).status;
    assert_eq!(by_jwt(&jwt), 200);
    let reply = start(&owner, &json!({ "type": "rotate_tokens", "overlapSeconds": 6 })).expect(202);
    let started = reply.json();
    assert_eq!((&started["status"], &started["type"]), (&json!("pending"), &json!("rotate_tokens")));
    let path = Person::path(&format!("{OPERATIONS}/{}", started["id"].as_str().unwrap()));
    assert_eq!(reply.header("location"), Some(path.as_str()));
    let record = ended(&owner, &started);
    assert_eq!((&record["status"], &record["done"]), (&json!("succeeded"), &json!(3)));
    let began = wait::now();
    // Only whoever asked gets the values, and once.
    assert_ocriva(&admin.send(post(&result(&started))), 403, None);
    owner.send(get(&result(&started))).expect(409);
    let new = collect(&owner, &started);
    owner.send(post(&result(&started))).expect(409);
    assert_eq!(new.keys().collect::<Vec<_>>(), ["key 0", "key 1", "key 2"]);
    assert_eq!(new.values().filter(|value| old.contains(value)).count(), 0);
    for (number, old) in old.iter().enumerate() {
        let new = &new[&format!("key {number}")];
        // In turn: neither puts the other out.
        for key in [old, new, old, new] {
            assert_eq!(status(&gateway, key), 200);
        }
        let fresh = |key: &str| gateway.send(&post("/v1/openapi/auth/login").json(&json!({ "token": key })));
        let of_old = fresh(old).expect(200).json();
        assert!(of_old["expiresIn"].as_u64().unwrap() <= 6, "a JWT outlives the value it is made from");
        assert_eq!(of_old["tokenInfo"]["id"], fresh(new).expect(200).json()["tokenInfo"]["id"]);
        assert_eq!(by_jwt(of_old["accessToken"].as_str().unwrap()), 200);
    }
    // A JWT that was made before the rotation has no known end that fits the window.
    assert_eq!(by_jwt(&jwt), 401);
    // One key: its uses are counted together.
    wait::until("uses are added up", || gateway.usage(&new["key 0"]).0 >= 8);
    assert_eq!(status(&gateway, &theirs), 200);
    let refused = wait::poll(Duration::from_secs(20), || (status(&gateway, &old[0]) == 401).then(wait::now));
    let lasted = refused.expect("the old value ends").since(began);
    assert!(lasted > Duration::from_secs(4), "it ended after {lasted:?}");
    assert_eq!((status(&gateway, &old[1]), status(&gateway, &new["key 0"])), (401, 200));
}

#[test]
fn new_values_are_nowhere_to_be_read_before_and_after_they_are_shown() {
    let (upstream, old) = (Upstream::http(), keys(2));
    let mut gateway = gateway(&upstream, &old, &ocriva_key());
    let new = {
        let owner = Person::of(&gateway, "olivia");
        let started = start(&owner, &json!({ "type": "rotate_tokens" })).expect(202).json();
        ended(&owner, &started);
        let log = owner.send(get(&Person::path("/audit-logs?action=api_token.regenerated"))).expect(200);
        assert_eq!(log.json()["pagination"]["total"], json!(2));
        collect(&owner, &started)
    };
    gateway.kill9();
    for name in ["portcullis.db", "portcullis.db-wal", "access.log", "stderr", "stdout"] {
        let bytes = std::fs::read(gateway.path(name)).unwrap_or_default();
        for value in new.values() {
            let found = bytes.windows(value.len()).any(|part| part == value.as_bytes());
            assert!(!found, "a value stands in {name}");
        }
    }
}

#[test]
fn regenerating_deactivating_and_deleting_end_both_values() {
    let (upstream, old) = (Upstream::http(), keys(3));
    let gateway = gateway(&upstream, &old, &ocriva_key());
    let owner = Person::of(&gateway, "olivia");
    let started =
        start(&owner, &json!({ "type": "rotate_tokens", "overlapSeconds": 3600 })).expect(202).json();
    ended(&owner, &started);
    let data = owner.send(post(&result(&started))).expect(200).json()["data"].clone();
    for (number, how) in ["regenerate", "deactivate", "delete"].into_iter().enumerate() {
        let new = data[number]["token"].as_str().unwrap();
        assert_eq!((status(&gateway, &old[number]), status(&gateway, new)), (200, 200));
        let path = Person::path(&format!("/api-tokens/{}", data[number]["id"].as_str().unwrap()));
        let request = match how {
            "regenerate" => post(&format!("{path}/regenerate")),
            "deactivate" => patch(&path).json(&json!({ "isActive": false })),
            _ => crate::support::delete(&path),
        };
        let reply = owner.send(request);
        assert!(reply.status < 300, "{}", reply.text());
        assert_eq!((status(&gateway, &old[number]), status(&gateway, new)), (401, 401), "{how}");
    }
}

#[test]
fn a_rotation_goes_on_after_the_gateway_was_killed() {
    let (upstream, old) = (Upstream::http(), keys(400));
    let mut gateway = gateway(&upstream, &old, &ocriva_key());
    let started = {
        let owner = Person::of(&gateway, "olivia");
        start(&owner, &json!({ "type": "rotate_tokens", "overlapSeconds": 3600 })).expect(202).json()
    };
    let path = Person::path(&format!("{OPERATIONS}/{}", started["id"].as_str().unwrap()));
    let mut killed_in_between = false;
    for _ in 0..3 {
        {
            let owner = Person::of(&gateway, "olivia");
            wait::until("some are done", || {
                let record = owner.send(get(&path)).expect(200).json();
                killed_in_between |= (1..400).contains(&record["done"].as_u64().unwrap());
                record["done"] != json!(0)
            });
        }
        gateway.kill9();
        gateway.serve();
    }
    assert!(killed_in_between, "it was done before it was killed: more keys are needed");
    let owner = Person::of(&gateway, "olivia");
    let record = ended(&owner, &started);
    assert_eq!((&record["status"], &record["done"]), (&json!("succeeded"), &json!(400)));
    let new = collect(&owner, &started);
    assert_eq!(new.values().collect::<BTreeSet<_>>().len(), 400);
    for (number, old) in old.iter().enumerate().step_by(23) {
        let new = &new[&format!("key {number}")];
        assert_eq!((status(&gateway, old), status(&gateway, new)), (200, 200), "key {number}");
    }
}

#[test]
fn a_project_s_keys_are_rotated_alone_and_without_overlap_at_once() {
    let upstream = Upstream::http();
    let gateway = gateway(&upstream, &keys(1), &ocriva_key());
    let owner = Person::of(&gateway, "olivia");
    let whole = owner.token("whole")["token"].as_str().unwrap().to_owned();
    let body = json!({ "name": "one project", "permissions": ["read"], "scopes": ["documents"] });
    let made =
        owner.send(post(&Person::path(&format!("/projects/{P1}/api-tokens"))).json(&body)).expect(201).json();
    let old = made["token"].as_str().unwrap().to_owned();
    let body = json!({ "type": "rotate_tokens", "projectId": P1, "overlapSeconds": 0 });
    let started = start(&owner, &body).expect(202).json();
    assert_eq!(ended(&owner, &started)["done"], json!(1));
    assert_eq!((status(&gateway, &whole), status(&gateway, &old)), (200, 401));
    assert_eq!(status(&gateway, &collect(&owner, &started)["one project"]), 200);
}

#[test]
fn an_organization_ends_with_all_that_belongs_to_it() {
    let (upstream, ours, theirs) = (Upstream::http(), keys(2), ocriva_key());
    let gateway = gateway(&upstream, &ours, &theirs);
    let receiver = Receiver::start(Habit::Answer(200));
    let (owner, admin) = (Person::of(&gateway, "olivia"), Person::of(&gateway, "adam"));
    owner.webhook(&receiver.url("/"));
    assert_eq!(status(&gateway, &ours[0]), 200);
    let body = json!({ "type": "delete_organization", "confirm": SLUG });
    assert_ocriva(&start(&admin, &body), 403, None);
    assert_ocriva(&start(&owner, &json!({ "type": "delete_organization" })), 400, None);
    assert_ocriva(
        &start(&owner, &json!({ "type": "delete_organization", "confirm": "other-org" })),
        400,
        None,
    );
    let started = start(&owner, &body).expect(202).json();
    let record = ended(&owner, &started);
    assert_eq!((&record["status"], &record["done"]), (&json!("succeeded"), &json!(2)));
    for key in &ours {
        assert_eq!(status(&gateway, key), 401);
    }
    assert_eq!(status(&gateway, &theirs), 200);
    assert_ocriva(&owner.send(get(&Person::path("/api-tokens"))), 403, None);
    // Nobody else learns of it; in the other dialect whoever asked need not name what is gone.
    assert_ocriva(
        &admin.send(get(&Person::path(&format!("{OPERATIONS}/{}", started["id"].as_str().unwrap())))),
        403,
        None,
    );
    let twin = format!("/api/operations/{}", started["id"].as_str().unwrap());
    assert_eq!(owner.send(get(&twin)).expect(200).json()["status"], json!("succeeded"));
    let told = wait::poll(Duration::from_secs(20), || {
        receiver.acknowledged().into_iter().find(|hook| hook.kind() == "operation.completed")
    });
    let told = told.expect("its last word is said").json()["data"]["operation"].clone();
    assert_eq!(told, json!({ "id": started["id"], "name": "delete_organization" }));
}

#[test]
fn who_may_do_what_and_what_can_be_asked_for() {
    let upstream = Upstream::http();
    let gateway = gateway(&upstream, &keys(1), &ocriva_key());
    let (owner, admin) = (Person::of(&gateway, "olivia"), Person::of(&gateway, "adam"));
    let developer = Person::of(&gateway, "dora");
    let started = start(&admin, &json!({ "type": "export_usage" })).expect(202).json();
    ended(&admin, &started);
    let one = format!("{OPERATIONS}/{}", started["id"].as_str().unwrap());
    let calls = |base: &str| -> Vec<Request> {
        vec![
            get(&format!("{base}{OPERATIONS}")),
            post(&format!("{base}{OPERATIONS}")).json(&json!({ "type": "export_usage" })),
            get(&format!("{base}{one}")),
            get(&format!("{base}{one}/result")),
            post(&format!("{base}{one}/result")),
        ]
    };
    let here = format!("/api/v1/organizations/{ORG}");
    for call in calls(&here) {
        assert_ocriva(&developer.send(call.clone()), 403, None);
        assert_ocriva(&gateway.send(&call), 401, None);
    }
    for call in calls(&format!("/api/v1/organizations/{FOREIGN}")) {
        assert_ocriva(&owner.send(call), 403, None);
    }
    // Without an organization, what is not theirs is not there.
    for call in calls("/api").into_iter().skip(2) {
        assert_ocore(&developer.send(call), 404);
    }
    for call in calls("/api").into_iter().take(2) {
        assert_ocore(&developer.send(call.org(SLUG)), 403);
    }
    let bad = [
        json!({}),
        json!({ "type": "banana" }),
        json!({ "type": "rotate_tokens", "overlapSeconds": -1 }),
        json!({ "type": "rotate_tokens", "overlapSeconds": 2_592_001 }),
        json!({ "type": "rotate_tokens", "projectId": FOREIGN }),
        json!({ "type": "export_audit", "format": "xml" }),
        json!({ "type": "export_audit", "startDate": "x" }),
    ];
    for body in bad {
        assert_ocriva(&start(&owner, &body), 400, None);
        assert_ocore(&owner.send(post("/api/operations").json(&body)), 400);
    }
    let list = owner.send(get(&Person::path(OPERATIONS))).expect(200).json();
    assert_eq!((&list["pagination"]["total"], &list["data"][0]["id"]), (&json!(1), &started["id"]));
    let list = owner.send(get("/api/operations")).expect(200).json();
    assert_eq!((&list["has_more"], &list["data"][0]["id"]), (&json!(false), &started["id"]));
    assert_ocriva(&owner.send(get(&Person::path("/operations/none"))), 404, None);
    assert_ocore(&owner.send(get("/api/operations/none")), 404);
}
