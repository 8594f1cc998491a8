//! The PROXY protocol: each version good, cut off, slow, garbage, and forged; plain and TLS, HTTP/1.1 and HTTP/2.

use crate::support::certificate::{self, trusting};
use crate::support::client::Connection;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::h2::H2;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{Reply, Request, assert_ocriva, get, wait};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";
const CLIENT: &str = "203.0.113.7";
const FIRST: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";

/// A gateway behind a balancer on 127.0.0.1, and a key that works from 203.0.113.7 and 2001:db8::7 only.
struct Behind {
    gateway: Gateway,
    upstream: Upstream,
    key: String,
    /// One that works from anywhere.
    any: String,
}

impl Behind {
    fn start() -> Self {
        let upstream = Upstream::http();
        let mut org = organization();
        let (key, any) = (ocriva_key(), org.org_key());
        org.token(&key, json!({ "ipWhitelist": [CLIENT, "2001:db8::7"] }));
        let settings = Settings::usual(&upstream.url()).unlimited().tls(&["a"]).with(|value| {
            let listener = json!({ "trusted_proxies": ["127.0.0.1", CLIENT], "proxy_protocol": true,
                "limits": { "header_timeout": "1s" } });
            value["listeners"] = json!([listener, listener]);
        });
        let mut gateway = Gateway::prepare(&settings);
        certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
        gateway.import(&Fixture::default().with(org).text()).expect_success();
        gateway.serve();
        Self { gateway, upstream, key, any }
    }

    /// A connection from the balancer that begins so.
    fn begin(&self, first: &[u8]) -> Connection {
        let mut socket = from([127, 0, 0, 1], self.gateway.address);
        socket.write_all(first).expect("written");
        Connection::over(socket, self.gateway.address)
    }

    fn ask(&self) -> Request {
        get(TARGET).key(&self.key)
    }

    fn forwarded(&self, reply: &Reply) -> String {
        let record = self.upstream.one(&reply.tag);
        record.header("x-forwarded-for").unwrap_or_default().to_owned()
    }

    fn refused(&self, reason: &str) -> f64 {
        self.gateway.metric("portcullis_proxy_protocol_refused_total", &[("reason", reason)])
    }
}

fn from(source: [u8; 4], to: std::net::SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from((source, 0)).into()).expect("bound");
    socket.connect(&to.into()).expect("connected");
    socket.into()
}

fn second(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a length").to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length, body].concat()
}

fn second_v4() -> Vec<u8> {
    second(1, 0x11, &[203, 0, 113, 7, 192, 0, 2, 1, 0xdc, 4, 1, 187, 4, 0, 2, 9, 9])
}

#[test]
fn either_version_says_where_the_client_is() {
    let behind = Behind::start();
    let six =
        [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7][..], &[9; 16], &[1, 2, 3, 4]].concat();
    let good = [
        (FIRST.to_vec(), CLIENT),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n".to_vec(), "2001:db8::7"),
        (second_v4(), CLIENT),
        (second(1, 0x21, &six), "2001:db8::7"),
    ];
    for (header, client) in &good {
        let mut connection = behind.begin(header);
        // What the client says besides counts for nothing, though its address is among the trusted ones.
        for forged in ["198.51.100.9", "2001:db8::7"] {
            let reply = connection.send(&behind.ask().header("X-Forwarded-For", forged)).expect(200);
            assert_eq!(behind.forwarded(&reply), *client);
        }
    }
    // The connection is the balancer's own.
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), second(0, 0, b""), second(1, 0, b"")] {
        let forged = behind.ask().header("X-Forwarded-For", CLIENT);
        assert_ocriva(&behind.begin(&header).send(&forged), 403, None);
        let reply = behind.begin(&header).send(&get(TARGET).key(&behind.any)).expect(200);
        assert_eq!(behind.forwarded(&reply), "127.0.0.1");
    }
    wait::until("the log has the client", || {
        let text = std::fs::read_to_string(behind.gateway.path("access.log")).unwrap_or_default();
        text.contains("\"client\":\"203.0.113.7\"") && text.contains("\"client\":\"2001:db8::7\"")
    });
}

