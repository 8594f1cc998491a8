//! What one worker has of its own towards upstreams: [`Lane`], its connections to one place and the requests under way
//! there; [`Desk`], where it chooses the place for a request of one service. No other thread sees either.

use super::bounds::Permit;
use super::h1::Connection;
use super::h2::Shared;
use super::place::Place;
use super::retry::Budget;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Most idle connections kept for one place by one worker.
const MOST_IDLE: usize = 512;

/// All places of a service, as they are at the moment.
pub(super) type Places = Arc<[Arc<Place>]>;

/// One worker's way to one place.
pub(super) struct Lane {
    pub(super) place: Arc<Place>,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<(Rc<Shared>, Duration)>>,
    /// Connections that are being made, for requests that could share them.
    dialing: Cell<usize>,
    dialed: Notify,
    /// Connections that were made and can not be shared, or were not made.
    fruitless: Cell<u64>,
    /// The peer speaks HTTP/1.1 only, so that each request needs a connection of its own.
    exclusive: Cell<bool>,
    under_way: Cell<u32>,
    now_ns: Rc<Cell<u64>>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since_ns: u64,
    keep: Duration,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (place, under_way) = (&self.place.id, self.under_way.get());
        f.debug_struct("Lane").field("place", place).field("under_way", &under_way).finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(place: Arc<Place>, now_ns: Rc<Cell<u64>>) -> Self {
        Self {
            place,
            idle: RefCell::default(),
            shared: RefCell::default(),
            dialing: Cell::new(0),
            dialed: Notify::new(),
            fruitless: Cell::new(0),
            exclusive: Cell::new(false),
            under_way: Cell::new(0),
            now_ns,
        }
    }

    /// Requests of this worker that are under way there, bodies included.
    pub(super) fn under_way(&self) -> u32 {
        self.under_way.get()
    }

    /// Takes the connection that was used last: it is the likeliest to be alive.
    pub(super) fn checkout(&self) -> Option<Box<Connection>> {
        self.idle.borrow_mut().pop().map(|idle| idle.connection)
    }

    /// Whether one waits.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
    }

    /// Keeps a connection that has ended its exchange; it is closed when unused for `keep`.
    pub(super) fn checkin(&self, connection: Box<Connection>, keep: Duration) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST_IDLE {
            idle.push(Idle { connection, since_ns: self.now_ns.get(), keep });
        }
    }

    /// A shared HTTP/2 connection: the first one that has room, or, where there are `most` and none has, that with the
    /// fewest streams.
    pub(super) fn shared(&self, most: usize) -> Option<Rc<Shared>> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|(shared, _)| !shared.is_closed());
        let roomy = shared.iter().find(|(shared, _)| shared.has_room());
        let full = || shared.iter().filter(|_| shared.len() >= most).min_by_key(|(shared, _)| shared.open());
        roomy.or_else(full).map(|(shared, _)| shared.clone())
    }

    /// Lets requests share a connection; it is closed when unused for `keep`.
    pub(super) fn share(&self, shared: Rc<Shared>, keep: Duration) {
        self.shared.borrow_mut().push((shared, keep));
    }

    /// Whether a connection is being made that requests could share.
    pub(super) fn is_dialing(&self) -> bool {
        self.dialing.get() > 0
    }

    /// How many connections came to nothing that requests could share.
    pub(super) fn fruitless(&self) -> u64 {
        self.fruitless.get()
    }

    /// Whether each request needs a connection of its own.
    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive.get()
    }

    /// Notes what the peer spoke last.
    pub(super) fn set_exclusive(&self, exclusive: bool) {
        self.exclusive.set(exclusive);
    }

    /// Waits until one has been made, or not.
    pub(super) async fn dialed(&self) {
        self.dialed.notified().await;
    }

    /// Says that a connection is being made, as long as the value lives.
    pub(super) fn dial(&self) -> Dialing<'_> {
        self.dialing.set(self.dialing.get() + 1);
        Dialing { lane: self, fruitful: false }
    }

    /// Whether it holds connections.
    pub(super) fn is_in_use(&self) -> bool {
        self.has_idle() || !self.shared.borrow().is_empty()
    }

    /// Closes what has waited too long.
    pub(super) fn tick(&self, now_ns: u64) {
        let age = |idle: &Idle| Duration::from_nanos(now_ns.saturating_sub(idle.since_ns));
        self.idle.borrow_mut().retain(|idle| age(idle) < idle.keep);
        self.shared.borrow_mut().retain(|(shared, keep)| shared.is_wanted(now_ns, *keep));
    }
}

/// A connection that is being made.
pub(super) struct Dialing<'a> {
    lane: &'a Lane,
    fruitful: bool,
}

impl Dialing<'_> {
    /// It is there, and can be shared.
    pub(super) fn was_fruitful(&mut self) {
        self.fruitful = true;
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        self.lane.dialing.set(self.lane.dialing.get() - 1);
        self.lane.fruitless.set(self.lane.fruitless.get() + u64::from(!self.fruitful));
        self.lane.dialed.notify_waiters();
    }
}

/// A request that is under way to a place, until the last byte of its answer.
#[derive(Debug)]
pub(super) struct Ticket {
    lane: Rc<Lane>,
    /// Given back with the ticket.
    permit: Option<Permit>,
}

impl Ticket {
    pub(super) fn new(lane: Rc<Lane>, permit: Option<Permit>) -> Self {
        lane.under_way.set(lane.under_way.get() + 1);
        Self { lane, permit }
    }

    /// The way that it takes.
    pub(super) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    /// Goes to another place with the same permit.
    pub(super) fn moved(mut self, lane: Rc<Lane>) -> Self {
        let permit = self.permit.take();
        Self::new(lane, permit)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.under_way.set(self.lane.under_way.get() - 1);
    }
}

/// Where one worker chooses a place for the requests of one service.
#[derive(Debug)]
pub(super) struct Desk {
    lanes: RefCell<Rc<[Rc<Lane>]>>,
    /// Tells of changes of the places.
    pub(super) places: RefCell<watch::Receiver<Places>>,
    /// Whose turn it is.
    pub(super) next: Cell<usize>,
    /// What was sent again of late.
    pub(super) budget: Budget,
}

impl Desk {
    pub(super) fn new(places: watch::Receiver<Places>, first: usize) -> Self {
        let lanes = RefCell::new(Rc::from([]));
        Self { lanes, places: RefCell::new(places), next: Cell::new(first), budget: Budget::default() }
    }

    /// The ways to all places.
    pub(super) fn lanes(&self) -> Rc<[Rc<Lane>]> {
        self.lanes.borrow().clone()
    }

    /// Takes other ways.
    pub(super) fn replace(&self, lanes: Rc<[Rc<Lane>]>) {
        *self.lanes.borrow_mut() = lanes;
    }
}
