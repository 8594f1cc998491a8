//! Deliveries of events: due, tried, finished, listed, forgotten.

use super::db::{Connection, Row, Value, params};
use super::row::{Columns, signed};
use super::{audit, outbox, webhooks};
use crate::store::StoreError;
use crate::store::management::{
    ActorKind, Attempt, Attempted, AuditEntry, Delivery, DeliveryDetails, DeliveryFilter, DeliveryPage,
    DeliveryState, Due, Page, Queue,
};
use crate::token::{OrganizationId, Secret};
use serde_json::json;

const SELECT: &str =
    "SELECT d.sequence, d.id, d.event, e.type, d.endpoint, d.state, d.attempts, d.created_ms, d.next_ms,
                             d.finished_ms, d.status, d.error
                      FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event";

pub(super) fn list(db: &Connection, filter: &DeliveryFilter, page: Page) -> Result<DeliveryPage, StoreError> {
    let mut sql = "WHERE d.organization = ?".to_owned();
    let mut values = vec![Value::Text(filter.organization.to_string())];
    if let Some(endpoint) = &filter.endpoint {
        sql.push_str(" AND d.endpoint = ?");
        values.push(Value::Text(endpoint.clone()));
    }
    if let Some(state) = filter.state {
        sql.push_str(" AND d.state = ?");
        values.push(Value::Text(state.as_str().to_owned()));
    }
    let total: i64 = db
        .prepare_cached(&format!("SELECT count(*) FROM webhook_deliveries d {sql}"))?
        .query_row(&values, |row| row.get(0))?;
    if let Some(before) = filter.before_sequence {
        sql.push_str(" AND d.sequence < ?");
        values.push(Value::Integer(signed(before)));
    }
    values.extend([Value::Integer(page.limit.into()), Value::Integer(signed(page.offset))]);
    let sql = format!("{SELECT} {sql} ORDER BY d.sequence DESC LIMIT ? OFFSET ?");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(&values)?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(delivery(row)?);
    }
    Ok(DeliveryPage { deliveries, total: total.unsigned_abs() })
}

pub(super) fn details(
    db: &Connection,
    organization: &OrganizationId,
    id: &str,
) -> Result<Option<DeliveryDetails>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE d.id = ?1 AND d.organization = ?2"))?;
    let mut rows = statement.query([id, organization.as_str()])?;
    let Some(delivery) = rows.next()?.map(delivery).transpose()? else { return Ok(None) };
    let body = db
        .prepare_cached("SELECT body FROM webhook_events WHERE id = ?1")?
        .query_row([&delivery.event], |row| row.get(0))?;
    let attempts = attempts(db, delivery.sequence)?;
    Ok(Some(DeliveryDetails { delivery, body, attempts }))
}

fn attempts(db: &Connection, sequence: u64) -> Result<Vec<Attempt>, StoreError> {
    let sql =
        "SELECT at_ms, duration_ms, status, error FROM webhook_attempts WHERE delivery = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(sequence)])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "webhook_attempts" };
        attempts.push(Attempt {
            at_ms: columns.number("at_ms")?,
            duration_ms: columns.number("duration_ms")?,
            status: row.get("status")?,
            error: columns.optional_text("error")?,
        });
    }
    Ok(attempts)
}

fn delivery(row: Row<'_>) -> Result<Delivery, StoreError> {
    let columns = Columns { row, table: "webhook_deliveries" };
    let state = columns.text("state")?;
    let state = DeliveryState::ALL.into_iter().find(|known| known.as_str() == state);
    Ok(Delivery {
        sequence: columns.number("sequence")?,
        id: columns.text("id")?,
        event: columns.text("event")?,
        kind: columns.text("type")?,
        endpoint: columns.text("endpoint")?,
        state: state.ok_or_else(|| columns.corrupt("state is none"))?,
        attempts: row.get("attempts")?,
        created_ms: columns.number("created_ms")?,
        next_ms: columns.optional_number("next_ms")?,
        finished_ms: columns.optional_number("finished_ms")?,
        status: row.get("status")?,
        error: columns.optional_text("error")?,
    })
}

