//! `portcullis healthcheck`: the word of `/readyz` and `/healthz` as an exit code.

use crate::support::fixture::Fixture;
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::{get, wait};
use serde_json::json;
use std::process::Command;

/// Exit code, and what was printed and complained.
fn asked(gateway: &Gateway, more: &[&str]) -> (Option<i32>, String) {
    let url = format!("http://{}", gateway.admin);
    let mut command = Command::new(PROGRAM);
    command.args(["healthcheck", "--server", &url]).args(more).env_remove("PORTCULLIS_SERVER");
    let output = command.output().expect("run the program");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn it_follows_readiness_and_life() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| value["drain"] = json!({ "delay": "3s" }));
    let mut gateway = Gateway::prepare(&settings);
    gateway.import(&Fixture::default().text()).expect_success();
    let (code, said) = asked(&gateway, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("can not be reached"), "{said}");
    gateway.serve();
    assert_eq!(asked(&gateway, &[]), (Some(0), "{\"status\":\"ready\"}\n".to_owned()));
    assert_eq!(asked(&gateway, &["--live"]), (Some(0), "{\"status\":\"ok\"}\n".to_owned()));
    gateway.signal("TERM");
    wait::until("it drains", || gateway.ask("/readyz").status == 503);
    let (code, said) = asked(&gateway, &[]);
    assert!(code == Some(1) && said.contains("503") && said.contains("draining"), "{code:?} {said}");
    assert_eq!(asked(&gateway, &["--live"]).0, Some(0));
    assert!(gateway.wait_for_end().success());
}

#[test]
fn what_is_no_admin_listener_is_not_healthy() {
    let upstream = Upstream::http();
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default());
    let url = format!("http://{}", gateway.address);
    assert_eq!(gateway.send(&get("/readyz")).status, 404);
    let (code, said) = asked(&gateway, &["--server", &url]);
    assert_eq!(code, Some(2), "an option twice is bad usage: {said}");
    let status =
        Command::new(PROGRAM).args(["healthcheck", "--server", &url]).status().expect("run the program");
    assert_eq!(status.code(), Some(1));
}
