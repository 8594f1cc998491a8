//! CONTRACT A.5: keys made, read, altered, regenerated and removed over HTTP, each field with its rule.

use super::login::assert_timestamp;
use crate::support::control::{Console, audit_of, text, wanted};
use crate::support::settings::{FOREIGN, ORG, P_INACTIVE, P1, P2};
use crate::support::world::{ADMIN, DEVELOPER, OWNER, world};
use crate::support::{assert_ocriva, get, patch, post};
use serde_json::{Value, json};

const TEMPLATES: &str = "/v1/openapi/templates";

fn owner() -> Console<'static> {
    Console::open(&world().gateway, OWNER)
}

fn members(record: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = record.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

const RECORD: [&str; 17] = [
    "createdAt",
    "createdBy",
    "description",
    "expiresAt",
    "id",
    "ipWhitelist",
    "isActive",
    "lastUsedAt",
    "name",
    "organizationId",
    "permissions",
    "projectId",
    "scopes",
    "tokenPrefix",
    "type",
    "updatedAt",
    "usageCount",
];

/// The instant of a text, in seconds since 1970.
fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("a time").as_second()
}

#[test]
fn a5_create_gives_201_the_record_and_the_value_once() {
    let owner = owner();
    let reply = owner.create(&wanted("CI", json!({ "description": "For the build" }))).expect(201);
    let made = reply.json();
    let mut with_value = RECORD.to_vec();
    with_value.push("token");
    with_value.sort_unstable();
    assert_eq!(members(&made), with_value);
    let (id, value) = (text(&made, "id"), text(&made, "token"));
    // A6, A7: ocr_ and 64 lowercase hexadecimal digits.
    assert!(value.len() == 68 && value.starts_with("ocr_"), "{}", value.len());
    assert!(value[4..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    assert_eq!(made["tokenPrefix"], json!(value[..10]));
    assert_eq!((&made["name"], &made["description"]), (&json!("CI"), &json!("For the build")));
    assert_eq!((&made["type"], &made["projectId"]), (&json!("organization"), &Value::Null));
    assert_eq!((&made["organizationId"], &made["isActive"]), (&json!(ORG), &json!(true)));
    assert_eq!((&made["usageCount"], &made["lastUsedAt"]), (&json!(0), &Value::Null));
    assert_eq!((&made["ipWhitelist"], &made["createdBy"]), (&json!([]), &json!(owner.id)));
    for time in ["createdAt", "updatedAt", "expiresAt"] {
        assert_timestamp(&made[time]);
    }
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("location"), Some(owner.path(&format!("/{id}")).as_str()));
    assert_eq!(reply.header("x-ratelimit-limit"), None, "a person has no key's limit");
    // The new key opens the edge at once.
    world().arrives(&get(TEMPLATES).key(value));
    assert_eq!(members(&owner.show(id).expect(200).json()), RECORD, "never again");
}

#[test]
fn a5_create_under_a_project_binds_to_it_whatever_the_body_says() {
    let owner = owner();
    for body in [
        wanted("bound", json!({})),
        wanted("bound", json!({ "projectId": P2, "type": "project" })),
        wanted("bound", json!({ "projectId": FOREIGN })),
        wanted("bound", json!({ "projectId": 7, "type": [] })),
    ] {
        let made = owner.send(post(&owner.project_path(P1)).json(&body)).expect(201).json();
        assert_eq!((&made["type"], &made["projectId"]), (&json!("project"), &json!(P1)));
    }
    for project in [FOREIGN, "no-such"] {
        let reply = owner.send(post(&owner.project_path(project)).json(&wanted("x", json!({}))));
        assert_ocriva(&reply, 404, None);
    }
}

#[test]
fn a5_type_and_project_must_fit() {
    let owner = owner();
    let made = owner.made("of a project", json!({ "type": "project", "projectId": P2 }));
    assert_eq!((&made["type"], &made["projectId"]), (&json!("project"), &json!(P2)));
    owner.made("of an inactive one", json!({ "type": "project", "projectId": P_INACTIVE }));
    owner.made("null is none", json!({ "projectId": null }));
    for more in [
        json!({ "type": "project" }),
        json!({ "type": "project", "projectId": FOREIGN }),
        json!({ "type": "project", "projectId": "no-such" }),
        json!({ "type": "project", "projectId": "" }),
        json!({ "type": "project", "projectId": [P1] }),
        json!({ "type": "organization", "projectId": P1 }),
        json!({ "type": "Organization" }),
        json!({ "type": "" }),
        json!({ "type": null }),
        json!({ "type": 1 }),
    ] {
        assert_ocriva(&owner.create(&wanted("x", more)), 400, None);
    }
}

#[test]
fn a5_c32_names_have_1_to_100_characters_and_descriptions_at_most_500() {
    let owner = owner();
    // Thai letters have three bytes each.
    for (name, status) in
        [("ก".repeat(100), 201), ("ก".repeat(101), 400), ("x".into(), 201), (String::new(), 400)]
    {
        assert_eq!(
            owner.create(&wanted(&name, json!({}))).status,
            status,
            "{} characters",
            name.chars().count()
        );
    }
    for name in [json!(null), json!(7), json!(["x"]), json!("  "), json!("a\nb")] {
        assert_ocriva(&owner.create(&wanted("", json!({ "name": name }))), 400, None);
    }
    for (length, status) in [(500, 201), (501, 400), (0, 201)] {
        let body = wanted("described", json!({ "description": "😀".repeat(length) }));
        assert_eq!(owner.create(&body).status, status, "{length} characters");
    }
    assert_eq!(owner.made("undescribed", json!({ "description": null }))["description"], Value::Null);
    assert_ocriva(&owner.create(&wanted("x", json!({ "description": {} }))), 400, None);
}

#[test]
fn a5_c30_c31_permissions_and_scopes_are_free_form_and_at_least_one() {
    let owner = owner();
    let free = json!(["banana", "two words", "อ่าน", "Read", "read"]);
    let made = owner.made("free", json!({ "permissions": free, "scopes": free }));
    assert_eq!((&made["permissions"], &made["scopes"]), (&free, &free), "order and case are kept");
    let id = text(&made, "id");
    for field in ["permissions", "scopes"] {
        for bad in [json!([]), json!(null), json!("read"), json!([1]), json!(["read", null]), json!([""])] {
            assert_ocriva(&owner.create(&wanted("x", json!({ field: bad }))), 400, None);
            assert_ocriva(&owner.patch(id, &json!({ field: bad })), 400, None);
        }
        let mut without = wanted("x", json!({}));
        without.as_object_mut().expect("an object").remove(field);
        assert_ocriva(&owner.create(&without), 400, None);
    }
}

#[test]
fn a5_c33_the_default_expiry_is_one_calendar_year_on() {
    let owner = owner();
    for more in [json!({}), json!({ "expiresAt": null })] {
        let made = owner.made("a year", more);
        let created: jiff::Timestamp = text(&made, "createdAt").parse().expect("a time");
        let then = created.to_zoned(jiff::tz::TimeZone::UTC).saturating_add(jiff::ToSpan::years(1));
        assert_eq!(text(&made, "expiresAt").parse::<jiff::Timestamp>().expect("a time"), then.timestamp());
    }
}

#[test]
fn a5_an_expiry_is_an_instant_in_the_future() {
    let owner = owner();
    let made = owner.made("until then", json!({ "expiresAt": "2099-12-31T23:59:59+07:00" }));
    assert_eq!(made["expiresAt"], json!("2099-12-31T16:59:59.000Z"));
    let id = text(&made, "id");
    for bad in [
        json!("2020-01-01T00:00:00Z"),
        json!("2099-01-01"),
        json!("2099-01-01T00:00:00"),
        json!("tomorrow"),
        json!(""),
        json!(4_102_444_800_u64),
        json!({}),
    ] {
        assert_ocriva(&owner.create(&wanted("x", json!({ "expiresAt": bad }))), 400, None);
        assert_ocriva(&owner.patch(id, &json!({ "expiresAt": bad })), 400, None);
    }
    assert_ocriva(&owner.patch(id, &json!({ "expiresAt": null })), 400, None);
}

#[test]
fn a5_c35_the_whitelist_holds_addresses_and_ranges() {
    let owner = owner();
    let made = owner.made(
        "listed",
        json!({ "ipWhitelist": ["203.0.113.10", "10.1.2.3/8", "::ffff:10.1.2.3",
        "2001:db8::/32", "0.0.0.0/0"] }),
    );
    let shown = json!(["203.0.113.10", "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0"]);
    assert_eq!(made["ipWhitelist"], shown);
    let id = text(&made, "id");
    for bad in [json!(["10.0.0.0/33"]), json!(["10.0.0.1", "x"]), json!([""]), json!("10.0.0.1"), json!([1])]
    {
        assert_ocriva(&owner.create(&wanted("x", json!({ "ipWhitelist": bad }))), 400, None);
        assert_ocriva(&owner.patch(id, &json!({ "ipWhitelist": bad })), 400, None);
    }
    // It counts at the edge, from the answer on; c36: emptied, it is anyone.
    let made = owner.made("elsewhere", json!({ "ipWhitelist": ["203.0.113.10"] }));
    let (id, value) = (text(&made, "id"), text(&made, "token"));
    world().refused(&get(TEMPLATES).key(value), 403, None);
    owner.patch(id, &json!({ "ipWhitelist": [] })).expect(200);
    world().arrives(&get(TEMPLATES).key(value));
    owner.patch(id, &json!({ "ipWhitelist": ["203.0.113.10"] })).expect(200);
    world().refused(&get(TEMPLATES).key(value), 403, None);
    assert_eq!(owner.made("null", json!({ "ipWhitelist": null }))["ipWhitelist"], json!([]));
}

#[test]
fn a7_several_faults_are_told_at_once_and_one_is_a_string() {
    let owner = owner();
    let one = owner.create(&wanted("", json!({})));
    assert_ocriva(&one, 400, Some("name must have 1 to 100 characters"));
    let body = json!({ "name": "", "type": "x", "permissions": [], "scopes": [""], "ipWhitelist": ["x"],
        "expiresAt": "2020-01-01T00:00:00Z" });
    let reply = owner.create(&body).expect(400);
    let told = reply.json();
    assert_eq!(told["message"].as_array().map(Vec::len), Some(6), "{told}");
    assert_eq!((&told["statusCode"], &told["error"]), (&json!(400), &json!("Bad Request")));
    let kinds = owner.create(&json!({ "name": 7, "permissions": "x" })).expect(400).json();
    // name, type (missing), permissions, scopes (missing)
    assert_eq!(kinds["message"].as_array().map(Vec::len), Some(4), "{kinds}");
}

#[test]
fn a7_a_body_that_is_not_json_is_refused() {
    let owner = owner();
    let path = owner.path("");
    for body in ["", "{", "[]", "null", "\"x\"", "{\"name\":\"x\"} y", "\u{feff}{}"] {
        assert_ocriva(&owner.send(post(&path).body("application/json", body)), 400, None);
    }
    let valid = wanted("typed", json!({})).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "x"] {
        assert_ocriva(&owner.send(post(&path).body(kind, &valid)), 415, None);
    }
    let coded = post(&path).body("application/json", &valid).header("Content-Encoding", "gzip");
    assert_ocriva(&owner.send(coded), 415, None);
    owner.send(post(&path).body("Application/JSON; charset=\"UTF-8\"", &valid)).expect(201);
    let large = wanted("x", json!({ "description": "x".repeat(70_000) }));
    assert_ocriva(&owner.create(&large), 413, None);
    let chunked = post(&path).json(&large).chunked(1000);
    assert_ocriva(&owner.send(chunked), 413, None);
}

