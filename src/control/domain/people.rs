//! Making people: the first owner of an empty store, and members of what is there; tokens for a new password.

use super::actor::Subject;
use super::{Actor, By, Domain, DomainError, Effect, Violation};
use crate::store::import::{is_deceptive, is_email, is_slug};
use crate::store::management::{NewMember, NewOrganization, NewPerson, PasswordReset, Written};
use crate::store::password::{acceptable, hash};
use crate::token::{Digest, OrganizationId, Role, Secret, UserId, random_secret};
use serde_json::json;
use std::time::Duration;

/// A person to be made, as it was asked for.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Whatever its case, one person has it.
    pub email: String,
    /// 1 to 100 characters.
    pub name: String,
    /// 8 to 256 characters, one of them a letter and one a digit.
    pub password: Secret,
}

/// The first organization.
#[derive(Clone, Debug)]
pub struct FirstOwner {
    /// 2 to 100 characters.
    pub organization: String,
    /// 3 to 50 of `a-z`, `0-9` and `-`.
    pub slug: String,
}

/// What tokens to choose a password by begin with, and how long they are good: somebody has to hand them over.
const RESET_PREFIX: &str = "reset_";
const RESET_LIFE: Duration = Duration::from_secs(24 * 3600);

const TERMINAL_ONLY: &str = "Only the operator at the terminal may do this.";

