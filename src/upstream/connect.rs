//! New connections: names, TCP, TLS.

use super::{Pools, Service, Target, UpstreamError};
use crate::config::Scheme;
use crate::deadline::Deadlines;
use tokio::net::TcpStream;

/// A byte stream to an endpoint.
pub(super) type Stream = crate::wire::Stream<super::tls::Stream>;

/// A new stream, and whether HTTP/2 was agreed on.
pub(super) struct Connected {
    pub(super) stream: Stream,
    pub(super) h2: bool,
}

/// Connects within `timeouts.connect`, TLS included.
pub(super) async fn connect(
    service: &Service,
    target: &Target,
    pools: &Pools,
    deadlines: &Deadlines,
) -> Result<Connected, UpstreamError> {
    match deadlines.within(service.timeouts.connect, dial(target, pools)).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(source)) => {
            Err(UpstreamError::Connect { endpoint: target.authority.clone(), source: source.into() })
        }
        Err(_) => Err(UpstreamError::ConnectTimeout(target.authority.clone())),
    }
}

/// Connects within `timeouts.connect`, TLS included, to speak HTTP/1.1.
pub(super) async fn connect_http1(
    service: &Service,
    target: &Target,
    pools: &Pools,
    deadlines: &Deadlines,
) -> Result<Stream, UpstreamError> {
    let dial = async {
        let tcp = TcpStream::connect((&*target.endpoint.host, target.endpoint.port)).await?;
        tcp.set_nodelay(true)?;
        let tls = pools.tls.handshake_http1(&target.endpoint.host, tcp).await?;
        std::io::Result::Ok(Stream::Tls(Box::new(tls)))
    };
    match deadlines.within(service.timeouts.connect, dial).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => {
            Err(UpstreamError::Connect { endpoint: target.authority.clone(), source: source.into() })
        }
        Err(_) => Err(UpstreamError::ConnectTimeout(target.authority.clone())),
    }
}

async fn dial(target: &Target, pools: &Pools) -> std::io::Result<Connected> {
    let endpoint = &target.endpoint;
    let tcp = TcpStream::connect((&*endpoint.host, endpoint.port)).await?;
    tcp.set_nodelay(true)?;
    let (stream, h2) = match endpoint.scheme {
        Scheme::Http => (Stream::Plain(tcp), false),
        Scheme::H2c => (Stream::Plain(tcp), true),
        Scheme::Https => {
            let (tls, h2) = pools.tls.handshake(&endpoint.host, tcp).await?;
            (Stream::Tls(Box::new(tls)), h2)
        }
    };
    Ok(Connected { stream, h2 })
}
