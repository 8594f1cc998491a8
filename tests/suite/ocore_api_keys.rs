//! CONTRACT B.3 and B.5: keys of the `ocore` dialect, made and managed by people, and the paging of their list.

use crate::support::fixture::random_hex;
use crate::support::person::{House, Person, people, text};
use crate::support::settings::{OTHER_SLUG, SLUG};
use crate::support::wait;
use crate::support::{assert_ocore, delete, get, method, patch, post, put};
use serde_json::{Value, json};

const KEYS: &str = "/api/api-keys";

#[track_caller]
fn made(person: &Person<'_>, name: &str, permissions: &[&str]) -> Value {
    let body = json!({ "name": name, "permissions": permissions });
    person.ours(post(KEYS).json(&body)).expect(201).json()
}

fn one(record: &Value) -> String {
    format!("{KEYS}/{}", text(record, "id"))
}

#[test]
fn b3_a_key_is_made_used_and_shown_once() {
    let house = House::open();
    let owner = house.person("owner");
    let body = json!({ "name": "deploy", "permissions": ["manage:servers", "view:instances"] });
    let record = owner.ours(post(KEYS).json(&body)).expect(201).json();
    let key = text(&record, "key");
    assert!(key.starts_with("ocore_k_") && key.len() == 72, "{key}");
    assert!(key.starts_with(&text(&record, "prefix")) && text(&record, "prefix").len() < 20);
    let mut names: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let wanted = [
        "createdAt",
        "createdBy",
        "expiresAt",
        "id",
        "isActive",
        "key",
        "lastUsedAt",
        "name",
        "permissions",
        "prefix",
        "scope",
    ];
    assert_eq!(names, wanted);
    assert_eq!(record["permissions"], body["permissions"]);
    assert_eq!((&record["expiresAt"], &record["lastUsedAt"]), (&Value::Null, &Value::Null), "until revoked");
    // In force at once.
    house.send(&post("/api/servers").json(&json!({})).bearer(&key)).expect(200);
    assert_ocore(&house.send(&post("/api/instances").json(&json!({})).bearer(&key)), 403);
    let again = owner.ours(get(&one(&record))).expect(200);
    let listed = owner.ours(get(KEYS)).expect(200);
    for shown in [&again, &listed] {
        assert!(!shown.text().contains(&key), "its value is never shown again");
    }
    assert!(again.json()["lastUsedAt"].is_string());
    assert_eq!(listed.json()["data"][0]["id"], record["id"]);
}

#[test]
fn b3_members_for_another_part_of_ocore_are_kept_and_given_back() {
    let house = House::open();
    let owner = house.person("owner");
    let body = json!({ "name": "agent", "permissions": ["view:servers"], "mcpEnabled": true,
        "mcpTools": ["deploy", "logs"], "mcpLimit": { "perDay": 10 }, "mpc": "unknown", "mcpNothing": null });
    let record = owner.ours(post(KEYS).json(&body)).expect(201).json();
    let extras = |record: &Value| {
        let members = record.as_object().unwrap().iter().filter(|(name, _)| name.starts_with('m'));
        members.map(|(name, value)| (name.clone(), value.clone())).collect::<Value>()
    };
    let wanted = json!({ "mcpEnabled": true, "mcpTools": ["deploy", "logs"], "mcpLimit": { "perDay": 10 } });
    assert_eq!(extras(&record), wanted);
    assert_eq!(extras(&owner.ours(get(&one(&record))).expect(200).json()), wanted);
    let change = json!({ "mcpEnabled": false, "mcpTools": null });
    let altered = owner.ours(patch(&one(&record)).json(&change)).expect(200).json();
    assert_eq!(extras(&altered), json!({ "mcpEnabled": false, "mcpLimit": { "perDay": 10 } }));
    for much in
        [json!({ "mcpText": "x".repeat(5000) }), (0..17).map(|it| (format!("mcp{it}"), json!(1))).collect()]
    {
        let details = assert_ocore(&owner.ours(patch(&one(&record)).json(&much)), 400);
        assert_eq!(details["constraint"], json!("maximum"));
    }
    assert_eq!(extras(&owner.ours(get(&one(&record))).expect(200).json()), extras(&altered));
}

