//! Holds readers of requests to what is described: in debug builds, and so in the whole suite, what is read and not
//! described, or described and not read, is a panic.

use super::described;
use super::description::{Kind, Presence};
use crate::dialect::endpoint::Endpoint;

/// What of one call's body or query was read so far.
#[derive(Debug)]
pub(in crate::control) struct Reading {
    endpoint: &'static Endpoint,
    read: Vec<&'static str>,
}

impl Reading {
    /// Nothing so far.
    pub(in crate::control) fn new(endpoint: &'static Endpoint) -> Self {
        Self { endpoint, read: Vec::new() }
    }

    /// Notes that a member of the body is read, as this kind.
    pub(in crate::control) fn member(&mut self, name: &'static str, kind: Kind, presence: Presence) {
        if cfg!(debug_assertions) {
            let members = described(self.endpoint).body.members();
            let found = members.iter().find(|member| member.name == name);
            let found = found.map(|member| (member.kind(), member.presence));
            assert_eq!(
                found,
                Some((kind, presence)),
                "the member {name} of {:?} is described otherwise",
                self.endpoint.operation
            );
            self.read.push(name);
        }
    }

    /// Ends the reading of a body.
    pub(in crate::control) fn members_done(&self) {
        if cfg!(debug_assertions) {
            let members = described(self.endpoint).body.members();
            self.all(members.iter().map(|member| member.name));
        }
    }

    /// Notes that a parameter of the query is read.
    pub(in crate::control) fn parameter(&mut self, name: &'static str) {
        if cfg!(debug_assertions) {
            let known = described(self.endpoint).query.iter().any(|parameter| parameter.name == name);
            assert!(known, "the parameter {name} of {:?} is not described", self.endpoint.operation);
            self.read.push(name);
        }
    }

    /// Ends the reading of a query.
    pub(in crate::control) fn parameters_done(&self) {
        if cfg!(debug_assertions) {
            self.all(described(self.endpoint).query.iter().map(|parameter| parameter.name));
        }
    }

    fn all(&self, described: impl Iterator<Item = &'static str>) {
        for name in described {
            assert!(
                self.read.contains(&name),
                "{name} of {:?} is described and not read",
                self.endpoint.operation
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::endpoint::ENDPOINTS;

    /// Of the login.
    fn reading() -> Reading {
        Reading::new(&ENDPOINTS[0])
    }

    #[test]
    fn what_is_described_may_be_read() {
        let mut reading = reading();
        reading.member("email", Kind::Text, Presence::Required);
        reading.member("password", Kind::Text, Presence::Required);
        reading.members_done();
        reading.parameters_done();
    }

    #[test]
    #[should_panic(expected = "described otherwise")]
    fn a_member_that_nobody_described() {
        reading().member("username", Kind::Text, Presence::Required);
    }

    #[test]
    #[should_panic(expected = "described otherwise")]
    fn a_member_of_another_kind() {
        reading().member("email", Kind::Text, Presence::Optional);
    }

    #[test]
    #[should_panic(expected = "described and not read")]
    fn a_member_that_nobody_reads() {
        let mut reading = reading();
        reading.member("email", Kind::Text, Presence::Required);
        reading.members_done();
    }

    #[test]
    #[should_panic(expected = "not described")]
    fn a_parameter_that_nobody_described() {
        reading().parameter("sort");
    }
}
