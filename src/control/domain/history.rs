//! How keys were used, hour by hour: of one key for who may see it, of all together for who may see the organization's use.

use super::{By, Domain, DomainError, Place, Violation};
use crate::dialect::history::{Counts, Report};
use crate::store::history::{Counted, DAY_HOURS, HOUR_MS, History, Reason, Subject};
use crate::token::{OrganizationId, TokenId};
use std::collections::BTreeMap;
use std::ops::Range;

/// What reading of all keys together takes.
const VIEW: &str = "view:usage";
/// What reading of one oCore key takes.
const VIEW_API_KEYS: &str = "view:api-keys";
/// Hours that are shown where nothing is said, of which the present one is the last.
const USUAL: u64 = 24;
/// Most hours that are shown one by one where nothing is said of it.
const BY_HOUR: u64 = 8 * DAY_HOURS;
/// Most hours of one answer: a little more than is ever kept.
const MOST: u64 = 92 * DAY_HOURS;

/// Which part of a history is asked for.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// From the hour or day of this instant; milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Until before this instant, and its hour or day is there to the end. Now where none is given.
    pub until_ms: Option<u64>,
    /// `hour` or `day`; days where there would be many hours.
    pub interval: Option<String>,
}

/// Some hours, in parts of one or of a whole day (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    hours: Range<u64>,
    part: u64,
}

impl HistoryQuery {
    fn window(&self, now_ms: u64) -> Result<Window, DomainError> {
        let until = self.until_ms.unwrap_or(now_ms).min(now_ms).div_ceil(HOUR_MS).max(1);
        let from = self.from_ms.map_or(until.saturating_sub(USUAL), |from_ms| from_ms / HOUR_MS);
        if self.from_ms.is_some_and(|from_ms| from_ms >= self.until_ms.unwrap_or(now_ms)) {
            return Err(Violation::new("from", "range", "from must be before to, and in the past").into());
        }
        let part = match self.interval.as_deref() {
            None if until.saturating_sub(from) <= BY_HOUR => 1,
            Some("hour") => 1,
            None | Some("day") => DAY_HOURS,
            Some(_) => {
                return Err(Violation::new("interval", "choice", "interval must be hour or day").into());
            }
        };
        let until = until.max(from + 1);
        let hours = from - from % part..until.div_ceil(part) * part;
        if hours.end - hours.start > MOST {
            let message = "from and to may be 90 days apart at most: longer than that nothing is kept";
            return Err(Violation::new("from", "range", message).into());
        }
        Ok(Window { hours, part })
    }
}

impl Window {
    /// What is shown of what was counted.
    fn report(&self, history: &History) -> Report {
        let mut sums: BTreeMap<u64, BTreeMap<Option<Reason>, u64>> = BTreeMap::new();
        for Counted { hour, reason, count } in &history.counted {
            let start = hour - hour % self.part;
            *sums.entry(start).or_default().entry(*reason).or_default() += count;
        }
        let starts = self.hours.clone().step_by(usize::try_from(self.part).unwrap_or(1));
        let parts: Vec<(u64, Counts)> =
            starts.map(|start| (start * HOUR_MS, sums.get(&start).map(counts).unwrap_or_default())).collect();
        Report {
            from_ms: self.hours.start * HOUR_MS,
            until_ms: self.hours.end * HOUR_MS,
            interval: if self.part == 1 { "hour" } else { "day" },
            kept_since_ms: history.kept_since_ms,
            totals: total(parts.iter().map(|(_, counts)| counts)),
            parts,
        }
    }
}

fn counts(sums: &BTreeMap<Option<Reason>, u64>) -> Counts {
    let uses = sums.get(&None).copied().unwrap_or_default();
    let refusals: Vec<(Reason, u64)> =
        sums.iter().filter_map(|(reason, count)| reason.map(|reason| (reason, *count))).collect();
    let later: u64 =
        refusals.iter().filter(|(reason, _)| reason.is_after_use()).map(|(_, count)| count).sum();
    // Uses and refusals are written one after the other, so that at the end of an hour one may be ahead of the other.
    Counts { uses, accepted: uses.saturating_sub(later), refusals }
}

fn total<'c>(parts: impl Iterator<Item = &'c Counts>) -> Counts {
    let mut total = Counts::default();
    let mut refusals = BTreeMap::new();
    for part in parts {
        total.uses += part.uses;
        total.accepted += part.accepted;
        for (reason, count) in &part.refusals {
            *refusals.entry(*reason).or_default() += count;
        }
    }
    Counts { refusals: refusals.into_iter().collect(), ..total }
}

impl Domain {
    /// How a key was used, for who may see it.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`], [`DomainError::Invalid`]
    pub async fn token_history(
        &self,
        by: &By,
        place: &Place,
        id: &TokenId,
        query: &HistoryQuery,
    ) -> Result<Report, DomainError> {
        self.touched(by, place, id).await?;
        self.history_of(Subject::Token(id.clone()), by, query).await
    }

