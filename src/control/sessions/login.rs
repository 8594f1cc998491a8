//! The login: e-mail address and password for a session.

use super::Sessions;
use crate::clock::Moment;
use crate::control::domain::{Actor, By, DomainError, Origin, Subject};
use crate::store::management::{Account, Member, Session, Written};
use crate::store::password;
use crate::telemetry::log::chain;
use crate::token::jwt::{Issued, SessionClaims};
use crate::token::{Digest, Secret, UserId, random_id};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// How far a login got.
#[derive(Debug)]
pub enum LogIn {
    /// To its end.
    Done(Box<LoggedIn>),
    /// The password was right; a second factor is asked for, with this token.
    Partial(Secret),
}

/// Somebody who has just logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// Who.
    pub person: Member,
    /// What they show from now on.
    pub access: Issued,
    /// What they get the next access token by, once.
    pub refresh: Issued,
}

impl Sessions {
    /// Checks a password and begins a session. An unknown address and a wrong password cost the same time and are
    /// answered alike.
    ///
    /// # Errors
    /// [`DomainError::WrongPassword`], [`DomainError::TooManyAttempts`]; the store's.
    pub async fn log_in(
        &self,
        email: &str,
        password: Secret,
        origin: &Origin,
        now: Moment,
    ) -> Result<LogIn, DomainError> {
        let address = origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let attempt = self.attempts.begin(address, email, now).map_err(DomainError::TooManyAttempts)?;
        let account = self.store.account(email).await?;
        let hash = account.as_ref().filter(|it| it.active).and_then(|it| it.password.clone());
        if !self.matches(hash.clone(), password).await? {
            self.note_failure(account, origin, now);
            return Err(DomainError::WrongPassword);
        }
        // Nobody's password matches nothing.
        let (Some(account), Some(hash)) = (account, hash) else { return Err(DomainError::WrongPassword) };
        let shown = Digest::of(hash.expose());
        // A second factor has bounds of its own, whichever node it comes to.
        self.attempts.forgive(attempt);
        if self.store.second_factor(&account.id).await?.is_some_and(|factor| factor.enabled) {
            return self.begin_partial(account.id, shown, now).await.map(LogIn::Partial);
        }
        Ok(LogIn::Done(Box::new(self.begin(&account.id, shown, origin, now).await?)))
    }

    /// Hashes the password and compares: with nobody's where there is no hash.
    pub(super) async fn matches(&self, hash: Option<Secret>, password: Secret) -> Result<bool, DomainError> {
        self.hashing(move || match hash {
            Some(hash) => password::verify(&hash, &password),
            None => password::verify_nobodys(&password),
        })
        .await
    }

    /// Does what hashes a password, off the runtime, in turn with the others.
    pub(super) async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DomainError> {
        let full = |_| DomainError::TooManyAttempts(Duration::from_secs(1));
        let _room = self.room.try_acquire().map_err(full)?;
        let _turn = self.hashing.acquire().await.map_err(|error| DomainError::Internal(Box::new(error)))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| DomainError::Internal(Box::new(error)))
    }

    /// Begins a session of somebody who has shown who they are, by the password with this hash.
    pub(super) async fn begin(
        &self,
        person: &UserId,
        password: Digest,
        origin: &Origin,
        now: Moment,
    ) -> Result<LoggedIn, DomainError> {
        // Removed or blocked while the password was hashed.
        let gone = || DomainError::WrongPassword;
        let person = self.store.member(person).await?.filter(|it| it.active).ok_or_else(gone)?;
        let id = random_id().map_err(|error| DomainError::Internal(Box::new(error)))?;
        let (refresh, expires_ms) = self.refresh_token(now)?;
        let session = Session {
            id: id.clone(),
            person: person.id.clone(),
            created_ms: now.unix_ms,
            expires_ms,
            ended_ms: None,
            address: origin.address,
            user_agent: origin.user_agent.clone(),
        };
        let entry = Self::own_entry(&person, &id, "auth.login", origin, now);
        let value = Digest::of(refresh.token.expose());
        match self.store.add_session(session, Some(value), entry).await? {
            Written::Done => {}
            Written::Moved | Written::Taken => return Err(gone()),
        }
        if !self.is_password(&person, password).await? {
            let entry = Self::own_entry(&person, &id, "auth.session_revoked", origin, now);
            let _: Written = self.store.end_session(&id, now.unix_ms, entry).await?;
            return Err(gone());
        }
        let access = self.access_token(&SessionClaims { user: person.id.clone(), session: id }, now)?;
        Ok(LoggedIn { person, access, refresh })
    }

    /// Whether somebody's password still has this hash. Asked when their session is in the store: a new password either
    /// finds it there and ends it, or is found here.
    async fn is_password(&self, person: &Member, hash: Digest) -> Result<bool, DomainError> {
        let account = self.store.account(&person.email).await?;
        let present = account.filter(|it| it.id == person.id).and_then(|it| it.password);
        Ok(present.is_some_and(|present| Digest::of(present.expose()) == hash))
    }

    /// Writes that somebody's login failed. Not waited for: the time of the answer must not tell that there is such an
    /// account.
    fn note_failure(&self, account: Option<Account>, origin: &Origin, now: Moment) {
        let Some(account) = account else { return };
        let by = By { actor: Actor::Anonymous, origin: origin.clone(), now };
        let entry = by.entry(about(&account, "auth.login_failed"));
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.append_audit(entry).await {
                tracing::warn!(cause = %chain(&error), "a failed login could not be written to the audit log");
            }
        });
    }
}

fn about<'a>(account: &'a Account, action: &'static str) -> Subject<'a> {
    Subject {
        action,
        organization: None,
        id: account.id.as_str(),
        name: Some(&account.email),
        before: None,
        after: None,
    }
}
