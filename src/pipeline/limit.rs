//! Stage 4: the bucket of whoever is asking. Key, Bearer form and JWT of one key draw on the same one.

use super::Snapshot;
use super::authenticate::Known;
use super::observe::Trail;
use super::reject::Reject;
use super::route::{PreparedLimit, RoutedApi};
use super::worker::Worker;
use crate::clock::Moment;
use crate::config::{Mode, SharedLimits};
use crate::limiter::{Bucket, Verdict};
use crate::limits::{Decided, Subject};
use crate::telemetry::metrics::{Policy, RateDecision};
use crate::token::IdText;
use std::sync::Arc;

/// Somebody whose bucket had something left. Only this file makes one, and [`foresee`] where nothing is forwarded.
#[derive(Debug)]
pub struct Admitted {
    known: Known,
}

impl Admitted {
    /// Who.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Who.
    pub fn into_known(self) -> Known {
        self.known
    }
}

/// Takes one request out of the caller's bucket, wherever it is counted.
///
/// # Errors
/// [`Reject::Limited`], [`Reject::LimitsAway`]
pub(super) async fn gate(
    worker: &Worker,
    snapshot: &Snapshot,
    known: Known,
    api: &RoutedApi,
    now: Moment,
    trail: &mut Trail,
) -> Result<Admitted, Reject> {
    let Some(config) = &snapshot.shared_limits else { return admit(known, api, now, trail) };
    match admit_at_once(worker, config, known, api, now, trail) {
        AtOnce::Judged(judged) => judged,
        AtOnce::Ask(known) => ask(worker, config, known, api, trail).await,
    }
}

/// Takes one request out of the caller's bucket in this process.
///
/// # Errors
/// [`Reject::Limited`]
pub fn admit(known: Known, api: &RoutedApi, now: Moment, trail: &mut Trail) -> Result<Admitted, Reject> {
    trail.identified(&known);
    let (Some(limit), Some(bucket)) = (&api.limit, bucket(&known)) else { return Ok(Admitted { known }) };
    let verdict = bucket.take(limit.slot, limit.rate, now);
    judge(known, api, limit, verdict, trail)
}

/// How far one gets without waiting for anybody.
pub(super) enum AtOnce {
    /// To the end.
    Judged(Result<Admitted, Reject>),
    /// Somebody has to be asked: [`ask`].
    Ask(Known),
}

/// Takes one request out of the caller's bucket that all nodes share, if that takes no question.
pub(super) fn admit_at_once(
    worker: &Worker,
    config: &Arc<SharedLimits>,
    known: Known,
    api: &RoutedApi,
    now: Moment,
    trail: &mut Trail,
) -> AtOnce {
    trail.identified(&known);
    let decided = match (&api.limit, Name::of(&known), bucket(&known)) {
        (Some(limit), Some(name), Some(bucket)) => {
            worker.limits(config).at_once(&subject(&name, api, limit, bucket), now)
        }
        _ => return AtOnce::Judged(Ok(Admitted { known })),
    };
    match decided {
        Some(decided) => AtOnce::Judged(conclude(decided, known, api, trail)),
        None => AtOnce::Ask(known),
    }
}

/// Takes one request out of the caller's bucket that all nodes share.
///
/// # Errors
/// [`Reject::Limited`], [`Reject::LimitsAway`]
pub(super) async fn ask(
    worker: &Worker,
    config: &Arc<SharedLimits>,
    known: Known,
    api: &RoutedApi,
    trail: &mut Trail,
) -> Result<Admitted, Reject> {
    let decided = match (&api.limit, Name::of(&known), bucket(&known)) {
        (Some(limit), Some(name), Some(bucket)) => {
            let client = worker.limits(config);
            client.ask(&subject(&name, api, limit, bucket), &worker.shared.clock).await
        }
        _ => return Ok(Admitted { known }),
    };
    conclude(decided, known, api, trail)
}

/// What a bucket is named by in this process, and among all nodes.
enum Name<'k> {
    Key(IdText<'k>),
    User(String),
}

impl<'k> Name<'k> {
    fn of(known: &'k Known) -> Option<Self> {
        match known {
            Known::Anonymous => None,
            Known::Key(entry) => Some(Self::Key(entry.record.id.text())),
            Known::User(user) => Some(Self::User(format!("u:{}", user.record.id))),
        }
    }
}

fn subject<'s>(
    name: &'s Name<'_>,
    api: &'s RoutedApi,
    limit: &'s PreparedLimit,
    bucket: &'s Arc<Bucket>,
) -> Subject<'s> {
    let id = match name {
        Name::Key(text) => text,
        Name::User(text) => &**text,
    };
    Subject { id, api: &api.config.name, bucket, slot: limit.slot, limit: &limit.rate }
}

fn conclude(decided: Decided, known: Known, api: &RoutedApi, trail: &mut Trail) -> Result<Admitted, Reject> {
    match (decided, &api.limit) {
        (Decided::Verdict(verdict), Some(limit)) => judge(known, api, limit, verdict, trail),
        (Decided::Unknown, Some(limit)) if limit.limit.mode == Mode::Enforce => {
            trail.turned_away(&known, &Reject::LimitsAway);
            Err(Reject::LimitsAway)
        }
        _ => Ok(Admitted { known }),
    }
}

fn judge(
    known: Known,
    api: &RoutedApi,
    limit: &PreparedLimit,
    verdict: Verdict,
    trail: &mut Trail,
) -> Result<Admitted, Reject> {
    trail.verdict = Some(verdict);
    let refused = limit.refuses(&verdict);
    let decision = match (verdict.allowed, refused) {
        (true, _) => RateDecision::Allowed,
        (false, true) => RateDecision::Limited,
        (false, false) => RateDecision::Observed,
    };
    api.cells.rate_limit(trail.shard(), decision);
    if decision == RateDecision::Observed {
        trail.observed(Policy::RateLimit, &Reject::Limited);
    }
    if refused {
        trail.turned_away(&known, &Reject::Limited);
        return Err(Reject::Limited);
    }
    Ok(Admitted { known })
}

/// What [`admit`] would decide; takes nothing and counts nothing.
pub(super) fn foresee(
    known: Known,
    api: &RoutedApi,
    now: Moment,
) -> (Option<Verdict>, Result<Admitted, Reject>) {
    let (Some(limit), Some(bucket)) = (&api.limit, bucket(&known)) else {
        return (None, Ok(Admitted { known }));
    };
    let verdict = bucket.peek(limit.slot, limit.rate, now);
    let admitted = if limit.refuses(&verdict) { Err(Reject::Limited) } else { Ok(Admitted { known }) };
    (Some(verdict), admitted)
}

fn bucket(known: &Known) -> Option<&Arc<Bucket>> {
    match known {
        Known::Anonymous => None,
        Known::Key(entry) => Some(&entry.bucket),
        Known::User(user) => Some(&user.bucket),
    }
}
