//! Listeners come, go and change their kind in a reload; requests on the others do not notice, certificates included.

use crate::support::certificate::trusting;
use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::load::Load;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{organization, with_one_key};
use crate::support::{certificate, get, wait};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};

const TARGET: &str = "/v1/openapi/templates";

/// The gateway's present settings with these listeners beside the usual one.
fn with_listeners(gateway: &Gateway, settings: &Settings, more: &[Value]) -> Settings {
    gateway.filled(settings).with(|value| {
        value["listeners"].as_array_mut().expect("listeners").extend(more.iter().cloned());
    })
}

fn free(gateway: &Gateway) -> SocketAddr {
    TcpListener::bind((gateway.address.ip(), 0)).expect("bind").local_addr().expect("an address")
}

fn reloads(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric("portcullis_config_reloads_total", &[("result", result)])
}

#[test]
fn reloads_cost_no_request_and_no_connection() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (gateway, key) = with_one_key(&settings);
    let mut kept = gateway.connect();
    assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
    let load = Load::start(gateway.address, TARGET, &key);
    for round in 1..=5 {
        let altered = settings.clone().with(|value| {
            let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
            routes.push(json!({ "path": format!("/v1/round/{round}"), "upstream": "main" }));
        });
        gateway.configure(&altered);
        gateway.signal("HUP");
        wait::until("the reload", || reloads(&gateway, "success") >= f64::from(round));
        load.goes_on();
    }
    load.end();
    assert_eq!(kept.send(&get(TARGET).key(&key)).header("connection"), None);
    assert_eq!(reloads(&gateway, "failure"), 0.0);
    assert!(gateway.metric("portcullis_config_last_reload_success_timestamp_seconds", &[]) > 1e9);
}

#[test]
fn a_listener_comes_and_goes_under_load() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (gateway, key) = with_one_key(&settings);
    let load = Load::start(gateway.address, TARGET, &key);
    let second = free(&gateway);
    let with_second = with_listeners(&gateway, &settings, &[json!({ "address": second.to_string() })]);
    gateway.configure_text(&with_second.yaml());
    wait::until("the new listener", || TcpStream::connect(second).is_ok());
    // Every worker takes from it.
    for _ in 0..20 {
        assert_eq!(Connection::open(second).send(&get(TARGET).key(&key)).status, 200);
    }
    let mut kept = Connection::open(second);
    assert_eq!(kept.send(&get(TARGET).key(&key)).header("connection"), None);
    gateway.configure(&settings);
    wait::until("it is gone", || TcpStream::connect(second).is_err());
    // Whoever is connected gets one more answer, or a close after a while.
    match kept.try_send(&get(TARGET).key(&key)) {
        Ok(reply) => assert_eq!((reply.status, reply.header("connection")), (200, Some("close"))),
        Err(_) => assert!(kept.closes_within(std::time::Duration::from_secs(5))),
    }
    load.goes_on();
    load.end();
}

#[test]
fn an_address_that_is_taken_leaves_all_as_it_is() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (gateway, key) = with_one_key(&settings);
    let taken = TcpListener::bind((gateway.address.ip(), 0)).expect("bind");
    let address = taken.local_addr().expect("an address").to_string();
    gateway.configure_text(&with_listeners(&gateway, &settings, &[json!({ "address": address })]).yaml());
    wait::until("the failure is counted", || reloads(&gateway, "failure") == 1.0);
    wait::until("the log says why", || gateway.stderr().contains(&format!("cannot listen on {address}")));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}

#[test]
fn a_listener_may_begin_to_encrypt_and_a_bad_certificate_changes_nothing() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let gateway = Gateway::prepare(&settings);
    certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
    let mut org = organization();
    let key = org.org_key();
    gateway.import(&Fixture::default().with(org).text()).expect_success();
    let mut gateway = gateway;
    gateway.serve();
    let mut plain = gateway.connect();
    assert_eq!(plain.send(&get(TARGET).key(&key)).status, 200);
    let encrypting = gateway.filled(&settings).with(|value| {
        value["listeners"][0]["tls"] = json!({ "certificates": [{ "cert": "a.pem", "key": "a.key" }] });
    });
    gateway.configure_text(&encrypting.yaml());
    let tls = trusting(&[b"http/1.1"], None);
    let ask = || {
        let (mut client, _) = Connection::tls(gateway.address, "a.test", tls.clone()).ok()?;
        client.try_send(&get(TARGET).key(&key)).ok()
    };
    wait::until("TLS is spoken", || ask().is_some_and(|reply| reply.status == 200));
    // Connections of before have no place any more.
    assert!(plain.closes_within(std::time::Duration::from_secs(5)));
    std::fs::write(gateway.path("a.pem"), "no certificate").expect("write");
    // The pair that it would replace stays, and the rest of the configuration is taken over all the same.
    let outdated = || gateway.metric("portcullis_certificates_outdated", &[]);
    wait::until("the file is complained about", || outdated() == 1.0);
    assert_eq!(ask().expect("an answer").status, 200);
    certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
    wait::until("it is mended", || outdated() == 0.0);
    assert_eq!(ask().expect("an answer").status, 200);
}

#[test]
fn a_proxy_that_is_trusted_no_longer_is_not_on_open_connections_either() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let trusting = settings.clone().with(|value| {
        value["listeners"] = json!([{ "trusted_proxies": ["127.0.0.1"] }]);
    });
    let (gateway, key) = with_one_key(&trusting);
    let mut kept = gateway.connect();
    assert_eq!(kept.send(&get(TARGET).key(&key)).header("connection"), None);
    gateway.configure(&settings);
    wait::until("the reload", || reloads(&gateway, "success") == 1.0);
    assert!(kept.closes_within(std::time::Duration::from_secs(5)));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}

#[test]
fn what_only_a_new_process_can_change_is_refused_with_the_way_to_it() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (mut gateway, key) = with_one_key(&settings);
    gateway.configure(&settings.with(|value| value["workers"] = json!(5)));
    wait::until("the failure is counted", || reloads(&gateway, "failure") == 1.0);
    let way = format!("kill -USR2 {}", gateway.process());
    wait::until("the log names the way", || gateway.stderr().contains(&way));
    gateway.hand_over().end();
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}
