//! The PROXY protocol, versions 1 and 2: what a balancer that passes bytes on says about a connection before its first byte.
//!
//! Exactly the header is read, so that what follows is TLS or HTTP as if nothing had been before it. The waiting is bounded by
//! `header_timeout`, like everything before the first request.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

/// What every header of version 2 begins with; chosen so that no other protocol begins with it.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, its line end included.
const LINE_MOST: usize = 107;
/// Most bytes of a header of version 2 after its first sixteen. Real ones have some hundred, a client certificate included
/// some thousand.
const REST_MOST: usize = 16 * 1024;
/// The addresses of version 2, for IPv6: two of sixteen bytes, two ports.
const ADDRESSES_MOST: usize = 36;

/// What a header is read from.
pub(super) trait Source: AsyncRead + Unpin {
    /// Looks at what comes next, without taking it.
    async fn peek(&mut self, room: &mut [u8]) -> io::Result<usize>;
}

impl Source for TcpStream {
    async fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Self::peek(self, room).await
    }
}

/// Reads the header of a connection. Gives the client's address, or nothing where the header speaks of none: the connection is
/// the balancer's own then (`LOCAL`, as with health checks), or one whose client it can not name (`UNKNOWN`, `AF_UNSPEC`).
///
/// # Errors
/// When the bytes are no such header, or end in the middle of one.
pub(super) async fn read(tcp: &mut impl Source) -> io::Result<Option<IpAddr>> {
    let mut begun = [0; SIGNATURE.len()];
    // No header of either version is shorter.
    tcp.read_exact(&mut begun).await?;
    if begun == SIGNATURE { binary(tcp).await } else { line(tcp, &begun).await }
}

/// Version 2, after its signature.
async fn binary(tcp: &mut impl Source) -> io::Result<Option<IpAddr>> {
    let mut fixed = [0; 4];
    tcp.read_exact(&mut fixed).await?;
    let [version_command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 || length > REST_MOST {
        return Err(malformed());
    }
    let mut addresses = [0; ADDRESSES_MOST];
    let addresses = &mut addresses[..length.min(ADDRESSES_MOST)];
    tcp.read_exact(addresses).await?;
    skip(tcp, length - addresses.len()).await?;
    match version_command & 0x0f {
        0 => Ok(None),
        1 => source(family, addresses),
        _ => Err(malformed()),
    }
}

/// The source address: TCP over IPv4 or IPv6, or unspecified.
fn source(family: u8, addresses: &[u8]) -> io::Result<Option<IpAddr>> {
    let source = match family {
        0x00 => return Ok(None),
        0x11 if addresses.len() >= 12 => {
            addresses.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into())
        }
        0x21 if addresses.len() >= 36 => {
            addresses.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into())
        }
        // Datagrams and sockets of the file system do not get here over TCP.
        _ => None,
    };
    source.map(Some).ok_or_else(malformed)
}

/// Passes over what a header says besides (TLVs).
async fn skip(tcp: &mut impl Source, mut length: usize) -> io::Result<()> {
    let mut piece = [0; 256];
    while length > 0 {
        let most = length.min(piece.len());
        tcp.read_exact(&mut piece[..most]).await?;
        length -= most;
    }
    Ok(())
}

