//! TLS of an edge: certificates by name, wildcard and kind of key, versions, renewal of files, sessions that resume.

use crate::support::certificate::{self, Leaf, knowing, leaf_with, trusting};
use crate::support::client::{Connection, Handshake};
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::sync::Arc;

const TARGET: &str = "/v1/openapi/templates";

/// A gateway with these certificates, each under its stem.
struct Edge {
    gateway: Gateway,
    settings: Settings,
    key: String,
    _upstream: Upstream,
}

impl Edge {
    fn start(leaves: &[(&'static str, &Leaf)], alter: impl FnOnce(&mut Value)) -> Self {
        let upstream = Upstream::http();
        let stems: Vec<&str> = leaves.iter().map(|(stem, _)| *stem).collect();
        let settings = Settings::usual(&upstream.url()).unlimited().tls(&stems).with(|value| {
            value["listeners"] = json!([{}, { "tls": {} }]);
            alter(value);
        });
        let mut gateway = Gateway::prepare(&settings);
        leaves.iter().for_each(|(stem, leaf)| leaf.write(gateway.folder(), stem));
        let mut org = organization();
        let key = org.org_key();
        gateway.import(&Fixture::default().with(org).text()).expect_success();
        gateway.serve();
        Self { gateway, settings, key, _upstream: upstream }
    }

    /// Shakes hands, and has one request answered, so that session tickets have arrived.
    fn visit(&self, name: &str, config: &Arc<ClientConfig>) -> io::Result<Handshake> {
        let address = self.gateway.tls.expect("a TLS listener");
        let (mut connection, handshake) = Connection::tls(address, name, config.clone())?;
        assert_eq!(connection.try_send(&get(TARGET).key(&self.key))?.status, 200);
        Ok(handshake)
    }

    fn leaf(&self, name: &str) -> Vec<u8> {
        self.visit(name, &trusting(&[], None)).unwrap_or_else(|error| panic!("{name}: {error}")).leaf
    }

    fn not_after(&self, name: &str) -> f64 {
        self.gateway.metric("portcullis_certificate_not_after_seconds", &[("name", name)])
    }
}

#[test]
fn exact_names_go_before_wildcards_and_a_wildcard_is_one_label() {
    let (first, wild) = (certificate::leaf(&["default.test"]), certificate::leaf(&["*.Example.test"]));
    let exact = certificate::leaf(&["api.example.test", "deep.api.example.test"]);
    let edge = Edge::start(&[("first", &first), ("wild", &wild), ("exact", &exact)], |_| {});
    assert_eq!(edge.leaf("www.example.test"), wild.der);
    assert_eq!(edge.leaf("WWW.EXAMPLE.TEST"), wild.der);
    assert_eq!(edge.leaf("api.example.test"), exact.der);
    assert_eq!(edge.leaf("deep.api.example.test"), exact.der);
    for nobody in ["a.b.example.test", "example.test", "other.test"] {
        // The default, which this client does not take for the name.
        let error = edge.visit(nobody, &trusting(&[], None)).expect_err("another's certificate");
        assert!(error.to_string().contains("not valid for name"), "{nobody}: {error}");
    }
    // Renewed as a set: one pair is replaced, another turns into rubbish and stays as it was.
    let renewed = certificate::leaf(&["*.example.test"]);
    renewed.write(edge.gateway.folder(), "wild");
    wait::until("the new wildcard is shown", || edge.leaf("www.example.test") == renewed.der);
    std::fs::write(edge.gateway.path("exact.pem"), "rubbish").expect("written");
    wait::until("the operator is told", || {
        edge.gateway.metric("portcullis_certificates_outdated", &[]) == 1.0
    });
    assert_eq!(edge.leaf("api.example.test"), exact.der);
    assert!(edge.gateway.stderr().contains("a certificate stays as it was"), "{}", edge.gateway.stderr());
    let again = certificate::leaf(&["*.example.test"]);
    again.write(edge.gateway.folder(), "wild");
    wait::until("others are renewed all the same", || edge.leaf("www.example.test") == again.der);
    exact.write(edge.gateway.folder(), "exact");
    wait::until("all is well", || edge.gateway.metric("portcullis_certificates_outdated", &[]) == 0.0);
}

#[test]
fn the_kind_of_key_is_what_the_client_knows_and_the_metric_has_every_name() {
    let authority = certificate::Authority::new("of the metric");
    let key = || rcgen::KeyPair::generate().expect("a key pair");
    let late = authority
        .leaf("x", &["late.test"], key(), |params| params.not_after = rcgen::date_time_ymd(2041, 1, 1));
    let ecdsa = certificate::leaf(&["both.test"]);
    let rsa = leaf_with(&["both.test"], &rcgen::PKCS_RSA_SHA256);
    let edge = Edge::start(&[("ecdsa", &ecdsa), ("rsa", &rsa), ("late", &late)], |_| {});
    let with = |suite| edge.visit("both.test", &knowing(vec![suite])).expect("a handshake").leaf;
    assert_eq!(with(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), rsa.der);
    assert_eq!(with(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), ecdsa.der);
    assert_eq!(edge.leaf("both.test"), ecdsa.der, "the first, where the client knows both");
    assert_eq!(edge.not_after("late.test"), 2_240_611_200.0);
    assert!(edge.not_after("both.test") > 2_240_611_200.0, "rcgen's own end of time");
}

#[test]
fn strict_sni_turns_away_who_asks_for_nobody() {
    let leaf = certificate::leaf(&["a.test"]);
    let edge = Edge::start(&[("a", &leaf)], |value| value["listeners"][1]["tls"]["strict_sni"] = json!(true));
    assert_eq!(edge.leaf("a.test"), leaf.der);
    let error = edge.visit("b.test", &trusting(&[], None)).expect_err("no certificate");
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    let failed = edge.gateway.metric("portcullis_tls_handshakes_total", &[("result", "failed")]);
    assert_eq!(failed, 1.0);
}

#[test]
fn the_oldest_version_is_a_choice() {
    let leaf = certificate::leaf(&["a.test"]);
    let edge =
        Edge::start(&[("a", &leaf)], |value| value["listeners"][1]["tls"]["min_version"] = json!("1.3"));
    let old = trusting(&[], Some(&rustls::version::TLS12));
    assert!(edge.visit("a.test", &old).expect_err("too old").to_string().contains("ProtocolVersion"));
    assert_eq!(edge.visit("a.test", &trusting(&[], None)).expect("TLS 1.3").leaf, leaf.der);
}

#[test]
fn sessions_resume_on_every_worker_and_through_a_renewal_of_certificates() {
    let leaf = certificate::leaf(&["a.test"]);
    let edge = Edge::start(&[("a", &leaf)], |value| value["workers"] = json!(2));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = trusting(&[b"http/1.1"], Some(version));
        assert!(!edge.visit("a.test", &client).expect("a first visit").resumed);
        // Each on a connection that the kernel gives to either worker.
        for _ in 0..8 {
            assert!(edge.visit("a.test", &client).expect("a visit").resumed, "{version:?}");
        }
        let renewed = certificate::leaf(&["a.test"]);
        renewed.write(edge.gateway.folder(), "a");
        wait::until("the new certificate is shown", || edge.leaf("a.test") == renewed.der);
        assert!(edge.visit("a.test", &client).expect("a visit").resumed, "{version:?}");
    }
    let resumed = edge.gateway.metric("portcullis_tls_handshakes_total", &[("result", "resumed")]);
    assert_eq!(resumed, 18.0);
}

#[test]
fn the_admin_listener_s_tls_is_the_same() {
    let leaf = certificate::leaf(&["a.test"]);
    let mut edge = Edge::start(&[("a", &leaf)], |_| {});
    edge.gateway.stop();
    let secure = edge.settings.clone().with(|value| {
        value["admin"]["tls"] = json!({ "certificates": [{ "cert": "admin.pem", "key": "admin.key" }] });
    });
    let show = |text: &str| {
        let (mut connection, handshake) =
            Connection::tls(edge.gateway.admin, "admin.test", trusting(&[b"h2", b"http/1.1"], None)).ok()?;
        assert_eq!(handshake.alpn.as_deref(), Some(&b"http/1.1"[..]), "it speaks no HTTP/2");
        connection.write(format!("GET {text} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        (connection.reply("GET").ok()?.status == 200).then_some(handshake.leaf)
    };
    let admin = certificate::leaf(&["admin.test"]);
    admin.write(edge.gateway.folder(), "admin");
    edge.gateway.configure(&secure);
    let mut child = std::process::Command::new(crate::support::gateway::PROGRAM)
        .args(["serve", "--config"])
        .arg(edge.gateway.config())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("started");
    wait::until("it is ready", || show("/readyz").is_some_and(|shown| shown == admin.der));
    let renewed = certificate::leaf(&["admin.test"]);
    renewed.write(edge.gateway.folder(), "admin");
    wait::until("its certificate is renewed too", || {
        show("/healthz").is_some_and(|shown| shown == renewed.der)
    });
    child.kill().expect("ended");
    child.wait().expect("ended");
}

#[test]
fn check_says_which_key_does_not_fit() {
    let upstream = Upstream::http();
    let gateway = Gateway::prepare(&Settings::usual(&upstream.url()).tls(&["a"]));
    let (a, b) = (certificate::leaf(&["a.test"]), certificate::leaf(&["b.test"]));
    a.write(gateway.folder(), "a");
    assert!(gateway.run("check", &[]).status.success());
    std::fs::write(gateway.path("a.key"), &b.key_pem).expect("written");
    let output = gateway.run("check", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("a.pem") && said.contains("is") && said.contains("a.key the key"), "{said}");
}

#[test]
fn openssl_resumes_too() {
    let leaf = certificate::leaf(&["a.test"]);
    let edge = Edge::start(&[("a", &leaf)], |_| {});
    let address = edge.gateway.tls.expect("a TLS listener").to_string();
    let session = edge.gateway.path("session.pem");
    let talk = |how: &str| {
        let mut client = std::process::Command::new("openssl")
            .args(["s_client", "-connect", &address, "-servername", "a.test", "-no_ign_eof", how])
            .arg(&session)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("openssl");
        // The answer is what the end of input waits for: the tickets of TLS 1.3 come before it.
        let mut input = client.stdin.take().expect("its input");
        input.write_all(b"GET /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("written");
        let mut said = String::new();
        client.stdout.take().expect("its output").read_to_string(&mut said).expect("read");
        client.wait().expect("ended");
        said
    };
    let first = talk("-sess_out");
    assert!(first.contains("New, TLS"), "{first}");
    let second = talk("-sess_in");
    assert!(second.contains("Reused, TLS"), "{second}");
}
