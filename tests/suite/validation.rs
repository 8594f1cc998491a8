//! CONTRACT A30 to A32 and traps 21 to 37: active, unexpired, from an allowed address, and what is counted.

use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::{organization, world};
use crate::support::{assert_ocriva, get, wait};
use serde_json::json;
use std::time::Duration;

const TEMPLATES: &str = "/v1/openapi/templates";

#[test]
fn a30_each_successful_validation_counts_one() {
    let w = world();
    let key = w.org_key();
    assert_eq!(w.gateway.usage(&key), (0, false));
    for _ in 0..5 {
        w.arrives(&get(TEMPLATES).key(&key));
    }
    wait::until("usageCount is 5", || w.gateway.usage(&key) == (5, true));
}

#[test]
fn a30_c39_jwt_and_bearer_count_for_their_key() {
    let w = world();
    let key = w.org_key();
    let token = w.token(&key);
    w.arrives(&get(TEMPLATES).bearer(&token));
    w.arrives(&get(TEMPLATES).bearer(&key));
    wait::until("usageCount is 3", || w.gateway.usage(&key).0 == 3);
}

#[test]
fn a31_an_inactive_key_is_refused() {
    let w = world();
    let key = w.key("inactive");
    w.refused(&get(TEMPLATES).key(&key), 401, None);
    w.refused(&get(TEMPLATES).bearer(&key), 401, None);
}

#[test]
fn a31_c21_an_import_that_deactivates_a_key_ends_it_and_its_jwt() {
    let upstream = Upstream::http();
    let key = ocriva_key();
    let fixture = |active: bool| {
        let mut org = organization();
        org.token(&key, json!({ "name": "one", "isActive": active }));
        Fixture::default().with(org)
    };
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &fixture(true));
    let login = crate::support::post("/v1/openapi/auth/login").json(&json!({ "token": key }));
    let token = gateway.send(&login).expect(200).json()["accessToken"].as_str().expect("a token").to_owned();
    gateway.send(&get(TEMPLATES).key(&key)).expect(200);
    gateway.send(&get(TEMPLATES).bearer(&token)).expect(200);
    gateway.import(&fixture(false).text()).expect_success();
    // Another process wrote to the store; the running gateway learns of it by the store's change counter.
    wait::until("the key is refused", || gateway.send(&get(TEMPLATES).key(&key)).status == 401);
    assert_ocriva(&gateway.send(&get(TEMPLATES).bearer(&token)), 401, None);
    gateway.import(&fixture(true).text()).expect_success();
    wait::until("the key is back", || gateway.send(&get(TEMPLATES).key(&key)).status == 200);
}

#[test]
fn a32_c25_an_expired_key_is_refused_and_stays_active() {
    let w = world();
    let key = w.key("expired");
    w.refused(&get(TEMPLATES).key(&key), 401, None);
    assert_eq!(w.gateway.usage(&key), (0, false));
}

#[test]
fn a32_a_key_expires_while_the_gateway_runs() {
    let upstream = Upstream::http();
    let key = ocriva_key();
    let mut org = organization();
    let end = wait::now().unix_s() + 8;
    org.token(&key, json!({ "expiresAt": super::login::rfc3339(end) }));
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(org));
    let mut connection = gateway.connect();
    assert_eq!(connection.send(&get(TEMPLATES).key(&key)).status, 200, "it expires only in seconds");
    let left = (end + 1).saturating_sub(wait::now().unix_s());
    std::thread::sleep(Duration::from_secs(left));
    assert_ocriva(&connection.send(&get(TEMPLATES).key(&key)), 401, None);
}

#[test]
fn c27_only_successful_validations_count() {
    let w = world();
    let (expired, inactive, address) = (w.key("expired"), w.key("inactive"), w.key("127.0.0.2"));
    let mismatch = w.org_key();
    w.refused(&get(TEMPLATES).key(&expired), 401, None);
    w.refused(&get(TEMPLATES).key(&inactive), 401, None);
    w.refused(&get(TEMPLATES).key(&address), 403, None);
    w.refused(&get(&format!("{TEMPLATES}?projectId={FOREIGN}")).key(&mismatch), 401, None);
    // The mismatch was a valid key's; it is stored after the others, so that theirs would be seen too.
    wait::until("the mismatch is counted", || w.gateway.usage(&mismatch).0 == 1);
    for key in [expired, inactive, address] {
        assert_eq!(w.gateway.usage(&key), (0, false));
    }
}

