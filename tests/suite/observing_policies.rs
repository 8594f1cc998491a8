//! `mode: observe` of every policy: the request goes through, the answer tells nothing, metrics and log do.

use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{assert_ocriva, get, wait};
use serde_json::{Value, json};

/// A gateway all of whose policies observe; a key of the organization, and one that is bound to another address.
fn observing(limits: Value) -> (Gateway, Upstream, String, String) {
    let upstream = Upstream::http();
    let mut organization = organization();
    let key = organization.org_key();
    let bound = ocriva_key();
    organization.token(&bound, json!({ "ipWhitelist": ["192.0.2.7"] }));
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["limits"]["unknown_keys"] = limits;
        value["apis"][0]["rate_limit"] = json!({ "requests": 1000, "per": "1h", "mode": "observe" });
        value["apis"][0]["addresses"] = json!({ "mode": "observe" });
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.push(json!({ "path": "/v1/observed/project", "upstream": "main",
            "project": { "in": "query", "required": "always", "mode": "observe" } }));
        routes.push(json!({ "path": "/v1/observed/require", "upstream": "main",
            "require": { "scopes": ["nobody has it"], "mode": "observe" } }));
    });
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
    (gateway, upstream, key, bound)
}

fn observed(gateway: &Gateway, policy: &str) -> f64 {
    gateway.metric("portcullis_observed_total", &[("api", "open-api"), ("policy", policy)])
}

fn log_lines(gateway: &Gateway) -> Vec<Value> {
    let text = std::fs::read_to_string(gateway.path("access.log")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn what_would_have_been_refused_goes_through_and_is_recorded() {
    let (gateway, upstream, key, bound) = observing(json!("none"));
    for (request, policy, code) in [
        (get("/v1/openapi/other").key(&bound), "addresses", "address"),
        (get("/v1/observed/project").key(&key), "project", "project_required"),
        (get("/v1/observed/require").key(&key), "require", "scope"),
    ] {
        let reply = gateway.send(&request).expect(200);
        assert_eq!(upstream.seen(&reply.tag).len(), 1);
        wait::until(policy, || observed(&gateway, policy) == 1.0);
        let id = reply.header("x-request-id").expect("an id").to_owned();
        wait::until("the log line", || {
            log_lines(&gateway)
                .iter()
                .any(|line| line["request_id"] == id.as_str() && line["observed"] == code)
        });
    }
    // Another tenant's project is refused whatever observes.
    let foreign = gateway.send(&get(&format!("/v1/observed/project?projectId={FOREIGN}")).key(&key));
    assert_ocriva(&foreign, 401, None);
    // What is required is asked for all the same where nothing observes.
    assert_ocriva(&gateway.send(&get("/v1/openapi/processing-history/1").key(&key)), 400, None);
}

#[test]
fn an_address_that_guesses_is_counted_and_not_turned_away() {
    let (gateway, _upstream, key, _) = observing(json!({ "requests": 2, "per": "1h", "mode": "observe" }));
    for _ in 0..5 {
        assert_ocriva(&gateway.send(&get("/v1/openapi/other").key(&ocriva_key())), 401, None);
    }
    assert_eq!(observed(&gateway, "unknown_keys"), 3.0);
    gateway.send(&get("/v1/openapi/other").key(&key)).expect(200);
}