pub(super) fn replay(db: &Connection, id: &str, entry: &AuditEntry) -> Result<Option<String>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT event, endpoint, organization FROM webhook_deliveries WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (event, endpoint): (String, String) = (row.get(0)?, row.get(1)?);
    let organization: OrganizationId = row.get::<_, String>(2)?.into();
    audit::append(db, entry)?;
    outbox::deliver(db, &event, &endpoint, &organization, entry.at_ms).map(Some)
}

/// Endpoint by endpoint, so that one with a long queue is no longer to look at than the others.
pub(super) fn due(db: &Connection, now_ms: u64, for_each: u32) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT d.sequence, d.attempts, d.endpoint, d.event, p.url, p.secret, e.body
               FROM webhook_deliveries d
               JOIN webhook_endpoints p ON p.id = d.endpoint
               JOIN webhook_events e ON e.id = d.event
               WHERE d.endpoint = ?1 AND d.state = 'pending' AND d.next_ms <= ?2
               ORDER BY d.next_ms, d.sequence LIMIT ?3";
    let waiting = "SELECT DISTINCT d.endpoint FROM webhook_deliveries d
                   JOIN webhook_endpoints p ON p.id = d.endpoint AND p.active
                   WHERE d.state = 'pending' AND d.next_ms <= ?1 ORDER BY d.endpoint";
    let mut endpoints = db.prepare_cached(waiting)?;
    let mut endpoints = endpoints.query([signed(now_ms)])?;
    let mut statement = db.prepare_cached(sql)?;
    let mut due = Vec::new();
    while let Some(endpoint) = endpoints.next()? {
        let endpoint: String = endpoint.get(0)?;
        let mut rows = statement.query(params![endpoint, signed(now_ms), for_each])?;
        while let Some(row) = rows.next()? {
            let columns = Columns { row, table: "webhook_deliveries" };
            due.push(Due {
                sequence: columns.number("sequence")?,
                attempts: row.get("attempts")?,
                endpoint: columns.text("endpoint")?,
                event: columns.text("event")?,
                url: columns.text("url")?,
                secret: Secret::new(columns.text("secret")?),
                body: columns.text("body")?,
            });
        }
    }
    Ok(due)
}

pub(super) fn attempted(db: &Connection, attempted: &Attempted) -> Result<bool, StoreError> {
    let (attempt, sequence) = (&attempted.attempt, signed(attempted.sequence));
    let state = match (&attempt.error, attempted.next_ms) {
        (None, _) => DeliveryState::Delivered,
        (Some(_), Some(_)) => DeliveryState::Pending,
        (Some(_), None) => DeliveryState::Failed,
    };
    let end_ms = attempt.at_ms.saturating_add(attempt.duration_ms);
    let pending = state == DeliveryState::Pending;
    let sql = "UPDATE webhook_deliveries
               SET state = ?2, attempts = attempts + 1, next_ms = ?3, finished_ms = ?4, status = ?5, error = ?6
               WHERE sequence = ?1";
    let written = db.prepare_cached(sql)?.execute(params![
        sequence,
        state.as_str(),
        attempted.next_ms.filter(|_| pending).map(signed),
        (!pending).then_some(signed(end_ms)),
        attempt.status,
        attempt.error,
    ])?;
    if written == 0 {
        // Its endpoint was removed meanwhile.
        return Ok(false);
    }
    let sql = "INSERT INTO webhook_attempts (delivery, number, at_ms, duration_ms, status, error)
               SELECT sequence, attempts, ?2, ?3, ?4, ?5 FROM webhook_deliveries WHERE sequence = ?1";
    db.prepare_cached(sql)?.execute(params![
        sequence,
        signed(attempt.at_ms),
        signed(attempt.duration_ms),
        attempt.status,
        attempt.error,
    ])?;
    judge(db, attempted, end_ms)
}

