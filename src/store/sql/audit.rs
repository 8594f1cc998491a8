//! The audit log. Triggers in the schema see to it that it is only appended to.

use super::db::{Connection, Row, Value as Sql, params};
use super::outbox;
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::management::{ActorKind, AuditEntry, AuditQuery, AuditRecord};
use serde_json::Value;

/// Appends an entry, and the event that it stands for. In the transaction of what it tells of.
pub(super) fn append(db: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO audit (at_ms, organization, actor_kind, actor, actor_name, action, entity, entity_name,
                   address, user_agent, request_id, before, after)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    db.prepare_cached(sql)?.execute(params![
        signed(entry.at_ms),
        entry.organization.as_ref().map(|id| id.as_str()),
        entry.actor_kind.as_str(),
        entry.actor,
        entry.actor_name,
        entry.action,
        entry.entity,
        entry.entity_name,
        entry.address.map(|address| address.to_string()),
        entry.user_agent,
        entry.request_id,
        entry.before.as_ref().map(Value::to_string),
        entry.after.as_ref().map(Value::to_string),
    ])?;
    outbox::told_by(db, entry)
}

/// Does what the triggers forbid: a restore, an erasure, or to forget what is too old. They are there again afterwards, and nobody
/// else writes meanwhile: both in the present transaction.
pub(super) fn rewritten<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if db.is_postgres() {
        db.execute_batch("ALTER TABLE audit DISABLE TRIGGER USER")?;
        let done = work(db)?;
        db.execute_batch("ALTER TABLE audit ENABLE TRIGGER USER")?;
        return Ok(done);
    }
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'";
    let triggers = db.prepare_cached(sql)?.query_all((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (name, _) in &triggers {
        let name: &String = name;
        db.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    let done = work(db)?;
    for (_, made) in &triggers {
        let made: &String = made;
        db.execute_batch(made)?;
    }
    Ok(done)
}

/// Newest first.
pub(super) fn read(db: &Connection, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
    let (mut sql, mut values) = conditions(query);
    if let Some(before) = query.before_sequence {
        sql.push_str(" AND sequence < ?");
        values.push(Sql::Integer(signed(before)));
    }
    values.extend([Sql::Integer(query.limit.into()), Sql::Integer(signed(query.offset))]);
    let sql = format!("SELECT * FROM audit {sql} ORDER BY sequence DESC LIMIT ? OFFSET ?");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(&values)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

pub(super) fn size(db: &Connection, query: &AuditQuery) -> Result<u64, StoreError> {
    let (sql, values) = conditions(query);
    let mut statement = db.prepare_cached(&format!("SELECT count(*) FROM audit {sql}"))?;
    let size: i64 = statement.query_row(&values, |row| row.get(0))?;
    Ok(size.unsigned_abs())
}

/// The `WHERE` of a query, where it begins apart, and its values.
fn conditions(query: &AuditQuery) -> (String, Vec<Sql>) {
    let (mut sql, mut values) = ("WHERE TRUE".to_owned(), Vec::new());
    let texts = [
        (" AND organization = ?", query.organization.as_ref().map(|id| id.as_str())),
        (" AND action = ?", query.action.as_deref()),
        (" AND entity = ?", query.entity.as_deref()),
        (" AND actor = ?", query.actor.as_deref()),
    ];
    if let Some(kind) = &query.kind {
        // `entity.verb`, of which this is the entity.
        let start = format!("{kind}.");
        sql.push_str(" AND substr(action, 1, ?) = ?");
        values.push(Sql::Integer(signed(start.chars().count() as u64)));
        values.push(Sql::Text(start));
    }
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(Sql::Text(value.to_owned()));
        }
    }
    for (condition, value) in [(" AND at_ms >= ?", query.from_ms), (" AND at_ms < ?", query.until_ms)] {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(Sql::Integer(signed(value)));
        }
    }
    (sql, values)
}

fn record(row: Row<'_>) -> Result<AuditRecord, StoreError> {
    let columns = Columns { row, table: "audit" };
    let kind = columns.text("actor_kind")?;
    let actor_kind = ActorKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let address = columns.optional_text("address")?.map(|text| text.parse());
    let entry = AuditEntry {
        at_ms: columns.number("at_ms")?,
        organization: columns.optional_text("organization")?.map(Into::into),
        actor_kind: actor_kind.ok_or_else(|| columns.corrupt(format!("{kind} is no kind of actor")))?,
        actor: columns.optional_text("actor")?,
        actor_name: columns.optional_text("actor_name")?,
        action: columns.text("action")?.into(),
        entity: columns.text("entity")?,
        entity_name: columns.optional_text("entity_name")?,
        address: address.transpose().map_err(|_| columns.corrupt("address is none"))?,
        user_agent: columns.optional_text("user_agent")?,
        request_id: columns.optional_text("request_id")?,
        before: object(&columns, "before")?,
        after: object(&columns, "after")?,
    };
    Ok(AuditRecord { sequence: columns.number("sequence")?, entry })
}

fn object(columns: &Columns<'_>, column: &str) -> Result<Option<Value>, StoreError> {
    let text = columns.optional_text(column)?;
    let read = |text: String| serde_json::from_str(&text).map_err(|_| columns.corrupt(column));
    text.map(read).transpose()
}

/// Forgets some of the entries that are older; false when nothing of them is left. Only the `most` first entries are looked
/// at, while everybody waits who writes: they are in the order of time, but for clocks that differ a little.
pub(super) fn forget(db: &Connection, before_ms: u64, most: u32) -> Result<bool, StoreError> {
    let old = "SELECT 1 FROM (SELECT at_ms FROM audit ORDER BY sequence LIMIT ?2) AS oldest
               WHERE at_ms < ?1 LIMIT 1";
    if !db.prepare_cached(old)?.exists(params![signed(before_ms), most])? {
        return Ok(false);
    }
    rewritten(db, |db| {
        let sql = "DELETE FROM audit WHERE sequence IN (
                       SELECT sequence FROM (SELECT sequence, at_ms FROM audit ORDER BY sequence LIMIT ?2) AS oldest
                       WHERE at_ms < ?1)";
        Ok(db.prepare_cached(sql)?.execute(params![signed(before_ms), most])? == most as usize)
    })
}