#[test]
fn b3_400_for_what_breaks_a_rule() {
    let house = House::open();
    let owner = house.person("owner");
    let view = json!(["view:servers"]);
    for (field, constraint, body) in [
        ("name", "required", json!({ "permissions": view })),
        ("name", "length", json!({ "name": "", "permissions": view })),
        ("name", "length", json!({ "name": " ", "permissions": view })),
        ("name", "length", json!({ "name": "ก".repeat(101), "permissions": view })),
        ("permissions", "required", json!({ "name": "a" })),
        ("permissions", "required", json!({ "name": "a", "permissions": [] })),
        ("permissions", "type", json!({ "name": "a", "permissions": [7] })),
        ("permissions", "known", json!({ "name": "a", "permissions": ["fly:rockets"] })),
        ("permissions", "known", json!({ "name": "a", "permissions": ["view:servers", "manage:bananas"] })),
        (
            "expiresAt",
            "future",
            json!({ "name": "a", "permissions": view, "expiresAt": "2020-01-01T00:00:00Z" }),
        ),
        ("expiresAt", "format", json!({ "name": "a", "permissions": view, "expiresAt": "soon" })),
    ] {
        let details = assert_ocore(&owner.ours(post(KEYS).json(&body)), 400);
        assert_eq!(details, json!({ "field": field, "constraint": constraint }), "{body}");
    }
    assert_eq!(owner.ours(get(KEYS)).expect(200).json()["data"], json!([]));
}

#[test]
fn b3_an_expiry_holds_and_is_shown_as_it_was_given() {
    let house = House::open();
    let owner = house.person("owner");
    let ask = |name: &str, at: &str| {
        let body = json!({ "name": name, "permissions": ["view:servers"], "expiresAt": at });
        owner.ours(post(KEYS).json(&body)).expect(201).json()
    };
    assert_eq!(ask("far", "2037-01-01T00:00:00Z")["expiresAt"], json!("2037-01-01T00:00:00Z"));
    let soon = wait::now().unix_ms + 1500;
    let record = ask("near", &portcullis::dialect::time::iso_millis(soon));
    let status = || house.send(&get("/api/servers").bearer(&text(&record, "key"))).status;
    assert_eq!(status(), 200);
    wait::until("it expires", || status() == 401);
    // A new expiry gives it back; null takes the expiry away.
    owner.ours(patch(&one(&record)).json(&json!({ "expiresAt": null }))).expect(200);
    assert_eq!(status(), 200);
}

#[test]
fn b3_who_lacks_the_permission_gets_403() {
    let house = House::open();
    let owner = house.person("owner");
    let record = made(&owner, "a", &["view:servers"]);
    let body = json!({ "name": "b", "permissions": ["view:servers"] });
    for name in ["developer", "viewer"] {
        let person = house.person(name);
        person.ours(get(KEYS)).expect(200);
        person.ours(get(&one(&record))).expect(200);
        assert_ocore(&person.ours(post(KEYS).json(&body)), 403);
        // Nothing is said about a body by who may not send it.
        assert_ocore(&person.ours(post(KEYS).json(&json!({}))), 403);
        assert_ocore(&person.ours(patch(&one(&record)).json(&json!({ "name": "c" }))), 403);
        assert_ocore(&person.ours(delete(&one(&record))), 403);
    }
    house.person("admin").ours(post(KEYS).json(&body)).expect(201);
}

#[test]
fn b6_b7_keys_are_one_organization_s() {
    let house = House::open();
    let owner = house.person("owner");
    let record = made(&owner, "a", &["view:servers"]);
    let stranger = house.person("stranger");
    assert_ocore(&stranger.ours(get(KEYS)), 403);
    assert_eq!(stranger.send(get(KEYS)).expect(200).json()["data"], json!([]), "their only organization");
    for request in
        [get(&one(&record)), delete(&one(&record)), patch(&one(&record)).json(&json!({ "name": "x" }))]
    {
        assert_ocore(&stranger.send(request), 404);
    }
    let both = house.person("both");
    let details = assert_ocore(&both.send(get(KEYS)), 400);
    assert_eq!(details["field"], json!("X-Org-Slug"));
    assert_ocore(&both.send(get(KEYS).org("no-such-org")), 403);
    assert_eq!(both.send(get(KEYS).org(SLUG)).expect(200).json()["data"][0]["name"], json!("a"));
    // A viewer there, whatever they are here.
    let body = json!({ "name": "b", "permissions": ["view:servers"] });
    assert_ocore(&both.send(post(KEYS).json(&body).org(OTHER_SLUG)), 403);
    assert_ocore(&both.send(get(KEYS).org(SLUG).org(OTHER_SLUG)), 400);
}

#[test]
fn c42_keys_manage_no_keys_and_nobody_gets_401() {
    let house = House::open();
    let owner = house.person("owner");
    let key = text(&made(&owner, "a", &["manage:*"]), "key");
    for request in [get(KEYS), post(KEYS).json(&json!({ "name": "b", "permissions": ["view:servers"] }))] {
        assert_ocore(&house.send(&request.clone().bearer(&key)), 403);
        assert_ocore(&house.send(&request), 401);
        assert_ocore(&house.send(&request.clone().bearer("garbage")), 401);
        assert_ocore(&house.send(&request.key("ocr_1")), 401);
    }
}

