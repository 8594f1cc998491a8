//! What a request must be like, beside path and method, to be a route's. Looked at only where a path has such routes.

use super::hosts::host_of;
use crate::config::{Conditions, HostPattern, Test};
use crate::pipeline::query::{self, BadQuery};
use crate::pipeline::reject::Reject;
use crate::wire::{Fields, Target};
use http::{HeaderName, Method};
use std::sync::Arc;

/// What of a request decides where it belongs.
#[derive(Clone, Copy, Debug)]
pub(in crate::pipeline) struct Asked<'r> {
    pub(in crate::pipeline) method: &'r Method,
    pub(in crate::pipeline) target: &'r Target,
    pub(in crate::pipeline) fields: &'r Fields,
}

/// A route at one path, with what tells it from the others there.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its place in its API.
    pub(super) route: usize,
    when: Option<Arc<When>>,
}

/// Why a route is not a request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Miss {
    /// It is for this host.
    Host(HostPattern),
    /// This field is not as it asks for.
    Header(HeaderName),
    /// This parameter is not as it asks for.
    Query(String),
}

#[derive(Debug)]
struct When {
    host: Option<HostPattern>,
    conditions: Conditions,
}

impl Candidate {
    /// A route on one of its hosts; on any where it names none.
    pub(super) fn new(route: usize, host: Option<&HostPattern>, conditions: &Conditions) -> Self {
        let unconditional = host.is_none() && conditions.is_empty();
        let when = || Arc::new(When { host: host.cloned(), conditions: conditions.clone() });
        Self { route, when: (!unconditional).then(when) }
    }

    /// Higher is more specific: the host first, then the conditions.
    pub(super) fn rank(&self) -> (usize, (usize, usize, usize)) {
        let Some(when) = &self.when else { return (0, (0, 0, 0)) };
        (when.host.as_ref().map_or(0, HostPattern::rank), when.conditions.rank())
    }

    /// Whether a request is as the route asks for.
    ///
    /// # Errors
    /// [`Reject::BadEscape`], [`Reject::ParameterNotSingle`] where a parameter that decides can be read in two ways.
    pub(super) fn takes(&self, asked: Asked<'_>) -> Result<bool, Reject> {
        match &self.when {
            None => Ok(true),
            Some(when) => Ok(when.miss(asked)?.is_none()),
        }
    }

    /// What a request lacks; nothing where the route takes it.
    pub(super) fn miss(&self, asked: Asked<'_>) -> Result<Option<Miss>, Reject> {
        self.when.as_ref().map_or(Ok(None), |when| when.miss(asked))
    }
}

impl When {
    fn miss(&self, asked: Asked<'_>) -> Result<Option<Miss>, Reject> {
        if let Some(host) = &self.host
            && !host_of(asked.target, asked.fields).is_some_and(|named| host.holds(&named))
        {
            return Ok(Some(Miss::Host(host.clone())));
        }
        let lacking = self.conditions.headers.iter().find(|(name, test)| !header(asked.fields, name, test));
        if let Some((name, _)) = lacking {
            return Ok(Some(Miss::Header(name.clone())));
        }
        for (name, test) in &self.conditions.query {
            let value = query::parameter(asked.target.query().unwrap_or_default(), name);
            let value = value.map_err(|bad| match bad {
                BadQuery::Escape => Reject::BadEscape,
                BadQuery::NotSingle => Reject::ParameterNotSingle,
            })?;
            if !test.holds(value.as_deref().map(str::as_bytes)) {
                return Ok(Some(Miss::Query(name.to_string())));
            }
        }
        Ok(None)
    }
}

/// Whether a field is as a test asks for. Several lines of one name are one value (RFC 9110, 5.3).
fn header(fields: &Fields, name: &HeaderName, test: &Test) -> bool {
    let mut lines = fields.get_all(name);
    match (lines.next(), lines.next()) {
        (first, None) => test.holds(first),
        _ => {
            let all: Vec<&[u8]> = fields.get_all(name).collect();
            test.holds(Some(&all.join(&b", "[..])))
        }
    }
}
