//! CONTRACT B.1 and B.7: organizations and their projects, made and altered by people, in force at the edge at once.

use crate::support::control::audit_of;
use crate::support::person::{House, Person, text};
use crate::support::settings::{ORG, OTHER_SLUG, P_INACTIVE, P1, SLUG};
use crate::support::{Request, assert_ocore, delete, get, patch, post};
use serde_json::{Value, json};

const ORGANIZATION: &str = "/api/org";
const PROJECTS: &str = "/api/projects";

fn data(page: &Value) -> &Vec<Value> {
    page["data"].as_array().unwrap_or_else(|| panic!("no data in {page}"))
}

fn names(page: &Value) -> Vec<String> {
    data(page).iter().map(|it| text(it, "name")).collect()
}

/// Sends to the admin listener for no organization in particular.
fn plain(house: &House, person: &Person<'_>, request: Request) -> crate::support::Reply {
    house.admin(&request.bearer(&person.access))
}

fn project(name: &str) -> Request {
    post(PROJECTS).json(&json!({ "name": name }))
}

fn one(record: &Value) -> String {
    format!("{PROJECTS}/{}", text(record, "id"))
}

#[test]
fn one_s_own_organizations_are_listed_in_parts() {
    let house = House::open();
    let both = house.person("both");
    let ask = |query: &str| plain(&house, &both, get(&format!("/api/user/orgs{query}"))).expect(200).json();
    let all = ask("");
    let shown: Vec<_> = data(&all).iter().map(|it| (text(it, "slug"), text(&it["role"], "id"))).collect();
    let mut sorted = shown.clone();
    sorted.sort();
    let wanted = [(SLUG, "owner"), (OTHER_SLUG, "viewer")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(sorted, wanted);
    assert_eq!((&all["has_more"], &all["next_cursor"]), (&json!(false), &Value::Null));
    let first = ask("?limit=1");
    assert_eq!((data(&first).len(), &first["has_more"]), (1, &json!(true)));
    let rest = ask(&format!("?cursor={}", text(&first, "next_cursor")));
    assert_eq!((&data(&first)[0], &data(&rest)[0]), (&data(&all)[0], &data(&all)[1]));
    assert_ocore(&plain(&house, &both, get("/api/user/orgs?cursor=x")), 400);
    let owner = house.person("owner");
    let record = &data(&plain(&house, &owner, get("/api/user/orgs")).expect(200).json())[0].clone();
    let mut members: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["createdAt", "id", "name", "role", "slug", "updatedAt"]);
}

#[test]
fn b8_an_organization_is_made_by_the_server_s_admins() {
    let house = House::open();
    let (owner, stranger) = (house.person("owner"), house.person("stranger"));
    let wanted = json!({ "name": "ร้านใหม่ New Shop" });
    assert_ocore(&plain(&house, &owner, post(ORGANIZATION).json(&wanted)), 403);
    // Nothing is said about a body by who may not send it.
    assert_ocore(&plain(&house, &owner, post(ORGANIZATION).json(&json!({}))), 403);
    house.appoint("owner");
    let make = |body: Value| plain(&house, &owner, post(ORGANIZATION).json(&body));
    let made = make(wanted).expect(201).json();
    assert_eq!((&made["slug"], &made["name"]), (&json!("new-shop"), &json!("ร้านใหม่ New Shop")));
    // Who makes it owns it, from the answer on.
    let there =
        |person: &Person<'_>| house.admin(&get("/api/members").bearer(&person.access).org("new-shop"));
    assert_eq!(there(&owner).expect(200).json()["data"][0]["role"]["id"], json!("owner"));
    house.send(&get("/api/servers").bearer(&owner.access).org("new-shop")).expect(200);
    assert_ocore(&there(&stranger), 403);
    for (field, constraint, body) in [
        ("name", "required", json!({})),
        ("name", "type", json!({ "name": 1 })),
        ("name", "length", json!({ "name": "x" })),
        ("name", "length", json!({ "name": " x " })),
        ("name", "length", json!({ "name": "ก".repeat(101) })),
        ("name", "characters", json!({ "name": "a\nb" })),
        ("slug", "format", json!({ "name": "Shop", "slug": "no" })),
        ("slug", "format", json!({ "name": "Shop", "slug": "No-Slug" })),
        ("slug", "format", json!({ "name": "Shop", "slug": "a_b" })),
        ("slug", "format", json!({ "name": "Shop", "slug": "a".repeat(51) })),
    ] {
        let details = assert_ocore(&make(body.clone()), 400);
        assert_eq!(details, json!({ "field": field, "constraint": constraint }), "{body}");
    }
    assert_ocore(&make(json!({ "name": "Other", "slug": "new-shop" })), 409);
    assert_ocore(&make(json!({ "name": "New shop" })), 409);
    // For somebody else.
    let theirs = json!({ "name": "Theirs", "owner": "stranger@example.com" });
    make(theirs).expect(201);
    let list = plain(&house, &stranger, get("/api/user/orgs")).expect(200).json();
    assert_eq!(data(&list).len(), 2);
    assert_ocore(&make(json!({ "name": "Nobody's", "owner": "nobody@example.com" })), 404);
    let log = audit_of(&house.gateway, &text(&made, "id"));
    assert_eq!((log[0].0.as_str(), &log[0].3["slug"]), ("organization.created", &json!("new-shop")));
}

