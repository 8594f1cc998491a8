//! Whether a silent client is still there: it is asked now and then, and has to say so.

use super::io::News;
use crate::deadline::Deadlines;
use h2::{Ping, PingPong};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a connection on which nothing happens is asked whether it is alive, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WITHIN: Duration = Duration::from_secs(20);

/// One connection's.
pub(super) struct Alive {
    pings: Option<PingPong>,
    deadlines: Rc<Deadlines>,
    slot: Option<usize>,
    /// It was asked, and has not answered.
    asked: bool,
}

impl Alive {
    pub(super) fn new(pings: Option<PingPong>, deadlines: &Rc<Deadlines>) -> Self {
        Self { pings, deadlines: deadlines.clone(), slot: None, asked: false }
    }

    /// Whether the client has been silent for so long that it was asked, and has not answered.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Ready when the client is gone. There is one wait for the whole of a silence, not one for each byte that ends one.
    pub(super) fn poll(&mut self, news: &News, cx: &mut Context<'_>) -> Poll<()> {
        let Some(pings) = &mut self.pings else { return Poll::Pending };
        if self.asked {
            if pings.poll_pong(cx).is_pending() {
                return self.deadlines.arm(&mut self.slot, PING_WITHIN, cx);
            }
            self.asked = false;
            self.deadlines.disarm(&mut self.slot);
        }
        loop {
            let silence = Duration::from_nanos(news.now_ns.get().saturating_sub(news.heard_ns.get()));
            let left = PING_EVERY.saturating_sub(silence);
            match self.deadlines.arm(&mut self.slot, left, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.deadlines.disarm(&mut self.slot),
            }
            if left.is_zero() && pings.send_ping(Ping::opaque()).is_ok() {
                self.asked = true;
                let _ = pings.poll_pong(cx);
                return self.deadlines.arm(&mut self.slot, PING_WITHIN, cx);
            }
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.deadlines.disarm(&mut self.slot);
    }
}
