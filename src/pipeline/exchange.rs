//! What is under way at the backends of one worker, and whether it may go on: a key that is revoked, or a session that
//! is ended, takes its open streams with it.
//!
//! Once a second what has lasted longer than that is looked at, in memory alone; the store is asked only about who has
//! changed meanwhile. What is to end finds it out when it is polled next, which it is at once.

use super::Worker;
use super::authenticate::{Known, allows, expired};
use super::authorize::{Grant, still_lacks};
use super::reject::Reject;
use super::worker::Current;
use crate::clock::Moment;
use crate::config::Mode;
use crate::store::cache::{Cached, Entry, Held, LookupError};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is younger was judged a moment ago.
const YOUNG: Duration = Duration::from_millis(900);
/// How many looks in a row may fail to find out whether somebody who has changed is still good.
const PATIENCE: u8 = 3;

/// Why an exchange that was allowed may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The key is gone, or has another value; or the session was ended.
    Revoked,
    /// The key or the person is deactivated.
    Inactive,
    /// The key's or the session's time is over.
    Expired,
    /// What the route asks for was taken away, or the key reaches elsewhere.
    Permission,
    /// The key may no longer be used from the client's address.
    Address,
    /// Something of it has changed, and the store does not say what.
    Unsettled,
}

impl Cut {
    /// Its label in metrics and in the log.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Permission => "permission",
            Self::Address => "address",
            Self::Unsettled => "unsettled",
        }
    }

    /// The refusal, where no answer has begun.
    pub(super) fn reject(self) -> Reject {
        match self {
            Self::Revoked => Reject::UnknownKey,
            Self::Inactive => Reject::Inactive,
            Self::Expired => Reject::Expired,
            Self::Permission => Reject::Permission,
            Self::Address => Reject::Address,
            Self::Unsettled => Reject::StaleStore,
        }
    }
}

/// The exchanges of one worker that somebody known has asked for.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    slots: RefCell<Vec<Option<Exchange>>>,
    free: RefCell<Vec<usize>>,
    /// How many of them are cut: most often none, which is all that needs to be known of any.
    cut: Cell<usize>,
    serial: Cell<u64>,
    asking: Cell<bool>,
}

#[derive(Debug)]
struct Exchange {
    grant: Grant,
    from: IpAddr,
    since: Moment,
    snapshot: Rc<Current>,
    /// API and route, by their places.
    place: (usize, usize),
    /// Tells it from a later one in the same slot.
    serial: u64,
    cut: Option<Cut>,
    /// How often the store has failed to say.
    unsettled: u8,
}

/// Where an exchange is kept.
pub(super) type Slot = usize;

impl Exchanges {
    /// Takes an exchange in, until [`leave`](Self::leave).
    pub(super) fn enter(
        &self,
        grant: Grant,
        from: IpAddr,
        snapshot: Rc<Current>,
        place: (usize, usize),
        since: Moment,
    ) -> Slot {
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        let exchange = Exchange { grant, from, since, snapshot, place, serial, cut: None, unsettled: 0 };
        let mut slots = self.slots.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(slot) => {
                slots[slot] = Some(exchange);
                slot
            }
            None => {
                slots.push(Some(exchange));
                slots.len() - 1
            }
        }
    }

    /// It has ended.
    pub(super) fn leave(&self, slot: Slot) {
        let left = &mut self.slots.borrow_mut()[slot];
        if left.as_ref().is_some_and(|exchange| exchange.cut.is_some()) {
            self.cut.set(self.cut.get() - 1);
        }
        *left = None;
        self.free.borrow_mut().push(slot);
    }

    /// Why it may not go on.
    pub(super) fn cut(&self, slot: Slot) -> Option<Cut> {
        if self.cut.get() == 0 {
            return None;
        }
        self.slots.borrow()[slot].as_ref()?.cut
    }

    /// Looks at what has lasted; says whether anything is to end now. Whom memory does not know any more, `worker` asks
    /// the store about.
    pub(super) fn review(&self, worker: &Rc<Worker>, now: Moment) -> bool {
        let mut open = Vec::new();
        let before = self.cut.get();
        for (slot, exchange) in self.slots.borrow_mut().iter_mut().enumerate() {
            let Some(exchange) = exchange else { continue };
            if exchange.cut.is_some() || now.since(exchange.since) < YOUNG {
                continue;
            }
            match exchange.look(worker, now) {
                Look::Good => {}
                Look::Cut(cut) => self.end(exchange, cut),
                Look::Open => open.push((slot, exchange.serial, exchange.grant.known().clone())),
            }
        }
        if !open.is_empty() && !self.asking.replace(true) {
            let worker = worker.clone();
            tokio::task::spawn_local(async move { ask(&worker, open).await });
        }
        self.cut.get() > before
    }

    fn end(&self, exchange: &mut Exchange, cut: Cut) {
        exchange.cut = Some(cut);
        self.cut.set(self.cut.get() + 1);
    }

    /// What the store says of the asker of one; one that has ended meanwhile is nobody's.
    fn settle(&self, slot: Slot, serial: u64, found: Result<Option<Known>, LookupError>, now: Moment) {
        let mut slots = self.slots.borrow_mut();
        let exchange = slots.get_mut(slot).and_then(Option::as_mut).filter(|it| it.serial == serial);
        let Some(exchange) = exchange else { return };
        let verdict = match found {
            Ok(Some(known)) => exchange.renew(known, now),
            Ok(None) => Err(Cut::Revoked),
            Err(_) if exchange.unsettled < PATIENCE => {
                exchange.unsettled += 1;
                return;
            }
            Err(_) => Err(Cut::Unsettled),
        };
        match verdict {
            Ok(()) => exchange.unsettled = 0,
            Err(cut) => self.end(exchange, cut),
        }
    }
}