#[test]
fn tls_and_http2_come_behind_it() {
    let behind = Behind::start();
    let address = behind.gateway.tls.expect("a TLS listener");
    for header in [FIRST.to_vec(), second_v4()] {
        let mut socket = from([127, 0, 0, 1], address);
        socket.write_all(&header).expect("written");
        let (mut connection, _) =
            Connection::tls_over(socket, "a.test", trusting(&[b"http/1.1"], None)).expect("TLS");
        let reply = connection.send(&behind.ask()).expect(200);
        assert_eq!(behind.forwarded(&reply), CLIENT);
        let mut http2 = H2::tls_after(address, header.clone(), "a.test", trusting(&[b"h2"], None));
        let reply = http2.send(&behind.ask()).expect(200);
        assert_eq!(behind.forwarded(&reply), CLIENT);
        let mut plain = H2::plain_after(behind.gateway.address, header);
        let reply = plain.send(&behind.ask()).expect(200);
        assert_eq!(behind.forwarded(&reply), CLIENT);
    }
    // A header within TLS is the client's own word, and no request.
    let mut socket = from([127, 0, 0, 1], address);
    socket.write_all(FIRST).expect("written");
    let (mut connection, _) = Connection::tls_over(socket, "a.test", trusting(&[], None)).expect("TLS");
    connection.write(&[FIRST, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    assert_eq!(connection.reply("GET").expect("an answer").status, 400);
}

#[test]
fn nobody_but_the_balancer_may_send_one_and_everybody_must() {
    let behind = Behind::start();
    for header in [FIRST.to_vec(), second_v4(), Vec::new()] {
        let mut socket = from([127, 0, 0, 44], behind.gateway.address);
        // It may be closed already.
        let _ =
            socket.write_all(&header).and_then(|()| socket.write_all(&behind.ask().bytes("gateway.test")));
        let mut connection = Connection::over(socket, behind.gateway.address);
        assert!(connection.closes_within(Duration::from_secs(8)), "{header:?}");
        assert_eq!(connection.leftover(), b"", "not a byte is answered");
    }
    wait::until("they are counted", || behind.refused("untrusted") == 3.0);
    // The balancer's own requests need it too: without it nobody can say whose they are.
    let mut bare = behind.begin(&behind.ask().bytes("gateway.test"));
    assert!(bare.closes_within(Duration::from_secs(8)) && bare.leftover().is_empty());
    assert_eq!((behind.refused("malformed"), behind.upstream.count()), (1.0, 0));
}

#[test]
fn what_is_cut_off_slow_or_garbage_ends_the_connection() {
    let behind = Behind::start();
    let six = second(1, 0x21, &[0; 12]);
    let garbage: [&[u8]; 6] = [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP9 203.0.113.7 192.0.2.1 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET /v1/openapi/templates HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c............",
        &six,
        &[b'x'; 200],
    ];
    for bytes in garbage {
        let mut connection = behind.begin(bytes);
        assert!(connection.closes_within(Duration::from_secs(8)), "{bytes:?}");
        assert!(connection.leftover().is_empty(), "{bytes:?}");
    }
    // Cut off: the client goes, or stays and says nothing more; all of them wait at once.
    let whole = [FIRST.to_vec(), second_v4()];
    let mut waiting = Vec::new();
    for header in &whole {
        for cut in [0, 5, 13, header.len() - 1] {
            waiting.push(behind.begin(&header[..cut]));
        }
    }
    for mut connection in waiting {
        assert!(connection.closes_within(Duration::from_secs(8)));
        assert!(connection.leftover().is_empty());
    }
    assert_eq!(behind.upstream.count(), 0);
    // In pieces, but in time.
    for header in whole {
        let mut connection = behind.begin(&header[..7]);
        connection.write(&header[7..20]);
        connection.write(&[&header[20..], &behind.ask().bytes("gateway.test")].concat());
        assert_eq!(connection.reply("GET").expect("an answer").status, 200);
    }
}
