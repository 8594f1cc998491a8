//! The login: e-mail address and password for a session.

use super::Sessions;
use crate::clock::Moment;
use crate::control::domain::{Actor, By, DomainError, Origin, Person, Subject};
use crate::store::management::{Account, Session, Written};
use crate::store::password;
use crate::telemetry::log::chain;
use crate::token::jwt::{Issued, SessionClaims};
use crate::token::{Secret, random_id};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Somebody who has just logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// Who.
    pub account: Account,
    /// What they show from now on.
    pub access: Issued,
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
    ) -> Result<LoggedIn, DomainError> {
        let address = origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let attempt = self.attempts.begin(address, email, now).map_err(DomainError::TooManyAttempts)?;
        let account = self.store.account(email).await?;
        let hash = account.as_ref().filter(|it| it.active).and_then(|it| it.password.clone());
        if !self.matches(hash, password).await? {
            self.note_failure(account, origin, now);
            return Err(DomainError::WrongPassword);
        }
        // Nobody's password matches nothing.
        let account = account.ok_or(DomainError::WrongPassword)?;
        self.attempts.forgive(attempt);
        let access = self.begin(&account, origin, now).await?;
        Ok(LoggedIn { account, access })
    }

    /// Hashes the password, off the runtime, and compares: with nobody's where there is no hash.
    async fn matches(&self, hash: Option<Secret>, password: Secret) -> Result<bool, DomainError> {
        let full = |_| DomainError::TooManyAttempts(Duration::from_secs(1));
        let _room = self.room.try_acquire().map_err(full)?;
        let _turn = self.hashing.acquire().await.map_err(|error| DomainError::Internal(Box::new(error)))?;
        let verify = move || match hash {
            Some(hash) => password::verify(&hash, &password),
            None => password::verify_nobodys(&password),
        };
        tokio::task::spawn_blocking(verify).await.map_err(|error| DomainError::Internal(Box::new(error)))
    }

    async fn begin(&self, account: &Account, origin: &Origin, now: Moment) -> Result<Issued, DomainError> {
        let id = random_id().map_err(|error| DomainError::Internal(Box::new(error)))?;
        let life = self.issuer.load().refresh_expiry;
        let session = Session {
            id: id.clone(),
            person: account.id.clone(),
            created_ms: now.unix_ms,
            expires_ms: now.after(life).unix_ms,
            ended_ms: None,
            address: origin.address,
            user_agent: origin.user_agent.clone(),
        };
        let person = Person { id: account.id.clone(), email: account.email.clone(), session: id.clone() };
        let by = By { actor: Actor::Person(person), origin: origin.clone(), now };
        let entry = by.entry(about(account, "auth.login"));
        match self.store.add_session(session, entry).await? {
            Written::Done => {}
            // Removed or blocked while the password was hashed.
            Written::Moved | Written::Taken => return Err(DomainError::WrongPassword),
        }
        self.access_token(&SessionClaims { user: account.id.clone(), session: id }, now)
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