/// Version 1: a line of text.
async fn line(tcp: &mut impl Source, begun: &[u8]) -> io::Result<Option<IpAddr>> {
    if !begun.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let mut line = [0; LINE_MOST];
    line[..begun.len()].copy_from_slice(begun);
    let mut length = begun.len();
    while line[length - 1] != b'\n' {
        let room = &mut line[length..];
        if room.is_empty() {
            return Err(malformed());
        }
        // Looked at before it is taken: what stands behind the line is not ours.
        let seen = tcp.peek(room).await?;
        let taken = room[..seen].iter().position(|byte| *byte == b'\n').map_or(seen, |at| at + 1);
        if taken == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tcp.read_exact(&mut room[..taken]).await?;
        length += taken;
    }
    let text = line[..length].strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    parse(text.ok_or_else(malformed)?).ok_or_else(malformed)
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`, or `PROXY UNKNOWN` with anything behind it. `None` when it is neither.
fn parse(line: &str) -> Option<Option<IpAddr>> {
    let mut parts = line.split(' ');
    let (_, family) = (parts.next()?, parts.next()?);
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (from, to) = (parts.next()?, parts.next()?);
    let address: IpAddr = match family {
        "TCP4" => (from.parse::<Ipv4Addr>().ok()?, to.parse::<Ipv4Addr>().ok()?).0.into(),
        "TCP6" => (from.parse::<Ipv6Addr>().ok()?, to.parse::<Ipv6Addr>().ok()?).0.into(),
        _ => return None,
    };
    for _ in 0..2 {
        let port = parts.next()?;
        // `parse` takes a sign and zeros before; the protocol does not.
        port.parse::<u16>().ok().filter(|number| number.to_string() == port)?;
    }
    parts.next().is_none().then_some(Some(address))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    /// What is made of these bytes, and what is left of them.
    fn fed(bytes: &[u8]) -> (io::Result<Option<IpAddr>>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            client.write_all(bytes).await.unwrap();
            drop(client);
            let read = read(&mut server).await;
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).await.unwrap();
            (read, rest)
        })
    }

    fn second(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version_command, family], &length, body].concat()
    }

    const V4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 1, 187];

    #[test]
    fn both_versions_are_read_and_nothing_behind_them() {
        let v6: Vec<u8> = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]; 2].concat();
        let v6 = [&v6[..], &[0, 1, 0, 2]].concat();
        let tlv = [&V4[..], &[0x04, 0x10, 0x00], &[7; 4096]].concat();
        let good: [(Vec<u8>, Option<&str>); 10] = [
            (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".into(), Some("203.0.113.7")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n".into(), Some("2001:db8::7")),
            (b"PROXY UNKNOWN\r\n".into(), None),
            (b"PROXY UNKNOWN ffff:: whatever 1 2\r\n".into(), None),
            (second(0x21, 0x11, &V4), Some("203.0.113.7")),
            (second(0x21, 0x21, &v6), Some("2001:db8::7")),
            (second(0x21, 0x11, &tlv), Some("203.0.113.7")),
            (second(0x21, 0x00, b""), None),
            (second(0x20, 0x11, &V4), None),
            (second(0x20, 0x00, b"anything"), None),
        ];
        for (header, client) in good {
            let client = client.map(|client| client.parse().unwrap());
            let (read, rest) = fed(&[&header[..], b"GET / HTTP/1.1\r\n"].concat());
            assert_eq!(read.unwrap(), client, "{header:?}");
            assert_eq!(rest, b"GET / HTTP/1.1\r\n");
            for cut in 0..header.len() {
                assert!(fed(&header[..cut]).0.is_err(), "cut at {cut}: {header:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        assert_eq!(long.len(), LINE_MOST + 1);
        let lines = [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443 1\r\n",
            "PROXY TCP4  203.0.113.7 192.0.2.1 56324 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 056324 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 +1 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 70000 443\r\n",
            "PROXY TCP4 203.0.113.007 192.0.2.1 1 443\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
            "PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n",
            "PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n",
            "proxy TCP4 203.0.113.7 192.0.2.1 1 2\r\n",
            &long,
        ];
        let first = lines.iter().map(|line| line.as_bytes().to_vec());
        let others = [
            second(0x11, 0x11, &V4),
            second(0x22, 0x11, &V4),
            second(0x21, 0x12, &V4),
            second(0x21, 0x31, &[0; 216]),
            second(0x21, 0x11, &V4[..11]),
            second(0x21, 0x21, &[0; 35]),
            second(0x21, 0x11, &vec![0; REST_MOST + 1]),
        ];
        for bytes in first.chain(others) {
            assert!(fed(&bytes).0.is_err(), "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_panics(line in "PROXY (TCP4|TCP6|UNKNOWN)?[ 0-9a-f:.]{0,90}") {
            let _ = parse(&line);
        }
    }
}
