//! How keys were used, hour by hour.

use super::db::{Connection, params};
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::history::{Counted, DAY_HOURS, HOUR_MS, History, Reason, Refused, Subject};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

/// Most rows that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 8192;
/// Where batches of refusals are remembered among the slots of a journal, none of which has this number.
const REFUSALS: i64 = -1;
/// The outcome of uses; those of refusals begin behind it.
const USES: u8 = 0;
const TABLES: [&str; 2] = ["usage_hours", "organization_usage_hours"];

/// What a key has counted in one hour.
#[derive(Debug)]
pub(super) struct Grown {
    /// The key's row.
    pub(super) row: i64,
    /// Its organization.
    pub(super) organization: Box<str>,
    /// Hours since 1970.
    pub(super) hour: u64,
    /// How much it is more than before.
    pub(super) by: i64,
}

/// How long it is kept, and since when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    since_ms: u64,
    keep_ms: u64,
}

impl Kept {
    /// Since when everything is there. The hour that the oldest part is cut at is whole.
    fn whole_since_ms(self, now_ms: u64) -> u64 {
        let cut_ms = now_ms.saturating_sub(self.keep_ms);
        self.since_ms.max(cut_ms - cut_ms % HOUR_MS)
    }
}

fn kept(db: &Connection) -> Result<Option<Kept>, StoreError> {
    let mut statement = db.prepare_cached("SELECT since_ms, keep_ms FROM usage_history")?;
    let mut rows = statement.query(())?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "usage_history" };
    Ok(Some(Kept { since_ms: columns.number("since_ms")?, keep_ms: columns.number("keep_ms")? }))
}

/// Whether it is written.
pub(super) fn is_kept(db: &Connection) -> Result<bool, StoreError> {
    Ok(kept(db)?.is_some())
}

/// Adds uses, in the transaction in which they are counted.
pub(super) fn add_uses(db: &Connection, grown: &[Grown]) -> Result<(), StoreError> {
    let mut counts = BTreeMap::new();
    let mut organizations = BTreeMap::new();
    for Grown { row, organization, hour, by } in grown {
        *counts.entry((*row, *hour, USES)).or_default() += by;
        *organizations.entry((&**organization, *hour, USES)).or_default() += by;
    }
    add(db, &counts, &organizations)
}

/// Adds a batch of refusals, unless it was added before.
pub(super) fn add_refusals(
    db: &Connection,
    journal: &str,
    number: u64,
    batch: &[Refused],
) -> Result<(), StoreError> {
    if !is_kept(db)? {
        return Ok(());
    }
    let remember = "INSERT INTO usage_seen (journal, slot, total) VALUES (?1, ?2, ?3)
         ON CONFLICT (journal, slot) DO UPDATE SET total = excluded.total WHERE usage_seen.total < excluded.total";
    if db.prepare_cached(remember)?.execute(params![journal, REFUSALS, signed(number)])? == 0 {
        return Ok(());
    }
    let there = organizations_of(db, batch.iter().map(|refused| signed(refused.row)).collect())?;
    let mut counts = BTreeMap::new();
    let mut organizations = BTreeMap::new();
    for refused in batch {
        // Refusals of a key that is gone meanwhile are nobody's any more.
        let row = signed(refused.row);
        let Some(organization) = there.get(&row) else { continue };
        let (outcome, by) = (refused.reason.number(), signed(refused.count));
        *counts.entry((row, refused.hour, outcome)).or_default() += by;
        *organizations.entry((&**organization, refused.hour, outcome)).or_default() += by;
    }
    add(db, &counts, &organizations)
}

