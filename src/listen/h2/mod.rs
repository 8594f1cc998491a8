//! HTTP/2 for clients (RFC 9113) over the library `h2`: many requests of one connection at once, all polled by the
//! connection's own task. What several of them say in one turn of it is written in one piece.

mod alive;
mod answer;
mod bells;
mod io;
mod tunnel;

use super::connection::{Paces, Setting};
use super::watch::{Order, Place};
use crate::pipeline::{self, Peer};
use crate::wire::{self, Inbound, Paced, Received};
use alive::Alive;
use answer::{Common, Responding, Stream, Waiting};
use bells::{Bells, Handle};
use bytes::{Bytes, BytesMut};
use h2::server::{self, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use io::{Io, News};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes of one stream's answer that wait to be written: what a client who opens its window and does not read can make
/// each of its streams hold.
const SEND_BUFFER: usize = 32 * 1024;
/// Bytes that a client may send ahead of whoever reads them, on one stream and on the connection.
const WINDOW: u32 = 1024 * 1024;
const FRAME: u32 = 16 * 1024;
/// Streams of a connection that may end for an error of its client before the connection does.
const MOST_ERRORS: usize = 256;
/// How often a connection's task looks again at what has happened meanwhile before others have their turn.
const ROUNDS: usize = 4;
/// Streams that are polled in one turn of a connection's task, before others have theirs.
const STREAMS_AT_ONCE: usize = 32;
/// Places of streams that a connection keeps when none is under way: as many as a client asks for at once and again. One that
/// is silent for long keeps none.
const KEPT: usize = 32;

/// Serves a connection to its end. `ahead` is what was read of it before.
pub(super) async fn serve(
    setting: &Setting,
    peer: Rc<Peer>,
    stream: super::Stream,
    ahead: BytesMut,
    place: &Place,
) {
    let (watch, now_ns) = (&place.watch, &setting.connections.now_ns);
    watch.multiplexed(now_ns.get());
    let news = News { read_dry: Cell::new(false), heard_ns: Cell::new(now_ns.get()), now_ns: now_ns.clone() };
    let news = Rc::new(news);
    let io = Io { stream, ahead, watch: watch.clone(), news: news.clone() };
    let mut handshake = pin!(builder(setting).handshake::<Io, Bytes>(io));
    let shaken = poll_fn(|cx| {
        news.read_dry.set(false);
        watch.register(cx.waker());
        match watch.order() {
            Some(Order::Abort) => Poll::Ready(None),
            _ => handshake.as_mut().poll(cx).map(Result::ok),
        }
    });
    let Some(connection) = shaken.await else { return };
    let mut serving = Serving::new(setting, peer, connection, news, place);
    poll_fn(|cx| serving.poll(cx)).await;
}

fn builder(setting: &Setting) -> server::Builder {
    let bounds = &setting.settings.bounds;
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(bounds.max_streams)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(MOST_ERRORS))
        // The pipeline holds the exact bound, so that its answer is an envelope.
        .max_header_list_size(u32::try_from(bounds.header_size * 2).unwrap_or(u32::MAX))
        .enable_connect_protocol();
    builder
}

/// A connection and its streams.
struct Serving<'c> {
    setting: &'c Setting,
    peer: Rc<Peer>,
    connection: Connection<Io, Bytes>,
    news: Rc<News>,
    common: Common,
    alive: Alive,
    bells: Arc<Bells>,
    /// Wakes the connection itself.
    waker: Waker,
    streams: Vec<Slot>,
    free: Vec<usize>,
    /// Streams to look at, in the present turn.
    due: Vec<usize>,
    finishing: bool,
    /// No stream is taken in before another one is over.
    full: bool,
}

/// A stream's place; the bell is used again.
struct Slot {
    bell: Handle,
    stream: Option<Stream>,
}

