//! Webhook endpoints: written by people, and switched off by their own failures.

use super::db::{Connection, Row, params};
use super::row::{Columns, json, signed};
use super::{Database, addresses, audit, deliveries, organizations, outbox};
use crate::store::management::{
    Attempted, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryPage, Due, Outbox, Page, Queue,
    WebhookEndpoint, Written,
};
use crate::store::{Answer, StoreError};
use crate::token::{OrganizationId, Secret};
use std::net::IpAddr;

impl Outbox for Database {
    fn webhook_endpoints<'a>(&'a self, organization: &'a OrganizationId) -> Answer<'a, Vec<WebhookEndpoint>> {
        let organization = organization.clone();
        self.ask(move |db| of(db, &organization))
    }

    fn webhook_endpoint<'a>(&'a self, id: &'a str) -> Answer<'a, Option<WebhookEndpoint>> {
        let id = id.to_owned();
        self.ask(move |db| by_id(db, &id))
    }

    fn add_webhook_endpoint(
        &self,
        endpoint: WebhookEndpoint,
        secret: Secret,
        entry: AuditEntry,
    ) -> Answer<'_, Written> {
        self.write(move |db| add(db, &endpoint, &secret, &entry))
    }

    fn replace_webhook_endpoint(
        &self,
        endpoint: WebhookEndpoint,
        secret: Option<Secret>,
        entry: AuditEntry,
    ) -> Answer<'_, Written> {
        self.write(move |db| replace(db, &endpoint, secret.as_ref(), &entry))
    }

    fn remove_webhook_endpoint<'a>(
        &'a self,
        id: &'a str,
        revision: u64,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| remove(db, &id, revision, &entry))
    }

    fn test_webhook_endpoint<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Option<String>> {
        let id = id.to_owned();
        self.write(move |db| {
            let Some(endpoint) = by_id(db, &id)? else { return Ok(None) };
            audit::append(db, &entry)?;
            outbox::test(db, &endpoint, entry.at_ms).map(Some)
        })
    }

    fn deliveries<'a>(&'a self, filter: &'a DeliveryFilter, page: Page) -> Answer<'a, DeliveryPage> {
        let filter = filter.clone();
        self.ask(move |db| deliveries::list(db, &filter, page))
    }

    fn delivery<'a>(
        &'a self,
        organization: &'a OrganizationId,
        id: &'a str,
    ) -> Answer<'a, Option<DeliveryDetails>> {
        let (organization, id) = (organization.clone(), id.to_owned());
        self.ask(move |db| deliveries::details(db, &organization, &id))
    }

    fn replay<'a>(&'a self, id: &'a str, entry: AuditEntry) -> Answer<'a, Option<String>> {
        let id = id.to_owned();
        self.write(move |db| deliveries::replay(db, &id, &entry))
    }

    fn due_deliveries(&self, now_ms: u64, for_each: u32) -> Answer<'_, Vec<Due>> {
        self.ask(move |db| deliveries::due(db, now_ms, for_each))
    }

    fn attempted(&self, attempted: Attempted) -> Answer<'_, bool> {
        self.write(move |db| deliveries::attempted(db, &attempted))
    }

    fn delivery_queue(&self) -> Answer<'_, Queue> {
        self.ask(deliveries::queue)
    }

    fn tell_expiring(&self, now_ms: u64) -> Answer<'_, u64> {
        self.write(move |db| outbox::tell_expiring(db, now_ms))
    }

    fn tell_addresses(&self, uses: Vec<(u64, IpAddr, u64)>, most: u32) -> Answer<'_, ()> {
        self.write(move |db| addresses::tell(db, &uses, most))
    }

    fn addresses_wanted(&self) -> Answer<'_, u64> {
        self.ask(addresses::wanted)
    }

    fn sweep_deliveries(&self, now_ms: u64, hopeless_ms: u64, old_ms: u64, most: u32) -> Answer<'_, ()> {
        self.write(move |db| deliveries::sweep(db, now_ms, hopeless_ms, old_ms, most))
    }
}

