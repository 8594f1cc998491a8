//! TLS to upstreams: own authorities, own names, a certificate to show.

use crate::support::certificate::{authority_pem, leaf};
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::pair::{TARGET, settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::{Value, json};

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// A gateway in front of this backend, and the status of a request through it.
fn start(backend: &Upstream, tls: Value) -> (Gateway, String) {
    let mut organization = organization();
    let key = organization.org_key();
    let mut gateway = Gateway::prepare(&settings(&[&backend.url()], json!({})));
    leaf(&["client.test"]).write(gateway.folder(), "client");
    std::fs::write(gateway.path("ours.pem"), authority_pem()).expect("write");
    let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(gateway.path("other.pem"), stranger.cert.pem()).expect("write");
    gateway.configure(&settings(&[&backend.url()], json!({ "tls": tls })));
    gateway.import(&Fixture::default().with(organization).text()).expect_success();
    gateway.serve();
    (gateway, key)
}

fn status(backend: &Upstream, tls: Value) -> u16 {
    let (gateway, key) = start(backend, tls);
    gateway.send(&get(TARGET).key(&key)).status
}

#[test]
fn only_the_authorities_that_are_named_are_trusted() {
    let backend = Upstream::https(&leaf(&["127.0.0.1"]), BOTH);
    assert_eq!(status(&backend, json!({ "ca": "ours.pem" })), 200);
    assert!(backend.all()[0].http2);
    assert_eq!(status(&backend, json!({ "ca": "other.pem" })), 502);
    assert_eq!(backend.count(), 1);
}

#[test]
fn the_name_that_is_given_is_asked_for_and_has_to_be_there() {
    let backend = Upstream::https(&leaf(&["backend.test"]), HTTP1);
    assert_eq!(status(&backend, json!({ "ca": "ours.pem", "server_name": "backend.test" })), 200);
    assert_eq!(status(&backend, json!({ "server_name": "other.test" })), 502);
    assert_eq!(status(&backend, json!({ "ca": "ours.pem" })), 502);
    assert_eq!(backend.count(), 1);
}

#[test]
fn a_certificate_is_shown_to_who_asks() {
    let backend = Upstream::tls(leaf(&["127.0.0.1"]).server_for_known(HTTP1));
    let certificate = json!({ "cert": "client.pem", "key": "client.key" });
    assert_eq!(status(&backend, json!({ "ca": "ours.pem", "certificate": certificate })), 200);
    assert_eq!(status(&backend, json!({ "ca": "ours.pem" })), 502);
    assert_eq!(backend.count(), 1);
}

#[test]
fn sessions_are_resumed_and_a_changed_file_is_taken_over() {
    let backend = Upstream::https(&leaf(&["127.0.0.1"]), HTTP1);
    backend.answers(Answer { headers: vec![("connection", "close".to_owned())], ..Answer::default() });
    let (gateway, key) = start(&backend, json!({ "ca": "ours.pem" }));
    let send = || gateway.send(&get(TARGET).key(&key)).status;
    (0..4).for_each(|_| assert_eq!(send(), 200));
    assert!(backend.resumed() >= 2, "{} of {} handshakes", backend.resumed(), backend.connections());
    std::fs::copy(gateway.path("other.pem"), gateway.path("ours.pem.new")).expect("copy");
    std::fs::rename(gateway.path("ours.pem.new"), gateway.path("ours.pem")).expect("rename");
    wait::until("the new authority is the one that is trusted", || send() == 502);
}

#[test]
fn files_that_tls_can_not_use_are_named_by_check() {
    let backend = Upstream::https(&leaf(&["127.0.0.1"]), HTTP1);
    let gateway = Gateway::prepare(&settings(&[&backend.url()], json!({})));
    std::fs::write(gateway.path("empty.pem"), "nothing\n").expect("write");
    let tls = json!({ "ca": "empty.pem", "certificate": { "cert": "gone.pem", "key": "empty.pem" } });
    gateway.configure(&settings(&[&backend.url()], json!({ "tls": tls })));
    let output = gateway.run("check", &[]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("gone.pem"), "{said}");
    gateway.configure(&settings(&[&backend.url()], json!({ "tls": { "ca": "empty.pem" } })));
    let output = gateway.run("check", &[]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("there is no certificate in"), "{said}");
}
