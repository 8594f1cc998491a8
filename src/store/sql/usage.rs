//! How often keys were used.

use super::db::{Connection, OptionalExtension, params};
use super::history::{self, Grown};
use super::row::{Columns, signed};
use crate::store::history::HOUR_MS;
use crate::store::{StoreError, Usage};
use crate::token::TokenId;
use std::collections::HashSet;

/// Most slots that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 8192;

/// Where it is remembered since when this is another store, whose journals begin anew: no journal has this name.
pub(super) const RESTORED: &str = "restored";

/// Takes down that the store was put back to an earlier state at this time. A journal that was begun before has counted for
/// the store that was there then, and nobody knows how much of it is in this one: what was in it until it is first seen counts
/// for nothing, what comes later does.
pub(super) fn restored(db: &Connection, now_ms: u64) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO usage_seen (journal, slot, total) VALUES (?1, 0, ?2)
         ON CONFLICT (journal, slot) DO UPDATE SET total = excluded.total",
        params![RESTORED, signed(now_ms)],
    )?;
    Ok(())
}

/// Whether a journal is older than the store that it counts for. Its name says when it was begun.
fn is_older(db: &Connection, journal: &str) -> Result<bool, StoreError> {
    let since = "SELECT total FROM usage_seen WHERE journal = ?1 AND slot = 0";
    let since: Option<i64> = db.prepare_cached(since)?.query_row([RESTORED], |row| row.get(0)).optional()?;
    let begun = uuid::Uuid::try_parse(journal).ok().and_then(|id| id.get_timestamp());
    let begun_ms = begun.map(|at| at.to_unix()).map(|(s, ns)| signed(s * 1000 + u64::from(ns) / 1_000_000));
    Ok(since.zip(begun_ms).is_some_and(|(since_ms, begun_ms)| begun_ms <= since_ms))
}

/// Adds what was not yet seen of each slot's total, and remembers the total, in the same transaction.
pub(super) fn add(db: &Connection, journal: &str, batch: &[Usage]) -> Result<(), StoreError> {
    if db.is_postgres() && names_each_slot_once(batch) {
        return add_at_once(db, journal, batch);
    }
    let mut seen = db.prepare_cached("SELECT total FROM usage_seen WHERE journal = ?1 AND slot = ?2")?;
    let mut remember = db.prepare_cached(
        "INSERT INTO usage_seen (journal, slot, total) VALUES (?1, ?2, ?3)
         ON CONFLICT (journal, slot) DO UPDATE SET total = excluded.total",
    )?;
    // A key that is gone meanwhile has no row, and its uses are nobody's any more.
    let mut count = db.prepare_cached(
        r#"UPDATE tokens SET usage_count = usage_count + ?2,
               last_used_ms = CASE WHEN ?3 > coalesce(last_used_ms, 0) THEN ?3 ELSE last_used_ms END
           WHERE "row" = ?1 RETURNING organization"#,
    )?;
    let (is_kept, is_older, mut grown) = (history::is_kept(db)?, is_older(db, journal)?, Vec::new());
    for usage in batch {
        let total = signed(usage.total);
        let before: Option<i64> =
            seen.query_row(params![journal, usage.slot], |row| row.get(0)).optional()?;
        let unseen = total - before.unwrap_or(if is_older { total } else { 0 });
        if before.is_none() || unseen > 0 {
            remember.execute(params![journal, usage.slot, total])?;
        }
        if unseen > 0 {
            let row = signed(usage.row);
            if let Some(key) = count.query(params![row, unseen, signed(usage.last_used_ms)])?.next()?
                && is_kept
            {
                let organization = key.get::<_, String>(0)?.into();
                grown.push(Grown { row, organization, hour: usage.last_used_ms / HOUR_MS, by: unseen });
            }
        }
    }
    history::add_uses(db, &grown)
}