const SELECT: &str =
    "SELECT id, organization, url, description, events, active, failing_since_ms, disabled_ms,
                             created_by, created_ms, updated_ms, revision FROM webhook_endpoints";

/// An organization's endpoints, in the order of their making.
pub(super) fn of(db: &Connection, organization: &OrganizationId) -> Result<Vec<WebhookEndpoint>, StoreError> {
    let mut statement = db.prepare_cached(&format!(r#"{SELECT} WHERE organization = ?1 ORDER BY "row""#))?;
    let mut rows = statement.query([organization.as_str()])?;
    let mut endpoints = Vec::new();
    while let Some(row) = rows.next()? {
        endpoints.push(endpoint(row)?);
    }
    Ok(endpoints)
}

pub(super) fn by_id(db: &Connection, id: &str) -> Result<Option<WebhookEndpoint>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(endpoint).transpose()
}

fn endpoint(row: Row<'_>) -> Result<WebhookEndpoint, StoreError> {
    let columns = Columns { row, table: "webhook_endpoints" };
    Ok(WebhookEndpoint {
        id: columns.text("id")?,
        organization: columns.text("organization")?.into(),
        url: columns.text("url")?,
        description: columns.optional_text("description")?,
        events: columns.list("events")?,
        active: columns.flag("active")?,
        failing_since_ms: columns.optional_number("failing_since_ms")?,
        disabled_ms: columns.optional_number("disabled_ms")?,
        created_by: columns.optional_text("created_by")?.map(Into::into),
        created_ms: columns.number("created_ms")?,
        updated_ms: columns.number("updated_ms")?,
        revision: columns.number("revision")?,
    })
}

fn add(
    db: &Connection,
    endpoint: &WebhookEndpoint,
    secret: &Secret,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if !organizations::exists(db, &endpoint.organization)? {
        return Ok(Written::Moved);
    }
    let sql = "INSERT INTO webhook_endpoints (id, organization, url, description, events, secret, active, created_by,
                   created_ms, updated_ms, revision)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 1)";
    db.prepare_cached(sql)?.execute(params![
        endpoint.id,
        endpoint.organization.as_str(),
        endpoint.url,
        endpoint.description,
        json(endpoint.events.iter().map(AsRef::as_ref)),
        secret.expose(),
        endpoint.active,
        endpoint.created_by.as_ref().map(|person| person.as_str()),
        signed(endpoint.created_ms),
    ])?;
    audit::append(db, entry)?;
    outbox::test(db, endpoint, entry.at_ms)?;
    Ok(Written::Done)
}

fn replace(
    db: &Connection,
    endpoint: &WebhookEndpoint,
    secret: Option<&Secret>,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    let sql = "UPDATE webhook_endpoints
               SET url = ?3, description = ?4, events = ?5, active = ?6, secret = coalesce(?7, secret),
                   failing_since_ms = CASE WHEN ?6 THEN NULL ELSE failing_since_ms END,
                   disabled_ms = CASE WHEN ?6 THEN NULL ELSE disabled_ms END,
                   updated_ms = ?8, revision = revision + 1
               WHERE id = ?1 AND revision = ?2";
    let written = db.prepare_cached(sql)?.execute(params![
        endpoint.id,
        signed(endpoint.revision),
        endpoint.url,
        endpoint.description,
        json(endpoint.events.iter().map(AsRef::as_ref)),
        endpoint.active,
        secret.map(Secret::expose),
        signed(endpoint.updated_ms),
    ])?;
    if written == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn remove(db: &Connection, id: &str, revision: u64, entry: &AuditEntry) -> Result<Written, StoreError> {
    let sql = "DELETE FROM webhook_endpoints WHERE id = ?1 AND revision = ?2";
    if db.prepare_cached(sql)?.execute(params![id, signed(revision)])? == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}
