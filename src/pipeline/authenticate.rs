//! Stages 3 and 5: whose credential it is ([`recall`], [`settle`]), and whether it is good now ([`verify`]).
//!
//! The limit stands between them: a key that is known but refused still spends its quota, so that a 429 tells nobody
//! whether a key is good.

use super::credential::{Credential, Foreseen};
use super::limit::Admitted;
use super::observe::Trail;
use super::reject::Reject;
use super::route::Routed;
use super::settle::settle;
use super::stranger::Stranger;
use super::{Snapshot, Worker};
use crate::clock::Moment;
use crate::config::{Api, Dialect, Mode};
use crate::store::cache::{Cached, Entry, Held, SessionEntry, UserEntry};
use crate::telemetry::metrics::{CacheLookup, Policy};
use crate::token::{KeyFamily, ShownKey};
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
    User(Person),
}

/// A person, by a session of theirs.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub entry: Arc<UserEntry>,
    /// What they logged in for.
    pub session: Arc<SessionEntry>,
}

impl std::ops::Deref for Person {
    type Target = UserEntry;

    fn deref(&self) -> &UserEntry {
        &self.entry
    }
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

/// What memory says of a credential.
#[derive(Debug)]
pub enum Recalled<'r> {
    /// Whose it is.
    Known(Known),
    /// It takes more to say: [`settle`].
    Open(Open<'r>),
}

/// A credential that memory alone does not answer for.
#[derive(Debug)]
pub struct Open<'r> {
    /// The key, and what memory says of it.
    pub(super) key: Option<(ShownKey<'r>, Cached)>,
    /// The JWT, unverified.
    pub(super) jwt: Option<&'r str>,
}

/// Finds out whose credential it is, as far as memory tells: a key that is held is as good as found. Waits for nothing.
///
/// # Errors
/// [`Reject::StaleStore`]
pub fn recall<'r>(
    worker: &Worker,
    credential: Credential<'r>,
    foreseen: Option<Foreseen>,
    now: Moment,
) -> Result<Recalled<'r>, Reject> {
    let Credential::Shown { key, jwt } = credential else { return Ok(Recalled::Known(Known::Anonymous)) };
    if !worker.shared.tokens.fresh(now) {
        return Err(Reject::StaleStore);
    }
    let key = key.map(|key| (key, cached(worker, key, foreseen, now)));
    match (key, jwt) {
        (Some((_, Cached::Hit(entry))), None) => Ok(Recalled::Known(Known::Key(entry))),
        (key, jwt) => Ok(Recalled::Open(Open { key, jwt })),
    }
}

fn cached(worker: &Worker, key: ShownKey<'_>, foreseen: Option<Foreseen>, now: Moment) -> Cached {
    let tokens = &worker.shared.tokens;
    let cached = match foreseen.and_then(|foreseen| foreseen.code_of(key)) {
        Some(code) => tokens.cached_by(code, key, now),
        None => tokens.cached(key, now),
    };
    match &cached {
        Cached::Hit(_) => counted(worker, CacheLookup::Hit),
        Cached::Unknown => counted(worker, CacheLookup::Negative),
        // Counted when the store is asked, which it may not be.
        Cached::Miss => {}
    }
    cached
}

/// [`recall`], and [`settle`] where that is needed.
///
/// # Errors
/// Those of both.
pub async fn identify(
    worker: &Worker,
    snapshot: &Snapshot,
    routed: &Routed<'_>,
    credential: Credential<'_>,
    stranger: Stranger<'_>,
    now: Moment,
) -> Result<Known, Reject> {
    match recall(worker, credential, None, now)? {
        Recalled::Known(known) => Ok(known),
        Recalled::Open(open) => settle(worker, snapshot, routed, open, stranger, now).await,
    }
}

/// Counts a look-up, with what it found.
pub(super) fn counted(worker: &Worker, found: CacheLookup) {
    worker.shared.metrics.cache_lookup(worker.index, found);
}

/// Checks that the credential is good now, from this address, and counts the use.
///
/// # Errors
/// [`Reject::Inactive`], [`Reject::Expired`], [`Reject::Address`], [`Reject::UnknownKey`] for a key of the other family.
pub fn verify(
    admitted: Admitted,
    routed: &Routed<'_>,
    from: IpAddr,
    now: Moment,
    trail: &mut Trail,
) -> Result<Caller, Reject> {
    judge(admitted.known(), routed, from, now)
        .inspect_err(|reject| trail.turned_away(admitted.known(), reject))?;
    let caller = Caller { known: admitted.into_known() };
    if let Known::Key(entry) = &caller.known {
        if routed.api.config.addresses == Mode::Observe && !allows(&entry.record, from) {
            trail.observed(Policy::Addresses, &Reject::Address);
        }
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
    judge(admitted.known(), routed, from, now)?;
    Ok(Caller { known: admitted.into_known() })
}

fn judge(known: &Known, routed: &Routed<'_>, from: IpAddr, now: Moment) -> Result<(), Reject> {
    match known {
        Known::Anonymous => Ok(()),
        Known::User(user) if user.record.active => Ok(()),
        Known::User(_) => Err(Reject::Inactive),
        Known::Key(entry) => good(&entry.record, &routed.api.config, from, now),
    }
}

fn good(record: &Held, api: &Api, from: IpAddr, now: Moment) -> Result<(), Reject> {
    if !family_fits(record, api.dialect) {
        return Err(Reject::UnknownKey);
    }
    if !record.active {
        return Err(Reject::Inactive);
    }
    if expired(record, now) {
        return Err(Reject::Expired);
    }
    if allows(record, from) || api.addresses == Mode::Observe { Ok(()) } else { Err(Reject::Address) }
}

/// Whether a key is of the family that the dialect's clients use.
pub(super) fn family_fits(record: &Held, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Ocriva => record.terms.family == KeyFamily::Ocriva,
        Dialect::Ocore => record.terms.family == KeyFamily::Ocore,
        Dialect::Problem => true,
    }
}

/// Whether a key's time is over.
pub(super) fn expired(record: &Held, now: Moment) -> bool {
    record.expires_ms().is_some_and(|expires| expires <= now.unix_ms)
}

/// Whether a key may be used from an address.
pub(super) fn allows(record: &Held, from: IpAddr) -> bool {
    record.terms.addresses.is_empty() || record.terms.addresses.iter().any(|net| net.contains(&from))
}
