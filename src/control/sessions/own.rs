//! What people do with their own account: who they are, their password, their sessions.

use super::Sessions;
use crate::clock::Moment;
use crate::control::domain::{By, DomainError, Origin, Violation, weak};
use crate::control::edge::Effect;
use crate::store::management::{ActorKind, AuditEntry, Ending, Member, NewPassword, Session, Written};
use crate::store::password;
use crate::telemetry::log::chain;
use crate::token::{Digest, Secret};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

impl Sessions {
    /// Who asks, as they are now.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`] for keys, [`DomainError::Unauthorized`] for who is gone.
    pub async fn own(&self, by: &By) -> Result<Member, DomainError> {
        self.store
            .member(by.as_person()?)
            .await?
            .filter(|member| member.active)
            .ok_or(DomainError::Unauthorized)
    }

    /// Has who asks show their password again: an access token alone, which may have been left open or stolen, must
    /// not be enough to take an account over. Counts as a login.
    ///
    /// # Errors
    /// [`DomainError::Invalid`] when it is wrong, [`DomainError::TooManyAttempts`]; those of [`own`](Self::own).
    pub async fn recheck(&self, by: &By, password: Secret) -> Result<Member, DomainError> {
        let member = self.own(by).await?;
        let address = by.origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let attempt = self.attempts.begin(address, &member.email, by.now);
        let attempt = attempt.map_err(DomainError::TooManyAttempts)?;
        let hash = self.store.account(&member.email).await?.and_then(|account| account.password);
        if !self.matches(hash, password).await? {
            return Err(Violation::new("password", "correct", "the password is wrong").into());
        }
        self.attempts.forgive(attempt);
        Ok(member)
    }

    /// Chooses another password; the other sessions end where that is wanted.
    ///
    /// # Errors
    /// [`DomainError::Invalid`] for a weak one; those of [`recheck`](Self::recheck).
    pub async fn change_password(
        &self,
        by: &By,
        present: Secret,
        new: Secret,
        revoke_others: bool,
    ) -> Result<(), DomainError> {
        if let Some(violation) = weak(&new, "newPassword") {
            return Err(violation.into());
        }
        let member = self.recheck(by, present).await?;
        let session = by.session().unwrap_or_default();
        let ending = if revoke_others { Ending::AllBut(session.to_owned()) } else { Ending::Nothing };
        let entry = Self::own_entry(&member, session, "auth.password_changed", &by.origin, by.now);
        let password = self.hashed(new).await?;
        let new = NewPassword { person: member.id, password, at_ms: by.now.unix_ms, ending, reset: None };
        match self.store.set_password(new, entry).await? {
            Written::Done => self.edge.confirm(by.now, Effect::TakesAway).await,
            Written::Moved | Written::Taken => Err(DomainError::Unauthorized),
        }
    }

    /// Chooses a password by a token that was given out for it. All sessions end.
    ///
    /// # Errors
    /// [`DomainError::WrongToken`], [`DomainError::Invalid`], [`DomainError::TooManyAttempts`]
    pub async fn reset_password(
        &self,
        token: &Secret,
        new: Secret,
        origin: &Origin,
        now: Moment,
    ) -> Result<(), DomainError> {
        if let Some(violation) = weak(&new, "password") {
            return Err(violation.into());
        }
        let value = Digest::of(token.expose());
        let reset = self.store.password_reset(value).await?.filter(|reset| now.unix_ms < reset.expires_ms);
        let reset = reset.ok_or(DomainError::WrongToken)?;
        let member = self.store.member(&reset.person).await?.ok_or(DomainError::WrongToken)?;
        let entry = Self::own_entry(&member, "", "auth.password_reset", origin, now);
        let password = self.hashed(new).await?;
        let (person, at_ms) = (reset.person, now.unix_ms);
        let new = NewPassword { person, password, at_ms, ending: Ending::All, reset: Some(value) };
        match self.store.set_password(new, entry).await? {
            Written::Done => self.edge.confirm(now, Effect::TakesAway).await,
            Written::Moved | Written::Taken => Err(DomainError::WrongToken),
        }
    }

    /// Writes down that somebody asks for a new password. No mail is sent: whoever runs the gateway sees it in the
    /// audit log, and hands over a token. Not waited for, and the same whether there is such an account.
    pub fn note_forgotten(&self, email: String, origin: Origin, now: Moment) {
        let address = origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        // Not given back: who asks too often is not written down any more.
        if self.attempts.begin(address, &email, now).is_err() {
            return;
        }
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let written = async {
                let Some(account) = store.account(&email).await?.filter(|account| account.active) else {
                    return Ok(());
                };
                let Some(member) = store.member(&account.id).await? else { return Ok(()) };
                let entry = Self::own_entry(&member, "", "auth.password_reset_requested", &origin, now);
                store
                    .append_audit(AuditEntry {
                        actor_kind: ActorKind::Anonymous,
                        actor: None,
                        actor_name: None,
                        ..entry
                    })
                    .await
            };
            if let Err(error) = written.await {
                tracing::warn!(cause = %chain(&error), "a forgotten password could not be written to the audit log");
            }
        });
    }

    /// The sessions of who asks that are alive, oldest first.
    ///
    /// # Errors
    /// Those of [`own`](Self::own).
    pub async fn own_sessions(&self, by: &By) -> Result<Vec<Session>, DomainError> {
        let member = self.own(by).await?;
        Ok(self.store.sessions_of(&member.id, by.now.unix_ms).await?)
    }

    /// Ends a session of who asks.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; those of [`own`](Self::own).
    pub async fn revoke(&self, by: &By, id: &str) -> Result<(), DomainError> {
        let member = self.own(by).await?;
        let own = |session: &Session| session.person == member.id && session.alive(by.now.unix_ms);
        let Some(session) = self.store.session(id).await?.filter(own) else {
            // It may have been ended just now, with an answer that nobody received.
            self.edge.confirm(by.now, Effect::TakesAway).await?;
            return Err(DomainError::NotFound("session"));
        };
        let entry = Self::own_entry(&member, id, "auth.session_revoked", &by.origin, by.now);
        // Ended by somebody else meanwhile is as good.
        let _: Written = self.store.end_session(&session.id, by.now.unix_ms, entry).await?;
        self.edge.confirm(by.now, Effect::TakesAway).await
    }

    /// Ends every session of who asks but the present one.
    ///
    /// # Errors
    /// Those of [`own`](Self::own).
    pub async fn revoke_others(&self, by: &By) -> Result<(), DomainError> {
        let member = self.own(by).await?;
        let session = by.session().unwrap_or_default();
        let entry = Self::own_entry(&member, session, "auth.sessions_revoked", &by.origin, by.now);
        let ending = Ending::AllBut(session.to_owned());
        self.store.end_sessions(&member.id, ending, by.now.unix_ms, entry).await?;
        self.edge.confirm(by.now, Effect::TakesAway).await
    }

    /// Hashes a password, off the runtime, in turn with the others.
    pub(super) async fn hashed(&self, password: Secret) -> Result<Secret, DomainError> {
        self.hashing(move || password::hash(&password))
            .await?
            .map_err(|error| DomainError::Internal(Box::new(error)))
    }
}
