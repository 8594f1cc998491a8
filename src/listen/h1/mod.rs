//! HTTP/1.1 for clients (RFC 9112): one connection, one request after the other.
//!
//! Heads are parsed by `httparse`. The body of a request is read from the connection by whoever polls it
//! ([`socket::RequestBody`]), so that nothing is handed over and a slow backend slows its client down. A connection that
//! waits holds neither buffer nor future: memory is the worker's ([`crate::wire::Scratch`]).

mod answer;
#[doc(hidden)]
pub mod bench;
pub(super) mod fuzzing;
mod head;
mod socket;

use super::Stream;
use super::connection::{Paces, Setting};
use super::watch::{Active, Order, Place, Watch};
use crate::pipeline::{self, Early, Observed, Peer, Worker};
use crate::wire::{Framing, Inbound, Out, Paced, Upgrade, write_field};
use answer::{Answer, Broken};
use bytes::BytesMut;
use head::{Asked, Wishes};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use socket::{RequestBody, Socket, Stop};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a connection that is closed for a reason is still read, so that its client gets the answer: a system resets
/// a connection that is closed with unread bytes, and the answer may be lost with it (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// What a connection is served with.
struct Serving<'c> {
    setting: &'c Setting,
    peer: &'c Rc<Peer>,
    watch: &'c Rc<Watch>,
    socket: Rc<RefCell<Socket>>,
}

/// The pipeline at work on a request.
type Responding = Pin<Box<dyn Future<Output = Response<Box<Observed>>>>>;

/// A request that was handed to the pipeline.
struct Handling {
    response: Responding,
    wishes: Wishes,
    active: Active,
    /// What its body is told when the answer begins.
    answered: Option<Rc<Cell<bool>>>,
}

/// How a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// With another request.
    Next,
    /// It closes; the client has had its answer.
    Close,
    /// It is gone.
    Gone,
}

/// Serves a connection to its end. `ahead` is what was read of it before.
pub(super) async fn serve(
    setting: &Setting,
    peer: &Rc<Peer>,
    stream: Stream,
    ahead: BytesMut,
    place: &Place,
) {
    let (scratch, now_ns) = (setting.worker.pools.scratch.clone(), setting.connections.now_ns.clone());
    let socket = Socket::new(stream, ahead, scratch, place.watch.clone(), now_ns);
    let socket = Rc::new(RefCell::new(socket));
    let serving = Serving { setting, peer, watch: &place.watch, socket };
    loop {
        let then = match serving.next().await {
            Ok(handling) => serving.answer(handling).await,
            Err(Stop::Early(early)) => serving.refuse(early).await,
            Err(Stop::Over) => serving.leave().await,
        };
        match then {
            Then::Next => {}
            Then::Close => return serving.close().await,
            Then::Gone => return,
        }
    }
}

