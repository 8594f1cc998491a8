//! CONTRACT B.1: credentials and organizations of the `ocore` dialect, and what permissions allow.

use crate::support::settings::{ORG, OTHER_ORG, OTHER_SLUG, SLUG};
use crate::support::world::{BOTH, DEVELOPER, VIEWER, world};
use crate::support::{delete, get, jwt, method, patch, post, put};
use serde_json::json;

const SERVERS: &str = "/api/servers";

#[test]
fn b01_the_surface_is_json_under_api() {
    let w = world();
    let (reply, record) = w.arrives(&get("/api/servers/7?x=1").bearer(&w.key("view:servers")));
    assert_eq!(
        (record.target.as_str(), reply.body.as_slice()),
        ("/api/servers/7?x=1", &br#"{"ok":true}"#[..])
    );
}

#[test]
fn b02_a_key_or_a_jwt_as_bearer() {
    let w = world();
    w.arrives(&get(SERVERS).bearer(&w.key("view:servers")));
    w.arrives(&get(SERVERS).bearer(&w.access(DEVELOPER)));
}

#[test]
fn b02_a_jwt_of_another_making_is_refused() {
    let w = world();
    let good = jwt::claims(&w.access(DEVELOPER));
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        jwt::hs256(&claims)
    };
    let bad = [
        with("aud", json!("portcullis:ocriva")),
        with("iss", json!("somebody")),
        with("typ", json!("refresh")),
        with("typ", json!("partial")),
        with("exp", json!(1_600_000_000)),
        with("sub", json!("nobody")),
        format!("{}.{}.", jwt::part(&json!({"alg": "none"})), jwt::part(&good)),
        jwt::sign(&json!({"alg": "HS512"}), &good, jwt::SECRET),
        jwt::sign(&json!({"alg": "HS256"}), &good, "another secret of more than 32 characters"),
    ];
    for token in bad {
        w.refused_ocore(&get(SERVERS).bearer(&token), 401);
    }
    w.arrives(&get(SERVERS).bearer(&jwt::hs256(&good)));
}

#[test]
fn b03_x_api_key_is_no_credential_here() {
    let w = world();
    let key = w.key("view:servers");
    w.refused_ocore(&get(SERVERS).key(&key), 401);
    let (_, record) = w.arrives(&get(SERVERS).bearer(&key).key("ocr_stray"));
    assert_eq!(record.header("x-api-key"), None);
}

#[test]
fn b04_the_header_names_the_organization() {
    let w = world();
    let token = w.access(BOTH);
    let (_, record) = w.arrives(&get(SERVERS).bearer(&token).org(SLUG));
    assert_eq!(record.header("x-gateway-organization-id"), Some(ORG));
    let (_, record) = w.arrives(&get(SERVERS).bearer(&token).org(OTHER_SLUG));
    assert_eq!(record.header("x-gateway-organization-id"), Some(OTHER_ORG));
}

#[test]
fn b05_r8_it_is_optional_where_the_organization_is_unambiguous() {
    let w = world();
    for token in [w.key("view:servers"), w.access(DEVELOPER)] {
        let (_, record) = w.arrives(&get(SERVERS).bearer(&token));
        assert_eq!(record.header("x-gateway-organization-id"), Some(ORG));
    }
}

#[test]
fn b06_c56_the_header_cannot_widen_a_key() {
    let w = world();
    let key = w.key("view:servers");
    w.arrives(&get(SERVERS).bearer(&key).org(SLUG));
    w.refused_ocore(&get(SERVERS).bearer(&key).org(OTHER_SLUG), 403);
    w.refused_ocore(&get(SERVERS).bearer(&key).org("no-such-org"), 403);
    // Two lines that differ leave no one to believe.
    let reply = w.send(&get(SERVERS).bearer(&key).org(SLUG).org(OTHER_SLUG));
    assert!(reply.status == 400 || reply.status == 403, "{reply:?}");
}

#[test]
fn b07_a_person_of_several_organizations_must_name_one() {
    let w = world();
    let details = w.refused_ocore(&get(SERVERS).bearer(&w.access(BOTH)), 400);
    assert_eq!(details["field"], json!("X-Org-Slug"));
}

#[test]
fn b07_an_unknown_slug_and_no_membership_are_one_answer() {
    let w = world();
    let token = w.access(DEVELOPER);
    let unknown = w.send(&get(SERVERS).bearer(&token).org("no-such-org"));
    let foreign = w.send(&get(SERVERS).bearer(&token).org(OTHER_SLUG));
    crate::support::assert_ocore(&unknown, 403);
    assert_eq!(unknown.body, foreign.body);
}

#[test]
fn b08_fixtures_hold_slugs_to_their_rule() {
    for slug in ["ab", "My-Org", "my_org", "ü-org", &"x".repeat(51)] {
        let org = crate::support::fixture::Organization::new("some-id", slug);
        let fixture = crate::support::fixture::Fixture::default().with(org);
        let settings = crate::support::settings::Settings::usual("http://127.0.0.1:1");
        let ran = crate::support::gateway::Gateway::prepare(&settings).import(&fixture.text()).0;
        assert_eq!(ran.status.code(), Some(1), "{slug:?} was taken");
    }
}

