//! Where events may be sent: to the public internet, and nowhere else unless the configuration says so.
//!
//! A URL that a customer wrote must not make the gateway talk to its own network. What is judged is the very address
//! that is then connected to, so that a name that resolves differently the next time changes nothing.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What may be sent to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

impl Guard {
    /// Lets through what is public over TLS, and anything into these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether there is anywhere that plain HTTP may go.
    pub fn allows_plain(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Whether this address may be connected to.
    pub fn admits(&self, address: IpAddr, secure: bool) -> bool {
        let address = address.to_canonical();
        let listed = self.allowed.iter().any(|network| network.contains(&address));
        listed || (secure && is_public(address))
    }
}

/// Networks of IPv4 that are not the public internet (IANA's registry of special addresses), and one address of a
/// hosting company's own.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, and what is reserved, broadcast included.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
    // Azure's metadata and health service.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
];

/// Of the global unicast range of IPv6 (2000::/3), outside of which nothing is public: what is special, and what stands
/// for an address of IPv4 that is then not looked at.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments: Teredo, benchmarks, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address, IPv4-mapped ones already undone, is on the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let bits = u32::from(it);
            !SPECIAL_V4.iter().any(|(network, length)| (bits ^ u32::from(*network)) >> (32 - length) == 0)
        }
        IpAddr::V6(it) => {
            let bits = u128::from(it);
            let global = bits >> 125 == 1;
            global && !SPECIAL_V6.iter().any(|(net, length)| (bits ^ u128::from(*net)) >> (128 - length) == 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_not_public_is_not_sent_to() {
        let guard = Guard::default();
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ];
        for address in inside {
            assert!(!guard.admits(ip(address), true), "{address}");
        }
        let outside = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "2a00::1",
            "::ffff:8.8.8.8",
        ];
        for address in outside {
            assert!(guard.admits(ip(address), true), "{address}");
            assert!(!guard.admits(ip(address), false), "{address} over plain HTTP");
        }
    }

    #[test]
    fn what_is_listed_is_sent_to_in_every_spelling() {
        let guard = Guard::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            assert!(guard.admits(ip(address), true) && guard.admits(ip(address), false), "{address}");
        }
        assert!(!guard.admits(ip("127.0.0.1"), true));
        assert!(!guard.admits(ip("8.8.8.8"), false));
    }
}
