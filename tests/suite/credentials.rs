//! CONTRACT A.1: where credentials are, and how they are read.

use crate::support::envelope::assert_problem;
use crate::support::world::world;
use crate::support::{assert_ocriva, get, jwt, post};
use serde_json::json;

const TEMPLATES: &str = "/v1/openapi/templates";

#[test]
fn a01_open_api_lives_under_v1_openapi() {
    let w = world();
    let key = w.org_key();
    let (_, record) = w.arrives(&get("/v1/openapi/whatever?a=1").key(&key));
    assert_eq!(record.target, "/v1/openapi/whatever?a=1");
    // A path of no API belongs to no dialect.
    assert_problem(&w.send(&get("/openapi/templates").key(&key)), 404);
}

#[test]
fn a02_the_organizations_prefix_takes_the_same_keys_as_bearer() {
    let w = world();
    let target = format!("/api/v1/organizations/{}/projects", crate::support::settings::ORG);
    assert!(w.send(&get(&target).bearer(&w.org_key())).expect(200).json().is_array());
}

#[test]
fn a03_a_key_comes_in_x_api_key_or_as_bearer() {
    let w = world();
    let key = w.org_key();
    w.arrives(&get(TEMPLATES).key(&key));
    w.arrives(&get(TEMPLATES).bearer(&key));
}

#[test]
fn a04_a_jwt_from_login_comes_as_bearer() {
    let w = world();
    let token = w.token(&w.org_key());
    w.arrives(&get(TEMPLATES).bearer(&token));
}

#[test]
fn a05_the_jwt_header_says_hs256_first() {
    let w = world();
    let token = w.token(&w.org_key());
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiIs"), "its header does not begin with alg: HS256");
    assert_eq!(jwt::header(&token)["alg"], json!("HS256"));
}

#[test]
fn a06_a_key_of_another_shape_is_looked_up_not_refused_by_shape() {
    // R4: beyond the prefix the shape is never validated, on input.
    let upstream = crate::support::upstream::Upstream::http();
    let mut org = crate::support::world::organization();
    let odd = ["ocr_live_short", "ocr_UPPER-and.dots", "ocr_x"];
    for key in odd {
        org.token(key, json!({}));
    }
    let settings = crate::support::settings::Settings::usual(&upstream.url());
    let fixture = crate::support::fixture::Fixture::default().with(org);
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    for key in odd {
        gateway.send(&get(TEMPLATES).key(key)).expect(200);
    }
}

#[test]
fn a07_comparison_is_exact() {
    let w = world();
    let key = w.org_key();
    let upper = format!("ocr_{}", key[4..].to_uppercase());
    w.refused(&get(TEMPLATES).key(&upper), 401, None);
    w.refused(&get(TEMPLATES).key(&key[..67]), 401, None);
    w.refused(&get(TEMPLATES).key(&format!("{key}0")), 401, None);
    w.refused(&get(TEMPLATES).key(&format!("OCR_{}", &key[4..])), 401, None);
    w.arrives(&get(TEMPLATES).key(&key));
}

#[test]
fn a08_a_jwt_in_x_api_key_is_no_credential() {
    let w = world();
    let token = w.token(&w.org_key());
    w.refused(&get(TEMPLATES).key(&token), 401, None);
}

#[test]
fn a08_a_key_in_query_or_cookie_is_no_credential() {
    let w = world();
    let key = w.org_key();
    for name in ["api_key", "X-API-Key", "access_token", "token", "key"] {
        w.refused(&get(&format!("{TEMPLATES}?{name}={key}")), 401, None);
        w.refused(&get(TEMPLATES).header("Cookie", format!("{name}={key}")), 401, None);
    }
}

#[test]
fn a09_two_headers_of_one_token_are_fine() {
    let w = world();
    let key = w.org_key();
    w.arrives(&get(TEMPLATES).key(&key).bearer(&key));
    let token = w.token(&key);
    w.arrives(&get(TEMPLATES).key(&key).bearer(&token));
}

#[test]
fn a09_two_headers_that_differ_are_refused() {
    let w = world();
    let (one, two) = (w.org_key(), w.org_key());
    w.refused(&get(TEMPLATES).key(&one).bearer(&two), 401, None);
    w.refused(&get(TEMPLATES).key(&one).bearer("ocr_unknown"), 401, None);
    w.refused(&get(TEMPLATES).key(&one).bearer(&w.token(&two)), 401, None);
    w.refused(&get(TEMPLATES).key(&one).key(&two), 401, None);
    w.refused(&get(TEMPLATES).bearer(&one).bearer(&two), 401, None);
    w.refused(&get(TEMPLATES).key(&one).header("x-api-key", "ocr_unknown"), 401, None);
}

#[test]
fn a09_the_same_line_twice_is_one_credential() {
    let w = world();
    let key = w.org_key();
    w.arrives(&get(TEMPLATES).key(&key).key(&key));
    w.arrives(&get(TEMPLATES).bearer(&key).bearer(&key));
}

#[test]
fn a10_the_scheme_is_case_insensitive_and_blanks_are_ignored() {
    let w = world();
    let key = w.org_key();
    for value in [format!("bearer {key}"), format!("BEARER {key}"), format!("Bearer   {key}  ")] {
        w.arrives(&get(TEMPLATES).header("Authorization", value));
    }
    w.arrives(&get(TEMPLATES).header("X-API-Key", format!("  {key}\t")));
}

