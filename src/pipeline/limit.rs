//! Stage 4: the bucket of whoever is asking. Key, Bearer form and JWT of one key draw on the same one.

use super::authenticate::Known;
use super::observe::Trail;
use super::reject::Reject;
use super::route::RoutedApi;
use crate::clock::Moment;
use crate::limiter::{Bucket, Verdict};
use crate::telemetry::metrics::{Policy, RateDecision};

/// Somebody whose bucket had something left. Only [`admit`] makes one, and [`foresee`] where nothing is forwarded.
#[derive(Debug)]
pub struct Admitted {
    known: Known,
}

impl Admitted {
    /// Who.
    pub fn into_known(self) -> Known {
        self.known
    }
}

/// Takes one request out of the caller's bucket.
///
/// # Errors
/// [`Reject::Limited`]
pub fn admit(known: Known, api: &RoutedApi, now: Moment, trail: &mut Trail) -> Result<Admitted, Reject> {
    trail.identified(&known);
    let (Some(limit), Some(bucket)) = (&api.limit, bucket(&known)) else { return Ok(Admitted { known }) };
    let verdict = bucket.take(limit.slot, limit.rate, now);
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
    if refused { Err(Reject::Limited) } else { Ok(Admitted { known }) }
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

fn bucket(known: &Known) -> Option<&Bucket> {
    match known {
        Known::Anonymous => None,
        Known::Key(entry) => Some(&entry.bucket),
        Known::User(user) => Some(&user.bucket),
    }
}
