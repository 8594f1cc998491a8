//! CONTRACT A.6, forwarding rules, and trap 49: the client's credential goes, the signed identity comes.

use crate::support::control::{Console, text};
use crate::support::settings::{ORG, P1};
use crate::support::world::{DEVELOPER, OWNER, World, world};
use crate::support::{get, jwt, wait};
use serde_json::{Value, json};

const TEMPLATES: &str = "/v1/openapi/templates";
const NAMES: [&str; 6] = ["Organization-Id", "Project-Id", "Token-Id", "Token-Type", "Permissions", "Scopes"];

fn jwks(w: &World) -> Value {
    w.send(&get("/.well-known/jwks.json")).expect(200).json()
}

#[test]
fn a6_the_clients_credential_never_arrives() {
    let w = world();
    let key = w.org_key();
    let token = w.token(&key);
    let open = get("/v1/open/x").key(&key).bearer(&key).header("Cookie", "access_token=secret");
    let requests = [
        get(TEMPLATES).key(&key),
        get(TEMPLATES).bearer(&key),
        get(TEMPLATES).bearer(&token).key(&key),
        get(TEMPLATES).key(&key).header("Cookie", format!("session=1; api_key={key}")),
        get(TEMPLATES).key(&key).header("x_api_key", &key),
        get("/headers-only/x").key(&key),
        get("/anonymous/x").key(&key),
        get("/anonymous/x").bearer(&key),
        open,
    ];
    for request in requests {
        let (_, record) = w.arrives(&request);
        for (name, value) in &record.headers {
            assert!(
                !value.contains(&key) && !value.contains(&token),
                "{name} carries the credential: {request:?}"
            );
        }
        assert_eq!((record.header("x-api-key"), record.header("cookie")), (None, None));
    }
}

#[test]
fn a6_the_identity_is_signed_and_says_who_calls() {
    let w = world();
    let (_, record) = w.arrives(&get(TEMPLATES).key(&w.project_key()));
    let token = record.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).expect("a token");
    let claims = jwt::verify_identity(token, &jwks(w));
    assert_eq!(claims["iss"], json!("https://gateway.test"));
    assert_eq!((&claims["org"], &claims["project"]), (&json!(ORG), &json!(P1)));
    assert_eq!((&claims["permissions"], &claims["scopes"]), (&json!(["read"]), &json!(["documents"])));
    assert_eq!(claims["sub"], json!(record.header("x-gateway-token-id").expect("an id")));
    let (iat, exp) = (claims["iat"].as_u64().expect("iat"), claims["exp"].as_u64().expect("exp"));
    let now = wait::now().unix_s();
    assert!(iat <= now + 1 && exp > now && exp - iat <= 300, "5m by default: {claims}");
    assert!(claims["jti"].is_string() && claims.get("aud").is_some());
}

#[test]
fn a6_the_identity_of_a_person() {
    let w = world();
    let access = w.access(DEVELOPER);
    let (_, record) = w.arrives(&get("/api/servers").bearer(&access));
    let token = record.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).expect("a token");
    let claims = jwt::verify_identity(token, &jwks(w));
    assert_eq!(claims["org"], json!(ORG));
    assert_eq!(claims["sub"], jwt::claims(&access)["sub"]);
    assert_ne!(token, access);
}

#[test]
fn a6_identity_headers_say_the_same() {
    let w = world();
    let (_, record) = w.arrives(&get(TEMPLATES).key(&w.project_key()));
    assert_eq!(record.header("x-gateway-organization-id"), Some(ORG));
    assert_eq!(record.header("x-gateway-project-id"), Some(P1));
    assert_eq!(record.header("x-gateway-token-type"), Some("project"));
    assert_eq!(record.header("x-gateway-permissions"), Some("read"));
    assert_eq!(record.header("x-gateway-scopes"), Some("documents"));
    assert!(record.header("x-gateway-token-id").is_some());
}

