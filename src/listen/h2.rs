//! HTTP/2 for clients (RFC 9113), by hyper: many requests of one connection at once.

use super::Stream;
use super::connection::{Paces, Setting};
use super::extended::{self, Extended};
use super::streams::{Latest, Progress, Streams};
use super::watch::{Active, Order, Place, Watch};
use crate::deadline::Deadlines;
use crate::pipeline::{self, Observed, Peer};
use crate::upstream::body::BodyError;
use crate::wire::{Inbound, Paced};
use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often a connection on which nothing happens is asked whether it is alive, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WITHIN: Duration = Duration::from_secs(20);

/// Bytes of one stream's answer that wait to be written: what a client who opens its window and does not read can make
/// each of its streams hold.
const SEND_BUFFER: usize = 32 * 1024;
/// Streams of a connection that may end for an error of its client before the connection does.
const MOST_ERRORS: usize = 256;

/// Serves a connection to its end. `ahead` is what was read of it before.
pub(super) async fn serve(setting: &Setting, peer: Rc<Peer>, stream: Stream, ahead: BytesMut, place: &Place) {
    let (watch, now_ns) = (&place.watch, &setting.connections.now_ns);
    watch.multiplexed(now_ns.get());
    let io = Io { stream, ahead, watch: watch.clone(), now_ns: now_ns.clone() };
    let bounds = &setting.settings.bounds;
    let progress = Rc::new(Latest::default());
    let streams = Streams {
        latest: progress.clone(),
        deadlines: setting.worker.deadlines.clone(),
        most: bounds.idle_timeout,
    };
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.max_streams)
        .max_send_buf_size(SEND_BUFFER)
        .max_local_error_reset_streams(MOST_ERRORS)
        // The pipeline holds the exact bound, so that its answer is an envelope.
        .max_header_list_size(u32::try_from(bounds.header_size * 2).unwrap_or(u32::MAX))
        .enable_connect_protocol()
        .keep_alive_interval(Some(PING_EVERY))
        .keep_alive_timeout(PING_WITHIN);
    let service = service(setting, peer, watch.clone(), progress);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
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
    setting: &Setting,
    peer: Rc<Peer>,
    watch: Rc<Watch>,
    latest: Rc<Latest>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Watched>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Watched>, Infallible>> + use<>,
> + use<> {
    let stall = setting.settings.bounds.idle_timeout;
    let (worker, now_ns) = (setting.worker.clone(), setting.connections.now_ns.clone());
    let paces = Paces::of(setting);
    service_fn(move |request: Request<Incoming>| {
        let active = watch.begin(now_ns.clone());
        let progress = Rc::new(Progress::default());
        latest.0.replace(Some(progress.clone()));
        let (request, extended) = extended::translate(request, |head, body| match body.is_end_stream() {
            true => Inbound::Empty,
            false => Inbound::H2(Paced::new(paces.pace(head, &progress.answered), body)),
        });
        let answer = pipeline::handle(worker.clone(), peer.clone(), request);
        let tied = Tied { _active: active, progress, watch: watch.clone(), now_ns: now_ns.clone() };
        Answering { answer, tied: Some(tied), extended, deadlines: worker.deadlines.clone(), stall }
    })
}

/// What goes with a request and then with its answer.
#[derive(Debug)]
struct Tied {
    _active: Active,
    progress: Rc<Progress>,
    watch: Rc<Watch>,
    now_ns: Rc<Cell<u64>>,
}

pin_project! {
    /// A request being answered. Not an `async` block, which would hold the pipeline's future twice.
    struct Answering<F> {
        #[pin]
        answer: F,
        tied: Option<Tied>,
        extended: Option<Extended>,
        deadlines: Rc<Deadlines>,
        stall: Duration,
    }

    impl<F> PinnedDrop for Answering<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(tied) = this.project().tied.take() {
                let watch = tied.watch.clone();
                drop(tied);
                watch.abandoned();
            }
        }
    }
}

impl<F: Future<Output = Response<Box<Observed>>>> Future for Answering<F> {
    type Output = Result<Response<Watched>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let tied = this.tied;
        this.answer.poll(cx).map(|answer| {
            let (mut head, body) = answer.into_parts();
            body.marks().insert(&mut head.headers);
            let tied = tied.take();
            if let Some(tied) = &tied {
                tied.progress.answered.set(true);
            }
            if head.status == StatusCode::SWITCHING_PROTOCOLS
                && let (Some(extended), Some(tied)) = (this.extended.take(), &tied)
            {
                // The switch, as HTTP/2 says it (RFC 8441, 5).
                head.status = StatusCode::OK;
                let active = tied.watch.begin(tied.now_ns.clone());
                tokio::task::spawn_local(extended.pass(body, active, this.deadlines.clone(), *this.stall));
                return Ok(Response::from_parts(head, Watched { body: None, tied: None }));
            }
            if let Some(tied) = &tied {
                tied.progress.since_ns.set(Some(tied.now_ns.get()));
            }
            Ok(Response::from_parts(head, Watched { body: Some(body), tied }))
        })
    }
}

/// An answer's body; while it lasts, its connection is not idle.
#[derive(Debug)]
struct Watched {
    /// None where the stream is another protocol's.
    body: Option<Box<Observed>>,
    tied: Option<Tied>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if let Some(tied) = &self.tied {
            // The next piece is asked for when the client has opened its window for it.
            tied.progress.since_ns.set(polled.is_ready().then(|| tied.now_ns.get()));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), |body| body.size_hint())
    }
}

/// A client's byte stream with what was read ahead, to tell the protocol; the watch sees whether the client reads.
#[derive(Debug)]
struct Io {
    stream: Stream,
    ahead: BytesMut,
    watch: Rc<Watch>,
    now_ns: Rc<Cell<u64>>,
}

impl Io {
    fn watched<T>(
        &self,
        polled: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        self.watch.wrote(&polled, taken, self.now_ns.get());
        polled
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let length = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..length]);
        this.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watched(polled, |taken| *taken)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watched(polled, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let plain = matches!(this.stream, Stream::Plain(_));
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        // A plain stream holds nothing back, so that its flush says nothing of the client.
        if plain { polled } else { this.watched(polled, |()| 0) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
