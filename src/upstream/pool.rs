//! The upstream connections of one worker, and what it keeps of each service.

use super::lane::{Desk, Lane, Places};
use super::{Service, tls};
use crate::clock::Moment;
use crate::wire::Scratch;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

type Map<T> = RefCell<HashMap<u64, T, foldhash::fast::RandomState>>;

/// The upstream connections of one worker.
pub struct Pools {
    /// By the id of a place.
    lanes: Map<Rc<Lane>>,
    /// By the id of a service.
    desks: Map<Rc<Desk>>,
    pub(super) tls: tls::Client,
    now_ns: Rc<Cell<u64>>,
    dice: Cell<u64>,
    /// Memory of [`Service::choose`](super::Service): places that may be chosen.
    pub(super) candidates: RefCell<Vec<u32>>,
    /// The worker's memory for heads and buffers.
    pub scratch: Rc<Scratch>,
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pools").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl Pools {
    /// None yet. `tls` is shared by all workers.
    pub fn new(tls: tls::Client) -> Rc<Self> {
        Rc::new(Self {
            lanes: RefCell::default(),
            desks: RefCell::default(),
            tls,
            now_ns: Rc::default(),
            // Never zero, from which the generator would not move.
            dice: Cell::new(RandomState::new().hash_one(0) | 1),
            candidates: RefCell::default(),
            scratch: Rc::default(),
        })
    }

    /// The client side of TLS, to be made once and given to each worker.
    pub fn tls_client() -> tls::Client {
        tls::Client::new()
    }

    /// A random number (xorshift64*): for balancing, not for secrets.
    pub(super) fn random(&self) -> u64 {
        let mut x = self.dice.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.dice.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A random number below `bound`, which must not be 0.
    pub(super) fn below(&self, bound: usize) -> usize {
        ((self.random() >> 32) as usize * bound) >> 32
    }

    /// A random number from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        (self.random() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The desk of a service, with ways to the places that it has now.
    pub(super) fn desk(&self, service: &Service) -> Rc<Desk> {
        let found = self.desks.borrow().get(&service.id).cloned();
        let desk = found.unwrap_or_else(|| self.open(service));
        if service.resolves && desk.places.borrow().has_changed().unwrap_or(false) {
            self.renew(&desk);
        }
        desk
    }

    fn open(&self, service: &Service) -> Rc<Desk> {
        let desk = Rc::new(Desk::new(service.places.subscribe(), self.below(1 << 16)));
        self.renew(&desk);
        self.desks.borrow_mut().insert(service.id, desk.clone());
        desk
    }

    /// Takes over the places as they are now.
    pub(super) fn renew(&self, desk: &Desk) {
        let places: Places = desk.places.borrow_mut().borrow_and_update().clone();
        let mut lanes = self.lanes.borrow_mut();
        let lane = |place: &Arc<_>| Rc::new(Lane::new(Arc::clone(place), self.now_ns.clone()));
        desk.replace(places.iter().map(|p| lanes.entry(p.id).or_insert_with(|| lane(p)).clone()).collect());
    }

    /// Closes what has waited too long, and forgets what is no more; the worker calls it about every second.
    pub fn tick(&self, now: Moment) {
        self.now_ns.set(now.mono_ns);
        // A service that is gone has dropped its end; the desk holds what remains of its places.
        self.desks.borrow_mut().retain(|_, desk| desk.places.borrow().has_changed().is_ok());
        self.lanes.borrow_mut().retain(|_, lane| {
            lane.tick(now.mono_ns);
            Rc::strong_count(lane) > 1 || lane.is_in_use()
        });
    }
}
