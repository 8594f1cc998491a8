//! How keys were used, as clients see it: the same in both dialects.

use super::time::iso_millis;
use crate::store::history::Reason;
use serde_json::{Value, json};

/// What was counted in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Uses: how often the key was shown and good.
    pub uses: u64,
    /// Requests that were let through.
    pub accepted: u64,
    /// Refusals, for each reason that there was.
    pub refusals: Vec<(Reason, u64)>,
}

impl Counts {
    fn write(&self, into: &mut Value) {
        let refusals: Vec<Value> = self
            .refusals
            .iter()
            .map(|(reason, count)| json!({ "reason": reason.as_str(), "count": count }))
            .collect();
        into["uses"] = self.uses.into();
        into["accepted"] = self.accepted.into();
        into["refused"] = self.refusals.iter().map(|(_, count)| count).sum::<u64>().into();
        into["refusals"] = refusals.into();
    }
}

/// A history of one key or of all of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// From this instant, milliseconds since 1970,
    pub from_ms: u64,
    /// until before this one.
    pub until_ms: u64,
    /// What its parts are.
    pub interval: &'static str,
    /// Since when everything is there; `None` where no history is kept.
    pub kept_since_ms: Option<u64>,
    /// All of it.
    pub totals: Counts,
    /// Its parts, with the instants at which they begin.
    pub parts: Vec<(u64, Counts)>,
}

/// A history.
pub fn report(report: &Report) -> String {
    let mut totals = json!({});
    report.totals.write(&mut totals);
    let part = |(start_ms, counts): &(u64, Counts)| {
        let mut part = json!({ "start": iso_millis(*start_ms) });
        counts.write(&mut part);
        part
    };
    json!({
        "from": iso_millis(report.from_ms),
        "to": iso_millis(report.until_ms),
        "interval": report.interval,
        "keptSince": report.kept_since_ms.map(iso_millis),
        "totals": totals,
        "data": report.parts.iter().map(part).collect::<Vec<_>>(),
    })
    .to_string()
}
