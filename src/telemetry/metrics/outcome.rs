//! What is counted per API, and per look-up of a key: outcomes from short, closed lists.

use super::cells::{Counters, Sharded};

macro_rules! outcomes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value of the label.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

outcomes! {
    /// How the check of a credential ended: at the first gate that refused, or accepted. Open routes count nothing.
    AuthOutcome {
        /// Let in.
        Accepted = "accepted",
        /// No credential was sent.
        Missing = "missing",
        /// The credential is of nobody, or not well-formed.
        Unknown = "unknown",
        /// Deactivated.
        Inactive = "inactive",
        /// Past its expiry.
        Expired = "expired",
        /// Not from an allowed address.
        Address = "address",
        /// A scope is missing, or the request reaches for another's project or organization.
        Scope = "scope",
        /// A permission is missing.
        Permission = "permission",
        /// This node has been cut off from the store for too long to tell.
        StaleStore = "stale_store",
    }
}

outcomes! {
    /// What a limit decided.
    RateDecision {
        /// Let in.
        Allowed = "allowed",
        /// Refused.
        Limited = "limited",
        /// Let in by `mode: observe`; it would have been refused.
        Observed = "observed",
    }
}

outcomes! {
    /// A policy that would have refused a request, had it not been in `mode: observe`.
    Policy {
        /// The API's limit.
        RateLimit = "rate_limit",
        /// The addresses that a key is bound to.
        Addresses = "addresses",
        /// The permissions and scopes of the route.
        Require = "require",
        /// The route's rule about naming a project.
        Project = "project",
        /// What an address may show of keys that nobody has.
        UnknownKeys = "unknown_keys",
    }
}

outcomes! {
    /// What a look-up in the token cache found.
    CacheLookup {
        /// A key.
        Hit = "hit",
        /// Nothing; the store was asked.
        Miss = "miss",
        /// That the key does not exist.
        Negative = "negative",
    }
}

/// The cells of one API.
#[derive(Debug)]
pub struct ApiCells {
    /// Outcomes of authentication first, then decisions of the limit, then requests refused for their address.
    counters: Sharded<Counters>,
    /// Policies that only observe.
    observed: Sharded<Counters>,
}

const DECISIONS_FROM: usize = AuthOutcome::ALL.len();
const UNKNOWN_KEYS: usize = DECISIONS_FROM + RateDecision::ALL.len();

impl ApiCells {
    pub(super) fn new(shards: usize) -> Self {
        Self { counters: Sharded::new(shards), observed: Sharded::new(shards) }
    }

    /// Counts the outcome of a credential check. For `shard` see [`super::RouteCells::finished`].
    pub fn auth(&self, shard: usize, outcome: AuthOutcome) {
        self.counters.of(shard).increment(outcome as usize);
    }

    /// Counts a decision of the limit. For `shard` see [`super::RouteCells::finished`].
    pub fn rate_limit(&self, shard: usize, decision: RateDecision) {
        self.counters.of(shard).increment(DECISIONS_FROM + decision as usize);
    }

    /// Counts a request that was refused because its address had shown too many unknown keys. For `shard` see
    /// [`super::RouteCells::finished`].
    pub fn unknown_keys_refused(&self, shard: usize) {
        self.counters.of(shard).increment(UNKNOWN_KEYS);
    }

    /// Counts a request that a policy would have refused. For `shard` see [`super::RouteCells::finished`].
    pub fn observed(&self, shard: usize, policy: Policy) {
        self.observed.of(shard).increment(policy as usize);
    }

    pub(super) fn observed_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Policy::ALL.iter().map(|policy| (policy.label(), sum(&self.observed, *policy as usize)))
    }

    pub(super) fn unknown_keys_count(&self) -> u64 {
        sum(&self.counters, UNKNOWN_KEYS)
    }

    pub(super) fn auth_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        AuthOutcome::ALL.iter().map(|outcome| (outcome.label(), sum(&self.counters, *outcome as usize)))
    }

    pub(super) fn rate_limit_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RateDecision::ALL
            .iter()
            .map(|decision| (decision.label(), sum(&self.counters, DECISIONS_FROM + *decision as usize)))
    }
}

/// The cells of the token cache.
#[derive(Debug)]
pub(super) struct CacheCells(Sharded<Counters>);

impl CacheCells {
    pub(super) fn new(shards: usize) -> Self {
        Self(Sharded::new(shards))
    }

    pub(super) fn looked_up(&self, shard: usize, result: CacheLookup) {
        self.0.of(shard).increment(result as usize);
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CacheLookup::ALL.iter().map(|result| (result.label(), sum(&self.0, *result as usize)))
    }
}

fn sum(counters: &Sharded<Counters>, index: usize) -> u64 {
    counters.all().map(|shard| shard.value(index)).sum()
}
