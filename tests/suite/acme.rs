//! ACME against an authority of the suite's own: both challenges, renewal, restarts, and everything that goes wrong.

use crate::support::acme::Acme;
use crate::support::certificate::trusting;
use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::json;
use std::time::Duration;

/// A gateway without certificates of its own, and the authority that it asks.
struct Obtaining {
    gateway: Gateway,
    acme: Acme,
}

impl Obtaining {
    /// Nothing runs yet.
    fn prepare(challenge: &str, domains: &[&str]) -> Self {
        let acme = Acme::start();
        let section = json!({ "domains": domains, "email": "ops@a.test", "directory": acme.directory(),
            "challenge": challenge, "ca": "authority.pem" });
        let settings = Settings::usual("http://127.0.0.1:1").with(|value| {
            value["listeners"] = json!([{}, { "tls": { "acme": section } }]);
        });
        let gateway = Gateway::prepare(&settings);
        acme.state().http = Some(gateway.address);
        acme.state().tls = gateway.tls;
        gateway.import(&Fixture::default().with(organization()).text()).expect_success();
        Self { gateway, acme }
    }

    /// The certificate that is shown for a name, when there is one that clients take.
    fn shown(&self, name: &str) -> Option<Vec<u8>> {
        let address = self.gateway.tls.expect("a TLS listener");
        let (mut connection, handshake) = Connection::tls(address, name, trusting(&[], None)).ok()?;
        let status = connection.try_send(&get("/v1/openapi/fixed")).ok()?.status;
        (status == 401).then_some(handshake.leaf)
    }

    fn obtained(&self, name: &str) -> Vec<u8> {
        let shown = wait::poll(Duration::from_secs(20), || self.shown(name));
        shown.unwrap_or_else(|| panic!("no certificate for {name}:\n{}", self.gateway.stderr()))
    }

    fn attempts(&self, result: &str) -> f64 {
        self.gateway.metric("portcullis_acme_orders_total", &[("result", result)])
    }

    fn counts(&self) -> (usize, usize, usize) {
        let state = self.acme.state();
        (state.accounts, state.asked, state.signed)
    }
}

#[test]
fn tls_alpn_01_brings_a_certificate_that_survives_a_restart() {
    let mut it = Obtaining::prepare("tls-alpn-01", &["a.test", "b.test"]);
    it.gateway.serve();
    let first = it.obtained("a.test");
    assert_eq!(it.obtained("b.test"), first, "one certificate for both");
    assert!(it.shown("c.test").is_none());
    assert_eq!((it.attempts("success"), it.attempts("failure")), (1.0, 0.0));
    let ends = it.gateway.metric("portcullis_certificate_not_after_seconds", &[("name", "a.test")]);
    let now_s = (wait::now().unix_ms / 1000) as f64;
    assert!(ends > now_s + 3000.0 && ends < now_s + 3700.0, "{ends}");
    // The proof is shown to nobody afterwards, whoever asks for it.
    let challenge = Connection::tls(it.gateway.tls.expect("TLS"), "a.test", trusting(&[b"acme-tls/1"], None));
    assert!(challenge.is_err(), "no challenge is under way");
    it.gateway.restart();
    assert_eq!(it.shown("a.test"), Some(first), "from the first connection on");
    assert_eq!(it.counts(), (1, 1, 1), "nothing was asked for again");
    let said = it.gateway.stderr();
    assert!(!said.contains("PRIVATE KEY") && !said.contains("key_pkcs8"), "{said}");
}

#[test]
fn http_01_brings_one_too_and_it_is_renewed_before_it_ends() {
    let mut it = Obtaining::prepare("http-01", &["a.test"]);
    it.acme.state().life_s = 9;
    it.acme.state().bad_nonces = 2;
    it.gateway.serve();
    let first = it.obtained("a.test");
    let renewed = wait::poll(Duration::from_secs(20), || it.shown("a.test").filter(|leaf| *leaf != first));
    assert!(renewed.is_some(), "never renewed:\n{}", it.gateway.stderr());
    let (accounts, asked, signed) = it.counts();
    assert_eq!(accounts, 1);
    assert!(asked == signed && (2..=3).contains(&signed), "{asked} asked for, {signed} signed");
    assert_eq!((it.attempts("failure"), it.acme.state().failed), (0.0, 0));
    // A token that is not under way is a path like any other.
    assert_eq!(it.gateway.send(&get("/.well-known/acme-challenge/token-of-order-0-and-name-0")).status, 404);
}

#[test]
fn a_challenge_that_fails_is_tried_again_with_patience() {
    let mut it = Obtaining::prepare("http-01", &["a.test"]);
    it.acme.state().http = None;
    it.gateway.serve();
    assert!(it.shown("a.test").is_none(), "no certificate is better than one that nobody can verify");
    assert_eq!(it.gateway.ask("/readyz").status, 200);
    wait::until("the failure is counted", || it.attempts("failure") == 1.0);
    let said = it.gateway.stderr();
    for part in ["could not validate a.test", "nobody is there", "as port 80", "next_attempt_in_s"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    it.acme.state().http = Some(it.gateway.address);
    it.obtained("a.test");
    assert_eq!((it.counts(), it.attempts("success")), ((1, 2, 1), 1.0));
}

#[test]
fn a_rate_limit_is_not_run_into_again_by_starting_anew() {
    let mut it = Obtaining::prepare("tls-alpn-01", &["a.test"]);
    it.acme.state().rate_limited = true;
    it.gateway.serve();
    wait::until("it is counted", || it.attempts("rate_limited") == 1.0);
    assert!(it.gateway.stderr().contains("too many certificates already issued"), "{}", it.gateway.stderr());
    it.acme.state().rate_limited = false;
    it.gateway.restart();
    let again = wait::poll(Duration::from_secs(3), || (it.acme.state().asked > 1).then_some(()));
    assert!(again.is_none(), "an hour is not over");
}
