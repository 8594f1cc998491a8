//! Where each connection is in its life, so that one look a tick finds those that take too long.

use super::Standing;
use crate::clock::Moment;
use crate::config::Bounds;
use http::HeaderValue;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

/// Requests that a client may abandon at once; one a tick is forgotten, and one for each that it waits for.
const PATIENCE: u32 = 200;
/// How long a connection that is to end may wait for one more request. A client that has just had an answer may have
/// sent the next request already, and would find the connection closed with nothing said; one that has been silent for
/// this long hardly does so at this very moment.
const QUIET: Duration = Duration::from_secs(1);
/// The same for one that has not asked anything yet: it was made to ask something.
const GREETING: Duration = Duration::from_secs(3);

/// One connection's state.
#[derive(Debug)]
pub(super) struct Watch {
    phase: Cell<Phase>,
    since_ns: Cell<u64>,
    /// Requests whose answers have not ended.
    active: Cell<u32>,
    /// Since when the client takes nothing of what it is sent; monotonic nanoseconds.
    blocked_ns: Cell<Option<u64>>,
    /// How long it may still take nothing: what it takes earns it time, at `min_answer_rate`, up to `idle_timeout`.
    credit_ns: Cell<u64>,
    /// How many requests it may still abandon: each costs an upstream work for nothing.
    patience: Cell<u32>,
    order: Cell<Option<Order>>,
    /// It has put off a look at its client.
    owes_look: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    bounds: Bounds,
    standing: Standing,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The rest of a head.
    Head,
    /// A request is being answered.
    Active,
    /// The next request.
    Idle,
}

/// What a connection is told to do, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// End after the present request or, when there is none, the one that comes next.
    Last,
    /// End when the present requests are answered.
    Finish,
    /// The head took too long: say so, and close.
    TooSlow,
    /// Close now.
    Abort,
}

impl Watch {
    fn new(now_ns: u64, bounds: Bounds, standing: Standing) -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            since_ns: Cell::new(now_ns),
            active: Cell::new(0),
            blocked_ns: Cell::new(None),
            credit_ns: Cell::new(nanos(bounds.idle_timeout)),
            patience: Cell::new(PATIENCE),
            order: Cell::new(None),
            owes_look: Cell::new(false),
            waker: RefCell::new(None),
            bounds,
            standing,
        }
    }

    /// HTTP/2 is spoken, whose own settings bound heads.
    pub(super) fn multiplexed(&self, now_ns: u64) {
        self.phase.set(Phase::Idle);
        self.since_ns.set(now_ns);
    }

    /// The first bytes of an HTTP/1.1 request have come.
    pub(super) fn head_begun(&self, now_ns: u64) {
        if self.phase.get() == Phase::Idle {
            self.phase.set(Phase::Head);
            self.since_ns.set(now_ns);
        }
    }

    /// The client has taken so many `bytes` of what was written, or (while that is pending) takes nothing for now.
    pub(super) fn wrote<T>(
        &self,
        written: &Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
        now_ns: u64,
    ) {
        let Poll::Ready(written) = written else {
            return self.blocked_ns.set(self.blocked_ns.get().or(Some(now_ns)));
        };
        let taken = written.as_ref().map_or(0, bytes);
        if let Some(since_ns) = self.blocked_ns.take() {
            self.credit_ns.set(self.credit_ns.get().saturating_sub(now_ns.saturating_sub(since_ns)));
        }
        let most_ns = nanos(self.bounds.idle_timeout);
        if self.credit_ns.get() < most_ns {
            let earned_ns =
                (taken as u64).saturating_mul(1_000_000_000).checked_div(self.bounds.min_answer_rate);
            let credit_ns = self.credit_ns.get().saturating_add(earned_ns.unwrap_or(most_ns));
            self.credit_ns.set(credit_ns.min(most_ns));
        }
    }

    /// The client no longer wants an answer that it asked for.
    pub(super) fn abandoned(&self) {
        // One is given back when its `Active` is dropped, as for those that were waited for.
        self.patience.set(self.patience.get().saturating_sub(2));
        if self.patience.get() == 0 {
            self.tell(Order::Abort);
        }
    }

    /// A request is handed to the pipeline; the guard goes with its answer's body.
    pub(super) fn begin(self: &Rc<Self>, now_ns: Rc<Cell<u64>>) -> Active {
        self.active.set(self.active.get() + 1);
        self.phase.set(Phase::Active);
        Active { watch: self.clone(), now_ns }
    }

    /// Remembers whom to wake; once is enough, because a connection stays in one task.
    pub(super) fn register(&self, waker: &Waker) {
        let mut held = self.waker.borrow_mut();
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
    }

    /// Has the connection polled again at the next tick.
    pub(super) fn look_again(&self, waker: &Waker) {
        self.register(waker);
        self.owes_look.set(true);
    }

    pub(super) fn order(&self) -> Option<Order> {
        self.order.get()
    }

    fn tell(&self, order: Order) {
        // A drain that is told again and again takes back nothing stronger.
        if self.order.get() >= Some(order) {
            return;
        }
        self.order.set(Some(order));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn look(&self, now_ns: u64) {
        let age_of = |since_ns| Duration::from_nanos(now_ns.saturating_sub(since_ns));
        // Nothing else ends a connection whose client asks and does not read.
        let patience_ns = Duration::from_nanos(self.credit_ns.get());
        if self.blocked_ns.get().is_some_and(|since| age_of(since) > patience_ns) {
            return self.tell(Order::Abort);
        }
        if self.owes_look.take() && self.active.get() > 0 {
            self.wake();
        }
        self.patience.set((self.patience.get() + 1).min(PATIENCE));
        if !self.standing.holds() {
            self.tell(Order::Last);
        }
        let age = age_of(self.since_ns.get());
        let last = self.order.get().is_some();
        match self.phase.get() {
            // It was asked to end and does not: what it was sent last, it does not take.
            Phase::Idle if age > 2 * self.bounds.idle_timeout => self.tell(Order::Abort),
            Phase::Head if last && age > GREETING && age <= self.bounds.header_timeout => {
                self.tell(Order::Finish)
            }
            Phase::Idle if last && age > QUIET => self.tell(Order::Finish),
            Phase::Head if age > self.bounds.header_timeout => self.tell(Order::TooSlow),
            Phase::Idle if age > self.bounds.idle_timeout => self.tell(Order::Finish),
            _ => {}
        }
    }
}

