//! Stages 3 and 5: whose credential it is ([`identify`]), and whether it is good now ([`verify`]).
//!
//! The limit stands between them: a key that is known but refused still spends its quota, so that a 429 tells nobody
//! whether a key is good.

use super::credential::{Credential, Foreseen};
use super::limit::Admitted;
use super::reject::Reject;
use super::route::Routed;
use super::{Snapshot, Worker};
use crate::clock::Moment;
use crate::config::Dialect;
use crate::store::TokenRecord;
use crate::store::cache::{Cached, Entry, UserEntry};
use crate::telemetry::metrics::CacheLookup;
use crate::token::jwt::{Audience, Subject};
use crate::token::{KeyFamily, ShownKey, TokenId};
use std::net::IpAddr;
use std::sync::Arc;

/// Who is asking, by name only: good or not is not said yet.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nobody in particular, on an open route.
    Anonymous,
    /// A key, shown itself or by a JWT made from it.
    Key(Arc<Entry>),
    /// A person.
    User(Arc<UserEntry>),
}

/// Who is asking, with a credential that is good now. Only [`verify`] makes one, and [`examine`]
/// where nothing is forwarded.
#[derive(Debug)]
pub struct Caller {
    known: Known,
}

impl Caller {
    /// Who.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Who.
    pub fn into_known(self) -> Known {
        self.known
    }
}

/// Finds out whose credential it is.
///
/// # Errors
/// [`Reject::UnknownKey`] when nobody's; [`Reject::StaleStore`] and [`Reject::Store`] when it can not be told.
pub async fn identify(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    credential: Credential<'_>,
    foreseen: Option<Foreseen>,
    now: Moment,
) -> Result<Known, Reject> {
    let Credential::Shown { key, jwt } = credential else { return Ok(Known::Anonymous) };
    if !worker.shared.tokens.fresh(now) {
        return Err(Reject::StaleStore);
    }
    let by_key = match key {
        Some(key) => Some(key_entry(worker, key, foreseen, now).await?),
        None => None,
    };
    let Some(jwt) = jwt else {
        return by_key.map(Known::Key).ok_or(Reject::NoCredential);
    };
    let by_jwt = Box::pin(bearer_of(worker, snapshot, routed, jwt, now)).await?;
    match (&by_key, &by_jwt) {
        (None, _) => Ok(by_jwt),
        (Some(key), Known::Key(other)) if key.record.id == other.record.id => Ok(by_jwt),
        _ => Err(Reject::UnusableCredential),
    }
}

async fn key_entry(
    worker: &Worker,
    key: ShownKey<'_>,
    foreseen: Option<Foreseen>,
    now: Moment,
) -> Result<Arc<Entry>, Reject> {
    let tokens = &worker.shared.tokens;
    let cached = match foreseen.and_then(|foreseen| foreseen.code_of(key)) {
        Some(code) => tokens.cached_by(code, key, now),
        None => tokens.cached(key, now),
    };
    match counted(worker, cached) {
        Cached::Hit(entry) => Ok(entry),
        Cached::Unknown => Err(Reject::UnknownKey),
        Cached::Miss => {
            let finding = Box::pin(tokens.find(key.digest(), now));
            finding.await.map_err(Reject::Store)?.ok_or(Reject::UnknownKey)
        }
    }
}

/// Counts a look-up, with what it found.
fn counted(worker: &Worker, cached: Cached) -> Cached {
    let found = match cached {
        Cached::Hit(_) => CacheLookup::Hit,
        Cached::Unknown => CacheLookup::Negative,
        Cached::Miss => CacheLookup::Miss,
    };
    worker.shared.metrics.cache_lookup(worker.index, found);
    cached
}

