//! The one lock under which the index is changed: insertions, invalidations and the list of look-ups under way.
//!
//! A look-up notes the generation of its name before it asks the store, and inserts only if it is unchanged;
//! an invalidation raises the generation and removes, both under this lock. So a record that was read before a
//! revocation can not be inserted after it. A look-up leaves the list under the same lock, together with its
//! insertion: who comes after a revocation can not join a look-up that was finished before it.

use super::{Entry, LookupError, SessionEntry, UserEntry};
use crate::token::{Digest, TokenId, UserId};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use tokio::sync::watch;

/// Names of one generation counter share their fate: a change of one lets look-ups of the others run again.
const GENERATIONS: usize = 4096;

/// By what a record is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Digest(Digest),
    Token(TokenId),
    User(UserId),
    Session(Box<str>),
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Token(Arc<Entry>),
    User(Arc<UserEntry>),
    Session(Arc<SessionEntry>),
}

pub(super) type Outcome = Result<Option<Found>, LookupError>;
type Flight = watch::Receiver<Option<Outcome>>;

#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    generations: Box<[u64]>,
    hasher: foldhash::fast::RandomState,
    flights: HashMap<Name, (Ticket, Flight)>,
    next: Ticket,
}

/// The generations of all names at one moment, for who is about to ask the store for many keys without knowing their names.
#[derive(Debug)]
pub(super) struct Seen(Box<[u64]>);

/// Tells a look-up from a later one of the same name.
pub(super) type Ticket = u64;

impl Default for Inner {
    fn default() -> Self {
        Self {
            generations: vec![0; GENERATIONS].into(),
            hasher: foldhash::fast::RandomState::default(),
            flights: HashMap::new(),
            next: 0,
        }
    }
}

impl Gate {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, unless somebody has it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Inner>> {
        match self.0.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Inner {
    fn place(&self, name: &Name) -> usize {
        self.hasher.hash_one(name) as usize % GENERATIONS
    }

    pub(super) fn generation(&self, name: &Name) -> u64 {
        self.generations[self.place(name)]
    }

    pub(super) fn raise(&mut self, name: &Name) {
        let place = self.place(name);
        self.generations[place] += 1;
    }

    pub(super) fn raise_all(&mut self) {
        self.generations.iter_mut().for_each(|generation| *generation += 1);
    }

    /// What there is of generations now, of every name.
    pub(super) fn seen(&self) -> Seen {
        Seen(self.generations.clone())
    }

    /// Whether nothing was said of a name since then.
    pub(super) fn unchanged(&self, seen: &Seen, name: &Name) -> bool {
        let place = self.place(name);
        self.generations[place] == seen.0[place]
    }

    pub(super) fn flight(&self, name: &Name) -> Option<Flight> {
        self.flights.get(name).map(|(_, flight)| flight.clone())
    }

    /// How many look-ups are under way.
    pub(super) fn flights(&self) -> usize {
        self.flights.len()
    }

    /// Lists a look-up; whoever makes it publishes its outcome to the sender.
    pub(super) fn depart(&mut self, name: Name) -> (Ticket, watch::Sender<Option<Outcome>>, Flight) {
        let (sender, flight) = watch::channel(None);
        self.next += 1;
        self.flights.insert(name, (self.next, flight.clone()));
        (self.next, sender, flight)
    }

    /// Takes a look-up off the list; one that is off it already may have a successor, which stays.
    pub(super) fn land(&mut self, name: &Name, ticket: Ticket) {
        if self.flights.get(name).is_some_and(|(held, _)| *held == ticket) {
            self.flights.remove(name);
        }
    }
}