#[test]
fn c27_a_429_is_no_validation() {
    let w = world();
    let key = w.org_key();
    let passed = (0..90).filter(|_| w.send(&get(TEMPLATES).key(&key)).status == 200).count();
    assert!((60..90).contains(&passed), "{passed} passed");
    wait::until("only what passed is counted", || w.gateway.usage(&key).0 == passed as u64);
}

#[test]
fn c28_nothing_is_lost_under_load() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let gateway =
        Gateway::start(&Settings::usual(&upstream.url()).unlimited(), &Fixture::default().with(org));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                for _ in 0..50 {
                    assert_eq!(connection.send(&get(TEMPLATES).key(&key)).status, 200);
                }
            });
        }
    });
    wait::until("usageCount is 400", || gateway.usage(&key).0 == 400);
}

#[test]
fn c30_free_form_permissions_and_scopes_go_upstream_in_order() {
    let w = world();
    let (_, record) = w.arrives(&get(TEMPLATES).key(&w.key("free-form")));
    let identity = record.identity();
    assert_eq!(identity["permissions"], json!(["banana", "two words", "อ่าน"]));
    assert_eq!(identity["scopes"], json!(["อ่าน ได้", "Z", "a"]));
    assert!(record.header("x-gateway-permissions").is_some_and(|list| list.contains("banana")));
}

#[test]
fn c30_they_are_enforced_only_where_a_route_says_so() {
    let w = world();
    w.arrives(&get("/v1/openapi/permitted").key(&w.key("free-form")));
    w.arrives(&get("/v1/openapi/scoped").key(&w.key("free-form")));
    w.refused(&get("/v1/openapi/permitted").key(&w.org_key()), 403, None);
    w.refused(&get("/v1/openapi/scoped").key(&w.org_key()), 403, None);
}

#[test]
fn c34_a_spoofed_forwarded_for_neither_passes_nor_locks_out() {
    let w = world();
    let (listed, other) = (w.key("127.0.0.1"), w.key("127.0.0.2"));
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"] {
        w.refused(&get(TEMPLATES).key(&other).header(header, "127.0.0.2"), 403, None);
        w.arrives(&get(TEMPLATES).key(&listed).header(header, "203.0.113.9"));
    }
}

#[test]
fn c34_the_peer_address_is_what_counts() {
    let w = world();
    let key = w.key("127.0.0.2");
    w.refused(&get(TEMPLATES).key(&key), 403, None);
    assert_eq!(w.gateway.send_from([127, 0, 0, 2], &get(TEMPLATES).key(&key)).status, 200);
    let reply = w.gateway.send_from([127, 0, 0, 3], &get(TEMPLATES).key(&key));
    assert_ocriva(&reply, 403, None);
}

#[test]
fn c35_mapped_addresses_and_host_bits_are_normalised() {
    let w = world();
    w.arrives(&get(TEMPLATES).key(&w.key("mapped")));
    w.arrives(&get(TEMPLATES).key(&w.key("host bits")));
    w.arrives(&get(TEMPLATES).key(&w.key("all of IPv4")));
}

#[test]
fn c35_a_fixture_with_a_bad_network_is_refused_whole() {
    for bad in ["10.0.0.0/33", "10.0.0", "::/129", "localhost", ""] {
        let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
        let mut org = organization();
        org.org_key();
        org.token(&ocriva_key(), json!({ "ipWhitelist": [bad] }));
        let ran = gateway.import(&Fixture::default().with(org).text()).0;
        assert_eq!(ran.status.code(), Some(1), "{bad:?} was taken");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn c36_an_empty_whitelist_is_anyone() {
    let w = world();
    let key = w.key("empty whitelist");
    w.arrives(&get(TEMPLATES).key(&key));
    assert_eq!(w.gateway.send_from([127, 8, 8, 8], &get(TEMPLATES).key(&key)).status, 200);
}

#[test]
fn c37_the_address_is_checked_for_the_jwt_too() {
    let w = world();
    let key = w.key("127.0.0.1");
    let token = w.token(&key);
    w.arrives(&get(TEMPLATES).bearer(&token));
    let moved = w.gateway.send_from([127, 0, 0, 9], &get(TEMPLATES).bearer(&token));
    assert_ocriva(&moved, 403, None);
}