/// Which of these keys there are, with their organizations. On a server they stay as they are until the end of the
/// transaction: two who counted the same keys in different orders would wait for each other.
fn organizations_of(db: &Connection, rows: HashSet<i64>) -> Result<BTreeMap<i64, Box<str>>, StoreError> {
    let mut found = BTreeMap::new();
    if db.is_postgres() {
        let sql = r#"SELECT "row", organization FROM tokens WHERE "row" = ANY(?1) ORDER BY "row" FOR NO KEY UPDATE"#;
        let rows: Vec<i64> = rows.into_iter().collect();
        let all = db
            .prepare_cached(sql)?
            .query_all([&rows], |row| Ok((row.get(0)?, row.get::<_, String>(1)?.into_boxed_str())))?;
        found.extend(all);
        return Ok(found);
    }
    let mut statement = db.prepare_cached(r#"SELECT organization FROM tokens WHERE "row" = ?1"#)?;
    for number in rows {
        if let Some(row) = statement.query([number])?.next()? {
            found.insert(number, row.get::<_, String>(0)?.into_boxed_str());
        }
    }
    Ok(found)
}

type Counts<Of> = BTreeMap<(Of, u64, u8), i64>;

/// Adds to rows of keys that are there, and of their organizations.
fn add(db: &Connection, counts: &Counts<i64>, organizations: &Counts<&str>) -> Result<(), StoreError> {
    if db.is_postgres() {
        return add_at_once(db, counts);
    }
    for ((token, hour, outcome), count) in counts {
        let sql = upsert("usage_hours", "token", *hour);
        db.prepare_cached(&sql)?.execute(params![
            *token,
            signed(hour / DAY_HOURS),
            u32::from(*outcome),
            *count
        ])?;
    }
    for ((organization, hour, outcome), count) in organizations {
        let sql = upsert("organization_usage_hours", "organization", *hour);
        let day = signed(hour / DAY_HOURS);
        db.prepare_cached(&sql)?.execute(params![*organization, day, u32::from(*outcome), *count])?;
    }
    Ok(())
}

fn upsert(table: &str, owner: &str, hour: u64) -> String {
    let column = format!("h{}", hour % DAY_HOURS);
    format!(
        "INSERT INTO {table} ({owner}, day, outcome, {column}) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT ({owner}, day, outcome) DO UPDATE SET {column} = coalesce({column}, 0) + excluded.{column}"
    )
}

/// The same in two statements: to ask a server about each key takes a way there and back each time. Rows are written in one
/// order, whoever writes, so that nobody waits in a circle.
fn add_at_once(db: &Connection, counts: &Counts<i64>) -> Result<(), StoreError> {
    if counts.is_empty() {
        return Ok(());
    }
    let tokens: Vec<i64> = counts.keys().map(|(token, ..)| *token).collect();
    let days: Vec<i64> = counts.keys().map(|(_, hour, _)| signed(hour / DAY_HOURS)).collect();
    let hours: Vec<i64> = counts.keys().map(|(_, hour, _)| signed(hour % DAY_HOURS)).collect();
    let outcomes: Vec<i64> = counts.keys().map(|(.., outcome)| i64::from(*outcome)).collect();
    let uses: Vec<i64> = counts.values().copied().collect();
    for (table, owner, from) in
        [("usage_hours", "token", "b.token"), ("organization_usage_hours", "organization", "t.organization")]
    {
        let sql = upsert_at_once(table, owner, from);
        db.prepare_cached(&sql)?.execute(params![tokens, days, outcomes, hours, uses])?;
    }
    Ok(())
}

fn upsert_at_once(table: &str, owner: &str, from: &str) -> String {
    let (mut columns, mut sums, mut sets) = (String::new(), String::new(), String::new());
    for hour in 0..DAY_HOURS {
        let comma = if hour == 0 { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(columns, "{comma}h{hour}");
        let _ = write!(sums, "{comma}CAST(sum(b.uses) FILTER (WHERE b.hour = {hour}) AS BIGINT)");
        let _ = write!(
            sets,
            "{comma}h{hour} = CASE WHEN excluded.h{hour} IS NULL THEN {table}.h{hour}
             ELSE coalesce({table}.h{hour}, 0) + excluded.h{hour} END"
        );
    }
    format!(
        r#"INSERT INTO {table} ({owner}, day, outcome, {columns})
           SELECT {from}, b.day, b.outcome, {sums}
           FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]), CAST(?4 AS BIGINT[]),
                       CAST(?5 AS BIGINT[])) AS b (token, day, outcome, hour, uses)
           JOIN tokens t ON t."row" = b.token
           GROUP BY {from}, b.day, b.outcome ORDER BY {from}, b.day, b.outcome
           ON CONFLICT ({owner}, day, outcome) DO UPDATE SET {sets}"#
    )
}

