//! Stage 3 where memory does not answer: keys that the store has to be asked for, and JWTs. Here it is paid for showing
//! credentials that nobody has.

use super::authenticate::{Known, Open, Person, counted};
use super::reject::Reject;
use super::route::Routed;
use super::stranger::Stranger;
use super::{Snapshot, Worker};
use crate::clock::Moment;
use crate::config::Dialect;
use crate::store::cache::{Cached, Entry};
use crate::telemetry::metrics::CacheLookup;
use crate::token::jwt::{Audience, Subject};
use crate::token::{ShownKey, TokenId};
use std::sync::Arc;

/// Finds out whose credential it is that memory does not answer for.
///
/// # Errors
/// [`Reject::UnknownKey`] when nobody's, [`Reject::UnknownKeys`] when its sender has shown too many of them;
/// [`Reject::Store`] when it can not be told.
pub(super) async fn settle(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    open: Open<'_>,
    stranger: Stranger<'_>,
    now: Moment,
) -> Result<Known, Reject> {
    let by_key = match open.key {
        None => None,
        Some((_, Cached::Hit(entry))) => Some(entry),
        Some((_, Cached::Unknown)) => return Err(stranger.refused()),
        Some((key, Cached::Miss)) => Some(found(worker, key, stranger, now).await?),
    };
    let Some(jwt) = open.jwt else {
        return by_key.map(Known::Key).ok_or(Reject::NoCredential);
    };
    let by_jwt = bearer_of(worker, snapshot, routed, jwt, stranger, now).await?;
    match (&by_key, &by_jwt) {
        (None, _) => Ok(by_jwt),
        (Some(key), Known::Key(other)) if key.record.id == other.record.id => Ok(by_jwt),
        _ => Err(Reject::UnusableCredential),
    }
}

/// Asks the store for a key. A value that was heard of, because a key was made or altered just now, is looked up whoever
/// asks: it can not be made up, and a known key is not kept waiting for what its neighbours do.
async fn found(
    worker: &Worker,
    key: ShownKey<'_>,
    stranger: Stranger<'_>,
    now: Moment,
) -> Result<Arc<Entry>, Reject> {
    let tokens = &worker.shared.tokens;
    let digest = key.digest();
    if tokens.heard_of(&digest) {
        counted(worker, CacheLookup::Miss);
        return tokens.find(digest, now).await.map_err(Reject::Store)?.ok_or_else(|| stranger.refused());
    }
    let charge = stranger.pay()?;
    counted(worker, CacheLookup::Miss);
    let found = tokens.find(digest, now).await;
    if matches!(found, Ok(None)) {
        return Err(Reject::UnknownKey);
    }
    if let Some(charge) = charge {
        charge.give_back();
    }
    found.map_err(Reject::Store)?.ok_or(Reject::UnknownKey)
}

/// Whom a JWT stands for: what it names is looked up, so that it dies with it. One that was signed here and is over was
/// not made up: it costs nothing, so that whoever holds it learns by a 401 that it is time for another one.
async fn bearer_of(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    jwt: &str,
    stranger: Stranger<'_>,
    now: Moment,
) -> Result<Known, Reject> {
    let audience = match routed.api.config.dialect {
        Dialect::Ocriva | Dialect::Problem => Audience::Ocriva,
        Dialect::Ocore => Audience::Ocore,
    };
    let verified = snapshot.client_tokens.verify(audience, jwt, now);
    let subject = verified.map_err(|_| match snapshot.client_tokens.signed_here(jwt) {
        true => Reject::UnknownKey,
        false => stranger.refused(),
    })?;
    let tokens = &worker.shared.tokens;
    match subject {
        Subject::Key { id, version } => {
            let entry = key_by_id(worker, id, now).await?;
            // A JWT made from a value that was regenerated away is as dead as that value.
            if entry.record.version() == version { Ok(Known::Key(entry)) } else { Err(Reject::UnknownKey) }
        }
        Subject::Session(claims) => {
            // A session that was ended takes its access tokens with it.
            let session = tokens.session(&claims.session, now).await.map_err(Reject::Store)?;
            let session = session.ok_or(Reject::UnknownKey)?;
            let record = &session.record;
            if record.person != claims.user || record.expires_ms <= now.unix_ms {
                return Err(Reject::UnknownKey);
            }
            let user = tokens.user(claims.user, now).await.map_err(Reject::Store)?;
            user.map(|entry| Known::User(Person { entry, session })).ok_or(Reject::UnknownKey)
        }
    }
}

async fn key_by_id(worker: &Worker, id: TokenId, now: Moment) -> Result<Arc<Entry>, Reject> {
    let tokens = &worker.shared.tokens;
    let (found, entry) = match tokens.cached_by_id(&id, now) {
        Cached::Hit(entry) => (CacheLookup::Hit, Some(entry)),
        Cached::Unknown => (CacheLookup::Negative, None),
        Cached::Miss => (CacheLookup::Miss, tokens.find_by_id(id, now).await.map_err(Reject::Store)?),
    };
    counted(worker, found);
    entry.ok_or(Reject::UnknownKey)
}