#[test]
fn b09_a_key_has_no_more_than_its_creators_role() {
    let w = world();
    let key = w.key("made by a viewer");
    w.arrives(&get(SERVERS).bearer(&key));
    w.refused_ocore(&post(SERVERS).json(&json!({})).bearer(&key), 403);
}

#[test]
fn b10_c57_manage_includes_view() {
    let w = world();
    let key = w.key("manage:servers");
    w.arrives(&get(SERVERS).bearer(&key));
    w.arrives(&post(SERVERS).json(&json!({})).bearer(&key));
    w.refused_ocore(&get("/api/instances").bearer(&key), 403);
}

#[test]
fn b11_c58_roles_decide_for_people() {
    let w = world();
    let create = || post(SERVERS).json(&json!({ "name": "a" }));
    w.arrives(&create().bearer(&w.access(DEVELOPER)));
    w.arrives(&get(SERVERS).bearer(&w.access(VIEWER)));
    w.refused_ocore(&create().bearer(&w.access(VIEWER)), 403);
    w.refused_ocore(&get(SERVERS).bearer(&w.access(DEVELOPER)).org(OTHER_SLUG), 403);
    // Owner in one organization, viewer in the other: the organization named is the one that counts.
    w.arrives(&create().bearer(&w.access(BOTH)).org(SLUG));
    w.refused_ocore(&create().bearer(&w.access(BOTH)).org(OTHER_SLUG), 403);
}

#[test]
fn c58_a_change_of_role_takes_effect_while_the_gateway_runs() {
    let upstream = crate::support::upstream::Upstream::http();
    let fixture = |role: &str| {
        let mut org = crate::support::world::organization();
        org.member("changing", role);
        crate::support::fixture::Fixture::default().with(org)
    };
    let settings = crate::support::settings::Settings::usual(&upstream.url());
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture("developer"));
    let database = gateway.db_path();
    let token = jwt::access(&database, &crate::support::world::user_id(&database, "changing"));
    let create = || gateway.send(&post(SERVERS).json(&json!({})).bearer(&token)).status;
    assert_eq!(create(), 200);
    gateway.import(&fixture("viewer").text()).expect_success();
    crate::support::wait::until("the same token may no more", || create() == 403);
}

#[test]
fn b12_each_resource_wants_its_own_manage_permission() {
    let w = world();
    for resource in ["servers", "instances", "members", "roles"] {
        let right = w.key(&format!("manage:{resource}"));
        let wrong = w.key(if resource == "servers" { "manage:roles" } else { "manage:servers" });
        let path = format!("/api/{resource}/7");
        for request in [put(&path), patch(&path), post(&path)] {
            w.arrives(&request.clone().json(&json!({})).bearer(&right));
            w.refused_ocore(&request.json(&json!({})).bearer(&wrong), 403);
        }
        w.arrives(&delete(&path).bearer(&right));
        w.refused_ocore(&delete(&path).bearer(&wrong), 403);
    }
}

#[test]
fn b13_view_to_read_and_manage_to_write() {
    let w = world();
    let viewer = w.key("view:servers");
    w.arrives(&get(SERVERS).bearer(&viewer));
    w.refused_ocore(&post(SERVERS).json(&json!({})).bearer(&viewer), 403);
    w.refused_ocore(&get(SERVERS).bearer(&w.key("banana")), 403);
}

#[test]
fn b14_bodies_say_that_they_are_json() {
    let w = world();
    let key = w.key("manage:servers");
    for request in [post(SERVERS), put("/api/servers/7"), patch("/api/servers/7")] {
        w.arrives(&request.clone().json(&json!({ "a": 1 })).bearer(&key));
        let with_charset = request.clone().body("application/json; charset=utf-8", "{}");
        w.arrives(&with_charset.bearer(&key));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"] {
            w.refused_ocore(&request.clone().body(kind, "{}").bearer(&key), 400);
        }
        w.refused_ocore(&request.raw_body("{}").bearer(&key), 400);
    }
}

#[test]
fn b15_keys_need_no_second_factor_and_no_refresh() {
    let w = world();
    let key = w.key("view:servers");
    for _ in 0..3 {
        w.arrives(&get(SERVERS).bearer(&key));
    }
}

#[test]
fn c16_methods_a_route_lacks_are_405_in_the_envelope() {
    let w = world();
    let reply = w.send(&method("REPORT", SERVERS).bearer(&w.key("manage:servers")));
    crate::support::assert_ocore(&reply, 405);
    let allow = reply.header("allow").expect("Allow");
    for method in ["GET", "POST", "DELETE"] {
        assert!(allow.contains(method), "Allow: {allow}");
    }
}
