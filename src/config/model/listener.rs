//! What the configuration says of listening: the data path's sockets, and the operators' one.

use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One listening socket of the data path.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to listen; also the `listener` label of metrics.
    pub address: SocketAddr,
    /// TLS, or plain HTTP/1.1 and h2c.
    pub tls: Option<ListenerTls>,
    /// Peers that may set `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// Bounds on what a client may send.
    pub bounds: Bounds,
}

/// The TLS side of a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Certificates; SNI picks, the first is the default. At least one.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate chain and its key, as PEM files. Relative paths were resolved against the configuration file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Chain, leaf first.
    pub cert: PathBuf,
    /// Private key: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
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
}

/// The admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where to listen; loopback, or with TLS, or `insecure: true`.
    pub address: SocketAddr,
    /// TLS, when configured.
    pub tls: Option<ListenerTls>,
}
