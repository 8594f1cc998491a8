//! Headers of the PROXY protocol, against a reader that has all bytes before it at once.

use portcullis::listen::fuzzing::proxied;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn check(data: &[u8]) {
    let ours = proxied(data).ok();
    let plain = if data.starts_with(SIGNATURE) { second(data) } else { first(data) };
    assert_eq!(ours, plain);
    if let Some((Some(client), _)) = ours {
        let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!("PROXY {family} {client} {client} 1 65535\r\nrest");
        assert_eq!(proxied(line.as_bytes()).ok(), Some((Some(client), &b"rest"[..])));
    }
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2: signature, version and command, family, length, addresses.
fn second(data: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let rest = &data[SIGNATURE.len()..];
    let (&[command, family, high, low], rest) = rest.split_first_chunk::<4>()?;
    let length = usize::from(high) * 256 + usize::from(low);
    let (addresses, behind) = rest.split_at_checked(length)?;
    if length > 16 * 1024 {
        return None;
    }
    let client = match (command, family) {
        (0x20, _) | (0x21, 0x00) => None,
        (0x21, 0x11) => {
            let octets: [u8; 12] = addresses.get(..12)?.try_into().ok()?;
            Some(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into())
        }
        (0x21, 0x21) => {
            let octets: [u8; 16] = addresses.get(..36)?[..16].try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => return None,
    };
    Some((client, behind))
}

/// Version 1: a line of at most 107 bytes.
fn first(data: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let end = data.iter().take(107).position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(&data[..end]).ok()?.strip_suffix('\r')?;
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, from, to, one, other] => {
            let port = |text: &str| matches!(text.parse::<u16>(), Ok(port) if port.to_string() == text);
            let (from, to): (IpAddr, IpAddr) = (from.parse().ok()?, to.parse().ok()?);
            let meant = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let sound = family == meant && from.is_ipv4() == to.is_ipv4() && port(one) && port(other);
            Some(sound.then_some(from)?)
        }
        _ => return None,
    };
    Some((client, &data[end + 1..]))
}
