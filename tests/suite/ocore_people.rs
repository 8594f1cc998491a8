//! `/api/admin/users`: everybody, as the server's admins look after them.

use crate::support::control::audit_of;
use crate::support::fixture::email;
use crate::support::person::{House, PASSWORD, login, text};
use crate::support::settings::{ORG, SLUG};
use crate::support::{Request, assert_ocore, delete, get, patch, post};
use serde_json::{Value, json};

const PEOPLE: &str = "/api/admin/users";

fn one(name: &str) -> String {
    format!("{PEOPLE}/{}", email(name))
}

fn alter(name: &str, body: Value) -> Request {
    patch(&one(name)).json(&body)
}

#[test]
fn only_the_server_s_admins_look_after_everybody() {
    let house = House::open();
    let owner = house.person("owner");
    for request in [
        get(PEOPLE),
        post(PEOPLE).json(&json!({})),
        get(&one("viewer")),
        alter("owner", json!({ "isServerAdmin": true })),
        alter("owner", json!({ "isServerAdmin": 1 })),
        delete(&one("viewer")),
        post(&format!("{}/password-reset", one("viewer"))),
        get("/api/admin/organizations"),
    ] {
        assert_ocore(&owner.admin(request), 403);
    }
    house.appoint("owner");
    let page = owner.admin(get(&format!("{PEOPLE}?limit=4"))).expect(200).json();
    let rest = format!("{PEOPLE}?cursor={}", text(&page, "next_cursor"));
    let rest = owner.admin(get(&rest)).expect(200).json();
    let count = |page: &Value| page["data"].as_array().expect("data").len();
    assert_eq!((count(&page), count(&rest)), (4, 2));
    let found = owner.admin(get(&format!("{PEOPLE}?search=VIEW"))).expect(200).json();
    let viewer = &found["data"][0];
    assert_eq!((count(&found), text(viewer, "email")), (1, email("viewer")));
    assert_eq!((&viewer["isActive"], &viewer["isServerAdmin"]), (&json!(true), &json!(false)));
    assert_eq!(viewer["organizations"][0]["slug"], json!(SLUG));
    assert_eq!(owner.admin(get(&format!("{PEOPLE}/{}", text(viewer, "id")))).expect(200).json(), *viewer);
    let organizations = owner.admin(get("/api/admin/organizations?search=my-")).expect(200).json();
    assert_eq!((count(&organizations), &organizations["data"][0]["id"]), (1, &json!(ORG)));
}

#[test]
fn an_admin_is_made_and_unmade_and_one_stays() {
    let house = House::open();
    house.appoint("owner");
    let (owner, both) = (house.person("owner"), house.person("both"));
    let grant = |flag: bool| json!({ "isServerAdmin": flag });
    assert_ocore(&owner.admin(alter("owner", grant(false))), 409);
    assert_ocore(&owner.admin(alter("owner", json!({ "isActive": false }))), 409);
    owner.admin(alter("both", grant(true))).expect(200);
    both.admin(get(PEOPLE)).expect(200);
    assert_eq!(both.admin(alter("owner", grant(false))).expect(200).json()["isServerAdmin"], json!(false));
    assert_ocore(&owner.admin(get(PEOPLE)), 403);
    assert_ocore(&both.admin(alter("nobody", grant(true))), 404);
    assert_ocore(&both.admin(alter("viewer", json!({ "name": "" }))), 400);
    let log = audit_of(&house.gateway, &owner.id);
    assert_eq!(log.last().expect("entries").0, "user.admin_revoked");
    assert!(log.last().expect("entries").1.contains(&email("both")), "{log:?}");
}

#[test]
fn who_is_blocked_is_out_at_once_and_comes_back_without_their_sessions() {
    let house = House::open();
    house.appoint("owner");
    let (owner, admin) = (house.person("owner"), house.person("admin"));
    let body = json!({ "name": "a", "permissions": ["view:servers"] });
    let key = text(&admin.ours(post("/api/api-keys").json(&body)).expect(201).json(), "key");
    let edge = |credential: &str| house.send(&get("/api/servers").bearer(credential).org(SLUG)).status;
    assert_eq!((edge(&key), edge(&admin.access)), (200, 200));
    owner.admin(alter("admin", json!({ "isActive": false }))).expect(200);
    assert_eq!((edge(&key), edge(&admin.access)), (403, 401));
    assert_ocore(&house.login("admin"), 401);
    owner.admin(alter("admin", json!({ "isActive": true, "name": "Back" }))).expect(200);
    assert_eq!((edge(&key), edge(&admin.access)), (200, 401), "the session is over");
    house.login("admin").expect(200);
    let actions: Vec<_> = audit_of(&house.gateway, &admin.id).into_iter().map(|entry| entry.0).collect();
    assert!(
        actions.contains(&"user.deactivated".to_owned()) && actions.contains(&"user.activated".to_owned())
    );
}

#[test]
fn people_are_made_and_removed() {
    let house = House::open();
    house.appoint("owner");
    let owner = house.person("owner");
    let make = |body: Value| owner.admin(post(PEOPLE).json(&body));
    let body =
        json!({ "email": email("new"), "password": PASSWORD, "organization": SLUG, "role": "developer" });
    let made = make(body.clone()).expect(201).json();
    assert_eq!(
        (&made["name"], &made["organizations"][0]["role"]["id"]),
        (&json!("new"), &json!("developer"))
    );
    let new = house.person("new");
    new.ours(get("/api/servers")).expect(200);
    assert_ocore(&make(body), 409);
    let alone =
        make(json!({ "email": email("alone"), "name": "Al", "password": PASSWORD })).expect(201).json();
    assert_eq!(alone["organizations"], json!([]));
    for (field, body) in [
        ("email", json!({ "password": PASSWORD })),
        ("password", json!({ "email": email("x") })),
        ("password", json!({ "email": email("x"), "password": "short" })),
        ("email", json!({ "email": "x", "password": PASSWORD })),
        ("organization", json!({ "email": email("x"), "password": PASSWORD, "role": "viewer" })),
        ("role", json!({ "email": email("x"), "password": PASSWORD, "organization": SLUG, "role": "king" })),
    ] {
        assert_eq!(assert_ocore(&make(body.clone()), 400)["field"], json!(field), "{body}");
    }
    assert_ocore(&make(json!({ "email": email("x"), "password": PASSWORD, "organization": "nowhere" })), 404);

    let reset = owner.admin(post(&format!("{}/password-reset", one("alone")))).expect(201).json();
    let body = json!({ "token": text(&reset, "token"), "password": "another horse 2" });
    house.send(&post("/api/auth/reset-password").json(&body)).expect(200);
    house.send(&login("alone", "another horse 2")).expect(200);
    assert_ocore(&owner.admin(post(&format!("{}/password-reset", one("nobody")))), 404);

    // Who owns an organization alone has to hand it over first.
    assert_ocore(&owner.admin(delete(&one("stranger"))), 409);
    assert_ocore(&owner.admin(delete(&one("owner"))), 409);
    owner.admin(delete(&one("new"))).expect(200);
    assert_ocore(&new.ours(get("/api/servers")), 401);
    assert_ocore(&owner.admin(get(&one("new"))), 404);
    assert_ocore(&owner.admin(delete(&one("new"))), 404);
    let log = audit_of(&house.gateway, &new.id);
    assert_eq!(log.last().expect("entries").0, "user.deleted");
}
