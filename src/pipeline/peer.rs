//! The other end of a connection: its address, and how far its word about addresses is taken.

use super::reject::Reject;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// One connection's peer.
#[derive(Debug)]
pub struct Peer {
    /// Its address; IPv4-mapped ones as IPv4.
    address: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// `http` or `https`, for `X-Forwarded-Proto`.
    pub proto: HeaderValue,
    /// `X-Forwarded-For` of a peer that is not trusted.
    own_address: HeaderValue,
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
        Self {
            address,
            tls,
            proto: HeaderValue::from_static(if tls { "https" } else { "http" }),
            own_address: HeaderValue::try_from(address.to_string())
                .unwrap_or(HeaderValue::from_static("unknown")),
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
    pub fn client(&self, headers: &HeaderMap) -> IpAddr {
        let Some(trusted) = &self.trusted else { return self.address };
        let mut client = self.address;
        let lines: Vec<&HeaderValue> = headers.get_all(&X_FORWARDED_FOR).iter().collect();
        for line in lines.into_iter().rev() {
            let Ok(text) = line.to_str() else { return client };
            for entry in text.rsplit(',') {
                let Some(address) = parse(entry.trim()) else { return client };
                client = address;
                if !contains(trusted, address) {
                    return client;
                }
            }
        }
        client
    }

    /// `X-Forwarded-For` for the upstream: what a trusted proxy sent, and the peer.
    pub fn forwarded_for(&self, headers: &HeaderMap) -> HeaderValue {
        if self.trusted.is_none() || !headers.contains_key(&X_FORWARDED_FOR) {
            return self.own_address.clone();
        }
        let before: Vec<&[u8]> =
            headers.get_all(&X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
        let all = [before.join(&b", "[..]), self.own_address.as_bytes().to_vec()].join(&b", "[..]);
        HeaderValue::from_bytes(&all).unwrap_or_else(|_| self.own_address.clone())
    }

    /// Holds the head to the listener's `header_size` and to what RFC 9112 asks of `Host`.
    ///
    /// # Errors
    /// [`Reject::HeadTooLarge`], [`Reject::Host`], [`Reject::Expectation`]
    pub fn head_fits<B>(&self, request: &Request<B>) -> Result<(), Reject> {
        let (headers, uri) = (request.headers(), request.uri());
        let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        let target = uri.path().len() + uri.query().map_or(0, str::len);
        if fields.sum::<usize>() + target > self.header_size {
            return Err(Reject::HeadTooLarge);
        }
        // RFC 9112, 3.2: one Host, even beside an absolute target; HTTP/2 has its authority (RFC 9113, 8.3.1).
        let mut hosts = headers.get_all(HOST).iter();
        let named = hosts.next().is_some() || request.version() != Version::HTTP_11;
        if !named || hosts.next().is_some() {
            return Err(Reject::Host);
        }
        let expected = headers.get(http::header::EXPECT);
        if expected.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
            return Err(Reject::Expectation);
        }
        Ok(())
    }
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

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        headers
    }

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let peer = Peer::new(peer.parse().unwrap(), false, &trusted, 1000);
        peer.client(&headers(lines)).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_the_rightmost_hop() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, nonsense"]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }
}
