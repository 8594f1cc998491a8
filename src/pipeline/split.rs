//! Which of several upstreams gets a request: drawn by weight, or by the key where it is to stay with one.

use super::Worker;
use super::authenticate::Known;
use crate::config;
use crate::telemetry::metrics::RouteCells;
use crate::upstream::Service;
use std::sync::Arc;

/// Upstreams that share a route's requests.
#[derive(Debug)]
pub struct Split {
    /// In the order of the file.
    pub parts: Vec<Part>,
    /// The sum of the weights.
    pub total: u64,
    /// Whether a key always gets the same one.
    pub sticky: bool,
}

/// One of them.
#[derive(Debug)]
pub struct Part {
    /// Who answers.
    pub service: Arc<Service>,
    /// Its share of [`Split::total`].
    pub weight: u32,
    /// What it got of the route's requests, and how they ended.
    pub cells: Arc<RouteCells>,
}

impl Split {
    /// Prepares it; `cells` are those of the upstream of a name.
    pub fn new(
        split: &config::Split,
        services: &[Arc<Service>],
        cells: impl Fn(&str) -> Arc<RouteCells>,
    ) -> Self {
        let part = |&(upstream, weight): &(usize, u32)| {
            let service = services[upstream].clone();
            Part { weight, cells: cells(&service.name), service }
        };
        let parts: Vec<Part> = split.parts.iter().map(part).collect();
        let total = parts.iter().map(|part| u64::from(part.weight)).sum();
        Self { parts, total, sticky: split.sticky }
    }

    /// The one that gets a request.
    pub(super) fn draw(&self, worker: &Worker, known: &Known) -> &Part {
        let chance = self.key(known).unwrap_or_else(|| worker.ids.chance());
        self.at(chance)
    }

    /// The key's number, where it decides; the same in every process, and for every route.
    pub(super) fn key(&self, known: &Known) -> Option<u64> {
        match known {
            _ if !self.sticky => None,
            Known::Anonymous => None,
            Known::Key(entry) => Some(spread(entry.record.id.text().as_bytes())),
            Known::User(user) => Some(spread(user.record.id.as_str().as_bytes())),
        }
    }

    /// The one at a place between nothing and everything. The parts lie there in the order of the file, so that a key
    /// that had the last one keeps it when its weight grows and the total stays.
    pub(super) fn at(&self, chance: u64) -> &Part {
        let mut left = share_of(chance, self.total);
        for part in &self.parts {
            match left.checked_sub(u64::from(part.weight)) {
                Some(rest) => left = rest,
                None => return part,
            }
        }
        // Not reached: the weights are the total, which is more than any share of it. There is always a part.
        &self.parts[0]
    }
}

/// A number below `total`, as far along as `chance` is among all numbers.
pub(super) fn share_of(chance: u64, total: u64) -> u64 {
    ((u128::from(chance) * u128::from(total)) >> 64) as u64
}

/// FNV-1a, with the end of SplitMix64 so that all bits count.
fn spread(bytes: &[u8]) -> u64 {
    let mut z = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_as_the_weights_say() {
        let canary = |part: u64| {
            move |key: &u64| share_of(spread(format!("token-{key}").as_bytes()), 100) >= 100 - part
        };
        let five: Vec<u64> = (0..100_000).filter(canary(5)).collect();
        assert!((4_700..5_300).contains(&five.len()), "{}", five.len());
        // Whoever is in a small share stays when it grows.
        assert!(five.iter().all(|key| canary(20)(key)));
    }
}
