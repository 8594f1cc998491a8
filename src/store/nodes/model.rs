//! A model of lease, feed and cache, and a checker that goes through every order of their steps, with every pause between
//! them: no order in which a revocation has been answered and a node would still accept the key.
//!
//! One node accepts keys (*the node*), another one looks after the roll (*the neighbour*), and a third process takes the key
//! away (*the revoker*). What a node stands still for is every step that it does not make while time goes on: a pause,
//! a cut, a slow disk and a death are all in it. The rules of the roll are not modelled, they are the real ones: [`Roll`].
//!
//! The unit of time is a second. Messages are one step from asking to the store's answer, and one more until it arrives:
//! that is the order of the two that allows the node most.

use super::{Node, Roll, Task};
use crate::clock::Moment;
use stateright::{Checker, Model, Property};
use std::time::Duration;

const LEASE_S: u8 = 1;
/// Long enough for a node to be doubted, struck and back on the roll. `make model` goes on for longer: it says so here.
const UNTIL_S: u8 = 3;
const LONGER: &str = "PORTCULLIS_MODEL_SECONDS";
/// The revocation's place in the order of changes.
const CHANGE: u64 = 1;

/// Where the rules are kept, or one of them is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Kept,
    /// The revoker does not wait for who has not told.
    NobodyIsWaitedFor,
    /// A node that is doubted is struck at once.
    StruckAtOnce,
    /// A reading counts though the node is not on the roll, or doubted.
    AnyReadingCounts,
    /// A look-up is entered though there was a change since.
    LateLookUpsCount,
    /// The node joins after it has read where the store is.
    JoinsLate,
    /// The node tells what it has read before it has forgotten it.
    TellsEarly,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    time: u8,
    /// What the store has: whether the key was taken away, and who is on the roll.
    revoked: bool,
    roll: Vec<Node>,
    joins: u8,
    node: Gateway,
    neighbour: Roll,
    revoker: Revoker,
}