/// A request whose answer has not ended.
#[derive(Debug)]
pub(super) struct Active {
    watch: Rc<Watch>,
    now_ns: Rc<Cell<u64>>,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.watch.patience.set((self.watch.patience.get() + 1).min(PATIENCE));
        let left = self.watch.active.get() - 1;
        self.watch.active.set(left);
        if left == 0 {
            self.watch.phase.set(Phase::Idle);
            self.watch.since_ns.set(self.now_ns.get());
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// All connections of one worker.
#[derive(Debug)]
pub(super) struct Connections {
    slots: RefCell<Vec<Option<Rc<Watch>>>>,
    free: RefCell<Vec<usize>>,
    /// Monotonic nanoseconds at the last tick.
    pub(super) now_ns: Rc<Cell<u64>>,
    /// The `Date` of answers (RFC 9110, 6.6.1).
    pub(super) date: RefCell<String>,
    /// The same, for HTTP/2.
    pub(super) date_value: RefCell<HeaderValue>,
    unix_s: Cell<u64>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            slots: RefCell::default(),
            free: RefCell::default(),
            now_ns: Rc::default(),
            date: RefCell::default(),
            date_value: RefCell::new(HeaderValue::from_static("")),
            unix_s: Cell::default(),
        }
    }
}

impl Connections {
    /// Takes a connection in until the guard is dropped.
    pub(super) fn enter(self: &Rc<Self>, bounds: Bounds, standing: Standing) -> Place {
        let watch = Rc::new(Watch::new(self.now_ns.get(), bounds, standing));
        let index = self.free.borrow_mut().pop();
        let mut slots = self.slots.borrow_mut();
        let index = index.unwrap_or_else(|| {
            slots.push(None);
            slots.len() - 1
        });
        slots[index] = Some(watch.clone());
        Place { connections: self.clone(), index, watch }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len()
    }

    /// Moves time on.
    pub(super) fn tick(&self, now: Moment) {
        let unix_s = now.unix_ms / 1000;
        if self.unix_s.replace(unix_s) != unix_s {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s);
            let date = httpdate::fmt_http_date(time);
            if let Ok(value) = HeaderValue::from_str(&date) {
                *self.date_value.borrow_mut() = value;
            }
            *self.date.borrow_mut() = date;
        }
        self.now_ns.set(now.mono_ns);
        self.slots.borrow().iter().flatten().for_each(|watch| watch.look(now.mono_ns));
    }

    /// Has all of them look whether they may go on.
    pub(super) fn wake(&self) {
        self.slots.borrow().iter().flatten().for_each(|watch| watch.wake());
    }

    /// Tells all of them.
    pub(super) fn tell(&self, order: Order) {
        self.slots.borrow().iter().flatten().for_each(|watch| watch.tell(order));
    }
}

/// A connection's place among its worker's.
#[derive(Debug)]
pub(super) struct Place {
    connections: Rc<Connections>,
    index: usize,
    pub(super) watch: Rc<Watch>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.slots.borrow_mut()[self.index] = None;
        self.connections.free.borrow_mut().push(self.index);
    }
}