#[test]
fn b3_409_for_a_name_that_is_taken() {
    let house = House::open();
    let owner = house.person("owner");
    let first = made(&owner, "a", &["view:servers"]);
    let second = made(&owner, "b", &["view:servers"]);
    let body = json!({ "name": "a", "permissions": ["view:servers"] });
    assert_ocore(&owner.ours(post(KEYS).json(&body)), 409);
    assert_ocore(&owner.ours(patch(&one(&second)).json(&json!({ "name": "a" }))), 409);
    // Its own name is no other's, and another organization's is none of its business.
    owner.ours(patch(&one(&second)).json(&json!({ "name": "b", "scope": "ci" }))).expect(200);
    house.person("stranger").send(post(KEYS).json(&body)).expect(201);
    owner.ours(delete(&one(&first))).expect(200);
    made(&owner, "a", &["view:servers"]);
}

#[test]
fn b3_patch_and_put_alter_what_is_said_and_nothing_else() {
    let house = House::open();
    let owner = house.person("owner");
    let record = made(&owner, "a", &["view:servers"]);
    let key = text(&record, "key");
    let body = json!({ "permissions": ["manage:servers"], "scope": "ci", "id": "x", "key": "y" });
    let altered = owner.ours(patch(&one(&record)).json(&body)).expect(200).json();
    let mut wanted = record.clone();
    wanted.as_object_mut().unwrap().remove("key");
    (wanted["permissions"], wanted["scope"]) = (json!(["manage:servers"]), json!("ci"));
    assert_eq!(altered, wanted);
    house.send(&post("/api/servers").json(&json!({})).bearer(&key)).expect(200);
    let put = owner.ours(put(&one(&record)).json(&json!({ "name": "b" }))).expect(200).json();
    assert_eq!((&put["name"], &put["scope"]), (&json!("b"), &json!("ci")));
    for body in
        [json!({ "name": null }), json!({ "permissions": [] }), json!({ "permissions": ["fly:rockets"] })]
    {
        assert_ocore(&owner.ours(patch(&one(&record)).json(&body)), 400);
    }
}

#[test]
fn b3_a_deleted_key_is_dead_at_once() {
    let house = House::open();
    let owner = house.person("owner");
    let record = made(&owner, "a", &["view:servers"]);
    let status = || house.send(&get("/api/servers").bearer(&text(&record, "key"))).status;
    assert_eq!(status(), 200);
    let reply = owner.ours(delete(&one(&record))).expect(200);
    assert!(reply.json()["message"].is_string());
    assert_eq!(status(), 401);
    for request in
        [get(&one(&record)), delete(&one(&record)), patch(&one(&record)).json(&json!({ "name": "x" }))]
    {
        assert_ocore(&owner.ours(request), 404);
    }
    assert_ocore(&owner.ours(get("/api/api-keys/no-such-key")), 404);
    assert_ocore(&owner.ours(method("REPORT", KEYS)), 405);
}

#[test]
fn b9_c58_a_key_has_no_more_than_its_creator_s_role_has_now() {
    let house = House::open();
    let admin = house.person("admin");
    let key = text(&made(&admin, "a", &["manage:servers"]), "key");
    let create = || house.send(&post("/api/servers").json(&json!({})).bearer(&key)).status;
    let view = || house.send(&get("/api/servers").bearer(&key)).status;
    assert_eq!((create(), view()), (200, 200));
    // The fixture makes the admin a viewer.
    let demoted = people().text().replace(r#""role":"admin""#, r#""role":"viewer""#);
    house.gateway.import(&demoted).expect_success();
    wait::until("the key may no more than its creator", || create() == 403);
    assert_eq!(view(), 200);
    assert_ocore(&admin.ours(post(KEYS).json(&json!({ "name": "b", "permissions": ["view:servers"] }))), 403);
}

#[test]
fn b5_the_list_is_paged_by_cursors_that_stay_where_they_are() {
    let house = House::open();
    let owner = house.person("owner");
    let mut records: Vec<Value> =
        (0..5).map(|n| made(&owner, &format!("key {n}"), &["view:servers"])).collect();
    let page = |query: &str| owner.ours(get(&format!("{KEYS}{query}"))).expect(200).json();
    let first = page("?limit=2");
    let names = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|key| text(key, "name")).collect()
    };
    assert_eq!(names(&first), ["key 0", "key 1"]);
    assert_eq!(first["has_more"], json!(true));
    // What is added comes last, and what the cursor points at may go.
    made(&owner, "key 5", &["view:servers"]);
    owner.ours(delete(&one(&records.remove(1)))).expect(200);
    let second = page(&format!("?limit=2&cursor={}", text(&first, "next_cursor")));
    assert_eq!(names(&second), ["key 2", "key 3"]);
    let third = page(&format!("?limit=2&cursor={}", text(&second, "next_cursor")));
    assert_eq!(names(&third), ["key 4", "key 5"]);
    assert_eq!((&third["has_more"], &third["next_cursor"]), (&json!(false), &Value::Null));
    let mut members: Vec<_> = third.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["data", "has_more", "next_cursor"]);
    for (query, field) in [
        ("?cursor=x", "cursor"),
        ("?cursor=eyJpZCI6IjQ1NiJ9", "cursor"),
        ("?limit=0", "limit"),
        ("?limit=x", "limit"),
    ] {
        let details = assert_ocore(&owner.ours(get(&format!("{KEYS}{query}"))), 400);
        assert_eq!(details["field"], json!(field), "{query}");
    }
    // More than there may be on a page is as much as there may be.
    assert_eq!(names(&page("?limit=100000")).len(), 5);
}