fn names_each_slot_once(batch: &[Usage]) -> bool {
    let mut seen = HashSet::with_capacity(batch.len());
    batch.iter().all(|usage| seen.insert(usage.slot))
}

/// The same in two statements: to ask a server about each slot takes a way there and back each time.
fn add_at_once(db: &Connection, journal: &str, batch: &[Usage]) -> Result<(), StoreError> {
    let column = |of: fn(&Usage) -> u64| batch.iter().map(of).map(signed).collect::<Vec<i64>>();
    let rows = column(|usage| usage.row);
    // In one order, whoever counts: two who counted the same keys in different orders would wait for each other.
    let lock = r#"SELECT count(*) FROM (SELECT 1 FROM tokens WHERE "row" = ANY(?1) ORDER BY "row" FOR NO KEY UPDATE) AS t"#;
    db.prepare_cached(lock)?.exists([&rows])?;
    let sql = r#"WITH batch AS (
            SELECT b.slot, b."row", b.total, b.used_ms, s.total IS NULL AS is_new,
                b.total - coalesce(s.total, CASE WHEN CAST(?6 AS BOOLEAN) THEN b.total ELSE 0 END) AS unseen
            FROM unnest(CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]), CAST(?4 AS BIGINT[]), CAST(?5 AS BIGINT[]))
                AS b (slot, "row", total, used_ms)
            LEFT JOIN usage_seen s ON s.journal = CAST(?1 AS TEXT) AND s.slot = b.slot
        ), remembered AS (
            INSERT INTO usage_seen (journal, slot, total)
            SELECT CAST(?1 AS TEXT), slot, total FROM batch WHERE is_new OR unseen > 0
            ON CONFLICT (journal, slot) DO UPDATE SET total = excluded.total
        ), counted AS (
            SELECT "row", CAST(sum(unseen) AS BIGINT) AS uses, max(used_ms) AS used_ms
            FROM batch WHERE unseen > 0 GROUP BY "row"
        )
        UPDATE tokens SET usage_count = usage_count + c.uses,
            last_used_ms = CASE WHEN c.used_ms > coalesce(last_used_ms, 0) THEN c.used_ms ELSE last_used_ms END
        FROM counted c WHERE tokens."row" = c."row"
        RETURNING tokens."row", tokens.organization, c.used_ms, c.uses"#;
    let (slots, totals) = (column(|usage| usage.slot.into()), column(|usage| usage.total));
    let (used, is_older) = (column(|usage| usage.last_used_ms), is_older(db, journal)?);
    let given = params![journal, slots, rows, totals, used, is_older];
    let grown = db.prepare_cached(sql)?.query_all(given, |row| {
        let (organization, used_ms): (String, i64) = (row.get(1)?, row.get(2)?);
        let hour = u64::try_from(used_ms).unwrap_or(0) / HOUR_MS;
        Ok(Grown { row: row.get(0)?, organization: organization.into(), hour, by: row.get(3)? })
    })?;
    if history::is_kept(db)? { history::add_uses(db, &grown) } else { Ok(()) }
}

pub(super) fn of(db: &Connection, id: &TokenId) -> Result<Option<(u64, Option<u64>)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT usage_count, last_used_ms FROM tokens WHERE id = ?1")?;
    let mut rows = statement.query([&*id.text()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "tokens" };
    Ok(Some((columns.number("usage_count")?, columns.optional_number("last_used_ms")?)))
}

/// Forgets some of what was seen of a journal; false when nothing is left of it. Not all in one transaction: a journal of
/// a million keys would keep everybody waiting who writes.
pub(super) fn forget_some(db: &Connection, journal: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM usage_seen WHERE journal = ?1 AND slot IN
               (SELECT slot FROM usage_seen WHERE journal = ?1 ORDER BY slot LIMIT ?2)";
    let forgotten = db.prepare_cached(sql)?.execute(params![journal, FORGOTTEN_AT_ONCE])?;
    Ok(forgotten == FORGOTTEN_AT_ONCE as usize)
}
