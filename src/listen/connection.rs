//! One client connection, from accept to close.

use super::io::{Io, Stream};
use super::watch::{Active, Connections, Order, Place, Watch};
use super::{Open, Settings, tls};
use crate::pipeline::{self, Early, Observed, Peer, Worker};
use crate::upstream::Local;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
    let Setting { worker, connections, settings, open } = setting;
    let place = connections.enter(settings.bounds.clone());
    let peer = Rc::new(Peer::new(
        from.ip(),
        settings.tls.is_some(),
        &settings.trusted_proxies,
        settings.bounds.header_size,
    ));
    // Who sends no byte, or breaks TLS, gets no answer: there is no HTTP yet.
    let Some(Greeting { stream, ahead, h2 }) = greeted(&worker, &settings, &place, tcp).await else { return };
    let io = Io::new(stream, ahead, place.watch.clone(), worker.clone(), connections.now_ns.clone());
    if h2 {
        serve_h2(worker, connections, &settings, peer, io, &place).await;
    } else {
        serve_h1(worker, connections, &settings, peer, io, &place).await;
    }
    drop(open);
}

/// The greeting, within `header_timeout`, and unless the worker drains.
async fn greeted(worker: &Worker, settings: &Settings, place: &Place, tcp: TcpStream) -> Option<Greeting> {
    let mut greeting = pin!(worker.deadlines.within(settings.bounds.header_timeout, greet(settings, tcp)));
    poll_fn(|cx| {
        place.watch.register(cx.waker());
        match place.watch.order() {
            Some(_) => Poll::Ready(None),
            None => greeting.as_mut().poll(cx).map(|greeted| greeted.ok()?.ok()),
        }
    })
    .await
}

struct Greeting {
    stream: Stream,
    ahead: Bytes,
    h2: bool,
}

/// TLS and its ALPN, or the first bytes: whether this is HTTP/2.
async fn greet(settings: &Settings, mut tcp: TcpStream) -> std::io::Result<Greeting> {
    if let Some(config) = &settings.tls {
        let tls = tls::accept(config.clone(), tcp).await?;
        let h2 = tls::is_h2(&tls);
        return Ok(Greeting { stream: Stream::Tls(Box::new(tls)), ahead: Bytes::new(), h2 });
    }
    let mut ahead = BytesMut::with_capacity(1024);
    while ahead.len() < PREFACE.len() && PREFACE.starts_with(&ahead) {
        if tcp.read_buf(&mut ahead).await? == 0 {
            break;
        }
    }
    let h2 = ahead.starts_with(PREFACE);
    Ok(Greeting { stream: Stream::Plain(tcp), ahead: ahead.freeze(), h2 })
}

async fn serve_h1(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    settings: &Settings,
    peer: Rc<Peer>,
    io: Io,
    place: &Place,
) {
    let service = service(worker.clone(), connections, peer, place.watch.clone());
    let mut builder = http1::Builder::new();
    // The pipeline holds the exact bound, so that its answer is an envelope; this one only bounds the buffer.
    builder.max_buf_size((settings.bounds.header_size * 2).max(16 * 1024));
    // Time-outs are kept by `Watch`, for all connections at once.
    builder.header_read_timeout(None);
    let mut connection = builder.serve_connection(TokioIo::new(io), service);
    let watch = &place.watch;
    let mut finishing = false;
    let too_slow = poll_fn(|cx| {
        watch.register(cx.waker());
        match watch.order() {
            Some(Order::TooSlow) => return Poll::Ready(true),
            Some(Order::Abort) => return Poll::Ready(false),
            Some(Order::Finish) if !finishing => {
                finishing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ => {}
        }
        // An error is the client's: it broke off, or was answered by `Io` already.
        Pin::new(&mut connection).poll(cx).map(|_| false)
    })
    .await;
    if too_slow {
        let mut io = connection.into_parts().io.into_inner();
        if !watch.head().is_empty() {
            let answer = io.early(Early::Slow);
            // Whoever does not read it, does not get it.
            let goodbye = async {
                io.write_all(&answer).await?;
                io.shutdown().await
            };
            let _ = worker.deadlines.within(std::time::Duration::from_secs(1), goodbye).await;
        }
    }
}

async fn serve_h2(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    settings: &Settings,
    peer: Rc<Peer>,
    io: Io,
    place: &Place,
) {
    place.watch.multiplexed(connections.now_ns.get());
    let service = service(worker, connections, peer, place.watch.clone());
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.bounds.max_streams)
        // As above: the pipeline holds the exact bound.
        .max_header_list_size(u32::try_from(settings.bounds.header_size * 2).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(std::time::Duration::from_secs(30)))
        .keep_alive_timeout(std::time::Duration::from_secs(20));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    let watch = &place.watch;
    let mut finishing = false;
    poll_fn(|cx| {
        watch.register(cx.waker());
        match watch.order() {
            Some(Order::Abort) => return Poll::Ready(()),
            Some(_) if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        connection.as_mut().poll(cx).map(|_| ())
    })
    .await;
}

/// Hands each request to the pipeline, and ties its answer to the connection's watch.
fn service(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    peer: Rc<Peer>,
    watch: Rc<Watch>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Watched>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Watched>, Infallible>>,
> {
    service_fn(move |request: Request<Incoming>| {
        let active = watch.begin(connections.now_ns.clone());
        Answering { answer: pipeline::handle(worker.clone(), peer.clone(), request), active: Some(active) }
    })
}

pin_project! {
    /// A request being answered. Not an `async` block, which would hold the pipeline's future twice.
    struct Answering<F> {
        #[pin]
        answer: F,
        active: Option<Active>,
    }
}

impl<F: Future<Output = Response<Observed>>> Future for Answering<F> {
    type Output = Result<Response<Watched>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let active = this.active;
        this.answer.poll(cx).map(|answer| Ok(answer.map(|body| Watched { body, _active: active.take() })))
    }
}

/// An answer's body; while it lasts, its connection is not idle.
#[derive(Debug)]
struct Watched {
    body: Observed,
    _active: Option<Active>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = crate::upstream::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