#[test]
fn b3_the_server_s_admins_see_and_remove_the_keys_of_all() {
    let house = House::open();
    let (owner, stranger) = (house.person("owner"), house.person("stranger"));
    made(&owner, "ours", &["view:servers"]);
    let body = json!({ "name": "theirs", "permissions": ["view:servers"] });
    let theirs = stranger.send(post(KEYS).json(&body)).expect(201).json();
    const ALL: &str = "/api/admin/api-keys";
    let remove = || delete(&format!("{ALL}/{}", text(&theirs, "id")));
    assert_ocore(&owner.send(get(ALL)), 403);
    assert_ocore(&owner.send(remove()), 403);
    assert_ocore(&house.send(&get(ALL)), 401);
    let store = rusqlite::Connection::open(house.gateway.db_path()).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    store.execute("UPDATE users SET server_admin = 1 WHERE id = ?1", [&owner.id]).unwrap();
    let names = |query: &str| -> Vec<String> {
        let page = owner.send(get(&format!("{ALL}{query}"))).expect(200).json();
        page["data"].as_array().unwrap().iter().map(|key| text(key, "name")).collect()
    };
    assert_eq!(names(""), ["ours", "theirs"]);
    assert_eq!(names("?limit=1&page=2"), ["theirs"]);
    assert_eq!(names("?search=OUR"), ["ours"]);
    owner.send(remove()).expect(200);
    assert_eq!(names(""), ["ours"]);
    assert_eq!(house.send(&get("/api/servers").bearer(&text(&theirs, "key"))).status, 401);
}

#[test]
fn b3_what_is_done_is_in_the_audit_log_without_the_secret() {
    let house = House::open();
    let owner = house.person("owner");
    let record = made(&owner, &random_hex(8), &["view:servers"]);
    owner.ours(patch(&one(&record)).json(&json!({ "scope": "ci" }))).expect(200);
    owner.ours(delete(&one(&record))).expect(200);
    let store = rusqlite::Connection::open(house.gateway.db_path()).unwrap();
    let mut statement = store
        .prepare("SELECT action, coalesce(before, '') || coalesce(after, '') FROM audit WHERE entity = ?1 ORDER BY sequence")
        .unwrap();
    let rows = statement.query_map([text(&record, "id")], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let (actions, said): (Vec<String>, Vec<String>) = rows.map(Result::unwrap).unzip();
    assert_eq!(actions, ["api_key.created", "api_key.updated", "api_key.deleted"]);
    let key = text(&record, "key");
    let digest = portcullis::token::Digest::of(&key).to_hex();
    assert!(said.iter().all(|text| !text.contains(&key) && !text.contains(&digest)));
}

#[test]
fn b3_permissions_that_a_route_asks_for_are_known_after_a_reload_too() {
    let with = |resource: &str| {
        let route = json!({ "path": "/api/fruit", "upstream": "main",
            "require": { "permissions": [format!("manage:{resource}")] } });
        move |value: &mut Value| value["apis"][1]["routes"].as_array_mut().unwrap().insert(0, route)
    };
    let house = House::with(|settings| settings.with(with("bananas")));
    let owner = house.person("owner");
    let ask = |permission: &str| {
        let body = json!({ "name": permission, "permissions": [permission] });
        owner.ours(post(KEYS).json(&body))
    };
    let key = text(&ask("manage:bananas").expect(201).json(), "key");
    house.send(&get("/api/fruit").bearer(&key)).expect(200);
    ask("view:bananas").expect(201);
    assert_ocore(&ask("manage:mangos"), 400);
    let settings = crate::support::settings::Settings::usual(&house.upstream.url()).with(with("mangos"));
    house.gateway.configure(&settings);
    wait::until("the new route's permission is known", || ask("manage:mangos").status == 201);
    assert_ocore(&house.send(&get("/api/fruit").bearer(&key)), 403);
}