/// What was counted in these hours, as far as it is kept.
pub(super) fn read(
    db: &Connection,
    of: &Subject,
    hours: Range<u64>,
    now_ms: u64,
) -> Result<History, StoreError> {
    let Some(kept) = kept(db)? else { return Ok(History::default()) };
    let from_ms = kept.whole_since_ms(now_ms);
    let hours = hours.start.max(from_ms / HOUR_MS)..hours.end;
    let mut history = History { kept_since_ms: Some(from_ms), counted: Vec::new() };
    if hours.is_empty() {
        return Ok(history);
    }
    let columns = (0..DAY_HOURS).map(|hour| format!("u.h{hour}")).collect::<Vec<_>>().join(", ");
    let (from, id) = match of {
        Subject::Token(id) => {
            (r#"usage_hours u JOIN tokens t ON t."row" = u.token WHERE t.id = ?1"#, id.text().to_string())
        }
        Subject::Organization(id) => {
            ("organization_usage_hours u WHERE u.organization = ?1", id.as_str().to_owned())
        }
    };
    let sql = format!("SELECT u.day, u.outcome, {columns} FROM {from} AND u.day BETWEEN ?2 AND ?3");
    let days = [hours.start / DAY_HOURS, (hours.end - 1) / DAY_HOURS].map(signed);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![id, days[0], days[1]])?;
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: TABLES[0] };
        let (day, outcome) = (columns.number("day")?, columns.number("outcome")?);
        let reason = match outcome {
            0 => None,
            other => {
                Some(Reason::numbered(other).ok_or_else(|| columns.corrupt(format!("outcome {other}")))?)
            }
        };
        for at in 0..DAY_HOURS {
            let hour = day * DAY_HOURS + at;
            if !hours.contains(&hour) {
                continue;
            }
            if let Some(count) = columns.optional_number(&format!("h{at}"))? {
                history.counted.push(Counted { hour, reason, count });
            }
        }
    }
    Ok(history)
}

/// Has it kept for so long, or not at all.
pub(super) fn keep(db: &Connection, keep: Option<Duration>, now_ms: u64) -> Result<(), StoreError> {
    let before = kept(db)?;
    let wanted = keep.map(|keep| {
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let since_ms = match before {
            None => now_ms,
            // What was beyond the shorter time is gone.
            Some(before) if before.keep_ms != keep_ms => {
                before.since_ms.max(now_ms.saturating_sub(before.keep_ms))
            }
            Some(before) => before.since_ms,
        };
        Kept { since_ms, keep_ms }
    });
    if before == wanted {
        return Ok(());
    }
    let Some(kept) = wanted else {
        db.execute("DELETE FROM usage_history", ())?;
        return Ok(());
    };
    let sql = "INSERT INTO usage_history (one, since_ms, keep_ms) VALUES (1, ?1, ?2)
               ON CONFLICT (one) DO UPDATE SET since_ms = excluded.since_ms, keep_ms = excluded.keep_ms";
    db.prepare_cached(sql)?.execute(params![signed(kept.since_ms), signed(kept.keep_ms)])?;
    Ok(())
}

/// Forgets some of what is not to be kept any more; false when nothing is left of it. Not all in one transaction: others
/// write too.
pub(super) fn forget_some(db: &Connection, now_ms: u64) -> Result<bool, StoreError> {
    let first_day = match kept(db)? {
        Some(kept) => signed(now_ms.saturating_sub(kept.keep_ms) / HOUR_MS / DAY_HOURS),
        None => i64::MAX,
    };
    for (table, owner) in TABLES.into_iter().zip(["token", "organization"]) {
        let sql = format!(
            "DELETE FROM {table} WHERE ({owner}, day, outcome) IN
             (SELECT {owner}, day, outcome FROM {table} WHERE day < ?1 ORDER BY day, {owner} LIMIT ?2)"
        );
        let forgotten = db.prepare_cached(&sql)?.execute(params![first_day, FORGOTTEN_AT_ONCE])?;
        if forgotten == FORGOTTEN_AT_ONCE as usize {
            return Ok(true);
        }
    }
    Ok(false)
}