impl Serving<'_> {
    fn worker(&self) -> &Rc<Worker> {
        &self.setting.worker
    }

    /// Waits for the next request, as long as the worker lets it.
    async fn next(&self) -> Result<Handling, Stop> {
        // The pipeline holds the exact bound, so that its answer is an envelope; this one only bounds the buffer.
        let most = (self.setting.settings.bounds.header_size * 2).max(16 * 1024);
        poll_fn(|cx| {
            self.watch.register(cx.waker());
            let mut socket = self.socket.borrow_mut();
            let order = self.watch.order();
            match order {
                Some(Order::TooSlow) if !socket.begun().is_empty() => {
                    return Poll::Ready(Err(Stop::Early(Early::Slow)));
                }
                Some(Order::TooSlow | Order::Abort) => return Poll::Ready(Err(Stop::Over)),
                Some(Order::Last | Order::Finish) | None => {}
            }
            match socket.poll_next(most, cx) {
                // A request that the client has begun by now is answered still.
                Poll::Pending if order >= Some(Order::Finish) && socket.begun().is_empty() => {
                    Poll::Ready(Err(Stop::Over))
                }
                polled => polled.map_ok(|asked| self.handle(asked)),
            }
        })
        .await
    }

    /// Hands a request to the pipeline. The future is on the heap, where the last request's was: as a part of the
    /// connection's it would be cold, and kept while the connection waits.
    fn handle(&self, asked: Asked) -> Handling {
        let active = self.watch.begin(self.setting.connections.now_ns.clone());
        let (body, answered) = match asked.framing {
            Framing::Ended if asked.wishes.upgrade => (self.upgrade(&asked), None),
            Framing::Ended => (Inbound::Empty, None),
            _ => {
                let answered = Rc::default();
                let pace = Paces::of(self.setting).pace(asked.request.fields.get(&CONTENT_TYPE), &answered);
                let body = RequestBody::new(&self.socket, asked.number);
                (Inbound::H1(Paced::new(pace, body)), Some(answered))
            }
        };
        // In this order the future is made where it will be, not copied there.
        let place = Box::new_uninit();
        let future = Box::write(
            place,
            pipeline::handle(self.worker().clone(), self.peer.clone(), asked.request, body),
        );
        Handling { response: Box::into_pin(future), wishes: asked.wishes, active, answered }
    }

    /// The wish of a request to go on in another protocol; one of several, or none, is not understood, and may be passed
    /// over (RFC 9110, 7.8).
    fn upgrade(&self, asked: &Asked) -> Inbound {
        let mut named = asked.request.fields.get_all(&UPGRADE);
        match (named.next(), named.next()) {
            (Some(one), None) if !one.contains(&b',') => {
                let bytes = Box::new(RequestBody::new(&self.socket, asked.number));
                HeaderValue::from_bytes(one).map_or(Inbound::Empty, |protocol| {
                    Inbound::Upgrade(Box::new(Upgrade::new(protocol, false, bytes)))
                })
            }
            _ => Inbound::Empty,
        }
    }

    async fn answer(&self, handling: Handling) -> Then {
        let Handling { response, wishes, active, answered } = handling;
        let Some(response) = self.wait(response, wishes).await else {
            self.retire();
            return Then::Gone;
        };
        answered.inspect(|answered| answered.set(true));
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Box::pin(self.switch(response, wishes, active)).await;
        }
        let (answer, keep) = self.begin(response, wishes).await;
        let written = self.write(answer).await;
        drop(active);
        self.retire();
        match written {
            Err(Broken) => Then::Gone,
            Ok(()) if keep && self.is_read().await => Then::Next,
            Ok(()) => Then::Close,
        }
    }

    /// Ends the present request for whoever still reads its body.
    fn retire(&self) {
        if Rc::strong_count(&self.socket) > 1 {
            self.socket.borrow_mut().retire();
        }
    }

    /// The rest of the connection is another protocol's: both sides are passed on until each has ended, or one broke.
    async fn switch(&self, response: Response<Box<Observed>>, wishes: Wishes, active: Active) -> Then {
        self.socket.borrow_mut().switch();
        let (mut answer, _) = self.begin(response, wishes).await;
        let mut written = false;
        let then = poll_fn(|cx| {
            if !written {
                match answer.poll(&self.socket, cx) {
                    Poll::Ready(Ok(())) => written = true,
                    Poll::Ready(Err(Broken)) => return Poll::Ready(Then::Gone),
                    Poll::Pending => return self.poll_stopped(&answer, cx),
                }
            }
            // The backend has ended its side; the client may still have something to say.
            if self.socket.borrow_mut().poll_shutdown(cx).is_pending() || answer.poll_pushed(cx).is_pending()
            {
                return self.poll_stopped(&answer, cx);
            }
            Poll::Ready(Then::Gone)
        })
        .await;
        drop(active);
        self.retire();
        then
    }

    /// Ready when a switched connection is not to go on. A client that has said its last word still listens.
    fn poll_stopped(&self, answer: &Answer, cx: &mut Context<'_>) -> Poll<Then> {
        self.watch.register(cx.waker());
        let stopped = answer.is_cut() || self.watch.order() == Some(Order::Abort);
        if stopped { Poll::Ready(Then::Gone) } else { Poll::Pending }
    }

    /// Waits for an answer; nothing when the client does not.
    async fn wait(&self, mut response: Responding, wishes: Wishes) -> Option<Response<Box<Observed>>> {
        let scratch = &self.worker().pools.scratch;
        let mut asked = false;
        poll_fn(|cx| {
            // What is there from before is somebody else's.
            scratch.take_hint();
            let polled = response.as_mut().poll(cx);
            if let Some(fields) = scratch.take_hint().filter(|_| wishes.modern) {
                self.socket.borrow_mut().interim(|out| write_hints(out, &fields));
            }
            match polled {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => {
                    // What can not be written now is written before the answer.
                    let _ = self.socket.borrow_mut().poll_interim(cx);
                    if !std::mem::replace(&mut asked, true) {
                        // Most answers are there before it would be worth while to ask whether the client has gone.
                        self.watch.look_again(cx.waker());
                        return Poll::Pending;
                    }
                    self.poll_abandoned(cx).map(|()| None)
                }
            }
        })
        .await
    }

    /// Ready when an answer that is being written is not to be: nobody waits for it, or it is the client's no more.
    fn poll_cut(&self, answer: &Answer, cx: &mut Context<'_>) -> Poll<()> {
        if answer.is_cut() { Poll::Ready(()) } else { self.poll_abandoned(cx) }
    }

    /// Ready when nobody waits for the answer: the client has gone, or the worker ends.
    fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch.register(cx.waker());
        match self.watch.order() {
            Some(Order::Abort) => Poll::Ready(()),
            _ => self.socket.borrow_mut().poll_gone(cx),
        }
    }

    /// Writes an answer's head, into memory; and says whether the connection is kept after it.
    async fn begin(&self, response: Response<Box<Observed>>, wishes: Wishes) -> (Answer, bool) {
        let (head, body) = response.into_parts();
        let mut keep = wishes.keep && self.watch.order().is_none();
        // An upstream that answers early may still be sent the rest; otherwise nobody will read it.
        keep &= Rc::strong_count(&self.socket) > 1 || self.is_read().await;
        // The pipeline's own wish; an upstream's ended at its own connection.
        keep &= !head.headers.contains_key(CONNECTION);
        let scratch = &self.worker().pools.scratch;
        let mut out = match head.headers.is_empty() {
            // Its fields may be lines already, with memory of their own.
            true => Out::default(),
            false => scratch.out(),
        };
        let interim = self.socket.borrow_mut().interim_left();
        if !interim.is_empty() {
            out.bytes().extend_from_slice(interim.left());
        }
        let date = self.setting.connections.date.borrow();
        let answer = Answer::new(out, &head, body, wishes, date.as_bytes(), &mut keep);
        scratch.recycle(head.headers);
        (answer, keep)
    }

    /// Whether the present request's body has been read to its end, or can be at once.
    async fn is_read(&self) -> bool {
        poll_fn(|cx| Poll::Ready(self.socket.borrow_mut().is_read(cx))).await
    }

    async fn write(&self, mut answer: Answer) -> Result<(), Broken> {
        let written = poll_fn(|cx| match answer.poll(&self.socket, cx) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.poll_cut(&answer, cx).map(|()| Err(Broken)),
        })
        .await;
        self.worker().pools.scratch.give(answer.into_out());
        written
    }

    /// Answers bytes that are no request.
    async fn refuse(&self, early: Early) -> Then {
        let worker = self.worker();
        let (head, body) = early.answer(worker, self.peer, self.socket.borrow().begun()).into_parts();
        let (date, mut keep) = (self.setting.connections.date.borrow().clone(), false);
        let mut answer =
            Answer::new(Out::default(), &head, body, Wishes::UNKNOWN, date.as_bytes(), &mut keep);
        // Whoever does not read it, does not get it.
        let writing = poll_fn(|cx| answer.poll(&self.socket, cx));
        match worker.deadlines.within(LINGER, writing).await {
            Ok(Ok(())) => Then::Close,
            _ => Then::Gone,
        }
    }

    /// Ends a connection on which nothing is under way.
    async fn leave(&self) -> Then {
        poll_fn(|cx| {
            self.socket.borrow_mut().leave(cx);
            Poll::Ready(Then::Gone)
        })
        .await
    }

    /// Ends the connection so that what was written arrives.
    async fn close(&self) {
        let closing = async {
            poll_fn(|cx| self.socket.borrow_mut().poll_shutdown(cx)).await?;
            poll_fn(|cx| self.socket.borrow_mut().poll_discard(cx)).await;
            std::io::Result::Ok(())
        };
        let _ = self.worker().deadlines.within(LINGER, closing).await;
    }
}

/// Early hints (RFC 8297); fields of the final answer are not among them.
fn write_hints(out: &mut Vec<u8>, fields: &HeaderMap) {
    out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
    for (name, value) in fields {
        write_field(out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}