/// What was prepared for a key before is not what is said of it after.
#[test]
fn an_identity_is_of_the_record_as_it_is_now() {
    let w = world();
    let owner = Console::open(&w.gateway, OWNER);
    let made = owner.made("of many scopes", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    let seen = |target: &str| {
        let (_, record) = w.arrives(&get(target).key(key));
        let fields = ["permissions", "scopes"]
            .map(|name| record.header(&format!("x-gateway-{name}")).map(str::to_owned));
        (fields, record.header("authorization").map(str::to_owned))
    };
    for scopes in [["documents", "one"], ["documents", "two, three"], ["documents", "one"]] {
        owner.patch(id, &json!({ "scopes": scopes })).expect(200);
        for _ in 0..3 {
            let (fields, token) = seen(TEMPLATES);
            let token = token.expect("a token");
            let claims = jwt::verify_identity(token.trim_start_matches("Bearer "), &jwks(w));
            assert_eq!(claims["scopes"], json!(scopes));
            let escaped = scopes.join(",").replace(", ", "%2C%20");
            assert_eq!(fields[1].as_deref(), Some(&*escaped));
            // Without a signature, and with the same fields.
            assert_eq!(seen("/headers-only/x"), (fields, None));
        }
    }
    // The same for as long as nothing changes.
    assert_eq!(seen(TEMPLATES), seen(TEMPLATES));
}

#[test]
fn a6_headers_only_and_none() {
    let w = world();
    let (_, record) = w.arrives(&get("/headers-only/x").key(&w.org_key()));
    assert_eq!(record.header("x-gateway-organization-id"), Some(ORG));
    assert_eq!(record.header("authorization"), None);
    let (_, record) = w.arrives(&get("/anonymous/x").key(&w.org_key()).header("X-Gateway-Scopes", "all"));
    assert_eq!(record.header("authorization"), None);
    assert!(!record.headers.iter().any(|(name, _)| name.starts_with("x-gateway-")), "{record:?}");
}

#[test]
fn c49_spoofed_identity_headers_are_removed_in_any_spelling() {
    let w = world();
    let mut request = get(TEMPLATES).key(&w.org_key());
    for name in NAMES {
        for spelling in [
            format!("X-Gateway-{name}"),
            format!("x-gateway-{}", name.to_lowercase()),
            format!("X_Gateway_{}", name.replace('-', "_")),
            format!("X-GATEWAY_{}", name.to_uppercase()),
        ] {
            request = request.header(&spelling, "spoofed");
        }
    }
    for target in [TEMPLATES, "/v1/open/x", "/anonymous/x", "/headers-only/x"] {
        request.target = target.into();
        let (_, record) = w.arrives(&request.clone());
        let spoofed: Vec<_> = record.headers.iter().filter(|(_, value)| value.contains("spoofed")).collect();
        assert!(spoofed.is_empty(), "{target}: {spoofed:?}");
        for name in NAMES {
            record.header(&format!("x-gateway-{name}"));
        }
    }
}

#[test]
fn c49_an_open_route_carries_no_identity() {
    let w = world();
    let (_, record) = w.arrives(&get("/v1/open/x").bearer("garbage"));
    assert_eq!(record.header("authorization"), None);
    assert_eq!(record.header("x-gateway-organization-id"), None);
}

#[test]
fn forwarded_headers_are_ours() {
    let w = world();
    let request = get(TEMPLATES)
        .key(&w.org_key())
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "evil.test")
        .header("Forwarded", "for=203.0.113.7;host=evil.test")
        .header("Host", "api.example.test");
    let (_, record) = w.arrives(&request);
    // The peer is no trusted proxy: what it says about others is dropped.
    assert_eq!(record.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(record.header("x-forwarded-proto"), Some("http"));
    assert_eq!(record.header("x-forwarded-host"), Some("api.example.test"));
    assert!(!record.headers.iter().any(|(_, value)| value.contains("evil.test")), "{record:?}");
}

#[test]
fn the_trace_goes_on() {
    let w = world();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (_, record) = w.arrives(&get(TEMPLATES).key(&w.org_key()).header("traceparent", parent));
    let sent = record.header("traceparent").expect("traceparent");
    assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{sent}");
    let (_, record) = w.arrives(&get(TEMPLATES).key(&w.org_key()).header("traceparent", "rubbish"));
    let sent = record.header("traceparent").expect("traceparent");
    assert!(sent.len() == 55 && sent.starts_with("00-"), "{sent}");
}

#[test]
fn the_signing_key_survives_a_restart() {
    let upstream = crate::support::upstream::Upstream::http();
    let mut org = crate::support::world::organization();
    let key = org.org_key();
    let settings = crate::support::settings::Settings::usual(&upstream.url());
    let fixture = crate::support::fixture::Fixture::default().with(org);
    let mut gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    let reply = gateway.send(&get(TEMPLATES).key(&key)).expect(200);
    gateway.restart();
    let jwks = gateway.send(&get("/.well-known/jwks.json")).expect(200).json();
    let record = upstream.one(&reply.tag);
    let token = record.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).expect("a token");
    jwt::verify_identity(token, &jwks);
}

#[test]
fn the_published_keys_are_public_and_need_no_login() {
    let w = world();
    let reply = w.send(&get("/.well-known/jwks.json")).expect(200);
    assert!(!reply.text().contains("\"d\""));
    assert!(reply.json()["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
}
