//! Who asks, and from where.

use super::DomainError;
use crate::clock::Moment;
use crate::store::management::{ActorKind, AuditEntry};
use crate::token::{OrganizationId, UserId};
use serde_json::Value;
use std::net::IpAddr;

/// Who asks. What they may do is looked up with each operation.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A person, by a session that is alive.
    Person(Person),
    /// A key, or a token made from one. It manages nothing: a leaked key must not be able to make an owner's.
    Key,
    /// Whoever has the configuration file and the store.
    Operator,
}

/// A person with a session.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// What the audit log calls them.
    pub email: String,
    /// The session that they act by.
    pub session: String,
}

/// Where a request came from, for the audit log.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `X-Request-Id` of the answer.
    pub request_id: Option<String>,
}

/// By whom an operation is asked for, from where and when.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Where from.
    pub origin: Origin,
    /// The time before anything was looked up.
    pub now: Moment,
}

/// What an audit entry is about.
#[derive(Debug)]
pub(in crate::control) struct Subject<'a> {
    /// `entity.verb`
    pub(in crate::control) action: &'static str,
    pub(in crate::control) organization: Option<&'a OrganizationId>,
    pub(in crate::control) id: &'a str,
    pub(in crate::control) name: Option<&'a str>,
    pub(in crate::control) before: Option<Value>,
    pub(in crate::control) after: Option<Value>,
}

impl By {
    /// The person, when it is one.
    pub fn person(&self) -> Option<&UserId> {
        match &self.actor {
            Actor::Person(person) => Some(&person.id),
            Actor::Key | Actor::Operator => None,
        }
    }

    /// The person; keys and the operator have no account of their own.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub fn as_person(&self) -> Result<&UserId, DomainError> {
        self.person().ok_or(DomainError::Forbidden("Only a person who is logged in may do this."))
    }

    /// The session that they act by.
    pub fn session(&self) -> Option<&str> {
        match &self.actor {
            Actor::Person(person) => Some(&person.session),
            Actor::Key | Actor::Operator => None,
        }
    }

    pub(in crate::control) fn entry(&self, subject: Subject<'_>) -> AuditEntry {
        let (actor_kind, actor, actor_name) = match &self.actor {
            Actor::Person(person) => {
                (ActorKind::User, Some(person.id.to_string()), Some(person.email.clone()))
            }
            Actor::Key => (ActorKind::Key, None, None),
            Actor::Operator => (ActorKind::Operator, None, None),
        };
        AuditEntry {
            at_ms: self.now.unix_ms,
            organization: subject.organization.cloned(),
            actor_kind,
            actor,
            actor_name,
            action: subject.action.into(),
            entity: subject.id.to_owned(),
            entity_name: subject.name.map(str::to_owned),
            address: self.origin.address,
            user_agent: self.origin.user_agent.clone(),
            request_id: self.origin.request_id.clone(),
            before: subject.before,
            after: subject.after,
        }
    }
}
