//! One client connection, from accept to close: TLS, and which protocol it speaks.

use super::Stream;
use super::watch::{Connections, Order, Place};
use super::{Open, Settings, h1, h2, tls};
use crate::pipeline::{Peer, Worker};
use bytes::BytesMut;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
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
    let peer = Rc::new(Peer::new(
        from.ip(),
        settings.tls.is_some(),
        &settings.trusted_proxies,
        settings.bounds.header_size,
    ));
    // Who sends no byte, or breaks TLS, gets no answer: there is no HTTP yet.
    let greeted = greeted(&setting.worker, settings, &place, tcp).await;
    let Some(Greeting { stream, ahead, h2 }) = greeted else { return };
    if h2 {
        Box::pin(h2::serve(&setting, peer, stream, ahead, &place)).await;
    } else {
        h1::serve(&setting, &peer, stream, ahead, &place).await;
    }
    drop(setting.open);
}

/// The greeting, within `header_timeout`, and unless the worker drains.
async fn greeted(worker: &Worker, settings: &Settings, place: &Place, tcp: TcpStream) -> Option<Greeting> {
    let mut greeting = pin!(worker.deadlines.within(settings.bounds.header_timeout, greet(settings, tcp)));
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
}

/// TLS and its ALPN, or the first bytes: whether this is HTTP/2.
async fn greet(settings: &Settings, mut tcp: TcpStream) -> std::io::Result<Greeting> {
    if let Some(config) = &settings.tls {
        let tls = Box::pin(tls::accept(config.clone(), tcp)).await?;
        let h2 = tls::is_h2(&tls);
        return Ok(Greeting { stream: Stream::Tls(Box::new(tls)), ahead: BytesMut::new(), h2 });
    }
    let mut ahead = BytesMut::with_capacity(1024);
    while ahead.len() < PREFACE.len() && PREFACE.starts_with(&ahead) {
        if tcp.read_buf(&mut ahead).await? == 0 {
            break;
        }
    }
    let h2 = ahead.starts_with(PREFACE);
    Ok(Greeting { stream: Stream::Plain(tcp), ahead, h2 })
}
