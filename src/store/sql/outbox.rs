//! Events are written here, in the transaction of what they tell of, with one delivery for each endpoint that wants them.

use super::db::{Connection, OptionalExtension, params};
use super::row::{Columns, signed};
use super::webhooks;
use crate::store::StoreError;
use crate::store::management::{AuditEntry, EXPIRY_DAYS, Event, TEST_EVENT, WebhookEndpoint};
use crate::token::{OrganizationId, ProjectId, TokenId, random_id};
use jiff::Timestamp;
use serde_json::{Value, json};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Writes the event that an audit entry stands for, when it stands for one and somebody wants to know.
pub(super) fn told_by(db: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    let (Some(organization), Some(event)) = (&entry.organization, Event::of(entry)) else { return Ok(()) };
    let endpoints = wanting(db, organization, event.kind)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    // An entry that tells of a change names only what has changed.
    let project = match event.project {
        None if event.kind.starts_with("token.") => project_of(db, &entry.entity.as_str().into())?,
        named => named,
    };
    write(db, &endpoints, organization, &Event { project, ..event }, entry.at_ms)
}

/// Writes the test event for one endpoint; gives the id of its delivery.
pub(super) fn test(db: &Connection, endpoint: &WebhookEndpoint, at_ms: u64) -> Result<String, StoreError> {
    let body = json!({ "webhookEndpointId": endpoint.id, "message": "This endpoint can be reached." });
    let id = insert_event(db, &endpoint.organization, TEST_EVENT, None, &body, at_ms)?;
    deliver(db, &id, &endpoint.id, &endpoint.organization, at_ms)
}

/// Tells of keys whose expiry has come near.
pub(super) fn tell_expiring(db: &Connection, now_ms: u64) -> Result<u64, StoreError> {
    let sql = "SELECT id, name, organization, project, expires_ms, lifetime_ms FROM tokens
               WHERE active AND expires_ms > ?1 AND expires_ms <= ?2 AND EXISTS (
                   SELECT 1 FROM webhook_endpoints e WHERE e.organization = tokens.organization AND e.active)";
    let furthest = EXPIRY_DAYS.into_iter().max().unwrap_or(0);
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(now_ms), signed(now_ms + furthest * DAY_MS)])?;
    let mut told = 0;
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "tokens" };
        let expires_ms = columns.number("expires_ms")?;
        let id: TokenId = columns.text("id")?.into();
        let left = expires_ms - now_ms;
        // A key that never had that long to live is not told of.
        let lifetime = columns.optional_number("lifetime_ms")?.unwrap_or(u64::MAX);
        let near = |days: &u64| left <= days * DAY_MS && lifetime > days * DAY_MS;
        let mut nearest = None;
        // After a long silence several may be due: the nearest is told, the others count as told.
        for days in EXPIRY_DAYS.into_iter().filter(near) {
            if first_time(db, &id, expires_ms, days)? {
                nearest = nearest.or(Some(days));
            }
        }
        let Some(days) = nearest else { continue };
        let organization: OrganizationId = columns.text("organization")?.into();
        let project = columns.optional_text("project")?.map(ProjectId::from);
        let token = json!({ "id": &*id.text(), "name": columns.text("name")? });
        let data = json!({ "token": token, "expiresAt": iso(expires_ms), "days": days });
        let event = Event { kind: "token.expiring", project, data };
        write(db, &wanting(db, &organization, event.kind)?, &organization, &event, now_ms)?;
        told += 1;
    }
    Ok(told)
}

fn first_time(db: &Connection, id: &TokenId, expires_ms: u64, days: u64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO webhook_expiries_told (token, expires_ms, days) VALUES (?1, ?2, ?3)
               ON CONFLICT (token, expires_ms, days) DO NOTHING";
    let written = db.prepare_cached(sql)?.execute(params![&*id.text(), signed(expires_ms), signed(days)])?;
    Ok(written > 0)
}

/// One more delivery of an event.
pub(super) fn deliver(
    db: &Connection,
    event: &str,
    endpoint: &str,
    organization: &OrganizationId,
    at_ms: u64,
) -> Result<String, StoreError> {
    let id = format!("dlv_{}", random()?);
    let sql = "INSERT INTO webhook_deliveries (id, event, endpoint, organization, state, created_ms, next_ms)
               VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5)";
    db.prepare_cached(sql)?.execute(params![id, event, endpoint, organization.as_str(), signed(at_ms)])?;
    Ok(id)
}

pub(super) fn wanting(
    db: &Connection,
    organization: &OrganizationId,
    kind: &str,
) -> Result<Vec<WebhookEndpoint>, StoreError> {
    let mut endpoints = webhooks::of(db, organization)?;
    endpoints.retain(|endpoint| endpoint.active && endpoint.wants(kind));
    Ok(endpoints)
}

pub(super) fn write(
    db: &Connection,
    endpoints: &[WebhookEndpoint],
    organization: &OrganizationId,
    event: &Event,
    at_ms: u64,
) -> Result<(), StoreError> {
    if endpoints.is_empty() {
        return Ok(());
    }
    let id = insert_event(db, organization, event.kind, event.project.as_ref(), &event.data, at_ms)?;
    for endpoint in endpoints {
        deliver(db, &id, &endpoint.id, organization, at_ms)?;
    }
    Ok(())
}

fn insert_event(
    db: &Connection,
    organization: &OrganizationId,
    kind: &str,
    project: Option<&ProjectId>,
    data: &Value,
    at_ms: u64,
) -> Result<String, StoreError> {
    let id = format!("evt_{}", random()?);
    let body = json!({
        "id": id,
        "type": kind,
        "timestamp": iso(at_ms),
        "organizationId": organization.as_str(),
        "projectId": project.map(|project| project.as_str()),
        "data": data,
    });
    let sql = "INSERT INTO webhook_events (id, organization, type, body, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        id,
        organization.as_str(),
        kind,
        body.to_string(),
        signed(at_ms)
    ])?;
    Ok(id)
}

fn project_of(db: &Connection, token: &TokenId) -> Result<Option<ProjectId>, StoreError> {
    let sql = "SELECT project FROM tokens WHERE id = ?1";
    let project: Option<Option<String>> =
        db.prepare_cached(sql)?.query_row([&*token.text()], |row| row.get(0)).optional()?;
    Ok(project.flatten().map(Into::into))
}

fn random() -> Result<String, StoreError> {
    random_id().map_err(|error| StoreError::Unavailable(Box::new(error)))
}

fn iso(unix_ms: u64) -> String {
    let instant = Timestamp::from_millisecond(signed(unix_ms)).unwrap_or(Timestamp::MAX);
    format!("{instant:.3}")
}