#[test]
fn anyone_makes_organizations_where_the_configuration_says_so() {
    let house = House::with(|settings| {
        settings.with(|value| value["accounts"] = json!({ "organizations": "anyone" }))
    });
    let viewer = house.person("viewer");
    let make = |body: Value| plain(&house, &viewer, post(ORGANIZATION).json(&body));
    make(json!({ "name": "Mine" })).expect(201);
    assert_ocore(&make(json!({ "name": "Theirs", "owner": "owner@example.com" })), 403);
    assert_ocore(&plain(&house, &viewer, get("/api/admin/organizations")), 403);
}

#[test]
fn b8_a_slug_that_is_altered_counts_at_the_edge_at_once() {
    let house = House::open();
    let (owner, developer, both) = (house.person("owner"), house.person("developer"), house.person("both"));
    let shown = developer.admin(get(ORGANIZATION)).expect(200).json();
    assert_eq!((&shown["id"], &shown["slug"]), (&json!(ORG), &json!(SLUG)));
    let body = json!({ "name": "keys", "permissions": ["view:servers"] });
    let key = text(&owner.ours(post("/api/api-keys").json(&body)).expect(201).json(), "key");
    let edge =
        |credential: &str, slug: &str| house.send(&get("/api/servers").bearer(credential).org(slug)).status;
    assert_eq!((edge(&both.access, SLUG), edge(&key, SLUG)), (200, 200));
    let alter = |person: &Person<'_>, body: Value| person.admin(patch(ORGANIZATION).json(&body));
    assert_ocore(&alter(&developer, json!({ "name": "Mine" })), 403);
    assert_ocore(&alter(&developer, json!({ "name": 1 })), 403);
    assert_ocore(&alter(&house.person("stranger"), json!({ "name": "Mine" })), 403);
    assert_eq!(assert_ocore(&alter(&owner, json!({ "slug": "x" })), 400)["field"], json!("slug"));
    assert_eq!(assert_ocore(&alter(&owner, json!({ "name": null })), 400)["field"], json!("name"));
    assert_ocore(&alter(&owner, json!({ "slug": OTHER_SLUG })), 409);
    let altered = alter(&owner, json!({ "slug": "renamed", "name": "Renamed" })).expect(200).json();
    assert_eq!((&altered["slug"], &altered["name"]), (&json!("renamed"), &json!("Renamed")));
    for credential in [&both.access, &key] {
        assert_eq!((edge(credential, SLUG), edge(credential, "renamed")), (403, 200));
    }
    assert_ocore(&owner.admin(get(ORGANIZATION)), 403);
    house.admin(&get(ORGANIZATION).bearer(&owner.access).org("renamed")).expect(200);
    let log = audit_of(&house.gateway, ORG);
    assert_eq!((log[0].0.as_str(), &log[0].3["slug"]), ("organization.updated", &json!("renamed")));
}

