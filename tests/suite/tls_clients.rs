//! Mutual TLS: whose certificates are taken, what becomes known of them, and that no session outlives a change of mind.

use crate::support::certificate::{self, Authority, Leaf, showing, trusting};
use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{Reply, Request, get, wait};
use base64::Engine;
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use std::io;
use std::sync::Arc;

const TARGET: &str = "/v1/openapi/templates";

/// A gateway that asks clients for certificates of `authority`.
struct Mutual {
    gateway: Gateway,
    upstream: Upstream,
    authority: Authority,
    key: String,
}

impl Mutual {
    fn start(auth: &str, forward: bool) -> Self {
        let (upstream, authority) = (Upstream::http(), Authority::new("of clients"));
        let settings = Settings::usual(&upstream.url()).unlimited().tls(&["a"]).with(|value| {
            let tls =
                json!({ "client_ca": "clients.pem", "client_auth": auth, "forward_client_cert": forward });
            value["listeners"] = json!([{}, { "tls": tls }]);
        });
        let mut gateway = Gateway::prepare(&settings);
        certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
        std::fs::write(gateway.path("clients.pem"), authority.pem()).expect("written");
        let mut org = organization();
        let key = org.org_key();
        gateway.import(&Fixture::default().with(org).text()).expect_success();
        gateway.serve();
        Self { gateway, upstream, authority, key }
    }

    fn leaf(&self, name: &str) -> Leaf {
        leaf(&self.authority, name, |_| {})
    }

    fn send(&self, config: &Arc<ClientConfig>, request: &Request) -> io::Result<(Reply, bool)> {
        let address = self.gateway.tls.expect("a TLS listener");
        let (mut connection, handshake) = Connection::tls(address, "a.test", config.clone())?;
        Ok((connection.try_send(request)?, handshake.resumed))
    }

    fn visit(&self, config: &Arc<ClientConfig>) -> io::Result<bool> {
        let (reply, resumed) = self.send(config, &get(TARGET).key(&self.key))?;
        assert_eq!(reply.status, 200);
        Ok(resumed)
    }

    /// Replaces the file of the clients' authorities.
    fn trust(&self, text: &str) {
        std::fs::write(self.gateway.path("clients.new"), text).expect("written");
        std::fs::rename(self.gateway.path("clients.new"), self.gateway.path("clients.pem")).expect("renamed");
    }
}

fn leaf(authority: &Authority, name: &str, alter: impl FnOnce(&mut CertificateParams)) -> Leaf {
    authority.leaf(name, &[], KeyPair::generate().expect("a key pair"), |params| {
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example, Ltd");
        alter(params);
    })
}

#[test]
fn only_certificates_of_the_authorities_come_in() {
    let mutual = Mutual::start("required", false);
    let stranger = Authority::new("of clients");
    let ended = leaf(&mutual.authority, "late", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early =
        leaf(&mutual.authority, "early", |params| params.not_before = rcgen::date_time_ymd(2070, 1, 1));
    for version in [&TLS12, &TLS13] {
        let resumed = mutual.visit(&showing(&mutual.leaf("good"), Some(version)));
        assert!(!resumed.expect("a good certificate"));
        let nothing = mutual.visit(&trusting(&[b"http/1.1"], Some(version))).expect_err("none");
        assert!(
            nothing.to_string().contains("CertificateRequired")
                || version.version == rustls::ProtocolVersion::TLSv1_2,
            "{nothing}"
        );
        for bad in [&leaf(&stranger, "x", |_| {}), &ended, &early] {
            mutual.visit(&showing(bad, Some(version))).expect_err("a bad certificate");
        }
    }
    let count = |result| mutual.gateway.metric("portcullis_tls_handshakes_total", &[("result", result)]);
    assert_eq!((count("full"), count("failed")), (2.0, 8.0));
    assert_eq!(mutual.upstream.count(), 2, "nothing of the others");
}

#[test]
fn what_is_optional_may_be_missing_and_not_wrong() {
    let mutual = Mutual::start("optional", true);
    let (reply, _) = mutual.send(&trusting(&[], None), &get(TARGET).key(&mutual.key)).expect("without");
    assert_eq!(mutual.upstream.one(&reply.expect(200).tag).header("client-cert"), None);
    let stranger = leaf(&Authority::new("of others"), "x", |_| {});
    mutual.visit(&showing(&stranger, None)).expect_err("a bad certificate");
    mutual.visit(&showing(&mutual.leaf("good"), None)).expect("a good one");
}

#[test]
fn backends_and_the_log_learn_whose_certificate_it_was_and_nobody_forges_it() {
    let mutual = Mutual::start("required", true);
    let shown = mutual.leaf("billing \"robot\"");
    let forged =
        get(TARGET).key(&mutual.key).header("Client-Cert", ":Zm9yZ2Vk:").header("Client_Cert", ":Zg==:");
    let (reply, _) = mutual.send(&showing(&shown, None), &forged).expect("an answer");
    let record = mutual.upstream.one(&reply.expect(200).tag);
    let want = format!(":{}:", base64::engine::general_purpose::STANDARD.encode(&shown.der));
    assert_eq!(record.header("client-cert"), Some(want.as_str()));
    assert_eq!(record.header("client_cert"), None);
    let plain = mutual.gateway.send(&get(TARGET).key(&mutual.key).header("Client-Cert", ":Zm9yZ2Vk:"));
    assert_eq!(mutual.upstream.one(&plain.expect(200).tag).header("client-cert"), None);
    let logged = wait::poll(std::time::Duration::from_secs(10), || {
        let text = std::fs::read_to_string(mutual.gateway.path("access.log")).ok()?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.map(|line| line["client_certificate"].clone()).find(|subject| !subject.is_null())
    });
    assert_eq!(logged, Some(json!("O=Example\\, Ltd,CN=billing \\\"robot\\\"")));
}

#[test]
fn a_change_of_authorities_ends_sessions_too() {
    let mutual = Mutual::start("required", false);
    let (good, another) = (mutual.leaf("good"), Authority::new("of others"));
    for version in [&TLS12, &TLS13] {
        mutual.trust(&mutual.authority.pem());
        let client = showing(&good, Some(version));
        wait::until("its authority is trusted", || mutual.visit(&client).is_ok());
        assert!(mutual.visit(&client).expect("a second visit"), "it resumes: {version:?}");
        let reloads = || mutual.gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
        let before = reloads();
        mutual.trust(&another.pem());
        wait::until("the file was read again", || reloads() > before);
        mutual.visit(&client).expect_err("neither its certificate nor its session");
        mutual.visit(&showing(&leaf(&another, "new", |_| {}), Some(version))).expect("the new authority's");
    }
}

#[test]
fn a_session_ends_with_its_certificate() {
    let mutual = Mutual::start("required", false);
    let now = i64::try_from(wait::now().unix_ms / 1000).expect("a time");
    let ends = now + 3;
    let short = leaf(&mutual.authority, "short", |params| {
        let date = rcgen::date_time_ymd(1970, 1, 1);
        params.not_after = date + std::time::Duration::from_secs(u64::try_from(ends).expect("a time"));
    });
    let client = showing(&short, Some(&TLS13));
    mutual.visit(&client).expect("still good");
    wait::until("it has ended", || wait::now().unix_ms / 1000 > u64::try_from(ends).expect("a time"));
    mutual.visit(&client).expect_err("the certificate has ended, whatever the ticket says");
}