/// What an attempt says of its endpoint; true when it is switched off.
fn judge(db: &Connection, attempted: &Attempted, now_ms: u64) -> Result<bool, StoreError> {
    let endpoint: String = db
        .prepare_cached("SELECT endpoint FROM webhook_deliveries WHERE sequence = ?1")?
        .query_row([signed(attempted.sequence)], |row| row.get(0))?;
    if attempted.attempt.error.is_none() {
        db.prepare_cached("UPDATE webhook_endpoints SET failing_since_ms = NULL WHERE id = ?1")?
            .execute([&endpoint])?;
        return Ok(false);
    }
    let since =
        "UPDATE webhook_endpoints SET failing_since_ms = coalesce(failing_since_ms, ?2) WHERE id = ?1";
    db.prepare_cached(since)?.execute(params![endpoint, signed(now_ms)])?;
    let off = "UPDATE webhook_endpoints SET active = FALSE, disabled_ms = ?2, revision = revision + 1
               WHERE id = ?1 AND active AND failing_since_ms <= ?3";
    let switched = db.prepare_cached(off)?.execute(params![
        endpoint,
        signed(now_ms),
        signed(attempted.patience_since_ms)
    ])?;
    let Some(it) = webhooks::by_id(db, &endpoint)?.filter(|_| switched > 0) else { return Ok(false) };
    let name = it.origin().to_owned();
    db.prepare_cached(
        "UPDATE webhook_deliveries SET state = 'failed', next_ms = NULL, finished_ms = ?2,
             error = 'the endpoint was switched off because it had failed for too long, or wants no more'
         WHERE endpoint = ?1 AND state = 'pending'",
    )?
    .execute(params![endpoint, signed(now_ms)])?;
    audit::append(
        db,
        &AuditEntry {
            at_ms: now_ms,
            organization: Some(it.organization),
            actor_kind: ActorKind::System,
            actor: None,
            actor_name: None,
            action: "webhook_endpoint.disabled".into(),
            entity: it.id,
            entity_name: Some(name),
            address: None,
            user_agent: None,
            request_id: None,
            before: Some(json!({ "active": true })),
            after: Some(json!({ "active": false })),
        },
    )?;
    Ok(true)
}

pub(super) fn queue(db: &Connection) -> Result<Queue, StoreError> {
    let sql = "SELECT count(*), min(d.created_ms) FROM webhook_deliveries d
               JOIN webhook_endpoints p ON p.id = d.endpoint AND p.active WHERE d.state = 'pending'";
    let (length, oldest): (i64, Option<i64>) =
        db.prepare_cached(sql)?.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Queue { length: length.unsigned_abs(), oldest_ms: oldest.map(i64::unsigned_abs) })
}

pub(super) fn sweep(
    db: &Connection,
    now_ms: u64,
    hopeless_ms: u64,
    old_ms: u64,
    most: u32,
) -> Result<(), StoreError> {
    db.execute(
        "UPDATE webhook_deliveries SET state = 'failed', next_ms = NULL, finished_ms = ?1,
             error = coalesce(error, 'the endpoint was switched off')
         WHERE state = 'pending' AND created_ms < ?2",
        [signed(now_ms), signed(hopeless_ms)],
    )?;
    db.execute(
        "DELETE FROM webhook_deliveries WHERE state <> 'pending' AND finished_ms < ?1",
        [signed(old_ms)],
    )?;
    db.execute(
        "DELETE FROM webhook_deliveries WHERE state <> 'pending' AND sequence IN (
             SELECT sequence FROM (
                 SELECT sequence, row_number() OVER (PARTITION BY endpoint ORDER BY sequence DESC) AS place
                 FROM webhook_deliveries) AS placed WHERE place > ?1)",
        [most],
    )?;
    // The last word of an organization that is gone has been said.
    db.execute(
        "DELETE FROM webhook_endpoints
         WHERE organization NOT IN (SELECT id FROM organizations)
           AND NOT EXISTS (SELECT 1 FROM operations o
                           WHERE o.organization = webhook_endpoints.organization AND o.finished_ms IS NULL)
           AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                           WHERE d.endpoint = webhook_endpoints.id AND d.state = 'pending')",
        (),
    )?;
    db.execute(
        "DELETE FROM webhook_events WHERE NOT EXISTS (
             SELECT 1 FROM webhook_deliveries d WHERE d.event = webhook_events.id)",
        (),
    )?;
    Ok(())
}
