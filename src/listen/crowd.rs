//! How many connections each client address has, so that one of them can not take the places of all others.
//!
//! Touched when a connection is accepted and when it ends, never in between; sharded, because all workers accept.

use super::Endpoint;
use crate::limiter::network;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A power of two.
const SHARDS: usize = 64;

/// The addresses that have connections. One that has none takes no memory.
#[derive(Debug)]
pub(super) struct Crowd {
    siphash: RandomState,
    shards: [Shard; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<HashMap<IpAddr, usize>>);

impl Default for Crowd {
    fn default() -> Self {
        Self { siphash: RandomState::default(), shards: std::array::from_fn(|_| Shard::default()) }
    }
}

impl Crowd {
    /// Counts one more in for this address; false when it has `most` already.
    fn enter(&self, address: IpAddr, most: usize) -> bool {
        let mut shard = self.shard(address);
        let count = shard.entry(address).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        true
    }

    fn leave(&self, address: IpAddr) {
        let mut shard = self.shard(address);
        if let Entry::Occupied(mut entry) = shard.entry(address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
                // A crowd that has gone leaves no room behind.
                if shard.capacity() > 4 * (shard.len() + 64) {
                    shard.shrink_to_fit();
                }
            }
        }
    }

    fn shard(&self, address: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let shard = &self.shards[self.siphash.hash_one(address) as usize % SHARDS];
        // A count is whole between two calls, whoever panicked.
        shard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place among those of its address; given back when dropped.
#[derive(Debug)]
pub(super) struct Guest {
    endpoint: Arc<Endpoint>,
    address: IpAddr,
}

impl Guest {
    /// Counts a connection in; `None` when its address has `most` already.
    pub(super) fn enter(endpoint: &Arc<Endpoint>, address: IpAddr, most: usize) -> Option<Self> {
        let address = network(address.to_canonical());
        let entered = endpoint.crowd.enter(address, most);
        entered.then(|| Self { endpoint: endpoint.clone(), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.endpoint.crowd.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_places_and_leaves_nothing_behind() {
        let crowd = Crowd::default();
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert!(crowd.enter(one, 2) && crowd.enter(one, 2));
        assert!(!crowd.enter(one, 2) && crowd.enter(other, 2));
        crowd.leave(one);
        assert!(crowd.enter(one, 2));
        for address in [one, one, other] {
            crowd.leave(address);
        }
        assert!(crowd.shards.iter().all(|shard| shard.0.lock().unwrap().is_empty()));
    }
}