    /// How an oCore key was used.
    ///
    /// # Errors
    /// As [`token_history`](Self::token_history).
    pub async fn api_key_history(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &TokenId,
        query: &HistoryQuery,
    ) -> Result<Report, DomainError> {
        self.may(by, organization, VIEW_API_KEYS).await?;
        self.api_key_of(Some(organization), id).await?;
        self.history_of(Subject::Token(id.clone()), by, query).await
    }

    /// How all keys of an organization were used together.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`]
    pub async fn organization_history(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: &HistoryQuery,
    ) -> Result<Report, DomainError> {
        self.may(by, organization, VIEW).await?;
        self.history_of(Subject::Organization(organization.clone()), by, query).await
    }

    async fn history_of(&self, of: Subject, by: &By, query: &HistoryQuery) -> Result<Report, DomainError> {
        let now_ms = by.now.unix_ms;
        let window = query.window(now_ms)?;
        // Of a whole organization what is a moment old will do: to add up all of its keys takes long where there are many.
        if let Subject::Token(id) = &of {
            self.edge.settle_history_of(id).await;
        }
        let history = self.store.history(&of, window.hours.clone(), now_ms).await?;
        Ok(window.report(&history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-15T08:00:00Z, in hours since 1970.
    const EIGHT: u64 = 500_000;
    const NOW_MS: u64 = EIGHT * HOUR_MS + 60_000;

    fn window(
        from_ms: Option<u64>,
        until_ms: Option<u64>,
        interval: Option<&str>,
    ) -> Option<(Range<u64>, u64)> {
        let query = HistoryQuery { from_ms, until_ms, interval: interval.map(str::to_owned) };
        query.window(NOW_MS).ok().map(|window| (window.hours, window.part))
    }

    #[test]
    fn a_window_is_whole_hours_or_whole_days() {
        assert_eq!(window(None, None, None), Some((EIGHT - 23..EIGHT + 1, 1)));
        let day = EIGHT - EIGHT % 24;
        assert_eq!(window(None, None, Some("day")), Some((day - 24..day + 24, 24)));
        let at = |hour: u64, ms: u64| Some(hour * HOUR_MS + ms);
        // An instant at the edge of an hour begins it, and ends the one before.
        assert_eq!(window(at(EIGHT - 2, 0), at(EIGHT - 1, 0), None), Some((EIGHT - 2..EIGHT - 1, 1)));
        assert_eq!(window(at(EIGHT - 2, 0), at(EIGHT - 1, 1), None), Some((EIGHT - 2..EIGHT, 1)));
        assert_eq!(
            window(at(EIGHT - 1, 0).map(|ms| ms - 1), at(EIGHT - 1, 0), None),
            Some((EIGHT - 2..EIGHT - 1, 1))
        );
        assert_eq!(window(at(day, 0), at(day + 24, 0), Some("day")), Some((day..day + 24, 24)));
        // What is still to come is not shown.
        assert_eq!(window(at(EIGHT, 0), at(EIGHT + 500, 0), None), Some((EIGHT..EIGHT + 1, 1)));
        assert_eq!(window(at(EIGHT - 9 * 24, 0), None, None).map(|it| it.1), Some(24));
        assert_eq!(window(at(EIGHT - 8 * 24 + 1, 0), None, None).map(|it| it.1), Some(1));
        assert_eq!(window(at(EIGHT - 90 * 24, 0), None, Some("hour")).map(|it| it.1), Some(1));
        for (from_ms, until_ms) in [
            (at(EIGHT, 1), at(EIGHT, 1)),
            (at(EIGHT, 2), at(EIGHT, 1)),
            (at(EIGHT + 1, 0), None),
            (Some(0), None),
        ] {
            assert_eq!(window(from_ms, until_ms, None), None, "{from_ms:?} {until_ms:?}");
        }
        assert_eq!(window(None, None, Some("week")), None);
        assert_eq!(HistoryQuery::default().window(0).unwrap().hours, 0..1);
    }

    #[test]
    fn what_was_refused_after_it_was_counted_was_not_let_through() {
        let counted = |hour, reason, count| Counted { hour, reason, count };
        let history = History {
            kept_since_ms: Some(7),
            counted: vec![
                counted(48, None, 10),
                counted(48, Some(Reason::Limited), 3),
                counted(48, Some(Reason::Permission), 4),
                counted(71, None, 1),
                counted(71, Some(Reason::Permission), 1),
                counted(72, Some(Reason::Permission), 1),
            ],
        };
        let report = Window { hours: 24..96, part: 24 }.report(&history);
        let day =
            |day: u64, uses, accepted, refusals| (day * 24 * HOUR_MS, Counts { uses, accepted, refusals });
        assert_eq!(
            report.parts,
            [
                day(1, 0, 0, Vec::new()),
                day(2, 11, 6, vec![(Reason::Limited, 3), (Reason::Permission, 5)]),
                day(3, 0, 0, vec![(Reason::Permission, 1)]),
            ]
        );
        let refusals = vec![(Reason::Limited, 3), (Reason::Permission, 6)];
        assert_eq!(report.totals, Counts { uses: 11, accepted: 6, refusals });
    }
}
