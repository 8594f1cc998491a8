//! Who gets at the management of keys, and by what; each endpoint × each role is in `completeness`.

use crate::support::control::{Console, begin_session, text, wanted, write};
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{ADMIN, OWNER, organization, world};
use crate::support::{Reply, Request, assert_ocriva, get, jwt, method, post};
use serde_json::{Value, json};

/// A key made for the purpose.
fn fresh(owner: &Console<'_>) -> String {
    owner.made("asked about", json!({}))["id"].as_str().expect("an id").to_owned()
}

#[test]
fn c42_keys_and_what_is_made_from_them_manage_nothing() {
    let w = world();
    let owner = Console::open(&w.gateway, OWNER);
    let id = fresh(&owner);
    let key = w.org_key();
    let token = w.token(&key);
    for request in [get(&owner.path("")), method("DELETE", &owner.path(&format!("/{id}")))] {
        let bare = || request.clone();
        for request in
            [bare().key(&key), bare().bearer(&key), bare().bearer(&token), bare().key("ocr_unknown")]
        {
            assert_ocriva(&w.send(&request), 403, None);
        }
    }
    // Nothing was counted: the key was not looked at. (The login was a use.)
    assert!(w.gateway.usage(&key).0 <= 1);
    owner.show(&id).expect(200);
}

fn claims_of(person: &Console<'_>) -> Value {
    jwt::claims(&person.access)
}

#[test]
fn an_access_token_stands_and_falls_with_its_session() {
    let w = world();
    let owner = Console::open(&w.gateway, OWNER);
    let with = |claims: &Value| w.send(&get(&owner.path("")).bearer(&jwt::hs256(claims)));
    let sid = |claims: &mut Value, sid: &str| claims["sid"] = json!(sid);
    with(&claims_of(&owner)).expect(200);
    let altered = |alter: &dyn Fn(&mut Value)| {
        let mut claims = claims_of(&owner);
        alter(&mut claims);
        assert_ocriva(&with(&claims), 401, None);
    };
    altered(&|it| sid(it, "no-such"));
    altered(&|it| drop(it.as_object_mut().expect("claims").remove("sid")));
    altered(&|it| it["exp"] = json!(1));
    altered(&|it| it["aud"] = json!("portcullis:ocriva"));
    altered(&|it| it["typ"] = json!("refresh"));
    // Somebody else's session.
    let other = begin_session(&w.gateway, &Console::open(&w.gateway, ADMIN).id, 3_600_000);
    altered(&|it| sid(it, &other));
    let over = begin_session(&w.gateway, &owner.id, -1);
    altered(&|it| sid(it, &over));
    // Signed with what signs tokens that are made from keys.
    let forged = w.send(&get(&owner.path("")).bearer(&jwt::of_key(&claims_of(&owner))));
    assert_ocriva(&forged, 401, None);
    let ended = Console::open(&w.gateway, OWNER);
    ended.list("").expect(200);
    let id = text(&claims_of(&ended), "sid").to_owned();
    write(&w.gateway, "UPDATE sessions SET ended_ms = 1 WHERE id = ?1", [id.as_str()]);
    assert_ocriva(&ended.list(""), 401, None);
    owner.list("").expect(200);
}

#[test]
fn c58_a_role_counts_as_it_is_now() {
    let upstream = Upstream::http();
    let people = |role: &str, active: bool| {
        let mut ours = organization();
        ours.member("someone", role);
        ours.set_active("someone", active);
        crate::support::fixture::Fixture::default().with(ours)
    };
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &people("owner", true));
    let someone = Console::open(&gateway, "someone");
    let id = fresh(&someone);
    for (role, active, create, show) in [
        ("viewer", true, 403, 200),
        ("admin", true, 201, 200),
        ("admin", false, 401, 401),
        ("owner", true, 201, 200),
    ] {
        gateway.import(&people(role, active).text()).expect_success();
        assert_eq!(someone.create(&wanted("x", json!({}))).status, create, "{role}");
        assert_eq!(someone.show(&id).status, show, "{role}");
    }
}

#[test]
fn the_admin_listener_serves_the_same_endpoints() {
    let w = world();
    let owner = Console::open(&w.gateway, OWNER);
    let at_admin = |request: Request| -> Reply {
        crate::support::client::Connection::open(w.gateway.admin).send(&request)
    };
    let as_owner = |request: Request| at_admin(request.bearer(&owner.access));
    let made = as_owner(post(&owner.path("")).json(&wanted("from there", json!({})))).expect(201);
    assert!(made.header("x-request-id").is_some_and(|id| !id.is_empty()));
    let made = made.json();
    w.arrives(&get("/v1/openapi/templates").key(text(&made, "token")));
    as_owner(method("DELETE", &owner.path(&format!("/{}", text(&made, "id"))))).expect(204);
    w.refused(&get("/v1/openapi/templates").key(text(&made, "token")), 401, None);
    assert_ocriva(&at_admin(get(&owner.path(""))), 401, None);
    assert_ocriva(&at_admin(get(&owner.path("")).key(&w.org_key())), 403, None);
    let reply = as_owner(method("PUT", &owner.path("")));
    assert_ocriva(&reply, 405, None);
    assert_eq!(reply.header("allow"), Some("GET, HEAD, POST"));
    let large = post(&owner.path("")).body("application/json", vec![b'x'; 70_000]);
    assert_ocriva(&as_owner(large), 413, None);
    assert_eq!(at_admin(get("/healthz")).status, 200);
    assert_eq!(at_admin(get("/api/v1/nothing")).status, 404);
}

#[test]
fn an_api_without_builtin_endpoints_has_none_of_these() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| value["apis"][0]["builtin"] = json!(false));
    let mut ours = organization();
    ours.member("owner", "owner");
    let gateway = Gateway::start(&settings, &crate::support::fixture::Fixture::default().with(ours));
    crate::support::openapi::has_none(gateway.address);
    let owner = Console::open(&gateway, "owner");
    assert_ocriva(&owner.list(""), 404, None);
    assert_eq!(gateway.send(&post("/auth/login").json(&json!({}))).status, 404);
    // The admin listener has them whatever the APIs have.
    let reply = crate::support::client::Connection::open(gateway.admin)
        .send(&get(&owner.path("")).bearer(&owner.access));
    reply.expect(200);
}
