//! What one observer makes of the roll as time passes: whom to doubt, whom to strike, for whom to wait. It goes by the
//! observer's own monotonic clock alone; nobody's civil clock decides anything.

use super::Node;
use crate::clock::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a node tells that it is there, for each lease that it has.
const BEATS: u32 = 5;
/// A node tells at least so often.
const SLOWEST_BEAT: Duration = Duration::from_secs(5);
/// How often no more often than this.
const FASTEST_BEAT: Duration = Duration::from_millis(100);
/// After how many beats that were not heard a node is doubted.
const MISSED: u32 = 3;
/// What is waited beyond a lease: a tenth of it, since one monotonic clock may be slewed against another (chrony by up to
/// a twelfth, the kernel's `adjtime` by a two-thousandth), and this.
const GRACE: Duration = Duration::from_millis(100);

/// What is to be done about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// It has not been heard of: [`Nodes::doubt`](super::Nodes::doubt).
    Doubt {
        /// Its id.
        node: Box<str>,
        /// How often it had told.
        beats: u64,
    },
    /// It can not accept anything any more: [`Nodes::strike`](super::Nodes::strike).
    Strike {
        /// Its id.
        node: Box<str>,
    },
}

/// What an observer remembers of each node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    beats: u64,
    /// When it was first seen with that many.
    since: Moment,
    /// When it was first seen to be doubted.
    doubted: Option<Moment>,
}

/// An observer's memory of the roll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roll {
    seen: BTreeMap<Box<str>, Seen>,
}

/// How often a node with this lease tells that it is there.
pub fn beat(lease: Duration) -> Duration {
    (lease / BEATS).clamp(FASTEST_BEAT, SLOWEST_BEAT)
}

/// How long an observer waits for a lease of a node to be over for certain.
fn certain(lease: Duration) -> Duration {
    lease + lease / 10 + GRACE
}

impl Roll {
    /// Takes note of the roll, as it was read by a reading that was over at `now`.
    pub fn observe(&mut self, nodes: &[Node], now: Moment) {
        self.seen.retain(|id, _| nodes.iter().any(|node| node.id == *id));
        for node in nodes {
            let seen = self.seen.entry(node.id.clone());
            let seen = seen.or_insert(Seen { beats: node.beats, since: now, doubted: None });
            if seen.beats != node.beats {
                (seen.beats, seen.since) = (node.beats, now);
            }
            if node.doubted {
                seen.doubted.get_or_insert(now);
            }
        }
    }

    /// What `own` has to do about the others. Its own roll is kept by itself.
    pub fn tasks(&self, nodes: &[Node], own: Option<&str>, now: Moment) -> Vec<Task> {
        let others = nodes.iter().filter(|node| Some(&*node.id) != own);
        others.filter_map(|node| self.task(node, now)).collect()
    }

    fn task(&self, node: &Node, now: Moment) -> Option<Task> {
        let seen = self.seen.get(&node.id)?;
        match seen.doubted {
            Some(doubted) if now.since(doubted) > certain(node.lease) => {
                Some(Task::Strike { node: node.id.clone() })
            }
            None if now.since(seen.since) > beat(node.lease) * MISSED => {
                Some(Task::Doubt { node: node.id.clone(), beats: seen.beats })
            }
            _ => None,
        }
    }

    /// How long is still to be waited for nodes other than `own` that hold what was before the change `sequence`, which was
    /// committed before `since`. `None` when there are none.
    pub fn wait(
        &self,
        nodes: &[Node],
        own: Option<&str>,
        sequence: u64,
        since: Moment,
        now: Moment,
    ) -> Option<Duration> {
        let behind = nodes.iter().filter(|node| Some(&*node.id) != own && node.applied < sequence);
        let left = behind.map(|node| {
            let doubted = self.seen.get(&node.id).and_then(|seen| seen.doubted);
            let over = |from: Moment| certain(node.lease).saturating_sub(now.since(from));
            doubted.map_or_else(|| over(since), |doubted| over(doubted).min(over(since)))
        });
        left.max().filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    fn at(ms: u64) -> Moment {
        Moment { mono_ns: (3_600_000 + ms) * 1_000_000, unix_ms: 0 }
    }

    fn node(id: &str, applied: u64, beats: u64, doubted: bool) -> Node {
        Node {
            id: id.into(),
            number: 1,
            name: id.to_owned(),
            version: "1".to_owned(),
            lease: LEASE,
            applied,
            beats,
            doubted,
            stepped_back: false,
            joined_ms: 0,
            told_ms: 0,
        }
    }

    #[test]
    fn who_has_told_is_not_waited_for() {
        let (mut roll, nodes) = (Roll::default(), [node("own", 0, 0, false), node("other", 7, 1, false)]);
        roll.observe(&nodes, at(0));
        assert_eq!(roll.wait(&nodes, Some("own"), 7, at(0), at(0)), None);
        assert_eq!(roll.wait(&nodes, Some("own"), 8, at(0), at(0)), Some(certain(LEASE)));
        assert_eq!(
            roll.wait(&nodes, None, 7, at(0), at(100)),
            Some(certain(LEASE) - Duration::from_millis(100))
        );
        assert_eq!(roll.wait(&nodes, Some("own"), 8, at(0), at(5_600)), None);
    }

    #[test]
    fn who_is_doubted_is_waited_for_from_then_on() {
        let mut roll = Roll::default();
        roll.observe(&[node("other", 0, 1, true)], at(0));
        let nodes = [node("other", 0, 1, true)];
        roll.observe(&nodes, at(3_000));
        assert_eq!(roll.wait(&nodes, None, 9, at(4_000), at(4_000)), Some(Duration::from_millis(1_600)));
        assert_eq!(roll.wait(&nodes, None, 9, at(6_000), at(6_000)), None);
    }

    #[test]
    fn who_is_silent_is_doubted_and_then_struck() {
        let mut roll = Roll::default();
        let silent = [node("own", 0, 0, false), node("other", 0, 4, false)];
        roll.observe(&silent, at(0));
        roll.observe(&silent, at(3_000));
        assert_eq!(roll.tasks(&silent, Some("own"), at(3_000)), []);
        let doubt = Task::Doubt { node: "other".into(), beats: 4 };
        assert_eq!(roll.tasks(&silent, Some("own"), at(3_001)), [doubt]);
        let told = [node("other", 0, 5, false)];
        roll.observe(&told, at(3_001));
        assert_eq!(roll.tasks(&told, Some("own"), at(3_001)), []);

        let doubted = [node("other", 0, 5, true)];
        roll.observe(&doubted, at(4_000));
        assert_eq!(roll.tasks(&doubted, Some("own"), at(9_600)), []);
        assert_eq!(roll.tasks(&doubted, Some("own"), at(9_601)), [Task::Strike { node: "other".into() }]);
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let mut roll = Roll::default();
        roll.observe(&[node("other", 0, 5, true)], at(0));
        roll.observe(&[], at(1));
        let again = [node("other", 0, 5, true)];
        roll.observe(&again, at(9_000));
        assert_eq!(roll.tasks(&again, None, at(9_000)), []);
    }

    #[test]
    fn beats_follow_the_lease_within_bounds() {
        assert_eq!(beat(LEASE), Duration::from_secs(1));
        assert_eq!(beat(Duration::from_millis(100)), FASTEST_BEAT);
        assert_eq!(beat(Duration::from_secs(3600)), SLOWEST_BEAT);
        assert_eq!(certain(LEASE), Duration::from_millis(5_600));
    }
}
