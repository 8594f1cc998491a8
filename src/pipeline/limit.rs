//! Stage 4: the bucket of whoever is asking. Key, Bearer form and JWT of one key draw on the same one.

use super::arena::Arena;
use super::authenticate::Known;
use super::observe::Trail;
use super::reject::Reject;
use super::route::{PreparedLimit, RoutedApi};
use crate::clock::Moment;
use crate::config::Mode;
use crate::limiter::{Bucket, Verdict};
use crate::telemetry::metrics::RateDecision;
use http::header::{HeaderMap, HeaderName, RETRY_AFTER};

static X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

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
    let refused = refuses(limit, &verdict);
    let decision = match (verdict.allowed, refused) {
        (true, _) => RateDecision::Allowed,
        (false, true) => RateDecision::Limited,
        (false, false) => RateDecision::Observed,
    };
    api.cells.rate_limit(trail.shard(), decision);
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
    let admitted = if refuses(limit, &verdict) { Err(Reject::Limited) } else { Ok(Admitted { known }) };
    (Some(verdict), admitted)
}

fn refuses(limit: &PreparedLimit, verdict: &Verdict) -> bool {
    !verdict.allowed && limit.limit.mode == Mode::Enforce
}

fn bucket(known: &Known) -> Option<&Bucket> {
    match known {
        Known::Anonymous => None,
        Known::Key(entry) => Some(&entry.bucket),
        Known::User(user) => Some(&user.bucket),
    }
}

/// Tells the caller what is left: on every answer to somebody identified, refused or not.
pub fn tell(headers: &mut HeaderMap, limit: &PreparedLimit, verdict: &Verdict, arena: &Arena) {
    headers.insert(&X_RATELIMIT_LIMIT, limit.limit_value.clone());
    headers.insert(&X_RATELIMIT_REMAINING, arena.number(verdict.remaining.into()));
    headers.insert(&X_RATELIMIT_RESET, arena.number(verdict.reset_unix_s));
    headers.insert(&RATELIMIT_POLICY, limit.policy_value.clone());
    let wait = if verdict.allowed { verdict.reset_after_s } else { verdict.retry_after_s };
    headers.insert(&RATELIMIT, arena.rate_limit(verdict.remaining, wait));
    if refuses(limit, verdict) {
        headers.insert(RETRY_AFTER, arena.number(verdict.retry_after_s));
    }
}