enum Look {
    Good,
    Cut(Cut),
    /// The store has to be asked.
    Open,
}

impl Exchange {
    fn look(&mut self, worker: &Worker, now: Moment) -> Look {
        let tokens = &worker.shared.tokens;
        let renewed = match self.grant.known() {
            Known::Anonymous => return Look::Good,
            Known::Key(entry) if expired(&entry.record, now) => return Look::Cut(Cut::Expired),
            Known::Key(entry) if !entry.revoked() => return Look::Good,
            Known::Key(entry) => match tokens.renewed(entry, now) {
                Cached::Hit(entry) => Known::Key(entry),
                Cached::Unknown => return Look::Cut(Cut::Revoked),
                Cached::Miss => return Look::Open,
            },
            Known::User(person) if person.session.record.expires_ms <= now.unix_ms => {
                return Look::Cut(Cut::Expired);
            }
            Known::User(person) if tokens.holds(&person.entry, &person.session) => return Look::Good,
            Known::User(_) => return Look::Open,
        };
        self.renew(renewed, now).map_or_else(Look::Cut, |()| Look::Good)
    }

    /// Goes on in the name of what the asker has become, if that may.
    fn renew(&mut self, known: Known, now: Moment) -> Result<(), Cut> {
        let (api, route) = self.place;
        let addresses = self.snapshot.router.api(api).config.addresses;
        match (self.grant.known(), &known) {
            (Known::Key(was), Known::Key(is)) => good(was, &is.record, addresses, self.from, now)?,
            (Known::User(_), Known::User(person)) if person.record.active => {}
            (Known::User(_), Known::User(_)) => return Err(Cut::Inactive),
            _ => return Err(Cut::Revoked),
        }
        let require = &self.snapshot.router.route(api, route).config.require;
        if !self.grant.renew(known) || still_lacks(&self.grant, require) {
            return Err(Cut::Permission);
        }
        Ok(())
    }
}

/// `addresses` is whether the API refuses keys from elsewhere than their list, or only records that.
fn good(was: &Arc<Entry>, is: &Held, addresses: Mode, from: IpAddr, now: Moment) -> Result<(), Cut> {
    let (old, new) = (&was.record.terms, &is.terms);
    if !is.active {
        return Err(Cut::Inactive);
    }
    if expired(is, now) {
        return Err(Cut::Expired);
    }
    if old.family != new.family || old.organization != new.organization || old.reach != new.reach {
        return Err(Cut::Permission);
    }
    if allows(is, from) || addresses == Mode::Observe { Ok(()) } else { Err(Cut::Address) }
}

/// Asks the store about one after the other: those who share a key share its answer.
async fn ask(worker: &Rc<Worker>, open: Vec<(Slot, u64, Known)>) {
    for (slot, serial, known) in open {
        let now = worker.shared.clock.now();
        let found = found(worker, known, now).await;
        worker.exchanges.settle(slot, serial, found, now);
    }
    worker.exchanges.asking.set(false);
    if worker.exchanges.cut.get() > 0 {
        worker.wake();
    }
}

async fn found(worker: &Worker, known: Known, now: Moment) -> Result<Option<Known>, LookupError> {
    let tokens = &worker.shared.tokens;
    match known {
        Known::Anonymous => Ok(Some(known)),
        Known::Key(entry) => Ok(tokens.find(entry.record.digest, now).await?.map(Known::Key)),
        Known::User(person) => {
            let Some(session) = tokens.session(person.session.id(), now).await? else { return Ok(None) };
            let user = tokens.user(person.record.id.clone(), now).await?;
            Ok(user.map(|entry| Known::User(super::authenticate::Person { entry, session })))
        }
    }
}
