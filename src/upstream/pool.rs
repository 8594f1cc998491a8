//! The connections of one worker that wait for a request, newest first.

use super::body::Outgoing;
use super::h1::Connection;
use crate::clock::Moment;
use crate::config::Endpoint;
use crate::wire::Scratch;
use hyper::client::conn::http2;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// Most idle connections kept for one endpoint by one worker.
const MOST_IDLE: usize = 512;

/// The upstream connections of one worker.
pub struct Pools {
    h1: RefCell<HashMap<Endpoint, Vec<Idle>, foldhash::fast::RandomState>>,
    h2: RefCell<HashMap<Endpoint, http2::SendRequest<Outgoing>, foldhash::fast::RandomState>>,
    pub(super) tls: super::tls::Client,
    now_ns: Cell<u64>,
    /// The worker's memory for heads and buffers.
    pub scratch: Rc<Scratch>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since_ns: u64,
    keep: Duration,
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pools").field("h1", &self.h1).finish_non_exhaustive()
    }
}

impl Pools {
    /// None yet. `tls` is shared by all workers.
    pub fn new(tls: super::tls::Client) -> Rc<Self> {
        Rc::new(Self {
            h1: RefCell::default(),
            h2: RefCell::default(),
            tls,
            now_ns: Cell::new(0),
            scratch: Rc::default(),
        })
    }

    /// The client side of TLS, to be made once and given to each worker.
    pub fn tls_client() -> super::tls::Client {
        super::tls::Client::new()
    }

    /// Takes the connection that was used last: it is the likeliest to be alive.
    pub(super) fn checkout(&self, endpoint: &Endpoint) -> Option<Box<Connection>> {
        self.h1.borrow_mut().get_mut(endpoint)?.pop().map(|idle| idle.connection)
    }

    /// Whether one waits.
    pub(super) fn has_idle(&self, endpoint: &Endpoint) -> bool {
        self.h1.borrow().get(endpoint).is_some_and(|list| !list.is_empty())
    }

    /// Keeps a connection that has ended its exchange; it is closed when unused for `keep`.
    pub(super) fn checkin(&self, endpoint: &Endpoint, connection: Box<Connection>, keep: Duration) {
        let mut pools = self.h1.borrow_mut();
        let idle = Idle { connection, since_ns: self.now_ns.get(), keep };
        match pools.get_mut(endpoint) {
            Some(list) if list.len() >= MOST_IDLE => {}
            Some(list) => list.push(idle),
            None => {
                pools.insert(endpoint.clone(), vec![idle]);
            }
        }
    }

    /// The shared HTTP/2 connection to an endpoint.
    pub(super) fn shared(&self, endpoint: &Endpoint) -> Option<http2::SendRequest<Outgoing>> {
        let mut shared = self.h2.borrow_mut();
        match shared.get(endpoint) {
            Some(sender) if sender.is_closed() => {
                shared.remove(endpoint);
                None
            }
            other => other.cloned(),
        }
    }

    /// Makes a connection the shared one.
    pub(super) fn share(&self, endpoint: &Endpoint, sender: http2::SendRequest<Outgoing>) {
        self.h2.borrow_mut().insert(endpoint.clone(), sender);
    }

    /// Closes what has waited too long; the worker calls it about every second.
    pub fn tick(&self, now: Moment) {
        self.now_ns.set(now.mono_ns);
        self.h1.borrow_mut().retain(|_, list| {
            list.retain(|idle| Duration::from_nanos(now.mono_ns.saturating_sub(idle.since_ns)) < idle.keep);
            !list.is_empty()
        });
        self.h2.borrow_mut().retain(|_, sender| !sender.is_closed());
    }
}
