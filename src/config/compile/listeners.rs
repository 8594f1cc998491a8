//! `listeners` and `admin`: where the process listens, with which certificates and bounds.

use super::files::Files;
use super::{all, at_least_one, maybe, or};
use crate::config::check::{address, network};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::schema::{CHALLENGES, CLIENT_AUTH, LETS_ENCRYPT, TLS_VERSIONS};
use crate::config::section::Section;
use crate::config::{
    Acme, AcmeChallenge, Admin, BodyPace, Bounds, CertificateFiles, ClientAuth, Listener, ListenerTls,
    TlsVersion,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where operators connect when the file does not say.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

pub(super) fn listeners(root: &Section<'_>, files: &Files) -> Option<Vec<Listener>> {
    at_least_one(&root.get("listeners")?, "listener", |value| listener(value, files))
}

fn listener(value: &Value<'_>, files: &Files) -> Option<Listener> {
    let section = value.any_section()?;
    let address = section.get("address").and_then(|value| address(&value));
    let tls = maybe(&section, "tls", |value| tls(value, files));
    let trusted_proxies = all(&section.items("trusted_proxies"), network);
    let proxy_protocol = or(&section, "proxy_protocol", Value::boolean, || false);
    if proxy_protocol == Some(true) && trusted_proxies.as_ref().is_some_and(Vec::is_empty) {
        let help = "name under `trusted_proxies` the addresses that the balancer connects from";
        let place = section.get("proxy_protocol").unwrap_or_else(|| value.clone());
        place.report(
            Code::Conflict,
            "nobody may send a PROXY protocol header, so that nobody could connect",
            Some(help),
        );
        return None;
    }
    let bounds = or(&section, "limits", bounds, Bounds::default);
    Some(Listener {
        address: address?,
        tls: tls?,
        trusted_proxies: trusted_proxies?,
        proxy_protocol: proxy_protocol?,
        bounds: bounds?,
    })
}

fn tls(value: &Value<'_>, files: &Files) -> Option<ListenerTls> {
    let section = value.any_section()?;
    let acme = maybe(&section, "acme", |value| acme(value, files));
    let certificates = match section.get("certificates") {
        Some(list) => certificates(&list, files),
        None if section.get("acme").is_some() => Some(Vec::new()),
        None => {
            let help = "add `certificates: [{ cert: FILE, key: FILE }]`, or `acme: { domains: [NAME] }`";
            section.report_missing("certificates", Some(help));
            None
        }
    };
    let min_version = or(&section, "min_version", min_version, || TlsVersion::V1_2);
    let strict_sni = or(&section, "strict_sni", Value::boolean, || false);
    let clients = clients(&section, files);
    if let (Some(Some(acme)), Some(Some(clients))) = (&acme, &clients)
        && acme.challenge == AcmeChallenge::TlsAlpn
        && clients.required
        && let Some(place) = section.get("acme")
    {
        let help = "take `challenge: http-01`, or `client_auth: optional`";
        place.report(
            Code::Conflict,
            "an authority shows no client certificate, so that it could not look",
            Some(help),
        );
        return None;
    }
    Some(ListenerTls {
        certificates: certificates?,
        min_version: min_version?,
        strict_sni: strict_sni?,
        clients: clients?,
        acme: acme?,
    })
}

fn certificates(list: &Value<'_>, files: &Files) -> Option<Vec<CertificateFiles>> {
    at_least_one(list, "certificate", |value| {
        let section = value.any_section()?;
        let cert = section.optional("cert", |value| files.existing(value));
        let key = section.optional("key", |value| files.existing(value));
        Some(CertificateFiles { cert: cert?, key: key? })
    })
}

fn acme(value: &Value<'_>, files: &Files) -> Option<Acme> {
    let section = value.any_section()?;
    let domains = section.get("domains").and_then(|list| at_least_one(&list, "domain", domain));
    let email = maybe(&section, "email", |value| value.non_empty().map(Box::from));
    let directory = or(&section, "directory", directory, || LETS_ENCRYPT.into());
    let ca = maybe(&section, "ca", |value| files.existing(value));
    let challenge = or(&section, "challenge", challenge, || AcmeChallenge::TlsAlpn);
    let renew_before = maybe(&section, "renew_before", Value::duration);
    Some(Acme {
        domains: domains?,
        email: email?,
        directory: directory?,
        ca: ca?,
        challenge: challenge?,
        renew_before: renew_before?,
    })
}

/// A name that an authority can look at from outside.
fn domain(value: &Value<'_>) -> Option<Box<str>> {
    let text = value.non_empty()?;
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && label.len() < 64 && !label.starts_with('-') && !label.ends_with('-')
    };
    if text.starts_with("*.") {
        let help = "name each host, or name the files of a wildcard under `certificates`";
        value.report(
            Code::InvalidValue,
            "a wildcard can only be proven by DNS, which is not done here",
            Some(help),
        );
        return None;
    }
    if text.parse::<std::net::IpAddr>().is_ok() || text.len() > 253 || !text.split('.').all(label) {
        value.report(
            Code::InvalidValue,
            format!("{} is not a host name", value.shown()),
            Some("such as `api.example.com`"),
        );
        return None;
    }
    Some(text.to_ascii_lowercase().into())
}