#[test]
fn a5_patch_alters_what_it_names_and_nothing_else() {
    let owner = owner();
    let made = owner.made("before", json!({ "description": "old" }));
    let id = text(&made, "id");
    let change = json!({ "name": "after", "description": null, "permissions": ["write"], "scopes": ["a", "b"],
        "expiresAt": "2050-01-01T00:00:00Z", "ipWhitelist": ["127.0.0.1"] });
    let after = owner.patch(id, &change).expect(200).json();
    assert_eq!(members(&after), RECORD, "no value in it");
    for (name, value) in change.as_object().expect("an object") {
        let value = if name == "expiresAt" { &json!("2050-01-01T00:00:00.000Z") } else { value };
        assert_eq!(after[name], *value, "{name}");
    }
    for name in
        ["id", "type", "projectId", "organizationId", "createdBy", "createdAt", "isActive", "tokenPrefix"]
    {
        assert_eq!(after[name], made[name], "{name}");
    }
    assert_eq!(owner.show(id).expect(200).json(), after);
    // The secret is unchanged.
    world().arrives(&get(TEMPLATES).key(text(&made, "token")));
    let unchanged = owner.patch(id, &json!({})).expect(200).json();
    assert_eq!(unchanged["updatedAt"], after["updatedAt"], "nothing was asked for");
}