/// The node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Gateway {
    /// Its id on the roll, once it is there.
    id: Option<Box<str>>,
    /// Since when it has been starting; over when it has read where the store is.
    starting: Option<u8>,
    serving: bool,
    /// The time of the latest reading that counts.
    read: u8,
    /// It has followed the change.
    followed: bool,
    /// It has told so much of it.
    told: u8,
    /// The key is in its memory.
    holds: bool,
    /// A reading under way: when it was sent, what it has found.
    reading: Option<(u8, Found)>,
    /// A look-up of the key under way, begun before the change was followed or after.
    looking_up: Option<bool>,
    looked_up: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Found {
    member: bool,
    revoked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Revoker {
    Idle,
    /// Since this time it waits.
    Waits(u8, Roll),
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Tick,
    Start,
    Begin,
    Read,
    Arrive,
    Tell,
    LookUp,
    Enter,
    /// The node's process ends properly.
    Leave,
    Tend,
    Revoke,
    Look,
}

struct Leases {
    rules: Rules,
    /// Whether the key comes into the node's memory by a look-up at any time, instead of when it begins: that multiplies the
    /// states, and needs no long time.
    looks_up: bool,
    until_s: u8,
}

fn at(time: u8) -> Moment {
    Moment { mono_ns: 3_600_000_000_000 + u64::from(time) * 1_000_000_000, unix_ms: 0 }
}

impl State {
    /// Whether the node would accept the key now, out of memory. What it looks up it is told by the store.
    fn accepts(&self) -> bool {
        self.node.serving && self.node.holds && self.time - self.node.read <= LEASE_S
    }

    fn own(&mut self) -> Option<&mut Node> {
        let id = self.node.id.clone()?;
        self.roll.iter_mut().find(|node| node.id == id)
    }

    fn found(&self) -> Found {
        let on_roll = |id: &str| self.roll.iter().any(|node| *node.id == *id && !node.doubted);
        Found { member: self.node.id.as_deref().is_some_and(on_roll), revoked: self.revoked }
    }

    fn join(&mut self) {
        self.joins += 1;
        let id: Box<str> = format!("node {}", self.joins).into();
        self.roll.push(Node {
            id: id.clone(),
            number: self.joins.into(),
            name: String::new(),
            version: String::new(),
            lease: Duration::from_secs(LEASE_S.into()),
            applied: 0,
            beats: 0,
            doubted: false,
            stepped_back: false,
            joined_ms: 0,
            told_ms: 0,
        });
        self.node.id = Some(id);
        self.node.told = 0;
    }

    fn follow(&mut self, found: Found) {
        if found.revoked {
            self.node.followed = true;
            self.node.holds = false;
        }
    }
}

impl Leases {
    fn arrive(&self, state: &mut State) {
        let Some((sent, found)) = state.node.reading.take() else { return };
        state.follow(found);
        if found.member || self.rules == Rules::AnyReadingCounts {
            state.node.read = state.node.read.max(sent);
        } else {
            let old = state.node.id.take();
            state.join();
            state.roll.retain(|node| Some(&node.id) != old.as_ref());
        }
    }

    fn tend(&self, state: &mut State) {
        state.neighbour.observe(&state.roll, at(state.time));
        for task in state.neighbour.tasks(&state.roll, None, at(state.time)) {
            match task {
                Task::Doubt { node, .. } if self.rules == Rules::StruckAtOnce => {
                    state.roll.retain(|other| other.id != node);
                }
                Task::Doubt { node, beats } => {
                    let doubted = state.roll.iter_mut().filter(|it| it.id == node && it.beats <= beats);
                    doubted.for_each(|it| it.doubted = true);
                }
                Task::Strike { node } => state.roll.retain(|other| other.id != node),
            }
        }
    }

    fn look(&self, state: &mut State) {
        let Revoker::Waits(since, memory) = &mut state.revoker else { return };
        memory.observe(&state.roll, at(state.time));
        let wait = memory.wait(&state.roll, None, CHANGE, at(*since), at(state.time));
        if wait.is_none() || self.rules == Rules::NobodyIsWaitedFor {
            state.revoker = Revoker::Answered;
        }
    }
}

impl Model for Leases {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            time: 0,
            revoked: false,
            roll: Vec::new(),
            joins: 0,
            node: Gateway::default(),
            neighbour: Roll::default(),
            revoker: Revoker::Idle,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let (node, late) = (&state.node, self.rules == Rules::JoinsLate);
        let mut may = |step, can: bool| steps.extend(can.then_some(step));
        may(Step::Tick, state.time < self.until_s && state.joins > 0);
        // Before it there is nothing that the promise could be broken by: time begins with it.
        may(Step::Start, state.time == 0 && node.starting.is_none() && !node.serving && state.joins == 0);
        may(Step::Begin, node.starting.is_some());
        may(Step::Read, node.serving && node.reading.is_none() && (node.id.is_some() || late));
        may(Step::Arrive, node.reading.is_some());
        let known = node.followed || self.rules == Rules::TellsEarly;
        may(Step::Tell, node.serving && node.told == 0 && node.id.is_some() && known);
        may(
            Step::LookUp,
            self.looks_up
                && node.serving
                && node.looking_up.is_none()
                && node.looked_up == 0
                && !state.revoked,
        );
        may(Step::Enter, node.looking_up.is_some());
        may(Step::Leave, node.serving && node.id.is_some() && node.reading.is_none());
        may(Step::Tend, !state.roll.is_empty());
        may(Step::Revoke, state.revoker == Revoker::Idle);
        may(Step::Look, matches!(state.revoker, Revoker::Waits(..)));
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Tick => state.time += 1,
            Step::Start => {
                state.node.starting = Some(state.time);
                if self.rules == Rules::JoinsLate {
                    state.joins = 1;
                } else {
                    state.join();
                }
            }
            // Its memory is empty; it knows up to where the store is.
            Step::Begin => {
                state.node.read = state.node.starting.take().unwrap_or_default();
                state.node.serving = true;
                state.node.followed = state.revoked;
                state.node.holds = !self.looks_up && !state.revoked;
            }
            Step::Read => state.node.reading = Some((state.time, state.found())),
            Step::Arrive => self.arrive(&mut state),
            Step::Tell => {
                state.node.told += 1;
                if let Some(own) = state.own() {
                    own.applied = CHANGE;
                    own.beats += 1;
                }
            }
            // The store is asked, and has answered: the key is good.
            Step::LookUp => state.node.looking_up = Some(state.node.followed),
            Step::Enter => {
                let begun = state.node.looking_up.take().unwrap_or_default();
                state.node.looked_up += 1;
                let unchanged = begun == state.node.followed;
                state.node.holds |= unchanged || self.rules == Rules::LateLookUpsCount;
            }
            Step::Leave => {
                state.node.serving = false;
                let id = state.node.id.take();
                state.roll.retain(|node| Some(&node.id) != id.as_ref());
            }
            Step::Tend => self.tend(&mut state),
            Step::Revoke => {
                state.revoked = true;
                state.revoker = Revoker::Waits(state.time, Roll::default());
            }
            Step::Look => self.look(&mut state),
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("revoked means revoked", |_, state: &State| {
                state.revoker != Revoker::Answered || !state.accepts()
            }),
            // That it can be answered at all, in each of the ways; and that what is guarded against comes up.
            Property::sometimes("answered because it was told", |_, state: &State| {
                state.revoker == Revoker::Answered && state.node.told > 0 && state.time == 0
            }),
            Property::sometimes("answered because a lease was over", |_, state: &State| {
                state.revoker == Revoker::Answered && state.node.holds && !state.roll.is_empty()
            }),
            Property::sometimes("answered without one that was struck", |_, state: &State| {
                state.revoker == Revoker::Answered
                    && state.node.serving
                    && state.node.holds
                    && state.roll.is_empty()
            }),
            Property::sometimes("back on the roll", |_, state: &State| state.joins > 1 && state.accepts()),
            Property::sometimes("accepted while it was being revoked", |_, state: &State| {
                state.revoked && state.accepts()
            }),
        ]
    }
}

fn checked(rules: Rules, looks_up: bool, until_s: u8) -> impl Checker<Leases> {
    Leases { rules, looks_up, until_s }.checker().threads(2).spawn_bfs().join()
}

#[test]
fn revoked_means_revoked_in_every_order() {
    let longer: Option<u8> = std::env::var(LONGER).ok().and_then(|text| text.parse().ok());
    let leases = checked(Rules::Kept, false, longer.unwrap_or(UNTIL_S));
    println!("{} states, {} of them different", leases.state_count(), leases.unique_state_count());
    leases.assert_properties();
    let look_ups = checked(Rules::Kept, true, longer.map_or(1, |until_s| until_s - 1));
    println!("{} states, {} of them different", look_ups.state_count(), look_ups.unique_state_count());
    look_ups.assert_no_discovery("revoked means revoked");
}

#[test]
fn each_rule_is_needed() {
    for (rules, looks_up) in [
        (Rules::NobodyIsWaitedFor, false),
        (Rules::StruckAtOnce, false),
        (Rules::AnyReadingCounts, false),
        (Rules::LateLookUpsCount, true),
        (Rules::JoinsLate, true),
        (Rules::TellsEarly, false),
    ] {
        let found = checked(rules, looks_up, UNTIL_S + 1).discovery("revoked means revoked");
        let found = found.unwrap_or_else(|| panic!("{rules:?} does no harm"));
        println!("without it ({rules:?}): {:?}", found.into_actions());
    }
}
