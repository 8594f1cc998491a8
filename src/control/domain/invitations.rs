//! Invitations: a link that somebody hands over, shown once, good once.

use super::access::Standing;
use super::actor::Subject;
use super::members::MANAGE_MEMBERS;
use super::tokens::{Part, PartQuery};
use super::{By, Domain, DomainError, Effect, Violation};
use crate::store::StoreError;
use crate::store::import::is_email;
use crate::store::management::{AuditEntry, Invitation, Invited, Joining, Management, Position, Written};
use crate::token::{Digest, OrganizationId, Secret, random_secret};
use serde_json::{Value, json};
use std::time::Duration;

/// What the tokens begin with, and how long they are good where nothing else is asked, and at most.
const PREFIX: &str = "invite_";
const USUAL_S: u64 = 7 * 24 * 3600;
const MOST_S: u64 = 30 * 24 * 3600;

const GONE: DomainError = DomainError::NotFound("invitation");
const NOT_YOURS: &str = "This invitation is for another e-mail address.";

/// An invitation to be made.
#[derive(Clone, Debug, Default)]
pub struct NewInvitation {
    /// The role that comes with it, by name or id.
    pub role: String,
    /// For whoever has this address; `None` for whoever has the link.
    pub email: Option<String>,
    /// Seconds that it is good for.
    pub life_s: Option<u64>,
}

impl Domain {
    /// Makes an invitation. Its token is in the answer, and nowhere else.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`]
    pub async fn invite(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewInvitation,
    ) -> Result<(Invitation, Secret), DomainError> {
        let standing = self.standing(by, organization).await?;
        standing.require(MANAGE_MEMBERS)?;
        let role = self.role_named(organization, &wanted.role).await?;
        standing.gives(&role)?;
        if wanted.email.as_ref().is_some_and(|email| !is_email(email)) {
            return Err(Violation::new("email", "format", "email must be an e-mail address").into());
        }
        let life_s = wanted.life_s.unwrap_or(USUAL_S);
        if !(1..=MOST_S).contains(&life_s) {
            let message = format!("expiresIn must be 1 to {MOST_S} seconds");
            return Err(Violation::new("expiresIn", "range", message).into());
        }
        let token = random_secret(PREFIX).map_err(|error| DomainError::Internal(Box::new(error)))?;
        let invitation = Invitation {
            id: uuid::Uuid::now_v7().to_string(),
            organization: organization.clone(),
            email: wanted.email,
            role,
            created_by: by.person().cloned(),
            created_ms: by.now.unix_ms,
            expires_ms: by.now.after(Duration::from_secs(life_s)).unix_ms,
        };
        let entry = entry(by, "invitation.created", &invitation, None, Some(facts(&invitation)));
        match self.store.add_invitation(invitation.clone(), Digest::of(token.expose()), entry).await? {
            Written::Done => Ok((invitation, token)),
            Written::Moved | Written::Taken => Err(DomainError::NotFound("role")),
        }
    }

    /// Lists the invitations that are good, in the order of their making.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn invitations(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: PartQuery,
    ) -> Result<Part<Invitation>, DomainError> {
        self.standing(by, organization).await?.require(MANAGE_MEMBERS)?;
        let (now_ms, limit) = (by.now.unix_ms, query.limit);
        let found = self.store.invitations(organization, now_ms, query.after, limit + 1).await?;
        let place = |it: &Invitation| Position { created_ms: it.created_ms, id: it.id.clone() };
        Ok(Part::cut(found, limit, place))
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn revoke_invitation(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &str,
    ) -> Result<(), DomainError> {
        self.standing(by, organization).await?.require(MANAGE_MEMBERS)?;
        let entry = by.entry(Subject {
            action: "invitation.revoked",
            organization: Some(organization),
            id,
            name: None,
            before: None,
            after: None,
        });
        match self.store.remove_invitation(organization, id, entry).await? {
            Written::Done => Ok(()),
            Written::Moved | Written::Taken => Err(DomainError::NotFound("invitation")),
        }
    }

    /// Has somebody who is logged in join an organization.
    ///
    /// # Errors
    /// [`DomainError::NotFound`] (their session is good: 401 would have them log in again), [`DomainError::Forbidden`] when it is for somebody else, [`DomainError::Conflict`]
    /// when they belong there already.
    pub async fn accept_invitation(&self, by: &By, token: &Secret) -> Result<OrganizationId, DomainError> {
        let person = by.person().ok_or(DomainError::Unauthorized)?;
        let member = self.store.member(person).await?.filter(|member| member.active);
        let member = member.ok_or(DomainError::Unauthorized)?;
        let value = Digest::of(token.expose());
        let found = self.store.invitation(value).await?;
        let found = found.filter(|it| by.now.unix_ms < it.expires_ms).ok_or(GONE)?;
        if !still_given(self.store.as_ref(), &found).await? {
            return Err(GONE);
        }
        if !meant_for(&found, &member.email) {
            return Err(DomainError::Forbidden(NOT_YOURS));
        }
        let entry = by.entry(Subject {
            action: "member.joined",
            organization: Some(&found.organization),
            id: person.as_str(),
            name: Some(&member.email),
            before: None,
            after: Some(json!({ "role": found.role.name(), "invitation": found.id })),
        });
        let joining = Joining { value, who: Invited::Person(person.clone()), at_ms: by.now.unix_ms };
        match self.store.join(joining, entry).await? {
            Written::Done => {}
            Written::Moved => return Err(GONE),
            Written::Taken => {
                return Err(DomainError::Conflict("You belong to this organization already.".to_owned()));
            }
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        Ok(found.organization)
    }
}

/// Whether who made an invitation may still give what it gives. It is worth what their word is worth now: who is taken
/// out, or down, must not find a way back that they put by.
///
/// # Errors
/// The store's.
pub(in crate::control) async fn still_given(
    store: &dyn Management,
    invitation: &Invitation,
) -> Result<bool, StoreError> {
    // The operator's are as good as they were.
    let Some(maker) = &invitation.created_by else { return Ok(true) };
    let member = store.member(maker).await?.filter(|member| member.active);
    let places = member.map(|member| member.memberships).unwrap_or_default();
    let place = places.into_iter().find(|place| place.organization == invitation.organization);
    let standing = place.map(|place| Standing::Member(maker.clone(), place.role));
    Ok(standing
        .is_some_and(|it| it.require(MANAGE_MEMBERS).and_then(|()| it.gives(&invitation.role)).is_ok()))
}

/// Whether somebody with this address may take the invitation up.
pub(in crate::control) fn meant_for(invitation: &Invitation, email: &str) -> bool {
    invitation.email.as_ref().is_none_or(|meant| meant.to_lowercase() == email.to_lowercase())
}

fn facts(invitation: &Invitation) -> Value {
    json!({ "email": invitation.email, "role": invitation.role.name() })
}

fn entry(
    by: &By,
    action: &'static str,
    invitation: &Invitation,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditEntry {
    by.entry(Subject {
        action,
        organization: Some(&invitation.organization),
        id: &invitation.id,
        name: invitation.email.as_deref(),
        before,
        after,
    })
}