#[test]
fn a_project_is_made_altered_and_removed() {
    let house = House::open();
    let [owner, developer, viewer] = ["owner", "developer", "viewer"].map(|name| house.person(name));
    let usual = names(&viewer.admin(get(PROJECTS)).expect(200).json());
    let with_inactive = viewer.admin(get(&format!("{PROJECTS}?include_archived=true"))).expect(200).json();
    assert_eq!(data(&with_inactive).len(), usual.len() + 1);
    assert!(data(&with_inactive).iter().any(|it| it["id"] == json!(P_INACTIVE)));
    assert_ocore(&viewer.admin(get(&format!("{PROJECTS}?include_archived=perhaps"))), 400);
    let page = viewer.admin(get(&format!("{PROJECTS}?limit=1"))).expect(200).json();
    let rest = format!("{PROJECTS}?cursor={}", text(&page, "next_cursor"));
    let rest = viewer.admin(get(&rest)).expect(200).json();
    assert_eq!([names(&page), names(&rest)].concat(), usual);

    assert_ocore(&viewer.admin(project("mine")), 403);
    let body = json!({ "name": "Fresh", "description": "d" });
    let made = developer.admin(post(PROJECTS).json(&body)).expect(201).json();
    let mut members: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let wanted = ["createdAt", "description", "id", "isActive", "name", "organizationId", "updatedAt"];
    assert_eq!(members, wanted);
    assert_eq!((&made["organizationId"], &made["isActive"]), (&json!(ORG), &json!(true)));
    assert_eq!(viewer.admin(get(&one(&made))).expect(200).json(), made);

    let alter = |person: &Person<'_>, body: Value| person.admin(patch(&one(&made)).json(&body));
    assert_ocore(&alter(&viewer, json!({ "name": "x" })), 403);
    let altered = alter(&owner, json!({ "name": "Newer", "description": null })).expect(200).json();
    assert_eq!((&altered["name"], &altered["description"]), (&json!("Newer"), &Value::Null));
    for (field, body) in [
        ("name", json!({})),
        ("name", json!({ "name": "" })),
        ("name", json!({ "name": "x".repeat(101) })),
        ("description", json!({ "name": "x", "description": "x".repeat(501) })),
        ("description", json!({ "name": "x", "description": 7 })),
    ] {
        let details = assert_ocore(&owner.admin(post(PROJECTS).json(&body)), 400);
        assert_eq!(details["field"], json!(field), "{body}");
    }
    assert_ocore(&alter(&owner, json!({ "isActive": "no" })), 400);
    // Somebody else's.
    let foreign = |request: Request| house.admin(&request.bearer(&house.person("stranger").access));
    assert_ocore(&foreign(get(&one(&made))), 404);
    assert_ocore(&foreign(patch(&one(&made)).json(&json!({ "name": "x" }))), 404);
    assert_ocore(&foreign(delete(&one(&made))), 404);
    assert_ocore(&foreign(get(PROJECTS).org(SLUG)), 403);
    assert_ocore(&viewer.admin(delete(&one(&made))), 403);
    owner.admin(delete(&one(&made))).expect(200);
    assert_ocore(&owner.admin(get(&one(&made))), 404);
    assert_ocore(&owner.admin(delete(&one(&made))), 404);
    let actions: Vec<_> =
        audit_of(&house.gateway, &text(&made, "id")).into_iter().map(|entry| entry.0).collect();
    assert_eq!(actions, ["project.created", "project.updated", "project.deleted"]);
}

