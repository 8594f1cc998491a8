//! Keys: what the edge reads of them is here, what people see and set of them in the files below.

mod details;
mod write;

pub(super) use details::{details, list};
pub(super) use write::{add, remove, replace, replace_keeping};

use super::row::{Columns, signed};
use super::{operations, roles};
use crate::store::{StoreError, Terms, TokenRecord};
use crate::token::{Digest, KeyFamily, Permissions, ProjectId, Reach, TokenId};
use ipnet::IpNet;
use rusqlite::{Connection, Row, ToSql};
use std::collections::HashSet;
use std::sync::Arc;

/// Every column of a record, with the standing of who made the key.
const SELECT: &str = r#"
SELECT t."row", t.id, t.digest, t.family, t.name, t.organization, t.project, t.permissions, t.scopes,
       t.expires_ms, t.active, t.addresses, t.version, t.created_by, m.role,
       m.custom_role, r.name AS role_name, r.permissions AS role_permissions
FROM tokens t
LEFT JOIN users u ON u.id = t.created_by AND u.active
LEFT JOIN memberships m ON m.person = u.id AND m.organization = t.organization
LEFT JOIN roles r ON r.id = m.custom_role
"#;

pub(super) fn by_digest(db: &Connection, digest: &Digest) -> Result<Option<TokenRecord>, StoreError> {
    if let Some(present) = one(db, "WHERE t.digest = ?1", &digest.0)? {
        return Ok(Some(present));
    }
    let Some((id, until_ms)) = operations::retiring(db, digest)? else { return Ok(None) };
    let found = one(db, "WHERE t.id = ?1", &id.as_str())?;
    Ok(found.map(|record| TokenRecord {
        digest: *digest,
        expires_ms: Some(record.expires_ms.map_or(until_ms, |expires_ms| expires_ms.min(until_ms))),
        retiring: true,
        ..record
    }))
}

pub(super) fn by_id(db: &Connection, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
    one(db, "WHERE t.id = ?1", &id.as_str())
}

pub(super) fn latest_used(db: &Connection, limit: usize) -> Result<Vec<TokenRecord>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement =
        db.prepare_cached(&format!(r#"{SELECT} ORDER BY t.last_used_ms DESC, t."row" LIMIT ?1"#))?;
    let mut rows = statement.query([limit])?;
    let mut records = Vec::new();
    // A million keys have few different terms: each is held once from the beginning.
    let mut seen: HashSet<Arc<Terms>> = HashSet::new();
    while let Some(row) = rows.next()? {
        let mut record = record(row)?;
        match seen.get(&record.terms) {
            Some(terms) => record.terms = Arc::clone(terms),
            None => drop(seen.insert(Arc::clone(&record.terms))),
        }
        records.push(record);
    }
    Ok(records)
}

pub(super) fn expiring(db: &Connection, from_ms: u64, until_ms: u64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM tokens WHERE active AND expires_ms > ?1 AND expires_ms <= ?2";
    let count: i64 =
        db.prepare_cached(sql)?.query_row([signed(from_ms), signed(until_ms)], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn one(db: &Connection, condition: &str, value: &dyn ToSql) -> Result<Option<TokenRecord>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} {condition}"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(record).transpose()
}

fn record(row: &Row<'_>) -> Result<TokenRecord, StoreError> {
    let columns = Columns { row, table: "tokens" };
    let family = family(&columns)?;
    let terms = Terms {
        family,
        organization: columns.text("organization")?.into(),
        reach: reach(columns.optional_text("project")?.map(Into::into)),
        permissions: effective(&columns, family)?,
        scopes: columns.list("scopes")?.into(),
        addresses: addresses(&columns)?,
    };
    Ok(TokenRecord {
        terms: Arc::new(terms),
        expires_ms: columns.optional_number("expires_ms")?,
        active: columns.flag("active")?,
        version: columns.number("version")?,
        retiring: false,
        id: columns.text("id")?.into(),
        digest: Digest(row.get("digest")?),
        row: columns.number("row")?,
        name: columns.text("name")?.into(),
    })
}

fn family(columns: &Columns<'_>) -> Result<KeyFamily, StoreError> {
    let name = columns.text("family")?;
    let known = [KeyFamily::Ocriva, KeyFamily::Ocore].into_iter().find(|family| family.as_str() == name);
    known.ok_or_else(|| columns.corrupt(format!("{name} is no family of keys")))
}

fn addresses(columns: &Columns<'_>) -> Result<Vec<IpNet>, StoreError> {
    let mut addresses = Vec::new();
    for network in columns.list("addresses")? {
        addresses.push(network.parse().map_err(|_| columns.corrupt(format!("{network} is no network")))?);
    }
    Ok(addresses)
}

fn reach(project: Option<ProjectId>) -> Reach {
    project.map_or(Reach::Organization, Reach::Project)
}

/// What the key grants: an ocore key that a person made, no more than that person's role does at present.
fn effective(columns: &Columns<'_>, family: KeyFamily) -> Result<Permissions, StoreError> {
    let granted = Permissions::new(columns.list("permissions")?);
    if family != KeyFamily::Ocore || columns.optional_text("created_by")?.is_none() {
        return Ok(granted);
    }
    // No role: no member of the organization any more, or blocked.
    if columns.optional_text("role")?.is_none() {
        return Ok(Permissions::default());
    }
    Ok(granted.within(&roles::of_member(columns)?.permissions()))
}
