//! One client connection, from accept to close: TLS, and which protocol it speaks.

use super::Stream;
use super::crowd::Guest;
use super::tls::{self, Termination};
use super::watch::{Connections, Order, Place};
use super::{Open, Settings, client, h1, h2, proxy_protocol};
use crate::config::BodyPace;
use crate::deadline::Deadlines;
use crate::pipeline::{ClientCertificate, Peer, Worker};
use crate::wire::Pace;
use bytes::BytesMut;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// How HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection is served with.
pub(super) struct Setting {
    pub(super) worker: Rc<Worker>,
    pub(super) connections: Rc<Connections>,
    pub(super) settings: Arc<Settings>,
    pub(super) open: Open,
}

/// Serves a connection to its end.
pub(super) async fn serve(setting: Setting, tcp: TcpStream, from: SocketAddr) {
    let settings = &setting.settings;
    let place = setting.connections.enter(settings.bounds.clone(), setting.open.standing(settings));
    // Who sends no byte, or breaks TLS, gets no answer: there is no HTTP yet.
    let greeted = greeted(&setting, &place, tcp, from.ip().to_canonical()).await;
    // It keeps the client's place among those of its address until the connection ends.
    let Some(Greeting { stream, ahead, h2, from, certificate, guest: _guest }) = greeted else { return };
    let peer = Peer::new(from, settings.tls.is_some(), settings.forwarders(), settings.bounds.header_size);
    let peer = Rc::new(peer.with_certificate(certificate));
    if h2 {
        Box::pin(h2::serve(&setting, peer, stream, ahead, &place)).await;
    } else {
        h1::serve(&setting, &peer, stream, ahead, &place).await;
    }
    drop(setting.open);
}

/// How slowly the bodies of a connection's requests may come.
pub(super) struct Paces {
    deadlines: Rc<Deadlines>,
    body: BodyPace,
}

impl Paces {
    pub(super) fn of(setting: &Setting) -> Self {
        Self { deadlines: setting.worker.deadlines.clone(), body: setting.settings.bounds.body }
    }

    /// Of the body of a request with this `Content-Type`; `answered` becomes true when its answer begins.
    pub(super) fn pace(&self, kind: Option<&[u8]>, answered: &Rc<Cell<bool>>) -> Pace {
        let mut least = self.body;
        // Calls of gRPC may send a message now and then, for hours, before there is an answer.
        if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            least.rate = 0;
        }
        Pace::new(&self.deadlines, least, answered)
    }
}

/// The greeting, within `header_timeout`, and unless the worker drains.
async fn greeted(setting: &Setting, place: &Place, tcp: TcpStream, from: IpAddr) -> Option<Greeting> {
    let within = setting.settings.bounds.header_timeout;
    let mut greeting = pin!(setting.worker.deadlines.within(within, greet(setting, tcp, from)));
    poll_fn(|cx| {
        place.watch.register(cx.waker());
        match greeting.as_mut().poll(cx) {
            Poll::Pending if place.watch.order() >= Some(Order::Finish) => Poll::Ready(None),
            polled => polled.map(|greeted| greeted.ok()?.ok()),
        }
    })
    .await
}

struct Greeting {
    stream: Stream,
    ahead: BytesMut,
    h2: bool,
    /// The client, or the last proxy before it.
    from: IpAddr,
    certificate: Option<Arc<ClientCertificate>>,
    /// The place of a client that a PROXY header names; others have theirs since they were accepted.
    guest: Option<Guest>,
}

/// The PROXY header where there is one; then TLS and its ALPN, or the first bytes: whether this is HTTP/2.
async fn greet(setting: &Setting, mut tcp: TcpStream, from: IpAddr) -> io::Result<Greeting> {
    let settings = &setting.settings;
    let mut guest = None;
    let from = match settings.proxy_protocol {
        true => {
            let client = proxied(setting, &mut tcp, from).await?;
            guest = setting.open.endpoint.guest(settings, client).map_err(io::Error::other)?;
            client
        }
        false => from,
    };
    if let Some(termination) = &settings.tls {
        let greeting = Box::pin(secure(setting, termination, tcp, from)).await?;
        return Ok(Greeting { guest, ..greeting });
    }
    let mut ahead = BytesMut::with_capacity(1024);
    while ahead.len() < PREFACE.len() && PREFACE.starts_with(&ahead) {
        if tcp.read_buf(&mut ahead).await? == 0 {
            break;
        }
    }
    let h2 = ahead.starts_with(PREFACE);
    Ok(Greeting { stream: Stream::Plain(tcp), ahead, h2, from, certificate: None, guest })
}

/// Where the client is, as a balancer says. From anybody else not a byte is read: a listener that believes headers must not
/// be told from where its callers are by the callers.
async fn proxied(setting: &Setting, tcp: &mut TcpStream, peer: IpAddr) -> io::Result<IpAddr> {
    let greetings = &setting.open.endpoint.greetings;
    if !setting.settings.trusted_proxies.iter().any(|network| network.contains(&peer)) {
        greetings.untrusted.increment();
        tracing::debug!(%peer, "closed: only `trusted_proxies` may connect to a listener with `proxy_protocol`");
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let read = proxy_protocol::read(tcp).await.inspect_err(|error| {
        greetings.malformed.increment();
        tracing::debug!(%peer, %error, "closed: every connection must begin with a PROXY protocol header");
    });
    Ok(read?.map_or(peer, |client| client.to_canonical()))
}

async fn secure(
    setting: &Setting,
    termination: &Termination,
    tcp: TcpStream,
    from: IpAddr,
) -> io::Result<Greeting> {
    let greetings = &setting.open.endpoint.greetings;
    let refused = |error: &io::Error| {
        greetings.failed.increment();
        tracing::debug!(client = %from, %error, "a TLS handshake failed");
    };
    let accepted = termination.accept(tcp).await.inspect_err(refused)?;
    if tls::is_proof(&accepted.stream) {
        return Err(io::Error::other("an authority has looked whether the name leads here"));
    }
    let now_s = setting.worker.shared.clock.now().unix_ms / 1000;
    let certificate = accepted.certificate.as_deref();
    let certificate = certificate.map(|der| client::certificate(der, termination, now_s)).transpose();
    let certificate = certificate.inspect_err(refused)?;
    if accepted.resumed { &greetings.resumed } else { &greetings.full }.increment();
    let h2 = tls::is_h2(&accepted.stream);
    let stream = Stream::Tls(Box::new(accepted.stream));
    Ok(Greeting { stream, ahead: BytesMut::new(), h2, from, certificate, guest: None })
}
