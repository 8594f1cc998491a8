//! Keys: what the edge reads of them is here, what people see and set of them in the files below.

mod details;
mod write;

pub(super) use details::{details, list};
pub(super) use write::{add, remove, replace, replace_keeping};

use super::operations;
use super::row::{Columns, signed};
use crate::store::{StoreError, TokenRecord};
use crate::token::{Digest, KeyFamily, Permissions, ProjectId, Reach, Role, TokenId};
use ipnet::IpNet;
use rusqlite::{Connection, Row, ToSql};

/// Every column of a record, with the standing of who made the key.
const SELECT: &str = r#"
SELECT t."row", t.id, t.digest, t.family, t.name, t.organization, t.project, t.permissions, t.scopes,
       t.expires_ms, t.active, t.addresses, t.version, t.created_by, m.role
FROM tokens t
LEFT JOIN users u ON u.id = t.created_by AND u.active
LEFT JOIN memberships m ON m.person = u.id AND m.organization = t.organization
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
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
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
    Ok(TokenRecord {
        id: columns.text("id")?.into(),
        row: columns.number("row")?,
        digest: Digest(row.get("digest")?),
        family,
        name: columns.text("name")?,
        organization: columns.text("organization")?.into(),
        reach: reach(columns.optional_text("project")?.map(Into::into)),
        permissions: effective(&columns, family)?,
        scopes: columns.list("scopes")?.into(),
        expires_ms: columns.optional_number("expires_ms")?,
        active: columns.flag("active")?,
        addresses: addresses(&columns)?,
        version: columns.number("version")?,
        retiring: false,
    })
}

fn family(columns: &Columns<'_>) -> Result<KeyFamily, StoreError> {
    let name = columns.text("family")?;
    let known = [KeyFamily::Ocriva, KeyFamily::Ocore].into_iter().find(|family| family.as_str() == name);
    known.ok_or_else(|| columns.corrupt(format!("{name} is no family of keys")))
}

fn addresses(columns: &Columns<'_>) -> Result<Vec<IpNet>, StoreError> {
    let networks = columns.list("addresses")?;
    let network = |text: &str| text.parse().map_err(|_| columns.corrupt(format!("{text} is no network")));
    networks.iter().map(|text| network(text)).collect()
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
    let Some(role) = columns.optional_text("role")? else { return Ok(Permissions::default()) };
    let role = Role::from_name(&role).ok_or_else(|| columns.corrupt(format!("{role} is no role")))?;
    Ok(granted.within(&role.permissions()))
}
