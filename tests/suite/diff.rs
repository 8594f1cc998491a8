//! `portcullis diff`: what a reload would change, before it does; and the reload says the same.

use crate::support::fixture::Fixture;
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::wait;
use serde_json::{Value, json};
use std::process::{Command, Output};

/// Runs `diff` on two files of the same folder.
fn diff(gateway: &Gateway, new: &Settings, more: &[&str]) -> Output {
    let path = gateway.path("new.yaml");
    std::fs::write(&path, gateway.filled(new).yaml()).expect("write");
    gateway.run("diff", &[&[path.to_str().expect("a path")], more].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn a_reload_says_what_diff_has_said() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default());
    let altered = settings.clone().with(|value| {
        value["jwt"]["secret"] = json!("another-secret-of-more-than-32-characters");
        value["apis"][0]["body_limit"] = json!("128KiB");
        value["upstreams"]["main"]["timeouts"] = json!({ "response": "5s" });
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.retain(|route| route["path"] != json!("/v1/openapi/dead"));
        routes.push(json!({ "path": "/v1/openapi/new", "auth": "none", "upstream": "main" }));
    });
    let output = diff(&gateway, &altered, &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines = [
        "~ upstreams.main.timeouts.response: 30s (the default) -> 5s",
        "~ apis[open-api].body_limit: 256KiB -> 128KiB",
        "+ apis[open-api].routes[/v1/openapi/new]: { path: /v1/openapi/new, auth: none, upstream: main }  [weaker: a route that is open to everyone]",
        "- apis[open-api].routes[/v1/openapi/dead]: { path: /v1/openapi/dead, upstream: dead }",
        "~ jwt.secret: changed (not shown)",
    ];
    for line in lines {
        assert!(text.lines().any(|it| it.trim_start() == line), "no {line:?} in\n{text}");
    }
    for heading in ["Upstreams\n", "APIs and routes\n", "Limits, tokens and accounts\n", "look at it twice"] {
        assert!(text.contains(heading), "no {heading:?} in\n{text}");
    }
    assert!(!text.contains("another-secret"), "{text}");
    gateway.configure(&altered);
    wait::until("the reload tells of it", || lines.iter().all(|line| gateway.stderr().contains(line)));
    assert!(!gateway.stderr().contains("another-secret"));
}

#[test]
fn programs_read_it_as_json_and_by_its_exit_code() {
    let settings = Settings::usual("http://127.0.0.1:1");
    let gateway = Gateway::prepare(&settings);
    let same = diff(&gateway, &settings, &["--exit-code"]);
    assert_eq!((same.status.code(), said(&same).as_str()), (Some(0), "nothing would change\n"));
    let other = settings.clone().with(|value| value["workers"] = json!(7));
    let output = diff(&gateway, &other, &["--output", "json", "--exit-code"]);
    assert_eq!(output.status.code(), Some(3));
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(read["needsNewProcess"], json!("workers"));
    assert_eq!(read["changes"][0]["path"], json!("workers"));
    assert_eq!(read["changes"][0]["to"], json!("7"));
    assert_eq!(diff(&gateway, &other, &[]).status.code(), Some(0));
    assert!(said(&diff(&gateway, &other, &[])).contains("a reload would be refused: `workers` differs"));
}

#[test]
fn a_bad_file_is_told_of_as_check_does() {
    let settings = Settings::usual("http://127.0.0.1:1");
    let gateway = Gateway::prepare(&settings);
    let bad = settings.with(|value| value["apis"][0]["dialekt"] = json!("ocriva"));
    let output = diff(&gateway, &bad, &[]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{complaint}");
    assert!(complaint.contains("new.yaml:") && complaint.contains("dialekt"), "{complaint}");
    let usage =
        Command::new(PROGRAM).args(["diff", "--config", "x"]).env_remove("PORTCULLIS_CONFIG").output();
    assert_eq!(usage.expect("run").status.code(), Some(2));
}
