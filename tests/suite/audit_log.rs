//! The audit log: who, what, when, from where, before and after; read in both dialects, never altered.

use super::hooks_delivery::gateway;
use crate::support::gateway::Gateway;
use crate::support::hooks::Person;
use crate::support::settings::{ORG, OTHER_ORG, SLUG};
use crate::support::{assert_ocore, assert_ocriva, get, patch, wait};
use serde_json::{Value, json};

const LOG: &str = "/audit-logs";

fn entries(reply: &crate::support::Reply) -> Vec<Value> {
    reply.json()["data"].as_array().expect("entries").clone()
}

/// Makes a key and renames it; gives its record.
fn make_and_rename(owner: &Person<'_>, name: &str) -> Value {
    let token = owner.token(name);
    let path = Person::path(&format!("/api-tokens/{}", token["id"].as_str().unwrap()));
    owner.send(patch(&path).header("user-agent", "a test").json(&json!({ "name": "renamed" }))).expect(200);
    token
}

#[test]
fn an_entry_says_who_what_when_where_before_and_after() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    let token = make_and_rename(&owner, "CI");
    let reply = owner.send(get(&Person::path(LOG))).expect(200);
    let all = entries(&reply);
    assert_eq!(reply.json()["pagination"], json!({ "page": 1, "limit": 20, "total": 2, "pages": 1 }));
    let newest = &all[0];
    assert_eq!(
        (&newest["action"], &newest["resourceType"]),
        (&json!("api_token.updated"), &json!("api_token"))
    );
    assert_eq!((&newest["resourceId"], &newest["resourceName"]), (&token["id"], &json!("renamed")));
    assert_eq!((&newest["userId"], &newest["userName"]), (&json!(owner.id), &json!("olivia@example.com")));
    assert_eq!(
        (&newest["beforeState"], &newest["afterState"]),
        (&json!({ "name": "CI" }), &json!({ "name": "renamed" }))
    );
    assert!(newest["ipAddress"].as_str().unwrap().starts_with("127."), "{newest}");
    assert_eq!((&newest["userAgent"], &newest["actorType"]), (&json!("a test"), &json!("user")));
    assert!(newest["requestId"].is_string());
    super::login::assert_timestamp(&newest["createdAt"]);
    // Never a secret.
    assert!(!reply.text().contains(token["token"].as_str().unwrap()));
    assert_eq!(all[1]["beforeState"], Value::Null);
}

#[test]
fn filters_and_parts() {
    let gateway = gateway();
    let (owner, admin) = (Person::of(&gateway, "olivia"), Person::of(&gateway, "adam"));
    let first = make_and_rename(&owner, "a");
    make_and_rename(&admin, "b");
    owner.webhook("https://x.test/");
    let count = |query: &str| {
        let reply = owner.send(get(&Person::path(&format!("{LOG}{query}")))).expect(200);
        reply.json()["pagination"]["total"].as_u64().unwrap()
    };
    let today = jiff::Timestamp::from_millisecond(wait::now().unix_ms as i64).unwrap();
    let date = today.to_string()[..10].to_owned();
    assert_eq!(count(""), 5);
    assert_eq!(count("?action=api_token.updated"), 2);
    assert_eq!(count("?resourceType=webhook_endpoint"), 1);
    assert_eq!(count("?resourceType=webhook"), 0);
    assert_eq!(count(&format!("?resourceId={}", first["id"].as_str().unwrap())), 2);
    assert_eq!(count(&format!("?userId={}", admin.id)), 2);
    assert_eq!(count(&format!("?userId={}&action=api_token.created", admin.id)), 1);
    assert_eq!(count(&format!("?startDate={date}&endDate={date}")), 5);
    assert_eq!(count("?endDate=2020-01-01"), 0);
    assert_eq!(count("?startDate=2100-01-01T00:00:00Z"), 0);
    for bad in ["?startDate=x", "?page=0", "?limit=x", "?action=a&action=b"] {
        assert_ocriva(&owner.send(get(&Person::path(&format!("{LOG}{bad}")))), 400, None);
    }
    let page = |number| {
        entries(&owner.send(get(&Person::path(&format!("{LOG}?limit=2&page={number}")))).expect(200))
    };
    let ids: Vec<Value> = (1..=4).flat_map(page).map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.windows(2).all(|two| two[0].as_str().unwrap().parse::<u64>().unwrap()
        > two[1].as_str().unwrap().parse::<u64>().unwrap()));
}

