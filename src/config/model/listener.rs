//! What the configuration says of listening: the data path's sockets, and the operators' one.

use super::ListenerTls;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::time::Duration;

/// One listening socket of the data path.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to listen; also the `listener` label of metrics.
    pub address: SocketAddr,
    /// TLS, or plain HTTP/1.1 and h2c.
    pub tls: Option<ListenerTls>,
    /// Peers that may set `X-Forwarded-For`; with `proxy_protocol`, those that may connect.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a connection begins with a PROXY protocol header, which says where the client is.
    pub proxy_protocol: bool,
    /// Bounds on what a client may send.
    pub bounds: Bounds,
}

impl Listener {
    /// Peers whose `X-Forwarded-For` is believed. Nobody's where the PROXY protocol has said where the client is: a balancer
    /// that speaks it passes bytes on, so that every field of a request is the client's own word.
    pub fn forwarders(&self) -> &[IpNet] {
        if self.proxy_protocol { &[] } else { &self.trusted_proxies }
    }
}

/// Bounds on what one client connection may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of request line and header fields together; more is answered 431. `header_size`, default 32 KiB.
    pub header_size: usize,
    /// Time from the first byte of a request head (or from accept) to its last. `header_timeout`, default 10 s.
    pub header_timeout: Duration,
    /// Time a connection may wait without a request, or its client may leave an answer unread. `idle_timeout`, default 75 s.
    pub idle_timeout: Duration,
    /// Concurrent HTTP/2 streams of one connection. `max_streams`, default 128.
    pub max_streams: u32,
    /// Open connections of this listener, over all workers; more are closed at accept. `max_connections`, default 65536.
    pub max_connections: usize,
    /// The same, of one client address (IPv6: of one /64); trusted proxies are not counted. `max_connections_per_address`,
    /// default 16384.
    pub max_connections_per_address: usize,
    /// How slowly a request's body may come. `body_timeout`, default 30 s, and `min_body_rate`, default 240 bytes a second.
    pub body: BodyPace,
    /// Bytes a second that a client has to take of answers on the average, while they wait for it, beyond
    /// `idle_timeout`; 0 when that is not looked at. `min_answer_rate`, default 240.
    pub min_answer_rate: u64,
}

/// How slowly a client's body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPace {
    /// Longest wait for the next piece.
    pub timeout: Duration,
    /// Bytes a second that have to come on the average; 0 when that is not looked at.
    pub rate: u64,
}

/// The admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where to listen; loopback, or with TLS, or `insecure: true`.
    pub address: SocketAddr,
    /// TLS, when configured.
    pub tls: Option<ListenerTls>,
}
