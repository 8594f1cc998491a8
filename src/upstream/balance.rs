//! Which place gets a request: among those that take requests, by the service's `balance`.

use super::lane::{Desk, Lane};
use super::place::{self, Place};
use super::{Errand, Pools, Service, UpstreamError};
use crate::config::{Balance, NoneHealthy};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

impl Service {
    /// The way that a request takes; `tried` are the places where it has failed already, which get it again only when
    /// there is no other.
    pub(super) fn pick(
        &self,
        desk: &Desk,
        errand: &Errand<'_>,
        tried: &[u64],
    ) -> Result<Rc<Lane>, UpstreamError> {
        let lanes = desk.lanes();
        match &*lanes {
            [only] if self.health.is_none() => Ok(only.clone()),
            [] => Err(UpstreamError::Unresolved(self.name.clone())),
            lanes => self.choose(lanes, desk, errand, tried),
        }
    }

    fn choose(
        &self,
        lanes: &[Rc<Lane>],
        desk: &Desk,
        errand: &Errand<'_>,
        tried: &[u64],
    ) -> Result<Rc<Lane>, UpstreamError> {
        let (now_ns, pools) = (errand.deadlines.now_ns(), errand.pools);
        if tried.is_empty() && now_ns >= self.troubled_until_ns.load(Ordering::Relaxed) {
            let index = self.among(lanes.len(), |index| index, lanes, desk, errand);
            return Ok(lanes[index].clone());
        }
        let untried = |place: &Place| !tried.contains(&place.id);
        let mut candidates = pools.candidates.borrow_mut();
        let mut collect = |may: &dyn Fn(&Place) -> bool| {
            candidates.clear();
            let fitting = lanes.iter().enumerate().filter(|(_, lane)| may(&lane.place));
            candidates.extend(fitting.map(|(index, _)| index as u32));
            !candidates.is_empty()
        };
        let open = self.health.as_ref().is_some_and(|health| health.none_healthy == NoneHealthy::Try);
        // From what is best to what is better than nothing.
        let found = collect(&|place| untried(place) && place.standing.admits(now_ns, || pools.share()))
            || collect(&|p| untried(p) && p.standing.is_healthy() && !p.standing.is_out(now_ns))
            || collect(&|place| untried(place) && place.standing.is_healthy())
            || collect(&|place| place.standing.is_healthy())
            || (open && collect(&untried))
            || (open && collect(&|_| true));
        if !found {
            return Err(UpstreamError::NoneHealthy(self.name.clone()));
        }
        let index = self.among(candidates.len(), |at| candidates[at] as usize, lanes, desk, errand);
        Ok(lanes[index].clone())
    }

    /// One of `count` candidates, as its index among all; `candidate` gives the index of the n-th, in rising order.
    fn among(
        &self,
        count: usize,
        candidate: impl Fn(usize) -> usize,
        lanes: &[Rc<Lane>],
        desk: &Desk,
        errand: &Errand<'_>,
    ) -> usize {
        match self.balance {
            _ if count == 1 => candidate(0),
            Balance::LeastRequests => least_of_two(count, candidate, lanes, errand.pools),
            Balance::Random => candidate(errand.pools.below(count)),
            Balance::RoundRobin => {
                let turn = desk.next.get() % lanes.len();
                let next = (0..count).map(&candidate).find(|index| *index >= turn).unwrap_or(candidate(0));
                desk.next.set(next + 1);
                next
            }
            Balance::IpHash => {
                let client = errand.from.map_or(0, of_address);
                let weight = |index: &usize| mix(client ^ lanes[*index].place.key);
                (0..count).map(candidate).max_by_key(weight).unwrap_or(0)
            }
        }
    }

    /// Whether the choice looks at the client's address.
    pub fn asks_for_address(&self) -> bool {
        self.balance == Balance::IpHash
    }
}

/// Of two candidates at random, the one where fewer requests are under way.
fn least_of_two(
    count: usize,
    candidate: impl Fn(usize) -> usize,
    lanes: &[Rc<Lane>],
    pools: &Pools,
) -> usize {
    let first = pools.below(count);
    let second = (first + 1 + pools.below(count - 1)) % count;
    let (first, second) = (candidate(first), candidate(second));
    if lanes[second].under_way() < lanes[first].under_way() { second } else { first }
}

fn of_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => place::hash(&address.octets()),
        IpAddr::V6(address) => place::hash(&address.octets()),
    }
}

/// Spreads every bit over all (the finalizer of splitmix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
