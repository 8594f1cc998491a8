//! Addresses from which a key may be used, as people write them.

use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// Reads an address or a range of them (CIDR). Bits beyond the prefix are cut off; an IPv4-mapped IPv6 range becomes the
/// IPv4 one that it stands for. `None` when it is neither.
pub fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.split_once('/') {
        // `parse` alone would take `/+8` and the like.
        Some((_, prefix)) if !prefix.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        Some(_) => text.parse().ok()?,
        None => text.parse::<IpAddr>().ok()?.into(),
    };
    Some(unmapped(network).trunc())
}

/// An address or a range, as people write it: a single address without its prefix.
pub fn network_text(network: &IpNet) -> String {
    let single = network.prefix_len() == network.max_prefix_len();
    if single { network.addr().to_string() } else { network.to_string() }
}

fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(prefix)) => Ipv4Net::new(v4, prefix).map_or(network, IpNet::V4),
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_address_has_no_prefix() {
        let shown = |text| network(text).map(|network| network_text(&network));
        for text in ["203.0.113.10", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(shown(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn addresses_and_ranges_are_read_as_meant() {
        let shown = |text| network(text).map(|network| network.to_string());
        for (text, want) in [
            ("203.0.113.10", "203.0.113.10/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(want), "{text}");
        }
        for text in
            ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/+8", "a.example", "010.0.0.1"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
