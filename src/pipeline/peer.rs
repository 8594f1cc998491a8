//! The other end of a connection: its address, and how far its word about addresses is taken.

use super::reject::Reject;
use crate::upstream::Added;
use crate::wire::{Fields, Request, write_field};
use http::header::{EXPECT, HOST, HeaderName, HeaderValue};
use http::{Method, Version};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// One connection's peer.
#[derive(Debug)]
pub struct Peer {
    /// Its address; IPv4-mapped ones as IPv4.
    address: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// `X-Forwarded-For` of a peer that is not trusted.
    own_address: HeaderValue,
    /// That with `X-Forwarded-Proto`, as lines.
    lines: Box<[u8]>,
    /// Proxies whose `X-Forwarded-For` is believed, where the peer is one of them.
    trusted: Option<Vec<IpNet>>,
    /// The listener's `header_size`, in bytes.
    header_size: usize,
    /// The certificate that the client has shown, where the listener asks for one.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A certificate that an authority of the listener's has signed, and whose key the client holds.
#[derive(Debug)]
pub struct ClientCertificate {
    /// Its subject as RFC 4514 writes it; its first DNS name when it has none.
    pub subject: String,
    /// `Client-Cert` for upstreams (RFC 9440, 2.2), where the listener shows it to them.
    pub field: Option<HeaderValue>,
}

impl Peer {
    /// `trusted` and `header_size` are the listener's.
    pub fn new(address: IpAddr, tls: bool, trusted: &[IpNet], header_size: usize) -> Self {
        let address = address.to_canonical();
        let is_trusted = contains(trusted, address);
        let own_address =
            HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        let mut lines = Vec::new();
        write_field(&mut lines, &X_FORWARDED_FOR, own_address.as_bytes());
        write_field(&mut lines, &X_FORWARDED_PROTO, scheme(tls).as_bytes());
        Self {
            address,
            tls,
            own_address,
            lines: lines.into(),
            trusted: is_trusted.then(|| trusted.to_vec()),
            header_size,
            certificate: None,
        }
    }

    /// The same with the certificate that the client has shown.
    pub fn with_certificate(self, certificate: Option<Arc<ClientCertificate>>) -> Self {
        Self { certificate, ..self }
    }

    /// Whether its `X-Forwarded-For` is believed.
    pub fn trusts(&self) -> bool {
        self.trusted.is_some()
    }

    /// The client's address: the peer's, or, where the peer is a trusted proxy, the rightmost address in
    /// `X-Forwarded-For` that is not one. An entry that is no address ends the search at the proxy that sent it.
    pub fn client(&self, fields: &Fields) -> IpAddr {
        let Some(trusted) = &self.trusted else { return self.address };
        let mut client = self.address;
        for line in fields.get_all(&X_FORWARDED_FOR).rev() {
            // Entry by entry, not as a text: what a client wrote to the left must not hide what a proxy has added to it.
            for entry in line.rsplit(|&byte| byte == b',') {
                let address = std::str::from_utf8(entry).ok().and_then(|entry| parse(entry.trim()));
                let Some(address) = address else { return client };
                client = address;
                if !contains(trusted, address) {
                    return client;
                }
            }
        }
        client
    }

    /// Adds `X-Forwarded-For` and `X-Forwarded-Proto` for the upstream: what a trusted proxy sent of addresses, and the
    /// peer.
    pub fn forward(&self, fields: &Fields, added: &mut Added) {
        let before: Vec<&[u8]> = match &self.trusted {
            None => return added.lines(&self.lines),
            Some(_) => fields.get_all(&X_FORWARDED_FOR).collect(),
        };
        let all = [&before[..], &[self.own_address.as_bytes()]].concat().join(&b", "[..]);
        added.push(&X_FORWARDED_FOR, &all);
        added.push(&X_FORWARDED_PROTO, scheme(self.tls).as_bytes());
    }

