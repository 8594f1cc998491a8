//! CONTRACT A.3: a key is exchanged for a JWT, which dies with it.

use crate::support::settings::{ORG, P1};
use crate::support::world::world;
use crate::support::{Request, get, jwt, post, wait};
use serde_json::{Value, json};

const LOGIN: &str = "/v1/openapi/auth/login";

fn login(body: &Value) -> Request {
    post(LOGIN).json(body)
}

#[test]
fn a3_login_needs_no_credential_but_the_body() {
    let w = world();
    let body = w.login(&w.org_key());
    assert!(body["accessToken"].is_string() && body["expiresIn"].is_u64() && body["tokenInfo"].is_object());
}

#[test]
fn a3_login_members_are_these_and_never_the_key() {
    let w = world();
    let key = w.key("free-form");
    let answer = w.send(&login(&json!({ "token": key }))).expect(200);
    assert!(
        !answer.text().contains(&key)
            && !answer.text().contains(&portcullis::token::Digest::of(&key).to_hex())
    );
    let info = answer.json()["tokenInfo"].clone();
    let mut names: Vec<_> = info.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    let wanted = ["expiresAt", "id", "name", "organizationId", "permissions", "projectId", "scopes", "type"];
    assert_eq!(names, wanted);
    assert_eq!(info["type"], json!("organization"));
    assert_eq!(info["organizationId"], json!(ORG));
    assert_eq!(info["projectId"], Value::Null);
    // c30: free-form, in order, case kept.
    assert_eq!(info["permissions"], json!(["banana", "two words", "อ่าน"]));
    assert_eq!(info["scopes"], json!(["อ่าน ได้", "Z", "a"]));
    assert_timestamp(&info["expiresAt"]);
}

/// UTC, ISO 8601, exactly three fraction digits and `Z` (trap 20).
pub(super) fn assert_timestamp(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}

#[test]
fn a3_login_of_a_project_key_names_its_project() {
    let w = world();
    let info = w.login(&w.project_key())["tokenInfo"].clone();
    assert_eq!((&info["type"], &info["projectId"]), (&json!("project"), &json!(P1)));
}

#[test]
fn a3_login_life_is_an_hour_and_equals_the_claims() {
    let w = world();
    let body = w.login(&w.org_key());
    let claims = jwt::claims(body["accessToken"].as_str().expect("a token"));
    let (iat, exp) = (claims["iat"].as_u64().expect("iat"), claims["exp"].as_u64().expect("exp"));
    assert_eq!(body["expiresIn"], json!(3600));
    assert_eq!(exp - iat, 3600);
    assert!(wait::now().unix_s().abs_diff(iat) < 5);
    assert_eq!(claims["typ"], json!("ocriva_key"));
    assert_eq!(claims["iss"], json!("portcullis"));
    assert_eq!(claims["aud"], json!("portcullis:ocriva"));
    assert_eq!(claims["sub"], body["tokenInfo"]["id"]);
    assert!(claims["jti"].is_string() && claims["org"] == json!(ORG));
}

#[test]
fn a3_login_tokens_differ_from_each_other() {
    let w = world();
    let key = w.org_key();
    assert_ne!(w.token(&key), w.token(&key));
}

#[test]
fn a3_login_400_for_a_body_that_is_not_it() {
    let w = world();
    let key = w.org_key();
    let bodies = [
        json!({}),
        json!([]),
        json!("text"),
        json!(null),
        json!({ "token": null }),
        json!({ "token": "" }),
        json!({ "token": 7 }),
        json!({ "token": [key] }),
        json!({ "Token": key }),
    ];
    for body in bodies {
        w.refused(&login(&body), 400, None);
    }
    for body in ["", "{", "token=ocr_1", "{\"token\":\"ocr_1\"} x", "\u{feff}{\"token\":\"ocr_1\"}"] {
        w.refused(&post(LOGIN).body("application/json", body), 400, None);
    }
    w.refused(&post(LOGIN).body("application/json", b"{\"token\":\"\xff\"}"), 400, None);
}

#[test]
fn a3_login_401_for_keys_that_do_not_hold() {
    let w = world();
    let jwt = w.token(&w.org_key());
    let bad = [
        w.key("inactive"),
        w.key("expired"),
        w.key("view:servers"),
        jwt,
        "ocr_unknown".into(),
        "plain".into(),
    ];
    for token in bad {
        w.refused(&login(&json!({ "token": token })), 401, None);
    }
}

#[test]
fn a3_login_403_from_an_address_that_is_not_listed() {
    let w = world();
    let key = w.key("127.0.0.2");
    w.refused(&login(&json!({ "token": key })), 403, None);
    let reply = w.gateway.send_from([127, 0, 0, 2], &login(&json!({ "token": key })));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn a3_login_counts_in_the_keys_bucket() {
    let w = world();
    let key = w.org_key();
    let first = w.send(&login(&json!({ "token": key }))).expect(200);
    assert_eq!(first.number("x-ratelimit-limit"), 60);
    let mut statuses = (0..80).map(|_| w.send(&login(&json!({ "token": key }))));
    let refused = statuses.find(|reply| reply.status != 200).expect("the limit is reached");
    crate::support::assert_ocriva(&refused, 429, Some("Too many requests. Please slow down."));
    assert_eq!(w.send(&get("/v1/openapi/templates").key(&key)).status, 429);
}

#[test]
fn a3_c29_login_is_a_validation() {
    let w = world();
    let key = w.org_key();
    w.login(&key);
    wait::until("usageCount is 1", || w.gateway.usage(&key) == (1, true));
}

#[test]
fn a3_login_answers_nothing_but_post() {
    let w = world();
    let reply = w.refused(&get(LOGIN).key(&w.org_key()), 405, None);
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("POST")), "{reply:?}");
}

#[test]
fn a3_there_is_no_refresh() {
    let w = world();
    // Not the gateway's: an upstream may serve it.
    let (_, record) = w.arrives(&post("/v1/openapi/auth/refresh").key(&w.org_key()));
    assert_eq!(record.target, "/v1/openapi/auth/refresh");
}

#[test]
fn c22_a_jwt_does_not_outlive_its_key() {
    let upstream = crate::support::upstream::Upstream::http();
    let key = crate::support::fixture::ocriva_key();
    let mut org = crate::support::world::organization();
    let soon = wait::now().unix_s() + 40;
    org.token(&key, json!({ "expiresAt": rfc3339(soon) }));
    let settings = crate::support::settings::Settings::usual(&upstream.url());
    let fixture = crate::support::fixture::Fixture::default().with(org);
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    let body = gateway.send(&login(&json!({ "token": key }))).expect(200).json();
    let expires_in = body["expiresIn"].as_u64().expect("seconds");
    assert!((1..=40).contains(&expires_in), "{body}");
    let claims = jwt::claims(body["accessToken"].as_str().expect("a token"));
    assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), expires_in);
    // The identity for upstreams does not outlive it either.
    let reply = gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    assert!(upstream.one(&reply.tag).identity()["exp"].as_u64().expect("exp") <= soon);
}

/// Seconds since 1970 as the fixture wants them.
pub(super) fn rfc3339(unix_s: u64) -> String {
    jiff::Timestamp::from_second(unix_s as i64).expect("a time").to_string()
}