/// Whom a JWT stands for: what it names is looked up, so that it dies with it.
async fn bearer_of(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    jwt: &str,
    now: Moment,
) -> Result<Known, Reject> {
    let audience = match routed.api.config.dialect {
        Dialect::Ocriva | Dialect::Problem => Audience::Ocriva,
        Dialect::Ocore => Audience::Ocore,
    };
    let subject = snapshot.client_tokens.verify(audience, jwt, now).map_err(|_| Reject::UnknownKey)?;
    let tokens = &worker.shared.tokens;
    match subject {
        Subject::Key { id, version } => {
            let entry = key_by_id(worker, id, now).await?;
            // A JWT made from a value that was regenerated away is as dead as that value.
            if entry.record.version == version { Ok(Known::Key(entry)) } else { Err(Reject::UnknownKey) }
        }
        Subject::Session(claims) => {
            // A session that was ended takes its access tokens with it.
            let session = tokens.session(&claims.session, now).await.map_err(Reject::Store)?;
            let record = session.as_ref().map(|entry| &entry.record).ok_or(Reject::UnknownKey)?;
            if record.person != claims.user || record.expires_ms <= now.unix_ms {
                return Err(Reject::UnknownKey);
            }
            let user = tokens.user(claims.user, now).await.map_err(Reject::Store)?;
            user.map(Known::User).ok_or(Reject::UnknownKey)
        }
    }
}

async fn key_by_id(worker: &Worker, id: TokenId, now: Moment) -> Result<Arc<Entry>, Reject> {
    let tokens = &worker.shared.tokens;
    match counted(worker, tokens.cached_by_id(id.as_str(), now)) {
        Cached::Hit(entry) => Ok(entry),
        Cached::Unknown => Err(Reject::UnknownKey),
        Cached::Miss => tokens.find_by_id(id, now).await.map_err(Reject::Store)?.ok_or(Reject::UnknownKey),
    }
}

/// Checks that the credential is good now, from this address, and counts the use.
///
/// # Errors
/// [`Reject::Inactive`], [`Reject::Expired`], [`Reject::Address`], [`Reject::UnknownKey`] for a key of the other family.
pub fn verify(admitted: Admitted, routed: &Routed<'_>, from: IpAddr, now: Moment) -> Result<Caller, Reject> {
    let caller = examine(admitted, routed, from, now)?;
    if let Known::Key(entry) = &caller.known {
        entry.count_use(now);
    }
    Ok(caller)
}

/// The checks of [`verify`]; counts nothing.
///
/// # Errors
/// Those of [`verify`].
pub(super) fn examine(
    admitted: Admitted,
    routed: &Routed<'_>,
    from: IpAddr,
    now: Moment,
) -> Result<Caller, Reject> {
    let known = admitted.into_known();
    match &known {
        Known::Anonymous => {}
        Known::User(user) if user.record.active => {}
        Known::User(_) => return Err(Reject::Inactive),
        Known::Key(entry) => good(&entry.record, routed.api.config.dialect, from, now)?,
    }
    Ok(Caller { known })
}

fn good(record: &TokenRecord, dialect: Dialect, from: IpAddr, now: Moment) -> Result<(), Reject> {
    if !family_fits(record, dialect) {
        return Err(Reject::UnknownKey);
    }
    if !record.active {
        return Err(Reject::Inactive);
    }
    if expired(record, now) {
        return Err(Reject::Expired);
    }
    if allows(record, from) { Ok(()) } else { Err(Reject::Address) }
}

/// Whether a key is of the family that the dialect's clients use.
pub(super) fn family_fits(record: &TokenRecord, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Ocriva => record.terms.family == KeyFamily::Ocriva,
        Dialect::Ocore => record.terms.family == KeyFamily::Ocore,
        Dialect::Problem => true,
    }
}

/// Whether a key's time is over.
pub(super) fn expired(record: &TokenRecord, now: Moment) -> bool {
    record.expires_ms.is_some_and(|expires| expires <= now.unix_ms)
}

/// Whether a key may be used from an address.
pub(super) fn allows(record: &TokenRecord, from: IpAddr) -> bool {
    record.terms.addresses.is_empty() || record.terms.addresses.iter().any(|net| net.contains(&from))
}