#[test]
fn a5_c44_patch_can_not_move_a_key() {
    let owner = owner();
    let made = owner.made("fixed", json!({}));
    let id = text(&made, "id");
    let change = json!({ "id": "other", "token": "ocr_mine", "type": "project", "projectId": P1, "createdBy": "x",
        "organizationId": "x", "usageCount": 99, "lastUsedAt": "2020-01-01T00:00:00Z", "tokenPrefix": "ocr_zzzzzz",
        "createdAt": "2020-01-01T00:00:00Z", "digest": "00", "version": 9, "nonsense": [] });
    let mut after = owner.patch(id, &change).expect(200).json();
    after["token"] = made["token"].clone();
    assert_eq!(after, made);
    world().arrives(&get(TEMPLATES).key(text(&made, "token")));
    world().refused(&get(TEMPLATES).key("ocr_mine"), 401, None);
    for bad in
        [json!({ "name": null }), json!({ "isActive": "false" }), json!({ "isActive": null }), json!([])]
    {
        assert_ocriva(&owner.patch(id, &bad), 400, None);
    }
}

#[test]
fn a5_creators_keep_their_rights_and_others_have_none() {
    let w = world();
    let (owner, admin, developer) =
        (owner(), Console::open(&w.gateway, ADMIN), Console::open(&w.gateway, DEVELOPER));
    let foreign = owner.made("somebody else's", json!({}));
    let id = text(&foreign, "id");
    for reply in [
        developer.show(id),
        developer.patch(id, &json!({ "name": "x" })),
        developer.patch(id, &json!({ "name": "" })),
        developer.regenerate(id),
        developer.delete(id),
        developer.create(&wanted("x", json!({}))),
        developer.create(&wanted("", json!({ "scopes": 7 }))),
        developer.send(post(&developer.project_path(P1)).json(&wanted("x", json!({})))),
    ] {
        assert_ocriva(&reply, 403, None);
    }
    // Another admin may do everything with it.
    admin.show(id).expect(200);
    admin.patch(id, &json!({ "name": "altered" })).expect(200);
    admin.regenerate(id).expect(200);
    admin.delete(id).expect(204);
    // c41: a creator who is not an admin any more keeps their own. Made by an import that names the creator.
    let own = w.key("made by the developer");
    let listed = developer.list("?limit=100").expect(200).json();
    let mine = listed["data"].as_array().expect("data").iter().find(|it| it["name"] == json!(&own[4..20]));
    let id = text(mine.expect("their own key"), "id").to_owned();
    developer.show(&id).expect(200);
    developer.patch(&id, &json!({ "description": "mine" })).expect(200);
    developer.regenerate(&id).expect(200);
    developer.delete(&id).expect(204);
}

