//! Exports of the audit log and of usage: files that are whole, in order, and safe to open.

use super::hooks_delivery::gateway;
use super::operations::{ended, start};
use crate::support::hooks::{Habit, Person, Receiver};
use crate::support::{get, patch};
use serde_json::{Value, json};

fn file(person: &Person<'_>, started: &Value) -> crate::support::Reply {
    person
        .send(get(&Person::path(&format!("/operations/{}/result", started["id"].as_str().unwrap()))))
        .expect(200)
}

#[test]
fn the_audit_log_is_exported_and_that_is_told() {
    let (gateway, receiver) = (gateway(), Receiver::start(Habit::Answer(200)));
    let owner = Person::of(&gateway, "olivia");
    owner.webhook(&receiver.url("/"));
    for name in ["=cmd", "+1", "-1", "@x", "plain"] {
        owner.token(name);
    }
    let started = start(&owner, &json!({ "type": "export_audit" })).expect(202).json();
    let record = ended(&owner, &started);
    assert_eq!((&record["status"], &record["error"]), (&json!("succeeded"), &Value::Null));
    let reply = file(&owner, &started);
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = reply.text();
    for cell in ["\"'=cmd\"", "\"'+1\"", "\"'-1\"", "\"'@x\"", ",plain,"] {
        assert!(text.contains(cell), "{cell} is not in {text}");
    }
    assert_eq!(text.lines().count(), 1 + record["done"].as_u64().unwrap() as usize);
    // More than once, for it is no secret.
    assert_eq!(file(&owner, &started).text(), text);
    let told = receiver.wait_for(6);
    assert!(told.iter().any(|hook| hook.kind() == "operation.completed"));
    let narrow = json!({ "type": "export_audit", "format": "json", "endDate": "2020-01-01" });
    let started = start(&owner, &narrow).expect(202).json();
    ended(&owner, &started);
    assert_eq!(file(&owner, &started).json(), json!([]));
}

#[test]
fn many_entries_make_one_file_in_order() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    let token = owner.token("CI");
    let path = Person::path(&format!("/api-tokens/{}", token["id"].as_str().unwrap()));
    owner.send(patch(&path).json(&json!({ "name": "renamed" }))).expect(200);
    // More than two pieces hold.
    crate::support::hooks::write(
        &gateway,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO audit (at_ms, organization, actor_kind, action, entity)
         SELECT i, ?1, 'system', 'test.made', 'e' || i FROM n",
        [crate::support::settings::ORG],
    );
    let started = start(&owner, &json!({ "type": "export_audit", "format": "json" })).expect(202).json();
    let record = ended(&owner, &started);
    let entries = file(&owner, &started).json();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len() as u64, record["done"].as_u64().unwrap());
    assert!(entries.len() >= 2502);
    let numbers: Vec<u64> = entries.iter().map(|it| it["id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[0] > two[1]));
}

#[test]
fn usage_is_exported_as_it_is_then() {
    let upstream = crate::support::upstream::Upstream::http();
    let mut organization = crate::support::world::organization();
    organization.member("olivia", "owner");
    let key = organization.org_key();
    let settings = crate::support::hooks::settings(&upstream.url());
    let fixture = crate::support::fixture::Fixture::default().with(organization);
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    for _ in 0..7 {
        gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    }
    let owner = Person::of(&gateway, "olivia");
    let started = start(&owner, &json!({ "type": "export_usage", "format": "json" })).expect(202).json();
    ended(&owner, &started);
    let reply = file(&owner, &started);
    assert_eq!((&reply.json()[0]["usageCount"], &reply.json()[0]["name"]), (&json!(7), &json!("key 0")));
    assert!(!reply.text().contains(&key));
}