fn directory(value: &Value<'_>) -> Option<Box<str>> {
    let text = value.non_empty()?;
    let uri = text.parse::<http::Uri>().ok();
    if uri.is_none_or(|uri| uri.scheme() != Some(&http::uri::Scheme::HTTPS) || uri.host().is_none()) {
        let help = format!("such as `{LETS_ENCRYPT}`");
        value.report(Code::InvalidValue, format!("{} is not an https URL", value.shown()), Some(&help));
        return None;
    }
    Some(text.into())
}

fn challenge(value: &Value<'_>) -> Option<AcmeChallenge> {
    Some(if value.choice(CHALLENGES)? == "http-01" { AcmeChallenge::Http } else { AcmeChallenge::TlsAlpn })
}

fn min_version(value: &Value<'_>) -> Option<TlsVersion> {
    Some(if value.choice(TLS_VERSIONS)? == "1.3" { TlsVersion::V1_3 } else { TlsVersion::V1_2 })
}

/// Mutual TLS, from three keys of which the first asks for it.
fn clients(section: &Section<'_>, files: &Files) -> Option<Option<ClientAuth>> {
    let ca = maybe(section, "client_ca", |value| files.existing(value));
    let required =
        or(section, "client_auth", |value| Some(value.choice(CLIENT_AUTH)? == "required"), || true);
    let forward = or(section, "forward_client_cert", Value::boolean, || false);
    if let Some(None) = ca {
        let idle = ["client_auth", "forward_client_cert"].into_iter().filter_map(|key| section.get(key));
        let mut told = false;
        for value in idle {
            let help = "name the authorities of the certificates: `client_ca: FILE`, or remove this";
            value.report(
                Code::Conflict,
                "without `client_ca` no client is asked for a certificate",
                Some(help),
            );
            told = true;
        }
        return (!told).then_some(None);
    }
    let (required, forward) = (required?, forward?);
    Some(ca?.map(|ca| ClientAuth { ca, required, forward }))
}

