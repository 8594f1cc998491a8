//! New connections: names, TCP, TLS.

use super::lane::Lane;
use super::{Errand, Service, UpstreamError, What};
use crate::config::Scheme;
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
    lane: &Lane,
    errand: Errand<'_>,
) -> Result<Connected, UpstreamError> {
    let endpoint = || lane.place.target.authority.clone();
    let step = errand.begin(What::Connect);
    let dialed = errand.deadlines.within(service.timeouts.connect, dial(lane, errand)).await;
    errand.end(step, !matches!(dialed, Ok(Ok(_))));
    match dialed {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(source)) => Err(UpstreamError::Connect { endpoint: endpoint(), source: source.into() }),
        Err(_) => Err(UpstreamError::ConnectTimeout(endpoint())),
    }
}

/// Connects within `timeouts.connect`, TLS included, to speak HTTP/1.1.
pub(super) async fn connect_http1(
    service: &Service,
    lane: &Lane,
    errand: Errand<'_>,
) -> Result<Stream, UpstreamError> {
    let target = &lane.place.target;
    let dial = async {
        let tcp = TcpStream::connect(lane.place.address).await?;
        tcp.set_nodelay(true)?;
        let client = target.tls.as_ref().unwrap_or(&errand.pools.tls);
        let tls = client.handshake_http1(&target.server_name, tcp).await?;
        std::io::Result::Ok(Stream::Tls(Box::new(tls)))
    };
    let step = errand.begin(What::Connect);
    let dialed = errand.deadlines.within(service.timeouts.connect, dial).await;
    errand.end(step, !matches!(dialed, Ok(Ok(_))));
    match dialed {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => {
            Err(UpstreamError::Connect { endpoint: target.authority.clone(), source: source.into() })
        }
        Err(_) => Err(UpstreamError::ConnectTimeout(target.authority.clone())),
    }
}

async fn dial(lane: &Lane, errand: Errand<'_>) -> std::io::Result<Connected> {
    let (place, target) = (&lane.place, &lane.place.target);
    let tcp = TcpStream::connect(place.address).await?;
    tcp.set_nodelay(true)?;
    let (stream, h2) = match target.endpoint.scheme {
        Scheme::Http => (Stream::Plain(tcp), false),
        Scheme::H2c => (Stream::Plain(tcp), true),
        Scheme::Https => {
            let client = target.tls.as_ref().unwrap_or(&errand.pools.tls);
            let (tls, h2) = client.handshake(&target.server_name, tcp).await?;
            (Stream::Tls(Box::new(tls)), h2)
        }
    };
    Ok(Connected { stream, h2 })
}
