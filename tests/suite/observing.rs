//! What an operator sees: health, metrics, the refusal to start with a weak secret.

use crate::support::backend::Backend;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{with_one_key, world};
use crate::support::{get, wait};
use serde_json::{Value, json};

const TARGET: &str = "/v1/openapi/templates";

#[test]
fn health_and_readiness_need_no_login() {
    let w = world();
    assert_eq!(w.gateway.ask("/healthz").status, 200);
    assert_eq!(w.gateway.ask("/readyz").status, 200);
    assert_eq!(w.gateway.ask("/metrics").status, 200);
    // They are not served to clients.
    for target in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(w.send(&get(target)).status, 404, "{target}");
    }
}

#[test]
fn metrics_count_what_happened_and_name_nobody() {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    for _ in 0..3 {
        gateway.send(&get(TARGET).key(&key)).expect(200);
    }
    gateway.send(&get(TARGET).key("ocr_unknown")).expect(401);
    gateway.send(&get(TARGET)).expect(401);
    let passed =
        [("api", "open-api"), ("route", "/v1/openapi/templates"), ("method", "GET"), ("status", "200")];
    wait::until("three requests are counted", || gateway.metric("portcullis_requests_total", &passed) == 3.0);
    for (outcome, count) in [("accepted", 3.0), ("unknown", 1.0), ("missing", 1.0)] {
        assert_eq!(gateway.metric("portcullis_auth_total", &[("outcome", outcome)]), count, "{outcome}");
    }
    assert_eq!(gateway.metric("portcullis_store_up", &[]), 1.0);
    assert_eq!(gateway.metric("portcullis_config_last_reload_successful", &[]), 1.0);
    assert!(gateway.metric("portcullis_build_info", &[]) >= 1.0);
    assert_eq!(gateway.metric("portcullis_request_duration_seconds_count", &passed[..2]), 5.0);
    let text = gateway.metrics_text();
    assert!(!text.contains(&key) && !text.contains("ocr_"), "a key is a label");
}

#[test]
fn a_client_that_hangs_up_is_counted_too() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()));
    let mut client = gateway.connect();
    client.write(&get("/v1/openapi/other").key(&key).bytes("gateway.test"));
    let mut peer = backend.accept();
    peer.head();
    drop(client);
    let gone = [("api", "open-api"), ("status", "499")];
    wait::until("it is counted", || gateway.metric("portcullis_requests_total", &gone) == 1.0);
}

#[test]
fn c60_a_short_or_missing_jwt_secret_refuses_to_start() {
    for secret in
        [json!("short"), json!("x".repeat(31)), json!("${NO_SUCH_VARIABLE_HERE}"), json!(""), Value::Null]
    {
        let settings =
            Settings::usual("http://127.0.0.1:1").with(|value| value["jwt"]["secret"] = secret.clone());
        let gateway = Gateway::prepare(&settings);
        for command in ["check", "serve"] {
            let output = gateway.run(command, &[]);
            assert_eq!(output.status.code(), Some(1), "{command} took {secret}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("secret"), "{said}");
            assert!(!said.contains(&"x".repeat(31)), "the secret itself is not printed");
        }
    }
}

#[test]
fn every_metric_that_is_promised_is_there() {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    gateway.send(&get(TARGET).key(&key)).expect(200);
    let _open = gateway.connect();
    for name in [
        "requests_total",
        "request_duration_seconds_bucket",
        "upstream_duration_seconds_bucket",
        "auth_total",
        "rate_limit_total",
        "unknown_keys_refused_total",
        "token_cache_lookups_total",
        "token_cache_entries",
        "connections",
        "config_last_reload_successful",
        "store_up",
        "store_staleness_seconds",
        "tokens_expiring",
        "build_info",
    ] {
        let name = format!("portcullis_{name}");
        wait::until(&name, || gateway.metrics().iter().any(|sample| sample.name == name));
    }
}

#[test]
fn labels_are_bounded() {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    for number in 0..20 {
        gateway.send(&get(&format!("/v1/openapi/path-{number}")).key(&key)).expect(200);
        gateway.send(&get(&format!("/nowhere-{number}")).key(&key)).expect(404);
        gateway.send(&crate::support::method(&format!("M{number}"), "/nowhere").key(&key));
    }
    let text = gateway.metrics_text();
    assert!(!text.contains("path-7") && !text.contains("nowhere-7"), "a path is a label");
    assert!(!text.contains("\"M7\""), "a client's invention is a method label");
}
