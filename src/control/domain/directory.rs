//! The people of the whole server, as its admins look after them.

use super::actor::Subject;
use super::people::unreadable;
use super::people::{acceptable_user, address_taken, made};
use super::tokens::{Part, PartQuery};
use super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect, NewUser, Violation};
use crate::store::management::{PersonRecord, PersonState, Position, Written};
use crate::token::{Role, UserId};
use serde_json::json;

const LAST_ADMIN: &str = "The server needs an admin: make somebody else one first.";
const LAST_OWNER: &str = "An organization would be left without an owner: make somebody else one first, or delete the organization.";

/// What is to be altered of a person. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct PersonPatch {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// False blocks them everywhere and ends their sessions.
    pub active: Option<bool>,
    /// Whether they look after the whole server.
    pub server_admin: Option<bool>,
}

impl Domain {
    /// Everybody, or those with a text in name or e-mail address: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn everybody(
        &self,
        by: &By,
        query: PartQuery,
        search: Option<&str>,
    ) -> Result<Part<PersonRecord>, DomainError> {
        self.server_admin(by).await?;
        let found = self.store.list_people(search, query.after, query.limit + 1).await?;
        let place = |it: &PersonRecord| Position { created_ms: it.created_ms, id: it.member.id.to_string() };
        Ok(Part::cut(found, query.limit, place))
    }

    /// One person, by id or e-mail address: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn anybody(&self, by: &By, named: &str) -> Result<PersonRecord, DomainError> {
        self.server_admin(by).await?;
        self.person_named(named).await
    }

    /// Makes a person who belongs nowhere yet: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`], [`DomainError::Conflict`] when the e-mail address is taken.
    pub async fn create_person(&self, by: &By, user: NewUser) -> Result<UserId, DomainError> {
        self.server_admin(by).await?;
        acceptable_user(&user)?;
        if self.store.account(&user.email).await?.is_some() {
            return Err(address_taken());
        }
        let person = made(by, user).await?;
        let id = person.id.clone();
        let entry = by.entry(Subject {
            action: "user.created",
            organization: None,
            id: id.as_str(),
            name: Some(&person.email),
            before: None,
            after: Some(json!({ "email": person.email, "name": person.name })),
        });
        match self.store.add_person(person, entry).await? {
            Written::Done => {}
            Written::Taken | Written::Moved => return Err(address_taken()),
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        Ok(id)
    }

    /// Alters a person: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`], [`DomainError::Conflict`] when
    /// the server would be left without an admin.
    pub async fn update_person(
        &self,
        by: &By,
        named: &str,
        patch: PersonPatch,
    ) -> Result<PersonRecord, DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            self.server_admin(by).await?;
            let mut person = self.person_named(named).await?;
            let old = PersonState::from(&person.member);
            let new = PersonState {
                name: patch.name.clone().unwrap_or_else(|| old.name.clone()),
                active: patch.active.unwrap_or(old.active),
                server_admin: patch.server_admin.unwrap_or(old.server_admin),
            };
            if !(1..=100).contains(&new.name.trim().chars().count()) {
                return Err(Violation::new("name", "length", "name must have 1 to 100 characters").into());
            }
            if let Some(violation) = unreadable(&new.name, "name") {
                return Err(violation.into());
            }
            if new == old {
                // It may have been answered to nobody, and still be on its way to a node.
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(person);
            }
            let entry = by.entry(Subject {
                action: verb(&old, &new),
                organization: None,
                id: person.member.id.as_str(),
                name: Some(&person.member.email),
                before: Some(facts(&old)),
                after: Some(facts(&new)),
            });
            let effect = if old.active && !new.active { Effect::TakesAway } else { Effect::Adds };
            let (id, at_ms) = (person.member.id.clone(), by.now.unix_ms);
            match self.store.set_person(&id, (old, new.clone()), at_ms, entry).await? {
                Written::Done => {
                    self.confirm(&mut turn, by.now, effect).await?;
                    let member = &mut person.member;
                    (member.name, member.active, member.server_admin) =
                        (new.name, new.active, new.server_admin);
                    return Ok(person);
                }
                Written::Taken => return Err(DomainError::Conflict(LAST_ADMIN.to_owned())),
                Written::Moved => {}
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Removes a person for good: for the server's admins. Their sessions end, and the keys whose permissions are
    /// bounded by their role grant nothing any more.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`] when an organization would be left
    /// without an owner or the server without an admin.
    pub async fn delete_person(&self, by: &By, named: &str) -> Result<UserId, DomainError> {
        let mut turn = self.take_turn().await;
        self.server_admin(by).await?;
        let found = self.person_named(named).await;
        let person = self.certainly(&mut turn, by.now, found).await?;
        let member = person.member;
        let entry = by.entry(Subject {
            action: "user.deleted",
            organization: None,
            id: member.id.as_str(),
            name: Some(&member.email),
            before: Some(facts(&PersonState::from(&member))),
            after: None,
        });
        match self.store.remove_person(&member.id, by.now.unix_ms, entry).await? {
            Written::Done => {}
            Written::Moved => {
                return self.certainly(&mut turn, by.now, Err(DomainError::NotFound("person"))).await;
            }
            Written::Taken => {
                let owns = |role: &crate::token::MemberRole| role.system() == Some(Role::Owner);
                let owner = member.memberships.iter().any(|place| owns(&place.role));
                let admin = member.server_admin && !self.another_admin(&member.id).await?;
                let why = if owner && !admin { LAST_OWNER } else { LAST_ADMIN };
                return Err(DomainError::Conflict(why.to_owned()));
            }
        }
        self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
        Ok(member.id)
    }

    pub(super) async fn person_named(&self, named: &str) -> Result<PersonRecord, DomainError> {
        let nobody = || DomainError::NotFound("person");
        // No id has an @.
        let id = if named.contains('@') {
            self.store.account(named.trim()).await?.ok_or_else(nobody)?.id
        } else {
            UserId::from(named)
        };
        self.store.person(&id).await?.ok_or_else(nobody)
    }

    async fn another_admin(&self, but: &UserId) -> Result<bool, DomainError> {
        let all = self.store.list_people(None, None, u32::MAX).await?;
        Ok(all.iter().any(|it| it.member.server_admin && it.member.active && it.member.id != *but))
    }
}

/// What happened, where it is more than an alteration.
fn verb(old: &PersonState, new: &PersonState) -> &'static str {
    match (old.active, new.active, old.server_admin, new.server_admin) {
        (true, false, ..) => "user.deactivated",
        (false, true, ..) => "user.activated",
        (_, _, false, true) => "user.admin_granted",
        (_, _, true, false) => "user.admin_revoked",
        _ => "user.updated",
    }
}

fn facts(state: &PersonState) -> serde_json::Value {
    json!({ "name": state.name, "isActive": state.active, "isServerAdmin": state.server_admin })
}
