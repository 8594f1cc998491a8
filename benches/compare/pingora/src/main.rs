//! Plain proxying with Pingora on one thread: what `compare.py --pingora` measures beside Portcullis.
//!
//!     pingora-plain LISTEN-PORT UPSTREAM-PORT
//!
//! HTTP/1.1 on both sides of 127.0.0.1, connections kept on both sides, the client's address told to the upstream as
//! the other servers of the comparison do. No key, no limit, no log.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Hands every request to one upstream.
struct Plain {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Plain {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _ctx: &mut (),
    ) -> Result<()> {
        let client = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|address| address.ip().to_string());
        request.insert_header("X-Forwarded-For", client.unwrap_or_default())
    }
}

/// One thread, as many connections kept to the upstream as nginx keeps, and an end without delay.
fn configuration() -> ServerConf {
    ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 256,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    }
}

fn main() -> ExitCode {
    let ports: Vec<u16> = std::env::args().skip(1).filter_map(|port| port.parse().ok()).collect();
    let [listen, upstream] = ports[..] else {
        eprintln!("usage: pingora-plain LISTEN-PORT UPSTREAM-PORT");
        return ExitCode::from(2);
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration());
    server.bootstrap();
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, upstream));
    let mut service = http_proxy_service(&server.configuration, Plain { upstream });
    service.add_tcp(&format!("127.0.0.1:{listen}"));
    server.add_service(service);
    server.run_forever()
}
