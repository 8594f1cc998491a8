//! CONTRACT B.1 and B.2: members, roles and invitations of an organization, and accounts that people make.

use crate::support::fixture::email;
use crate::support::person::{House, PASSWORD, Person, login, text};
use crate::support::settings::{OTHER_SLUG, SLUG};
use crate::support::{Request, assert_ocore, delete, get, patch, post, put};
use serde_json::{Value, json};

fn data(page: &Value) -> &Vec<Value> {
    page["data"].as_array().unwrap_or_else(|| panic!("no data in {page}"))
}

fn role_of(person: &Person<'_>, role: &str) -> Request {
    patch(&format!("/api/members/{}/role", person.id)).json(&json!({ "role": role }))
}

fn removal(person: &Person<'_>) -> Request {
    delete(&format!("/api/members/{}", person.id))
}

#[test]
fn r14_members_and_roles_are_the_admin_listener_s() {
    let house = House::open();
    let owner = house.person("owner");
    for path in ["/api/members", "/api/roles", "/api/permissions", "/api/invite-links"] {
        owner.admin(get(path)).expect(200);
        assert_ocore(&house.admin(&get(path)), 401);
    }
    // At the edge the path is the upstream's.
    let at_edge = get("/api/members");
    owner.ours(at_edge.clone()).expect(200);
    let request = get("/api/members").bearer(&owner.access).org(SLUG);
    let reply = house.send(&request).expect(200);
    assert_eq!(house.upstream.seen(&reply.tag).len(), 1);
}

#[test]
fn b11_members_are_listed_with_their_roles() {
    let house = House::open();
    let page = house.person("viewer").admin(get("/api/members?limit=2")).expect(200).json();
    assert_eq!((data(&page).len(), &page["has_more"]), (2, &json!(true)));
    let rest = format!("/api/members?cursor={}", text(&page, "next_cursor"));
    let rest = house.person("viewer").admin(get(&rest)).expect(200).json();
    let all: Vec<_> = data(&page)
        .iter()
        .chain(data(&rest))
        .map(|member| (text(member, "name"), text(&member["role"], "id")))
        .collect();
    let mut sorted = all.clone();
    sorted.sort();
    let wanted = ["admin:admin", "both:owner", "developer:developer", "owner:owner", "viewer:viewer"];
    assert_eq!(sorted.iter().map(|(name, role)| format!("{name}:{role}")).collect::<Vec<_>>(), wanted);
    assert_ocore(&house.person("stranger").admin(get("/api/members")), 403);
}

#[test]
fn c58_a_change_of_role_is_in_force_at_once_for_sessions_and_keys() {
    let house = House::open();
    let (owner, admin) = (house.person("owner"), house.person("admin"));
    let body = json!({ "name": "a", "permissions": ["manage:servers"] });
    let key = text(&admin.ours(post("/api/api-keys").json(&body)).expect(201).json(), "key");
    let by_key = || house.send(&post("/api/servers").json(&json!({})).bearer(&key)).status;
    let by_person = || admin.ours(post("/api/servers").json(&json!({}))).status;
    assert_eq!((by_key(), by_person()), (200, 200));
    let reply = owner.admin(role_of(&admin, "viewer")).expect(200).json();
    assert_eq!(reply["role"]["id"], json!("viewer"));
    assert_eq!((by_key(), by_person()), (403, 403), "from the moment of the answer");
    assert_ocore(&admin.ours(delete("/api/api-keys/x")), 403);
    owner
        .admin(put(&format!("/api/members/{}/role", admin.id)).json(&json!({ "role": "admin" })))
        .expect(200);
    assert_eq!((by_key(), by_person()), (200, 200));
    // Who is taken out leaves keys behind that grant nothing.
    owner.admin(removal(&admin)).expect(200);
    assert_eq!(by_key(), 403);
    assert_ocore(&admin.ours(get("/api/anything")), 403);
    assert_ocore(&owner.admin(removal(&admin)), 404);
}

#[test]
fn b11_owners_are_owners_business_and_one_stays() {
    let house = House::open();
    let [owner, admin, developer, both] =
        ["owner", "admin", "developer", "both"].map(|name| house.person(name));
    assert_ocore(&admin.admin(role_of(&owner, "viewer")), 403);
    assert_ocore(&admin.admin(removal(&owner)), 403);
    assert_ocore(&admin.admin(role_of(&developer, "owner")), 403);
    assert_ocore(&developer.admin(role_of(&developer, "admin")), 403);
    assert_ocore(&developer.admin(removal(&admin)), 403);
    admin.admin(role_of(&developer, "admin")).expect(200);
    owner.admin(role_of(&both, "viewer")).expect(200);
    assert_ocore(&owner.admin(role_of(&owner, "viewer")), 409);
    assert_ocore(&owner.admin(post("/api/members/leave")), 409);
    assert_eq!(assert_ocore(&owner.admin(role_of(&both, "nobody")), 400)["field"], json!("role"));
    both.admin(post("/api/members/leave")).expect(200);
    assert_ocore(&both.admin(get("/api/members")), 403);
}