#[test]
fn the_ocore_twin_has_cursors_and_takes_pages_as_documented() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    for name in ["a", "b", "c"] {
        make_and_rename(&owner, name);
    }
    let ask = |query: &str| owner.administer(get(&format!("/api/audit-logs{query}")).org(SLUG));
    let first = ask("?limit=4").expect(200).json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (4, &json!(true)));
    owner.token("in between");
    let next = first["next_cursor"].as_str().unwrap();
    let second = ask(&format!("?limit=4&cursor={next}")).expect(200).json();
    assert_eq!((second["data"].as_array().unwrap().len(), &second["has_more"]), (2, &json!(false)));
    assert_eq!(second["next_cursor"], Value::Null);
    let page = ask("?page=1&per_page=3&resource_type=api_token&action=api_token.created").expect(200).json();
    assert_eq!((&page["total"], &page["perPage"], &page["page"]), (&json!(4), &json!(3), &json!(1)));
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    assert_ocore(&ask("?start_date=x"), 400);
    assert_ocore(&owner.administer(get("/api/audit-logs").org("nobody-s")), 403);
    assert_ocore(&owner.administer(get("/api/audit-logs").org(SLUG).org("nobody-s")), 400);
}

#[test]
fn an_export_is_a_file_whose_cells_are_no_formulas() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    let token = owner.token("=HYPERLINK(\"http://x\")");
    let ask = |format: &str| owner.send(get(&Person::path(&format!("{LOG}/export?format={format}"))));
    let reply = ask("csv").expect(200);
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"audit-log.csv\""));
    let text = reply.text();
    assert!(text.starts_with("id,createdAt,action,"), "{text}");
    assert!(text.contains(",\"'=HYPERLINK(\"\"http://x\"\")\","), "{text}");
    assert!(!text.contains(token["token"].as_str().unwrap()));
    let reply = ask("json").expect(200);
    assert_eq!(reply.json()[0]["resourceId"], token["id"]);
    assert_ocriva(&ask("xml"), 400, None);
}

#[test]
fn only_owners_and_admins_read_it() {
    let gateway = gateway();
    let owner = Person::of(&gateway, "olivia");
    Person::of(&gateway, "adam").send(get(&Person::path(LOG))).expect(200);
    for path in [LOG, "/audit-logs/export"] {
        for name in ["dora", "vera"] {
            let person = Person::of(&gateway, name);
            assert_ocriva(&person.send(get(&Person::path(path))), 403, None);
            assert_ocore(&person.administer(get(&format!("/api{path}"))), 403);
        }
        assert_ocriva(&gateway.send(&get(&Person::path(path))), 401, None);
        assert_ocriva(&owner.send(get(&format!("/api/v1/organizations/{OTHER_ORG}{path}"))), 403, None);
    }
}

#[test]
fn nobody_can_take_a_word_back() {
    let gateway: Gateway = gateway();
    Person::of(&gateway, "olivia").token("CI");
    let store = rusqlite::Connection::open(gateway.db_path()).expect("open the database");
    let over = "INSERT OR REPLACE INTO audit (sequence, at_ms, actor_kind, action, entity) VALUES (1, 1, 'user', 'x.y', '')";
    for sql in ["DELETE FROM audit", "UPDATE audit SET actor = 'somebody else'", over] {
        let error = store.execute(sql, []).expect_err(sql).to_string();
        assert!(error.contains("only appended to"), "{error}");
    }
    let count: i64 = store
        .query_row("SELECT count(*) FROM audit WHERE organization = ?1", [ORG], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
}