#[test]
fn a5_another_organization_s_key_is_404_like_one_that_is_not() {
    let w = world();
    let owner = owner();
    let stranger = Console::open(&w.gateway, crate::support::world::STRANGER)
        .in_organization(crate::support::settings::OTHER_ORG);
    let theirs = stranger.made("theirs", json!({}));
    let id = text(&theirs, "id");
    for reply in
        [owner.show(id), owner.patch(id, &json!({ "name": "x" })), owner.regenerate(id), owner.delete(id)]
    {
        assert_ocriva(&reply, 404, None);
    }
    assert_eq!(owner.show(id).body, owner.show("no-such").body);
    w.arrives(&get(TEMPLATES).key(text(&theirs, "token")));
    // A key of the other family is none here either.
    assert_ocriva(&owner.show("key-of-ocore"), 404, None);
    assert!(!owner.list("?limit=100").expect(200).text().contains("key-of-ocore"));
}

#[test]
fn a37_every_operation_is_in_the_audit_log_and_no_value_is() {
    let owner = owner();
    let made = owner.made("audited", json!({ "description": "x" }));
    let id = text(&made, "id").to_owned();
    owner.patch(&id, &json!({ "name": "renamed", "description": null })).expect(200);
    owner.patch(&id, &json!({ "name": "renamed" })).expect(200);
    owner.patch(&id, &json!({ "isActive": false })).expect(200);
    owner.patch(&id, &json!({ "isActive": true })).expect(200);
    let second = owner.regenerate(&id).expect(200).json();
    owner.delete(&id).expect(204);
    let log = audit_of(&world().gateway, &id);
    let actions: Vec<&str> = log.iter().map(|(action, ..)| action.as_str()).collect();
    let wanted = ["created", "updated", "deactivated", "activated", "regenerated", "deleted"];
    assert_eq!(actions, wanted.map(|verb| format!("api_token.{verb}")));
    assert!(log.iter().all(|(_, who, ..)| *who == format!("user {OWNER}@example.com")), "{log:?}");
    assert_eq!((&log[0].2, &log[0].3["name"]), (&Value::Null, &json!("audited")));
    assert_eq!(log[1].2, json!({ "name": "audited", "description": "x" }), "what it was");
    assert_eq!(log[1].3, json!({ "name": "renamed", "description": null }), "what it is");
    assert_eq!(log[2].3, json!({ "isActive": false }));
    assert_eq!((&log[5].2["name"], &log[5].3), (&json!("renamed"), &Value::Null));
    for value in [text(&made, "token"), text(&second, "token")] {
        let digest = portcullis::token::Digest::of(value).to_hex();
        let log = format!("{log:?}");
        assert!(!log.contains(&value[12..]) && !log.contains(&digest));
    }
}