fn role(name: &str, permissions: &[&str]) -> Request {
    post("/api/roles").json(&json!({ "name": name, "permissions": permissions }))
}

#[test]
fn b11_b10_an_organization_makes_roles_of_its_own() {
    let house = House::open();
    let (owner, viewer) = (house.person("owner"), house.person("viewer"));
    let made = owner.admin(role("Key keeper", &["manage:api-keys", "view:servers"])).expect(201).json();
    let path = format!("/api/roles/{}", text(&made, "id"));
    owner.admin(role_of(&viewer, "Key keeper")).expect(200);
    // What it grants, and no more; nor does it hand on more.
    viewer.ours(get("/api/servers")).expect(200);
    assert_ocore(&viewer.ours(post("/api/servers").json(&json!({}))), 403);
    assert_ocore(&viewer.admin(get("/api/members")), 403);
    let ask = |name: &str, permission: &str| {
        viewer.ours(post("/api/api-keys").json(&json!({ "name": name, "permissions": [permission] })))
    };
    assert_ocore(&ask("a", "manage:servers"), 403);
    assert_ocore(&ask("a", "view:*"), 403);
    let record = ask("a", "view:servers").expect(201).json();
    let status = || house.send(&get("/api/servers").bearer(&text(&record, "key"))).status;
    assert_eq!(status(), 200);
    // Somebody else's wider key is not narrowed by it, and not widened either.
    let wider = json!({ "permissions": ["view:servers", "manage:servers"] });
    assert_ocore(&viewer.ours(patch(&format!("/api/api-keys/{}", text(&record, "id"))).json(&wider)), 403);
    // The role changes: in force at once, for the person and the key.
    owner.admin(patch(&path).json(&json!({ "permissions": ["view:instances"] }))).expect(200);
    assert_eq!(status(), 403);
    assert_ocore(&viewer.ours(get("/api/servers")), 403);
    viewer.ours(get("/api/instances")).expect(200);
    assert_ocore(&owner.admin(delete(&path)), 409);
    owner.admin(role_of(&viewer, "viewer")).expect(200);
    owner.admin(delete(&path)).expect(200);
    assert_ocore(&owner.admin(delete(&path)), 404);
}

#[test]
fn b11_built_in_roles_stay_as_they_are() {
    let house = House::open();
    let owner = house.person("owner");
    let listed = owner.admin(get("/api/roles")).expect(200).json();
    let names: Vec<_> =
        data(&listed).iter().map(|role| (text(role, "name"), role["isSystem"] == json!(true))).collect();
    assert_eq!(names, ["owner", "admin", "developer", "viewer"].map(|name| (name.to_owned(), true)));
    for request in
        [patch("/api/roles/viewer").json(&json!({ "permissions": ["manage:*"] })), delete("/api/roles/owner")]
    {
        assert_ocore(&owner.admin(request), 403);
    }
    for taken in ["owner", "Viewer"] {
        assert_ocore(&owner.admin(role(taken, &["view:servers"])), 409);
    }
    owner.admin(role("mine", &["view:servers"])).expect(201);
    assert_ocore(&owner.admin(role("mine", &["view:servers"])), 409);
    assert_eq!(assert_ocore(&owner.admin(role("x", &["fly:rockets"])), 400)["field"], json!("permissions"));
    assert_eq!(assert_ocore(&owner.admin(role("", &["view:servers"])), 400)["field"], json!("name"));
    assert_ocore(&house.person("developer").admin(role("x", &["view:servers"])), 403);
    // Permissions that the configuration's routes ask for are known, too.
    let known = owner.admin(get("/api/permissions")).expect(200).json();
    assert!(data(&known).contains(&json!("manage:servers")) && data(&known).contains(&json!("view:*")));
}

fn invite(body: Value) -> Request {
    post("/api/invite-links").json(&body)
}

fn signup(name: &str, invitation: Option<&str>) -> Request {
    let body = json!({ "email": email(name), "name": name, "password": PASSWORD, "invitation": invitation });
    post("/api/auth/signup").json(&body)
}

