//! Refresh tokens: each is traded once for its successor and a new access token (RFC 9700, 4.14.2).
//!
//! One that comes a second time was stolen, or its successor was: nobody can tell which, so that the session ends. That
//! holds for two that come at the same time as well: exactly one is traded, and the other one ends the session. A
//! client with several windows lets one of them refresh.

use super::{LoggedIn, Sessions};
use crate::clock::Moment;
use crate::control::domain::{DomainError, Origin};
use crate::control::edge::Effect;
use crate::store::management::{Member, RefreshToken, Trade, Written};
use crate::token::jwt::{Issued, SessionClaims};
use crate::token::{Digest, Secret, random_secret};

/// What refresh tokens begin with: neither a key nor a JWT, so that they are nothing to a request.
pub const REFRESH_PREFIX: &str = "refresh_";

/// How often a trade is tried: what it was refused for is seen the next time.
const ATTEMPTS: usize = 4;

impl Sessions {
    /// Trades a refresh token for its successor and a new access token.
    ///
    /// # Errors
    /// [`DomainError::SessionOver`]; the store's.
    pub async fn refresh(
        &self,
        shown: &Secret,
        origin: &Origin,
        now: Moment,
    ) -> Result<LoggedIn, DomainError> {
        let old = Digest::of(shown.expose());
        for _ in 0..ATTEMPTS {
            let found = self.store.refresh_token(old).await?.ok_or(DomainError::SessionOver)?;
            let person = self.store.member(&found.session.person).await?.filter(|person| person.active);
            let person = person.ok_or(DomainError::SessionOver)?;
            if found.used_ms.is_some() {
                self.end_stolen(&found, &person, origin, now).await?;
                return Err(DomainError::SessionOver);
            }
            if !found.session.alive(now.unix_ms) {
                return Err(DomainError::SessionOver);
            }
            let (refresh, expires_ms) = self.refresh_token(now)?;
            let new = Digest::of(refresh.token.expose());
            let trade = Trade { old, new, at_ms: now.unix_ms, expires_ms };
            let session = found.session.id;
            let entry = Self::own_entry(&person, &session, "auth.refreshed", origin, now);
            if self.store.trade_refresh_token(trade, entry).await? == Written::Done {
                self.edge.confirm(now, Effect::TakesAway).await?;
                let access = self.access_token(&SessionClaims { user: person.id.clone(), session }, now)?;
                return Ok(LoggedIn { person, access, refresh });
            }
        }
        Err(DomainError::SessionOver)
    }

    /// A new refresh token, and until when it is good, in milliseconds since 1970.
    pub(super) fn refresh_token(&self, now: Moment) -> Result<(Issued, u64), DomainError> {
        let life = self.issuer.load().refresh_expiry;
        let token = random_secret(REFRESH_PREFIX).map_err(|error| DomainError::Internal(Box::new(error)))?;
        Ok((Issued { token, expires_in: life.as_secs() }, now.after(life).unix_ms))
    }

    async fn end_stolen(
        &self,
        found: &RefreshToken,
        person: &Member,
        origin: &Origin,
        now: Moment,
    ) -> Result<(), DomainError> {
        let session = &found.session;
        if !session.alive(now.unix_ms) {
            return Ok(());
        }
        tracing::warn!(user = %person.id, "a refresh token came a second time; its session is ended");
        let entry = Self::own_entry(person, &session.id, "auth.refresh_reused", origin, now);
        // Ended by somebody else meanwhile is as good.
        let _: Written = self.store.end_session(&session.id, now.unix_ms, entry).await?;
        self.edge.confirm(now, Effect::TakesAway).await
    }
}
