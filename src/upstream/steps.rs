//! What sending a request that is traced came to, step by step. A request that is not traced has none.

use crate::clock::Moment;
use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;

/// A step that took time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It waited until fewer requests were under way.
    Queue,
    /// A connection was made, TLS included.
    Connect,
    /// It was sent, to this address, and answered or not.
    Attempt(SocketAddr),
}

/// A step, and when it was begun and ended.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What was done.
    pub what: What,
    /// When it began.
    pub start: Moment,
    /// When it ended; none for what is not done.
    pub end: Option<Moment>,
    /// It came to nothing.
    pub failed: bool,
}

impl Step {
    /// Where it was sent.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.what {
            What::Attempt(address) => Some(address),
            What::Queue | What::Connect => None,
        }
    }
}

/// The steps of one request.
pub struct Steps {
    now: Box<dyn Fn() -> Moment>,
    all: RefCell<Vec<Step>>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Steps").field(&self.all).finish()
    }
}

impl Steps {
    /// None yet; `now` reads the clock.
    pub fn new(now: impl Fn() -> Moment + 'static) -> Self {
        Self { now: Box::new(now), all: RefCell::default() }
    }

    /// Begins a step; it has failed unless it is ended well.
    pub(super) fn begin(&self, what: What) -> usize {
        let mut all = self.all.borrow_mut();
        all.push(Step { what, start: (self.now)(), end: None, failed: true });
        all.len() - 1
    }

    /// Ends the step of this number.
    pub(super) fn end(&self, step: usize, failed: bool) {
        if let Some(step) = self.all.borrow_mut().get_mut(step) {
            (step.end, step.failed) = (Some((self.now)()), failed);
        }
    }

    /// All of them so far, in the order in which they began.
    pub fn take(&self) -> Vec<Step> {
        self.all.take()
    }
}
