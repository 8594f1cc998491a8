//! Accounts that people make for themselves, as far as the configuration lets them.

use super::Sessions;
use crate::clock::Moment;
use crate::config::Signup;
use crate::control::domain::{
    DomainError, NewUser, Origin, address_taken, meant_for, still_given, violations,
};
use crate::control::edge::Effect;
use crate::store::management::{Invitation, Invited, Joining, Member, NewPerson, Written};
use crate::token::{Digest, Secret};
use std::net::{IpAddr, Ipv4Addr};

const CLOSED: &str = "Accounts are made by whoever runs this service.";
const INVITED: &str = "An account takes an invitation that is good, and for this e-mail address.";

impl Sessions {
    /// Makes an account, and with an invitation their place in an organization. Does not log in.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`] when it takes an invitation, or accounts are made by the operator alone;
    /// [`DomainError::Invalid`]; [`DomainError::Conflict`] when the e-mail address is taken.
    pub async fn sign_up(
        &self,
        user: NewUser,
        invitation: Option<Secret>,
        origin: &Origin,
        now: Moment,
    ) -> Result<Member, DomainError> {
        let signup = self.issuer.load().signup;
        if signup == Signup::Closed {
            return Err(DomainError::Forbidden(CLOSED));
        }
        DomainError::unless_none(violations(&user))?;
        // Not given back: accounts are not made by the dozen.
        let address = origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.attempts.begin(address, &user.email, now).map_err(DomainError::TooManyAttempts)?;
        let joining = match &invitation {
            Some(token) => Some(self.invitation_for(token, &user.email, now).await?),
            None if signup == Signup::Open => None,
            None => return Err(DomainError::Forbidden(INVITED)),
        };
        if self.store.account(&user.email).await?.is_some() {
            return Err(address_taken());
        }
        self.add(user, joining, origin, now).await
    }

    async fn invitation_for(
        &self,
        token: &Secret,
        email: &str,
        now: Moment,
    ) -> Result<(Digest, Invitation), DomainError> {
        let value = Digest::of(token.expose());
        let good = |it: &Invitation| now.unix_ms < it.expires_ms && meant_for(it, email);
        let found = self.store.invitation(value).await?.filter(good);
        let found = found.ok_or(DomainError::Forbidden(INVITED))?;
        let given = still_given(self.store.as_ref(), &found).await?;
        given.then_some((value, found)).ok_or(DomainError::Forbidden(INVITED))
    }

    async fn add(
        &self,
        user: NewUser,
        joining: Option<(Digest, Invitation)>,
        origin: &Origin,
        now: Moment,
    ) -> Result<Member, DomainError> {
        let person = NewPerson {
            id: uuid::Uuid::now_v7().to_string().into(),
            email: user.email,
            name: user.name,
            password: self.hashed(user.password).await?,
            created_ms: now.unix_ms,
        };
        let member = Member {
            id: person.id.clone(),
            email: person.email.clone(),
            name: person.name.clone(),
            active: true,
            totp_enabled: false,
            server_admin: false,
            memberships: Vec::new(),
        };
        let mut entry = Self::own_entry(&member, "", "user.signed_up", origin, now);
        let written = match joining {
            None => self.store.add_person(person, entry).await?,
            Some((value, invitation)) => {
                entry.organization = Some(invitation.organization);
                let joining = Joining { value, who: Invited::New(person), at_ms: now.unix_ms };
                self.store.join(joining, entry).await?
            }
        };
        match written {
            Written::Done => {}
            Written::Taken => return Err(address_taken()),
            Written::Moved => return Err(DomainError::Forbidden(INVITED)),
        }
        self.edge.confirm(now, Effect::Adds).await?;
        Ok(member)
    }
}