#[test]
fn a4_what_becomes_of_a_project_is_seen_at_the_edge_at_once() {
    let house = House::open();
    let owner = house.person("owner");
    let keys = format!("/api/v1/organizations/{ORG}/api-tokens");
    let make = |body: Value| owner.send(post(&keys).json(&body)).expect(201).json();
    let body = |kind: &str, project: Option<&str>| json!({ "name": "k", "type": kind, "projectId": project, "permissions": ["read"], "scopes": ["x"] });
    let wide = text(&make(body("organization", None)), "token");
    let listed = || {
        let reply = house.send(&get("/v1/openapi/projects").key(&wide)).expect(200).json();
        let ids = reply.as_array().expect("an array").iter().map(|it| text(it, "id"));
        ids.collect::<Vec<_>>()
    };
    let before = listed();
    let made = owner.admin(project("Fresh")).expect(201).json();
    let id = text(&made, "id");
    assert_eq!(listed(), [before.clone(), vec![id.clone()]].concat());
    owner.admin(patch(&one(&made)).json(&json!({ "isActive": false }))).expect(200);
    assert_eq!(listed(), before);
    // A22: its own keys go on, and nobody takes it for somebody else's.
    let bound = make(body("project", Some(&id)));
    let bound_key = text(&bound, "token");
    let edge =
        |key: &str, query: &str| house.send(&get(&format!("/v1/openapi/templates{query}")).key(key)).status;
    assert_eq!(edge(&bound_key, ""), 200);
    assert_eq!(edge(&wide, &format!("?projectId={id}")), 200);

    let conflict = owner.admin(delete(&one(&made)));
    assert_ocore(&conflict, 409);
    assert!(conflict.text().contains("One key is bound"), "{}", conflict.text());
    assert_eq!(edge(&bound_key, ""), 200);
    // A developer may remove projects, and not somebody else's keys.
    let developer = house.person("developer");
    let with_keys = || delete(&format!("{}?delete_keys=true", one(&made)));
    assert_ocore(&developer.admin(with_keys()), 403);
    assert_eq!(edge(&bound_key, ""), 200);
    owner.admin(with_keys()).expect(200);
    assert_eq!((edge(&bound_key, ""), edge(&wide, &format!("?projectId={id}"))), (401, 401));
    let log = audit_of(&house.gateway, &text(&bound, "id"));
    assert_eq!(log.last().expect("entries").0, "api_token.deleted");
    assert_eq!(edge(&wide, &format!("?projectId={P1}")), 200);
}

#[test]
fn r14_organizations_and_projects_are_the_admin_listener_s() {
    let house = House::open();
    let owner = house.person("owner");
    for path in ["/api/user/orgs", ORGANIZATION, PROJECTS, "/api/admin/users", "/api/admin/organizations"] {
        assert_ocore(&house.admin(&get(path)), 401);
        // At the edge the path is the upstream's, or nobody's where no route has it.
        let reply = owner.ours(get(path));
        assert!(reply.status == 404 || house.upstream.seen(&reply.tag).len() == 1, "{path} {reply:?}");
    }
}

#[test]
fn r14_what_builtin_names_is_served_at_the_edge_too() {
    let groups = [
        ("organizations", "/api/org"),
        ("members", "/api/members"),
        ("roles", "/api/roles"),
        ("projects", PROJECTS),
        ("audit_log", "/api/audit-logs"),
        ("webhooks", "/api/webhook-endpoints"),
    ];
    for (chosen, path) in groups {
        let house = House::with(|settings| {
            settings.with(|value| {
                let api = value["apis"].as_array_mut().expect("apis").iter_mut();
                api.filter(|api| api["dialect"] == json!("ocore"))
                    .for_each(|api| api["builtin"] = json!([chosen]));
            })
        });
        let owner = house.person("owner");
        let at_edge = owner.ours(get(path)).expect(200);
        let inside = owner.admin(get(path)).expect(200);
        assert_eq!(
            at_edge.json().as_object().map(|it| it.len()),
            inside.json().as_object().map(|it| it.len())
        );
        assert!(house.upstream.seen(&at_edge.tag).is_empty(), "{path} is the gateway's");
        assert_ocore(&house.send(&get(path).org(SLUG)), 401);
        for (_, other) in groups.iter().filter(|(name, _)| *name != chosen) {
            let reply = owner.ours(get(other));
            let passed_on = house.upstream.seen(&reply.tag).len() == 1;
            assert!(reply.status == 404 || passed_on, "{chosen}: {other} is not");
        }
        // The usual ones stay, and the server's admins' are inside whatever is named.
        owner.ours(get("/api/api-keys")).expect(200);
        let users = owner.ours(get("/api/admin/users"));
        assert!(users.status == 404 || house.upstream.seen(&users.tag).len() == 1);
    }
}

#[test]
fn names_show_as_what_they_are() {
    let house = House::open();
    let owner = house.person("owner");
    let project = owner.admin(post("/api/projects").json(&json!({ "name": "Invoices" }))).expect(201).json();
    let path = format!("/api/projects/{}", text(&project, "id"));
    // Turns what follows around; is not seen; ends a line.
    for name in ["a\u{202e}b", "a\u{200b}b", "a\nb"] {
        let body = json!({ "name": name });
        for request in [patch("/api/org"), post("/api/projects"), patch(&path)] {
            assert_eq!(
                assert_ocore(&owner.admin(request.json(&body)), 400)["field"],
                json!("name"),
                "{name:?}"
            );
        }
    }
}
