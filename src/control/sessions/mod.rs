//! Sessions of people: begun by a login, shown by an access token, looked up with each request.

mod attempts;
mod login;
mod logout;
mod own;
mod partial;
mod refresh;
mod second_factor;
mod signup;

use super::domain::{Actor, By, DomainError, Origin, Person, Subject};
use super::edge::Edge;
use crate::clock::Moment;
use crate::config::{Accounts, Jwt, Signup};
use crate::store::management::{AuditEntry, Management, Member};
use crate::token::jwt::{Audience, ClientTokens, Issued, SessionClaims};
use arc_swap::ArcSwap;
use attempts::Attempts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

pub use login::{LogIn, LoggedIn};
pub use logout::Leaving;
pub use refresh::REFRESH_PREFIX;
pub use second_factor::Enrolment;

/// Passwords that are hashed at once, each in 19 MiB, and how many more may wait for it.
const HASHED_AT_ONCE: usize = 2;
const WAITING: usize = 64;

/// Begins sessions and finds out whose an access token is.
#[derive(Debug)]
pub struct Sessions {
    store: Arc<dyn Management>,
    edge: Edge,
    issuer: ArcSwap<Issuer>,
    attempts: Attempts,
    hashing: Semaphore,
    room: Semaphore,
}

/// What of the configuration sessions are made by; a reload may replace it.
#[derive(Debug)]
struct Issuer {
    client_tokens: ClientTokens,
    access_expiry: Duration,
    refresh_expiry: Duration,
    signup: Signup,
}

impl Issuer {
    fn new(jwt: &Jwt, accounts: Accounts) -> Self {
        Self {
            signup: accounts.signup,
            client_tokens: ClientTokens::new(&jwt.secret, jwt.other_secret.as_ref()),
            access_expiry: jwt.access_expiry,
            refresh_expiry: jwt.refresh_expiry,
        }
    }
}

impl Sessions {
    /// Sessions that are kept in a store and signed as the configuration says.
    pub fn new(store: Arc<dyn Management>, edge: Edge, jwt: &Jwt, accounts: Accounts) -> Self {
        Self {
            store,
            edge,
            issuer: ArcSwap::from_pointee(Issuer::new(jwt, accounts)),
            attempts: Attempts::default(),
            hashing: Semaphore::new(HASHED_AT_ONCE),
            room: Semaphore::new(HASHED_AT_ONCE + WAITING),
        }
    }

    /// Goes by another configuration from now on.
    pub fn replace(&self, jwt: &Jwt, accounts: Accounts) {
        self.issuer.store(Arc::new(Issuer::new(jwt, accounts)));
    }

    /// Who shows this token. A signature is not enough: session and person are looked up, so that both can be ended.
    ///
    /// # Errors
    /// [`DomainError::Unauthorized`]; the store's.
    pub async fn actor(&self, jwt: &str, now: Moment) -> Result<Actor, DomainError> {
        let claims = {
            let issuer = self.issuer.load();
            match issuer.client_tokens.session(jwt, now) {
                Ok(claims) => claims,
                // Made from a key: somebody known, who manages nothing.
                Err(_) if issuer.client_tokens.verify(Audience::Ocriva, jwt, now).is_ok() => {
                    return Ok(Actor::Key);
                }
                Err(_) => return Err(DomainError::Unauthorized),
            }
        };
        let session = self.store.session(&claims.session).await?;
        let alive = session.is_some_and(|it| it.person == claims.user && it.alive(now.unix_ms));
        if !alive {
            return Err(DomainError::Unauthorized);
        }
        let member = self.store.member(&claims.user).await?.filter(|member| member.active);
        let member = member.ok_or(DomainError::Unauthorized)?;
        Ok(Actor::Person(Person { id: member.id, email: member.email, session: claims.session }))
    }

    /// An entry about somebody's own session or account, by themselves.
    fn own_entry(
        member: &Member,
        session: &str,
        action: &'static str,
        origin: &Origin,
        now: Moment,
    ) -> AuditEntry {
        let person =
            Person { id: member.id.clone(), email: member.email.clone(), session: session.to_owned() };
        let by = By { actor: Actor::Person(person), origin: origin.clone(), now };
        by.entry(Subject {
            action,
            organization: None,
            id: member.id.as_str(),
            name: Some(&member.email),
            before: None,
            after: None,
        })
    }

    fn access_token(&self, of: &SessionClaims, now: Moment) -> Result<Issued, DomainError> {
        let issuer = self.issuer.load();
        // No longer than the session that it is of.
        let life = issuer.access_expiry.min(issuer.refresh_expiry);
        let issued = issuer.client_tokens.for_session(of, now, life.as_secs());
        issued.map_err(|error| DomainError::Internal(Box::new(error)))
    }
}
