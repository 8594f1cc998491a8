//! URLs that customers write: one reading of where they lead, and never to ourselves.

use super::text;
use portcullis::config::HttpUrl;
use portcullis::control::webhooks::Guard;
use std::net::IpAddr;

pub(crate) fn check(data: &[u8]) {
    let guard = Guard::default();
    if let Some(octets) = data.first_chunk::<16>() {
        judged(&guard, IpAddr::from(*octets));
        judged(&guard, IpAddr::from([octets[0], octets[1], octets[2], octets[3]]));
    }
    let Some(url) = text(data) else { return };
    let Some(target) = HttpUrl::parse(url) else { return };
    let scheme = if target.secure { "https" } else { "http" };
    let again = format!("{scheme}://{}{}", target.authority, target.path);
    assert_eq!(HttpUrl::parse(&again).as_ref(), Some(&target), "{url:?} and {again:?}");
    let (before, rest) = url.split_once("://").expect("a scheme");
    assert!(before.eq_ignore_ascii_case(scheme), "{url:?}");
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    assert_eq!(target.authority, rest[..end], "{url:?}");
    assert!(!target.authority.contains('@') && !target.host.is_empty() && target.port != 0, "{url:?}");
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let port = target.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    assert!(port.is_none_or(|port: u16| port == target.port), "{url:?}");
    if !target.authority.starts_with('[') {
        let name = target.authority.split(':').next().unwrap_or_default();
        assert!(name.eq_ignore_ascii_case(&host), "{url:?} leads to {host:?}");
    }
    assert!(target.path.starts_with(['/', '?']), "{target:?}");
    assert!(!target.path.bytes().any(|byte| byte <= b' ' || byte == 0x7f), "{target:?}");
    target.address().inspect(|&address| judged(&guard, address));
}

/// What the standard library knows to be no public address is never sent to, whatever it is wrapped in.
fn judged(guard: &Guard, address: IpAddr) {
    let inside = match address {
        IpAddr::V4(it) => inside(it),
        IpAddr::V6(it) => {
            let mapped = it.to_ipv4_mapped().is_some_and(inside);
            let own = it.is_unicast_link_local() || it.is_unique_local() || it.to_ipv4().is_some_and(inside);
            mapped || own || it.is_loopback() || it.is_unspecified() || it.is_multicast()
        }
    };
    assert!(!(inside && guard.admits(address, true)), "{address} is let through");
    assert!(!guard.admits(address, false), "{address} is let through without TLS");
}

fn inside(it: std::net::Ipv4Addr) -> bool {
    let own = it.is_loopback() || it.is_private() || it.is_link_local() || it.is_unspecified();
    own || it.is_multicast() || it.is_broadcast() || it.is_documentation()
}
