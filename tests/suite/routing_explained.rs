//! `portcullis explain` of hosts, conditions, weights, mirrors, rewriting, redirects, CORS and altered header fields.

use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use serde_json::{Value, json};
use std::sync::OnceLock;

fn gateway() -> &'static Gateway {
    static GATEWAY: OnceLock<Gateway> = OnceLock::new();
    GATEWAY.get_or_init(|| {
        Gateway::prepare(&Settings::usual("http://127.0.0.1:9").with(|value| {
            value["apis"].as_array_mut().expect("apis").push(json!({
                "name": "told", "dialect": "ocriva", "prefixes": ["/t"], "builtin": false, "identity": "none",
                "hosts": ["*.example.com"], "cors": { "origins": ["https://app.example.com"] },
                "request_headers": { "set": { "X-API-Key": "backend-secret-1", "X-Internal-Auth": "backend-secret-1", "X-Stage": "api" } },
                "routes": [
                    { "path": "/t/a", "auth": "none", "upstream": { "main": 90, "dead": 10 },
                      "rewrite": { "strip_prefix": "/t" }, "mirror": { "upstream": "impatient", "share": "5%" },
                      "timeout": "3s" },
                    { "path": "/t/a", "auth": "none", "upstream": "main", "headers": { "X-Version": "2" } },
                    { "path": "/t/moved/{id}", "auth": "none", "redirect": { "to": "https://{host}/n/{id}" } },
                ],
            }));
        }))
    })
}

#[track_caller]
fn explained(url: &str, headers: &[&str]) -> Value {
    let mut arguments = vec!["GET", url, "--output", "json"];
    arguments.extend(headers.iter().flat_map(|field| ["-H", field]));
    let output = gateway().run("explain", &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("backend-secret-1"), "a secret of the configuration is shown: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {output:?}"))
}

fn facts<'e>(explanation: &'e Value, stage: &str) -> &'e Value {
    let steps = explanation["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["stage"] == stage).unwrap_or_else(|| panic!("{explanation:#}"));
    &step["facts"]
}

#[test]
fn which_route_and_why_not_the_others() {
    let plain = explained("http://www.example.com/t/a", &["Origin: https://app.example.com"]);
    let route = facts(&plain, "route");
    assert_eq!((&route["api"], &route["hosts"]), (&json!("told"), &json!("*.example.com")), "{plain:#}");
    let missed = route["not"][0].as_str().expect("the other route");
    assert!(missed.contains("x-version"), "{missed}");
    assert!(route["cors"].as_str().expect("cors").contains("may read the answer"));
    let second = explained("http://www.example.com/t/a", &["X-Version: 2"]);
    assert_eq!(facts(&second, "route")["by"], json!(["the header field x-version"]));
    assert_eq!(second["forwarded"]["upstream"], "main");
    let elsewhere = explained("http://example.com/t/a", &[]);
    assert_eq!(elsewhere["answer"]["status"], 404);
}

#[test]
fn which_upstream_by_what_path_and_who_else_sees_it() {
    let told = explained("http://www.example.com/t/a", &[]);
    assert_eq!(told["forwarded"]["target"], "/a", "{told:#}");
    assert_eq!(told["forwarded"]["set"]["x-stage"], "as the configuration says, not shown");
    assert_eq!(told["forwarded"]["set"]["x-forwarded-prefix"], "/t");
    let forward = facts(&told, "forward");
    assert!(forward["mirror"].as_str().expect("mirror").contains("5%"));
    assert!(forward["timeout"].as_str().expect("timeout").contains("3s"));
    let steps = told["steps"].as_array().expect("steps");
    let why = steps.last().expect("a step")["why"].as_str().expect("why");
    assert!(why.contains("main 90 of 100, dead 10 of 100"), "{why}");
}

#[test]
fn where_a_redirect_leads() {
    let told = explained("http://www.example.com/t/moved/7", &[]);
    assert_eq!(
        (&told["answer"]["status"], &told["answer"]["headers"]["location"]),
        (&json!(308), &json!("https://www.example.com/n/7")),
        "{told:#}"
    );
}