impl<'c> Serving<'c> {
    fn new(
        setting: &'c Setting,
        peer: Rc<Peer>,
        mut connection: Connection<Io, Bytes>,
        news: Rc<News>,
        place: &Place,
    ) -> Self {
        let bells = Arc::new(Bells::default());
        let waker = Waker::from(bells.clone());
        waker.wake_by_ref();
        let common = Common {
            watch: place.watch.clone(),
            deadlines: setting.worker.deadlines.clone(),
            stall: setting.settings.bounds.idle_timeout,
            named: Cell::new(false),
        };
        let alive = Alive::new(connection.ping_pong(), &setting.worker.deadlines);
        let (streams, free, due) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            setting,
            peer,
            connection,
            news,
            common,
            alive,
            bells,
            waker,
            streams,
            free,
            due,
            finishing: false,
            full: false,
        }
    }

    /// One turn of the connection's task; ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.common.watch.register(cx.waker());
        match self.common.watch.order() {
            Some(Order::Abort) => return Poll::Ready(()),
            Some(_) if !self.finishing => {
                self.finishing = true;
                self.connection.graceful_shutdown();
                self.waker.wake_by_ref();
            }
            _ => {}
        }
        self.news.read_dry.set(false);
        self.bells.attend(cx.waker());
        let mut turns = STREAMS_AT_ONCE;
        for _ in 0..ROUNDS {
            let connection = self.bells.take(&mut self.due);
            if connection && self.poll_connection().is_ready() {
                return Poll::Ready(());
            }
            if !connection && (self.due.is_empty() || turns == 0) {
                break;
            }
            self.poll_streams(&mut turns);
        }
        self.bells.rest(!self.due.is_empty());
        Poll::Pending
    }

    /// Writes what there is, reads what came, and takes in new streams; ready when the connection is over.
    fn poll_connection(&mut self) -> Poll<()> {
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        let most = self.setting.settings.bounds.max_streams as usize;
        loop {
            // Streams that were reset are no more for the library, but are here until they are polled: none is taken in
            // beyond the bound, so that the library's own on those that wait to be taken in holds.
            self.full = self.streams.len() - self.free.len() >= most;
            if self.full {
                if self.connection.poll_closed(cx).is_ready() {
                    return Poll::Ready(());
                }
                break;
            }
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if self.alive.poll(&self.news, cx).is_ready() {
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
            return self.connection.poll_closed(cx).map(|_| ());
        }
        if self.alive.is_asked() {
            self.give_up_places(0);
        }
        Poll::Pending
    }

    /// Hands a request to the pipeline; it is polled in the present round.
    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        if tunnel::is_malformed(&request) {
            self.common.watch.abandoned();
            return respond.send_reset(Reason::PROTOCOL_ERROR);
        }
        let head_only = request.method() == Method::HEAD;
        let mut answered = None;
        let scratch = &self.setting.worker.pools.scratch;
        let (head, body, extended) =
            tunnel::translate(request, |fields, stream| match stream.is_end_stream() {
                true => Inbound::Empty,
                false => {
                    let told = answered.insert(Rc::default());
                    let kind = fields.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
                    let pace = Paces::of(self.setting).pace(kind, told);
                    Inbound::H2(Paced::new(pace, Received::new(fields, stream)))
                }
            });
        let request = wire::Request::of(head, scratch);
        let active = self.common.watch.begin(self.news.now_ns.clone());
        // In this order the future is made where it will be, not copied there.
        let place = Box::new_uninit();
        let future = Box::write(
            place,
            pipeline::handle(self.setting.worker.clone(), self.peer.clone(), request, body),
        );
        let response: Responding = Box::into_pin(future);
        let stream = Stream::Waiting(Waiting {
            response,
            respond,
            active,
            answered,
            extended,
            head_only,
            begun: false,
        });
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = self.streams.len();
                self.streams.push(Slot { bell: self.bells.hang(index), stream: None });
                index
            }
        };
        self.streams[index].stream = Some(stream);
        self.due.push(index);
    }

    /// Goes on with the streams that are due, as long as there are `turns`.
    fn poll_streams(&mut self, turns: &mut usize) {
        let mut due = std::mem::take(&mut self.due);
        let date = self.setting.connections.date_value.borrow().clone();
        let now = due.len().min(*turns);
        *turns -= now;
        for index in due.drain(..now) {
            self.poll_stream(index, &date);
        }
        self.due = due;
        self.give_up_places(KEPT);
    }

    /// Where none is under way and there are more than `kept`: who waits holds no memory for as many as there once were.
    fn give_up_places(&mut self, kept: usize) {
        if self.free.len() == self.streams.len() && self.streams.len() > kept {
            // What is due is nobody's any more.
            (self.streams, self.free, self.due) = (Vec::new(), Vec::new(), Vec::new());
        }
    }

    fn poll_stream(&mut self, index: usize, date: &HeaderValue) {
        // A bell may ring for a stream that is over, or whose place was given up.
        let Some(slot) = self.streams.get_mut(index) else { return };
        let Some(stream) = &mut slot.stream else { return };
        slot.bell.answer();
        let cx = &mut Context::from_waker(&slot.bell.waker);
        // A stream that panics takes no other with it, and is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| stream.poll(&self.common, date, cx)));
        if polled.is_err() || matches!(stream, Stream::Over) {
            slot.stream = None;
            self.free.push(index);
            if std::mem::take(&mut self.full) {
                self.waker.wake_by_ref();
            }
        }
    }
}
