//! The logout: ends the sessions that the caller shows, by whatever they show of them.

use super::Sessions;
use crate::clock::Moment;
use crate::control::domain::{DomainError, Origin};
use crate::control::edge::Effect;
use crate::store::management::Written;
use crate::token::{Digest, Secret};

/// What somebody shows of their session when they leave.
#[derive(Debug, Default)]
pub struct Leaving<'a> {
    /// A refresh token, used or not.
    pub refresh: Option<Secret>,
    /// An access token.
    pub access: Option<&'a str>,
}

impl Sessions {
    /// Ends the sessions that are shown. What is no session, or is over already, is as good as ended. The edge refuses
    /// their access tokens when this returns.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out(
        &self,
        leaving: Leaving<'_>,
        origin: &Origin,
        now: Moment,
    ) -> Result<(), DomainError> {
        let mut shown = Vec::new();
        if let Some(value) = &leaving.refresh {
            let found = self.store.refresh_token(Digest::of(value.expose())).await?;
            shown.extend(found.map(|found| found.session));
        }
        if let Some(jwt) = leaving.access {
            let claims = self.issuer.load().client_tokens.session(jwt, now);
            if let Ok(claims) = claims {
                shown.extend(self.store.session(&claims.session).await?);
            }
        }
        for session in shown.iter().filter(|session| session.alive(now.unix_ms)) {
            let Some(person) = self.store.member(&session.person).await? else { continue };
            let entry = Self::own_entry(&person, &session.id, "auth.logout", origin, now);
            // Shown twice, or ended by somebody else meanwhile: as good.
            let _: Written = self.store.end_session(&session.id, now.unix_ms, entry).await?;
        }
        self.edge.confirm(now, Effect::TakesAway).await
    }
}