#[test]
fn a33_regenerate_takes_an_expiry() {
    let owner = owner();
    let id = owner.made("for longer", json!({}))["id"].as_str().expect("an id").to_owned();
    let again = |body: &Value| owner.send(post(&owner.path(&format!("/{id}/regenerate"))).json(body));
    assert_eq!(
        again(&json!({ "expiresAt": "2044-04-04T04:04:04Z" })).expect(200).json()["expiresAt"],
        json!("2044-04-04T04:04:04.000Z")
    );
    // Not expired: it keeps what it has.
    assert_eq!(again(&json!({})).expect(200).json()["expiresAt"], json!("2044-04-04T04:04:04.000Z"));
    assert_eq!(
        again(&json!({ "expiresAt": null })).expect(200).json()["expiresAt"],
        json!("2044-04-04T04:04:04.000Z")
    );
    for bad in [json!({ "expiresAt": "2020-01-01T00:00:00Z" }), json!({ "expiresAt": 7 }), json!([])] {
        assert_ocriva(&again(&bad), 400, None);
    }
    assert!(seconds("2044-04-04T04:04:04Z") > 0);
}

#[test]
fn a5_other_methods_are_405_with_allow() {
    let owner = owner();
    let id = owner.made("methods", json!({}))["id"].as_str().expect("an id").to_owned();
    let item = format!("/{id}");
    for (reply, allowed) in [
        (owner.send(patch(&owner.path("")).json(&json!({}))), "GET, HEAD, POST"),
        (owner.send(post(&owner.path(&item)).json(&json!({}))), "DELETE, GET, HEAD, PATCH"),
        (owner.send(get(&owner.path(&format!("{item}/regenerate")))), "POST"),
        (owner.send(get(&owner.project_path(P1))), "POST"),
        (world().send(&get("/v1/auth/login")), "POST"),
    ] {
        assert_ocriva(&reply, 405, None);
        assert_eq!(reply.header("allow"), Some(allowed));
    }
    assert_ocriva(&owner.send(get(&owner.path(&format!("{item}/other")))), 404, None);
    assert_eq!(owner.send(crate::support::method("HEAD", &owner.path(&item))).expect(200).body, b"");
}
