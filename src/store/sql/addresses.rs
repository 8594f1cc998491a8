//! Addresses that keys were used from, for the organizations that want to be told of a new one.

use super::db::{Connection, params};
use super::outbox;
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::management::{EVERY_EVENT, Event, FIRST_SEEN_ADDRESS};
use crate::token::{OrganizationId, ProjectId};
use ipnet::Ipv6Net;
use serde_json::json;
use std::net::IpAddr;

/// Bits of an IPv6 address that name a network; the rest changes by itself.
const IPV6_BITS: u8 = 64;

pub(super) fn tell(db: &Connection, uses: &[(u64, IpAddr, u64)], most: u32) -> Result<(), StoreError> {
    for (row, address, at_ms) in uses {
        one(db, *row, *address, *at_ms, most)?;
    }
    Ok(())
}

fn one(db: &Connection, row: u64, address: IpAddr, at_ms: u64, most: u32) -> Result<(), StoreError> {
    let sql = r#"SELECT id, name, organization, project FROM tokens WHERE "row" = ?1"#;
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(row)])?;
    let Some(found) = rows.next()? else { return Ok(()) };
    let columns = Columns { row: found, table: "tokens" };
    let organization: OrganizationId = columns.text("organization")?.into();
    let endpoints = outbox::wanting(db, &organization, FIRST_SEEN_ADDRESS)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let network = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, IPV6_BITS).trunc().to_string(),
    };
    let sql = "INSERT INTO token_addresses (token, address, first_ms)
               SELECT CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS BIGINT)
               WHERE (SELECT count(*) FROM token_addresses WHERE token = ?1) < ?4
               ON CONFLICT (token, address) DO NOTHING";
    if db.prepare_cached(sql)?.execute(params![signed(row), network, signed(at_ms), most])? == 0 {
        return Ok(());
    }
    let token = json!({ "id": columns.text("id")?, "name": columns.text("name")? });
    let project = columns.optional_text("project")?.map(ProjectId::from);
    let data = json!({ "token": token, "address": address.to_string(), "network": network });
    let event = Event { kind: FIRST_SEEN_ADDRESS, project, data };
    outbox::write(db, &endpoints, &organization, &event, at_ms)
}

/// Changes with whoever wants to be told, and with what they want.
pub(super) fn wanted(db: &Connection) -> Result<u64, StoreError> {
    // Events are a JSON array of names that need no escapes. One too many is no harm: it is only who looks again.
    let [any, this] = [EVERY_EVENT, FIRST_SEEN_ADDRESS].map(|name| format!("%\"{name}\"%"));
    let sql =
        "SELECT count(*), CAST(coalesce(sum(\"row\" * 31 + revision), 0) AS BIGINT) FROM webhook_endpoints
               WHERE active AND (events LIKE ?1 OR events LIKE ?2)";
    let wanted: (i64, i64) =
        db.prepare_cached(sql)?.query_row([any, this], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(if wanted.0 == 0 { 0 } else { wanted.1.unsigned_abs().max(1) })
}