#[test]
fn b2_signup_takes_an_invitation_and_joins_with_it() {
    let house = House::open();
    let admin = house.person("admin");
    assert_ocore(&house.send(&signup("new", None)), 403);
    assert_ocore(&house.send(&signup("new", Some("invite_made_up"))), 403);
    let made = admin.admin(invite(json!({ "role": "developer", "email": email("new") }))).expect(201).json();
    let token = text(&made, "token");
    assert!(text(&made, "link").ends_with(&token));
    let listed = admin.admin(get("/api/invite-links")).expect(200);
    assert!(!listed.text().contains(&token), "shown once");
    assert_eq!(data(&listed.json()).len(), 1);
    assert_ocore(&house.send(&signup("other", Some(&token))), 403);
    let weak = json!({ "email": email("new"), "name": "new", "password": "weak", "invitation": token });
    assert_eq!(
        assert_ocore(&house.send(&post("/api/auth/signup").json(&weak)), 400)["field"],
        json!("password")
    );
    let reply = house.send(&signup("new", Some(&token))).expect(201);
    assert_eq!(reply.json()["user"]["email"], json!(email("new")));
    assert!(reply.all("set-cookie").is_empty(), "one logs in afterwards");
    let person = house.person("new");
    person.ours(post("/api/servers").json(&json!({}))).expect(200);
    // Good once.
    assert_ocore(&house.send(&signup("new", Some(&token))), 403);
    assert_eq!(data(&admin.admin(get("/api/invite-links")).expect(200).json()).len(), 0);
}

#[test]
fn b2_signup_409_for_an_address_that_is_taken() {
    let house = House::open();
    let owner = house.person("owner");
    let token = text(&owner.admin(invite(json!({ "role": "viewer" }))).expect(201).json(), "token");
    assert_ocore(&house.send(&signup("Developer", Some(&token))), 409);
    house.send(&signup("new", Some(&token))).expect(201);
}

#[test]
fn b2_signup_is_open_or_closed_where_the_configuration_says_so() {
    for (mode, status) in [("open", 201), ("closed", 403)] {
        let house =
            House::with(|settings| settings.with(|value| value["accounts"] = json!({ "signup": mode })));
        let reply = house.send(&signup("new", None));
        assert_eq!(reply.status, status, "{}", reply.text());
        if mode == "open" {
            let person = house.person("new");
            // Belongs nowhere yet.
            assert_ocore(&person.ours(get("/api/anything")), 403);
        } else {
            assert_ocore(&house.send(&login("new", PASSWORD)), 401);
        }
    }
}

#[test]
fn invitations_are_taken_up_once_and_can_be_taken_back() {
    let house = House::open();
    let [owner, admin, developer, stranger] =
        ["owner", "admin", "developer", "stranger"].map(|name| house.person(name));
    assert_ocore(&developer.admin(invite(json!({ "role": "viewer" }))), 403);
    assert_ocore(&developer.admin(get("/api/invite-links")), 403);
    assert_ocore(&admin.admin(invite(json!({ "role": "owner" }))), 403);
    for (field, body) in [
        ("role", json!({ "role": "nobody" })),
        ("role", json!({})),
        ("email", json!({ "role": "viewer", "email": "x" })),
        ("expiresIn", json!({ "role": "viewer", "expiresIn": 0 })),
        ("expiresIn", json!({ "role": "viewer", "expiresIn": 9_999_999 })),
    ] {
        assert_eq!(assert_ocore(&admin.admin(invite(body.clone())), 400)["field"], json!(field), "{body}");
    }
    let make = |body: Value| admin.admin(invite(body)).expect(201).json();
    let accept = |person: &Person<'_>, token: &str| {
        person.send(post("/api/auth/invitations/accept").json(&json!({ "token": token })))
    };
    let made = make(json!({ "role": "viewer" }));
    let token = text(&made, "token");
    assert_ocore(&accept(&developer, &token), 409);
    accept(&stranger, &token).expect(200);
    stranger.ours(get("/api/servers")).expect(200);
    assert_ocore(&accept(&stranger, &token), 404);
    let back = make(json!({ "role": "viewer" }));
    owner.admin(delete(&format!("/api/invite-links/{}", text(&back, "id")))).expect(200);
    assert_ocore(&accept(&stranger, &text(&back, "token")), 404);
    let short = make(json!({ "role": "viewer", "expiresIn": 1 }));
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert_ocore(&accept(&stranger, &text(&short, "token")), 404);
    let named = make(json!({ "role": "viewer", "email": "somebody@example.com" }));
    assert_ocore(&accept(&stranger, &text(&named, "token")), 403);
}

#[test]
fn b7_the_admin_listener_asks_for_the_organization_as_the_edge_does() {
    let house = House::open();
    let both = house.person("both");
    let bare = get("/api/members").bearer(&both.access);
    assert_eq!(assert_ocore(&house.admin(&bare), 400)["field"], json!("X-Org-Slug"));
    house.admin(&get("/api/members").bearer(&both.access).org(OTHER_SLUG)).expect(200);
}