    /// Holds the head to the listener's `header_size` and to what RFC 9112 asks of `Host`.
    ///
    /// # Errors
    /// [`Reject::HeadTooLarge`], [`Reject::Host`], [`Reject::Expectation`]
    pub fn head_fits(&self, request: &Request) -> Result<(), Reject> {
        let target = &request.target;
        let mut size = target.path().len() + target.query().map_or(0, str::len);
        let (mut hosts, mut host, mut understood) = (0, None, true);
        // By one look at every field: that is quicker than to hash names.
        for (name, value) in request.fields.iter() {
            size += name.as_str().len() + value.len() + 4;
            if *name == HOST {
                (hosts, host) = (hosts + 1, Some(value));
            } else if *name == EXPECT {
                understood &= value.eq_ignore_ascii_case(b"100-continue");
            }
        }
        if size > self.header_size {
            return Err(Reject::HeadTooLarge);
        }
        method_fits(request)?;
        host_fits(request, host.filter(|_| hosts < 2), hosts)?;
        if understood { Ok(()) } else { Err(Reject::Expectation) }
    }
}

/// Some servers read `post` as `POST`, so that what was checked for one would be done as the other; and what answers a
/// `TRACE` shows its client the identity that was meant for the upstream.
fn method_fits(request: &Request) -> Result<(), Reject> {
    let method = &request.method;
    match *method {
        Method::GET | Method::POST => Ok(()),
        Method::TRACE => Err(Reject::MethodNotAllowed(Vec::new())),
        // Over HTTP/2 it may ask for another protocol (RFC 8441); without, it has no path.
        Method::CONNECT if request.version != Version::HTTP_2 && request.target.path().starts_with('/') => {
            Err(Reject::Method)
        }
        _ if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) => Err(Reject::Method),
        _ => Ok(()),
    }
}

/// RFC 9112, 3.2: one Host, even beside an absolute target. HTTP/2 has its authority, which a Host may only repeat
/// (RFC 9113, 8.3.1).
fn host_fits(request: &Request, host: Option<&[u8]>, hosts: usize) -> Result<(), Reject> {
    let authority = request.target.authority();
    let needed = request.version == Version::HTTP_11;
    if hosts > 1 || (needed && host.is_none()) || host.is_some_and(|host| !is_host(host)) {
        return Err(Reject::Host);
    }
    let is_http = request.target.scheme().is_none_or(|scheme| ["http", "https"].contains(&scheme));
    let Some(authority) = authority else { return Ok(()) };
    if request.version == Version::HTTP_2 {
        let differs = host.is_some_and(|host| !host.eq_ignore_ascii_case(authority.as_bytes()));
        return if differs || !is_host(authority.as_bytes()) { Err(Reject::Host) } else { Ok(()) };
    }
    // What stands before an `@` is cut off before it is forwarded.
    let bare = authority.rsplit('@').next().unwrap_or_default();
    if is_http && is_host(bare.as_bytes()) { Ok(()) } else { Err(Reject::Host) }
}

/// What names of hosts are made of.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

/// A name or address, and a port or none (RFC 3986, 3.2.2), without what no real host has.
fn is_host(text: &[u8]) -> bool {
    let is_port = |port: &[u8]| port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    let (host, rest) = match text.strip_prefix(b"[") {
        Some(bracketed) => {
            let Some(end) = bracketed.iter().position(|&byte| byte == b']') else { return false };
            let (address, rest) = (&bracketed[..end], &bracketed[end + 1..]);
            let is_address = std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
            (is_address, rest)
        }
        None => {
            let end = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
            (end > 0 && text[..end].iter().all(|&byte| IN_NAME[usize::from(byte)]), &text[end..])
        }
    };
    host && (rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port))
}

fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_matches('"');
    let address = bare.parse::<IpAddr>().ok();
    let with_port = || bare.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || bare.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Scratch;
    use http::HeaderMap;

    fn headers(lines: &[&'static str]) -> Fields {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Fields::of(&headers, &Scratch::default())
    }

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let peer = Peer::new(peer.parse().unwrap(), false, &trusted, 1000);
        peer.client(&headers(lines)).to_string()
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for good in
            ["a", "a.test", "a.test:8080", "127.0.0.1:80", "[::1]", "[2001:db8::1]:443", "a:", "a_b.c-d"]
        {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a,b", "u@a", "a/b", "a:80:81", "a:x", "[::1", "[a]", "[::1]x", "a\\b",
            "a:123456", "ä",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_the_rightmost_hop() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, \u{e9}, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }
}