fn bounds(value: &Value<'_>) -> Option<Bounds> {
    let section = value.any_section()?;
    let default = Bounds::default();
    let header_size = or(&section, "header_size", header_size, || default.header_size);
    let header_timeout = or(&section, "header_timeout", Value::duration, || default.header_timeout);
    let idle_timeout = or(&section, "idle_timeout", Value::duration, || default.idle_timeout);
    let max_streams = or(&section, "max_streams", |v| integer(v, 65_535), || default.max_streams);
    let max_connections =
        or(&section, "max_connections", |v| integer(v, 10_000_000), || default.max_connections);
    let per_address = or(
        &section,
        "max_connections_per_address",
        |v| integer(v, 10_000_000),
        || default.max_connections_per_address,
    );
    let body_timeout = or(&section, "body_timeout", Value::duration, || default.body.timeout);
    let body_rate = or(&section, "min_body_rate", Value::size, || default.body.rate);
    let min_answer_rate = or(&section, "min_answer_rate", Value::size, || default.min_answer_rate);
    Some(Bounds {
        max_connections_per_address: per_address?,
        body: BodyPace { timeout: body_timeout?, rate: body_rate? },
        min_answer_rate: min_answer_rate?,
        header_size: header_size?,
        header_timeout: header_timeout?,
        idle_timeout: idle_timeout?,
        max_streams: max_streams?,
        max_connections: max_connections?,
    })
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            header_size: 32 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            max_streams: 128,
            max_connections: 65_536,
            max_connections_per_address: 16_384,
            body: BodyPace { timeout: Duration::from_secs(30), rate: 240 },
            min_answer_rate: 240,
        }
    }
}

fn integer<T: TryFrom<u64>>(value: &Value<'_>, most: u64) -> Option<T> {
    value.integer(1, most).and_then(|n| T::try_from(n).ok())
}

/// Less than 1 KiB holds no real request; more than 1 MiB is room for an attacker.
fn header_size(value: &Value<'_>) -> Option<usize> {
    let bytes = value.size()?;
    if !(1 << 10..=1 << 20).contains(&bytes) {
        let message = format!("{} is out of range: `1KiB` to `1MiB`", value.shown());
        value.report(Code::InvalidValue, message, None);
        return None;
    }
    usize::try_from(bytes).ok()
}

pub(super) fn admin(root: &Section<'_>, files: &Files) -> Option<Admin> {
    let Some(value) = root.get("admin") else { return Some(Admin { address: ADMIN, tls: None }) };
    let section = value.any_section()?;
    let tls = maybe(&section, "tls", |value| tls(value, files));
    let insecure = or(&section, "insecure", Value::boolean, || false);
    let address = or(&section, "address", address, || ADMIN);
    let exposed = address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
    if exposed && insecure == Some(false) && section.get("tls").is_none() {
        let place = section.get("address").unwrap_or(value);
        let help = "add `tls`, or say `insecure: true` if something in front of it encrypts";
        place.report(
            Code::Conflict,
            "the admin listener would be open to the network without TLS",
            Some(help),
        );
        return None;
    }
    insecure?;
    Some(Admin { address: address?, tls: tls? })
}

/// Reports addresses that two listeners, the admin listener included, would fight over.
pub(super) fn addresses_are_free(root: &Section<'_>) {
    let mut taken: Vec<(SocketAddr, usize)> = Vec::new();
    let sections = root.items("listeners").into_iter().chain(root.get("admin"));
    for value in sections.filter_map(|value| value.any_section()?.get("address")) {
        let Some(address) = address(&value) else { continue };
        match taken.iter().find(|(other, _)| overlap(*other, address)) {
            Some((_, line)) => {
                let message = format!("{} is taken already, by line {line}", value.shown());
                value.report(
                    Code::Conflict,
                    message,
                    Some("give each listener an address and port of its own"),
                );
            }
            None => taken.push((address, value.line())),
        }
    }
    if root.get("admin").and_then(|admin| admin.any_section()?.get("address")).is_none() {
        admin_default_is_free(root);
    }
}

/// The admin listener takes an address also when the file is silent about it.
fn admin_default_is_free(root: &Section<'_>) {
    let addresses =
        root.items("listeners").into_iter().filter_map(|value| value.any_section()?.get("address"));
    for value in addresses.filter(|value| address(value).is_some_and(|address| overlap(address, ADMIN))) {
        let message = format!("{} is where the admin listener is by default", value.shown());
        value.report(
            Code::Conflict,
            message,
            Some("take another, or give the admin listener one: `admin: { address: … }`"),
        );
    }
}

/// Port 0 takes a free port each time, so it never overlaps.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    let same_ip = a.ip() == b.ip() || (everywhere && a.is_ipv4() == b.is_ipv4());
    a.port() != 0 && a.port() == b.port() && same_ip
}
