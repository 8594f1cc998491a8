//! How often keys were used.

use super::row::{Columns, signed};
use crate::store::{StoreError, Usage};
use crate::token::TokenId;
use rusqlite::{Connection, OptionalExtension, params};

/// Most slots that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 8192;

/// Adds what was not yet seen of each slot's total, and remembers the total, in the same transaction.
pub(super) fn add(db: &Connection, journal: &str, batch: &[Usage]) -> Result<(), StoreError> {
    let mut seen = db.prepare_cached("SELECT total FROM usage_seen WHERE journal = ?1 AND slot = ?2")?;
    let mut remember =
        db.prepare_cached("INSERT OR REPLACE INTO usage_seen (journal, slot, total) VALUES (?1, ?2, ?3)")?;
    // A key that is gone meanwhile has no row, and its uses are nobody's any more.
    let mut count = db.prepare_cached(
        r#"UPDATE tokens SET usage_count = usage_count + ?2,
                             last_used_ms = nullif(max(coalesce(last_used_ms, 0), ?3), 0)
           WHERE "row" = ?1"#,
    )?;
    for usage in batch {
        let total = signed(usage.total);
        let before: Option<i64> =
            seen.query_row(params![journal, usage.slot], |row| row.get(0)).optional()?;
        let unseen = total - before.unwrap_or(0);
        if unseen > 0 {
            count.execute(params![signed(usage.row), unseen, signed(usage.last_used_ms)])?;
            remember.execute(params![journal, usage.slot, total])?;
        }
    }
    Ok(())
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