impl Domain {
    /// Makes the first organization and its owner. Only in a store in which there is nobody.
    ///
    /// # Errors
    /// [`DomainError::Conflict`] when there is somebody; [`DomainError::Invalid`].
    pub async fn found(
        &self,
        by: &By,
        first: FirstOwner,
        user: NewUser,
    ) -> Result<(UserId, OrganizationId), DomainError> {
        operator(by)?;
        let mut wrong = violations(&user);
        if !(2..=100).contains(&first.organization.chars().count()) {
            wrong.push(Violation::new(
                "organization",
                "length",
                "the organization's name must have 2 to 100 characters",
            ));
        }
        wrong.extend(unreadable(&first.organization, "organization"));
        if !is_slug(&first.slug) {
            wrong.push(Violation::new("slug", "format", "the slug must be 3 to 50 of a-z, 0-9 and -"));
        }
        DomainError::unless_none(wrong)?;
        if self.store.people().await? > 0 {
            return Err(somebody());
        }
        let organization = NewOrganization {
            id: uuid::Uuid::now_v7().to_string().into(),
            slug: first.slug,
            name: first.organization,
        };
        let id = organization.id.clone();
        let person = made(by, user).await?;
        let user_id = person.id.clone();
        let entries = [
            by.entry(Subject {
                action: "organization.created",
                organization: Some(&id),
                id: id.as_str(),
                name: Some(&organization.name),
                before: None,
                after: Some(json!({ "name": organization.name, "slug": organization.slug })),
            }),
            created(by, &person, &id, Role::Owner),
        ];
        match self.store.found(organization, person, entries).await? {
            Written::Done => {}
            Written::Moved => return Err(somebody()),
            Written::Taken => {
                return Err(DomainError::Conflict(
                    "An organization has this slug already: choose another with --slug.".to_owned(),
                ));
            }
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        Ok((user_id, id))
    }

    /// Makes a person and their place in an organization: for the server's admins.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]; [`DomainError::NotFound`] for the organization; [`DomainError::Conflict`] when the e-mail address is taken;
    /// [`DomainError::Invalid`].
    pub async fn create_user(
        &self,
        by: &By,
        organization: &OrganizationId,
        role: Role,
        user: NewUser,
    ) -> Result<UserId, DomainError> {
        self.server_admin(by).await?;
        let there = self.store.organization(organization).await?;
        there.ok_or(DomainError::NotFound("organization"))?;
        DomainError::unless_none(violations(&user))?;
        if self.store.account(&user.email).await?.is_some() {
            return Err(address_taken());
        }
        let person = made(by, user).await?;
        let id = person.id.clone();
        let entry = created(by, &person, organization, role);
        let new = NewMember { person, organization: organization.clone(), role };
        match self.store.add_member(new, entry).await? {
            Written::Done => {}
            Written::Moved => return Err(DomainError::NotFound("organization")),
            Written::Taken => return Err(address_taken()),
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        Ok(id)
    }

    /// Gives out a token by which a person chooses a new password, and until when it is good (milliseconds since 1970).
    /// Tokens that they were given before are good no more. Their present password is until then. For the server's admins.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]
    pub async fn issue_password_reset(&self, by: &By, email: &str) -> Result<(Secret, u64), DomainError> {
        self.server_admin(by).await?;
        let nobody = || DomainError::NotFound("person");
        let account = self.store.account(email.trim()).await?.filter(|it| it.active).ok_or_else(nobody)?;
        let token = random_secret(RESET_PREFIX).map_err(|error| DomainError::Internal(Box::new(error)))?;
        let expires_ms = by.now.after(RESET_LIFE).unix_ms;
        let entry = by.entry(Subject {
            action: "auth.password_reset_issued",
            organization: None,
            id: account.id.as_str(),
            name: Some(&account.email),
            before: None,
            after: None,
        });
        let reset = PasswordReset { value: Digest::of(token.expose()), person: account.id, expires_ms };
        match self.store.add_password_reset(reset, entry).await? {
            Written::Done => Ok((token, expires_ms)),
            Written::Moved | Written::Taken => Err(nobody()),
        }
    }

    /// The organization of this id or, where there is none, of this slug. For who sees all of them.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]
    pub async fn organization_named(&self, by: &By, name: &str) -> Result<OrganizationId, DomainError> {
        self.server_admin(by).await?;
        let id = OrganizationId::from(name);
        if self.store.organization(&id).await?.is_some() {
            return Ok(id);
        }
        self.store.organization_by_slug(name).await?.ok_or(DomainError::NotFound("organization"))
    }
}

pub(super) fn operator(by: &By) -> Result<(), DomainError> {
    match by.actor {
        Actor::Operator => Ok(()),
        Actor::Person(_) | Actor::Key | Actor::Anonymous => Err(DomainError::Forbidden(TERMINAL_ONLY)),
    }
}

/// Whoever asks for a second account with one e-mail address.
pub(in crate::control) fn address_taken() -> DomainError {
    DomainError::Conflict("Somebody has this e-mail address already.".to_owned())
}

fn somebody() -> DomainError {
    let message = "There are people in this store already: no organization is made with a person any more. Name one that is there, by its id or slug.";
    DomainError::Conflict(message.to_owned())
}

/// What is wrong with a password that somebody chooses.
pub(in crate::control) fn weak(password: &Secret, field: &'static str) -> Option<Violation> {
    let message = "the password must have 8 to 256 characters, one of them a letter and one a digit";
    (!acceptable(password.expose())).then(|| Violation::new(field, "strength", message))
}

/// What is wrong with a name that does not show as what it is.
pub(in crate::control) fn unreadable(name: &str, field: &'static str) -> Option<Violation> {
    let message =
        format!("{field} must not have control characters, nor invisible ones or such as turn text around");
    let bad = |c: char| c.is_control() || is_deceptive(c);
    name.contains(bad).then(|| Violation::new(field, "characters", message))
}

/// What is wrong with a person who is to be made.
pub(in crate::control) fn violations(user: &NewUser) -> Vec<Violation> {
    let mut wrong = Vec::new();
    if !is_email(&user.email) {
        wrong.push(Violation::new("email", "format", "email must be an e-mail address"));
    }
    if !(1..=100).contains(&user.name.chars().count()) || user.name.trim().is_empty() {
        wrong.push(Violation::new("name", "length", "name must have 1 to 100 characters"));
    }
    wrong.extend(unreadable(&user.name, "name"));
    wrong.extend(weak(&user.password, "password"));
    wrong
}

/// Whether a person may be made as they were asked for.
pub(super) fn acceptable_user(user: &NewUser) -> Result<(), DomainError> {
    DomainError::unless_none(violations(user))
}

pub(super) async fn made(by: &By, user: NewUser) -> Result<NewPerson, DomainError> {
    let internal = |error| DomainError::Internal(error);
    let password = user.password;
    // Slow on purpose: not on the runtime's own thread.
    let hashed = tokio::task::spawn_blocking(move || hash(&password)).await;
    let password =
        hashed.map_err(|error| internal(Box::new(error)))?.map_err(|error| internal(Box::new(error)))?;
    Ok(NewPerson {
        id: uuid::Uuid::now_v7().to_string().into(),
        email: user.email,
        name: user.name,
        password,
        created_ms: by.now.unix_ms,
    })
}

fn created(
    by: &By,
    person: &NewPerson,
    organization: &OrganizationId,
    role: Role,
) -> crate::store::management::AuditEntry {
    by.entry(Subject {
        action: "user.created",
        organization: Some(organization),
        id: person.id.as_str(),
        name: Some(&person.email),
        before: None,
        after: Some(json!({ "email": person.email, "name": person.name, "role": role.as_str() })),
    })
}
