//! `portcullis status`: says of a gateway that is well that it is, and of one that is not, why not.

use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{get, wait};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

/// The program with this gateway's server named.
fn command(gateway: &Gateway, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["status", "--every", "1", "--server"]).arg(format!("http://{}", gateway.admin)).args(more);
    command.env_remove("PORTCULLIS_CONFIG").env_remove("PORTCULLIS_SERVER");
    command
}

fn ask(gateway: &Gateway, more: &[&str]) -> Output {
    command(gateway, more).output().expect("run the program")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn start() -> (Upstream, Gateway, String) {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    (upstream, gateway, key)
}

#[test]
fn a_gateway_that_is_well_is_said_to_be() {
    let (_upstream, gateway, key) = start();
    let asked = command(&gateway, &["--output", "json"]).stdout(Stdio::piped()).spawn().expect("run it");
    let over = std::sync::atomic::AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = gateway.connect();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                client.send(&get("/v1/openapi/templates").key(&key)).expect(200);
            }
        });
        let output = asked.wait_with_output().expect("its end");
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        output
    });
    let report = json(&output);
    assert_eq!((output.status.code(), &report["well"]), (Some(0), &json!(true)), "{report:#}");
    assert_eq!((&report["ready"], &report["readiness"]), (&json!(true), &json!("ready")));
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["uptimeSeconds"].as_f64().is_some_and(|seconds| seconds < 600.0), "{report:#}");
    let traffic = &report["traffic"];
    assert!(traffic["requestsPerSecond"].as_f64().is_some_and(|rate| rate > 1.0), "{traffic}");
    assert!(traffic["meanMilliseconds"].as_f64().is_some_and(|mean| mean > 0.0), "{traffic}");
    assert_eq!((&report["store"]["up"], &report["nodes"]["heard"]), (&json!(true), &json!(1.0)));
    assert_eq!(
        (&report["cache"]["entries"], &report["store"]["maxStalenessSeconds"]),
        (&json!(1.0), &json!(5.0))
    );
    assert_eq!(report["listeners"][0]["address"], gateway.address.to_string());
    let main = report["upstreams"].as_array().expect("upstreams").iter().find(|it| it["name"] == "main");
    assert_eq!(main.map(|it| &it["healthy"]), Some(&json!(1)));
}

#[test]
fn with_its_configuration_the_nodes_on_its_store_are_shown() {
    let (_upstream, gateway, _key) = start();
    let output = gateway.run("status", &["--every", "1"]);
    let page = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{page}");
    for part in
        ["It is well.\n", "\nready ", "a second over", "\nUPSTREAM ", "\nLISTENER ", "\nNODE ", "  well  "]
    {
        assert!(page.contains(part), "no {part:?} in\n{page}");
    }
}

#[test]
fn a_gateway_that_is_not_well_is_said_not_to_be_and_why() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["upstreams"]["gone"] = json!({ "endpoints": ["http://127.0.0.1:1"],
            "health": { "path": "/", "interval": "100ms", "unhealthy_after": 1 } });
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.push(json!({ "path": "/v1/openapi/gone", "upstream": "gone" }));
    });
    let (gateway, _key) = with_one_key(&settings);
    wait::until("it is unhealthy", || {
        gateway.metric("portcullis_upstream_healthy", &[("upstream", "gone")]) == 0.0
    });
    gateway.configure_text("listenerz: []\n");
    wait::until("the reload is refused", || {
        gateway.metric("portcullis_config_last_reload_successful", &[]) == 0.0
    });
    let output = ask(&gateway, &["--output", "json"]);
    let report = json(&output);
    assert_eq!((output.status.code(), &report["well"]), (Some(1), &json!(false)), "{report:#}");
    let problems = report["problems"].to_string();
    assert!(problems.contains("no endpoint of the upstream gone is healthy"), "{problems}");
    assert!(problems.contains("the last reload was refused"), "{problems}");
    let page = String::from_utf8(ask(&gateway, &[]).stdout).expect("UTF-8");
    assert!(page.starts_with("It is NOT well:\n  ") && page.contains("http://127.0.0.1:1"), "{page}");
}

#[test]
fn a_gateway_that_is_not_there_is_an_error_that_says_what_to_do() {
    let (_upstream, mut gateway, _key) = start();
    gateway.stop();
    let output = ask(&gateway, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("can not be reached") && said.contains("is the gateway running?"), "{said}");
    let nowhere = Command::new(PROGRAM)
        .arg("status")
        .env_remove("PORTCULLIS_CONFIG")
        .env_remove("PORTCULLIS_SERVER")
        .output()
        .expect("run the program");
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn watching_tells_it_again_and_again() {
    let (_upstream, gateway, _key) = start();
    let mut child =
        command(&gateway, &["--watch", "--output", "json"]).stdout(Stdio::piped()).spawn().expect("run it");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let seen: Vec<Value> = lines
        .take(3)
        .map(|line| serde_json::from_str(&line.expect("a line")).expect("a record in one line"))
        .collect();
    child.kill().expect("end it");
    child.wait().expect("its end");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|report| report["well"] == true), "{seen:?}");
    let up = |index: usize| seen[index]["uptimeSeconds"].as_f64().expect("a number");
    assert!(up(2) >= up(0) + 1.0, "{seen:?}");
}
