//! Whose request it is behind proxies: never an address that stands further left than the first one nobody trusts. An input
//! is lines of `X-Forwarded-For`.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use portcullis::pipeline::Peer;
use portcullis::wire::{Fields, Scratch};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const NAME: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

pub(crate) fn check(data: &[u8]) {
    let lines = data.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let lines: Vec<HeaderValue> = lines.take(8).collect();
    let mut map = HeaderMap::new();
    for line in &lines {
        map.append(NAME, line.clone());
    }
    let fields = Fields::of(&map, &Scratch::default());
    let trusted = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
    let client = |peer| Peer::new(peer, true, &trusted, 65_536).client(&fields);
    assert_eq!(client(STRANGER), STRANGER, "a stranger was believed");
    let found = client(PROXY);
    assert_eq!(found, plainly(&lines), "{lines:?}");
    // However many lines a proxy writes it in, it is one list (RFC 9110, 5.3).
    let joined = lines.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b","[..]);
    let mut map = HeaderMap::new();
    if !lines.is_empty() {
        map.append(NAME, HeaderValue::from_bytes(&joined).expect("made of such"));
    }
    let fields = Fields::of(&map, &Scratch::default());
    assert_eq!(Peer::new(PROXY, true, &trusted, 65_536).client(&fields), found, "of one line");
}

/// From the nearest entry on, as long as whoever wrote it is trusted.
fn plainly(lines: &[HeaderValue]) -> IpAddr {
    let mut client = PROXY;
    for line in lines.iter().rev() {
        let text = String::from_utf8_lossy(line.as_bytes());
        let entries: Vec<&str> = text.split(',').collect();
        for entry in entries.iter().rev() {
            let trusted = match client {
                IpAddr::V4(address) => address.octets()[0] == 10,
                IpAddr::V6(address) => address.octets()[0] == 0xfd,
            };
            let Some(next) = address(entry.trim()).filter(|_| trusted) else { return client };
            client = next;
        }
    }
    client
}

fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_matches('"');
    let inner = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let of_socket = |text: &str| text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let whole = bare.parse().ok().or_else(|| inner?.parse().ok()).or_else(|| of_socket(bare));
    whole.map(|address: IpAddr| address.to_canonical())
}