#[test]
fn a10_an_empty_credential_is_none() {
    let w = world();
    for value in ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz"] {
        w.refused(&get(TEMPLATES).header("Authorization", value), 401, None);
    }
    w.refused(&get(TEMPLATES).header("X-API-Key", ""), 401, None);
    w.refused(&get(TEMPLATES), 401, None);
}

#[test]
fn a11_a_401_names_the_scheme() {
    let w = world();
    for request in [get(TEMPLATES), get(TEMPLATES).key("ocr_unknown"), get(TEMPLATES).bearer("a.b.c")] {
        let reply = w.refused(&request, 401, None);
        assert_eq!(reply.header("www-authenticate").map(|v| v.starts_with("Bearer")), Some(true));
    }
}

#[test]
fn a12_the_limit_comes_before_the_other_checks() {
    // A refused but known key still spends quota: 60 refusals, then 429, which says nothing of the key.
    let w = world();
    let key = w.key("inactive");
    for left in (0..60).rev() {
        let reply = w.refused(&get(TEMPLATES).key(&key), 401, None);
        if reply.number("x-ratelimit-remaining") != left {
            // A slow run earns a permit a second; then the exact count is not what this test can see.
            assert!(reply.number("x-ratelimit-remaining") > left);
        }
    }
    let refused = (0..30).map(|_| w.send(&get(TEMPLATES).key(&key))).find(|reply| reply.status == 429);
    assert_ocriva(&refused.expect("a 429"), 429, None);
}

#[test]
fn a12_known_then_counted_then_project_then_permission() {
    let w = world();
    // A wrong project and a missing permission at once: the project is looked at first.
    let key = w.org_key();
    let target = format!("/v1/openapi/permitted?projectId={}", crate::support::settings::FOREIGN);
    w.refused(&get(&target).key(&key), 401, None);
    w.refused(&get("/v1/openapi/permitted").key(&key), 403, None);
    // An expired key and a wrong address: nothing of it is counted.
    let expired = w.key("expired");
    w.refused(&get(TEMPLATES).key(&expired), 401, None);
}

#[test]
fn c13_prefixes_are_matched_whole() {
    let w = world();
    let hex = crate::support::fixture::random_hex(64);
    for prefix in ["ocr", "ocrx_", "ocore_k_", "ocore_key_", "xocr_", "OCR_", "Ocr_", ""] {
        w.refused(&get(TEMPLATES).bearer(&format!("{prefix}{hex}")), 401, None);
    }
}

#[test]
fn c14_the_other_systems_key_is_401_in_this_surfaces_envelope() {
    let w = world();
    let (ocriva, ocore) = (w.org_key(), w.key("view:servers"));
    w.refused(&get(TEMPLATES).bearer(&ocore), 401, None);
    w.refused(&get(TEMPLATES).key(&ocore), 401, None);
    w.refused_ocore(&get("/api/servers").bearer(&ocriva), 401);
}

#[test]
fn c14_the_other_systems_jwt_is_401() {
    let w = world();
    let ocriva = w.token(&w.org_key());
    let person = w.access(crate::support::world::DEVELOPER);
    w.refused_ocore(&get("/api/servers").bearer(&ocriva), 401);
    w.refused(&get(TEMPLATES).bearer(&person), 401, None);
}

#[test]
fn a_jwt_of_another_making_is_refused() {
    let w = world();
    let token = w.token(&w.org_key());
    let claims = jwt::claims(&token);
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        jwt::of_key(&claims)
    };
    let none = format!("{}.{}.", jwt::part(&json!({"alg": "none", "typ": "JWT"})), jwt::part(&claims));
    let signature = token.rsplit_once('.').expect("three parts").1;
    let hs384 = json!({"alg": "HS384", "typ": "JWT"});
    let bad = [
        none,
        jwt::sign(&json!({"alg": "HS256"}), &claims, jwt::SECRET),
        jwt::sign(&json!({"alg": "HS256"}), &claims, "another secret, also longer than 32 characters"),
        jwt::sign(&hs384, &claims, jwt::ocriva_secret()),
        jwt::sign(&json!({"alg": "hs256"}), &claims, jwt::ocriva_secret()),
        jwt::sign(&json!({"alg": "HS256", "crit": ["x"], "x": 1}), &claims, jwt::ocriva_secret()),
        format!("{}.{}.{signature}", jwt::part(&json!({"alg": "HS256"})), jwt::part(&claims)),
        with("iss", json!("somebody")),
        with("aud", json!("portcullis:ocore")),
        with("typ", json!("access")),
        with("exp", json!(1_600_000_000)),
        with("exp", json!("never")),
        with("kv", json!("another value")),
        with("sub", json!("no such token")),
        format!("{token}."),
        token[..token.len() - 2].to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ];
    for token in bad {
        w.refused(&get(TEMPLATES).bearer(&token), 401, None);
    }
    // The same claims, signed as they should be, pass: the tokens above fail for their fault alone.
    w.arrives(&get(TEMPLATES).bearer(&jwt::of_key(&claims)));
}

#[test]
fn c52_login_ignores_stray_credentials() {
    let w = world();
    let login = || post("/v1/openapi/auth/login").json(&json!({ "token": w.org_key() }));
    w.send(&login().bearer("garbage")).expect(200);
    w.send(&login().header("Authorization", "Basic !!!")).expect(200);
    w.send(&login().key("ocr_unknown").key("ocr_other")).expect(200);
}
