//! Keys: what the edge reads of them is here, what people see and set of them in the files below.

mod details;
mod write;

pub(super) use details::{details, list};
pub(super) use write::{add, remove, replace, replace_keeping};

use super::db::{Connection, Row, ToValue};
use super::row::{Columns, signed};
use super::{operations, roles};
use crate::store::{StoreError, Terms, TokenRecord, TokenRow};
use crate::token::{Digest, KeyFamily, Permissions, ProjectId, Reach, TokenId};
use ipnet::IpNet;
use std::collections::HashMap;
use std::sync::Arc;

/// Every column of a record, with the standing of who made the key. In this order: see [`column`].
const SELECT: &str = r#"
SELECT t."row", t.id, t.digest, t.name, t.expires_ms, t.active, t.version,
       t.family, t.organization, t.project, t.permissions, t.scopes, t.addresses, t.created_by, m.role,
       m.custom_role, r.name AS role_name, r.permissions AS role_permissions
FROM tokens t
LEFT JOIN users u ON u.id = t.created_by AND u.active
LEFT JOIN memberships m ON m.person = u.id AND m.organization = t.organization
LEFT JOIN roles r ON r.id = m.custom_role
"#;

/// Places of columns in [`SELECT`]: of a million keys, each is asked for by its place and not by its name.
mod column {
    pub(super) const ROW: usize = 0;
    pub(super) const ID: usize = 1;
    pub(super) const DIGEST: usize = 2;
    pub(super) const NAME: usize = 3;
    pub(super) const EXPIRES_MS: usize = 4;
    pub(super) const ACTIVE: usize = 5;
    pub(super) const VERSION: usize = 6;
    /// All that terms are made from.
    pub(super) const TERMS: std::ops::Range<usize> = 7..18;
}

pub(super) fn by_digest(db: &Connection, digest: &Digest) -> Result<Option<TokenRecord>, StoreError> {
    if let Some(present) = one(db, "WHERE t.digest = ?1", &digest.0)? {
        return Ok(Some(present));
    }
    let Some((id, until_ms)) = operations::retiring(db, digest)? else { return Ok(None) };
    let found = one(db, "WHERE t.id = ?1", &&*id.text())?;
    Ok(found.map(|record| TokenRecord {
        digest: *digest,
        expires_ms: Some(record.expires_ms.map_or(until_ms, |expires_ms| expires_ms.min(until_ms))),
        retiring: true,
        ..record
    }))
}

pub(super) fn by_id(db: &Connection, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
    one(db, "WHERE t.id = ?1", &&*id.text())
}

pub(super) fn rows_after(db: &Connection, after: u64, most: usize) -> Result<Vec<TokenRow>, StoreError> {
    let sql = r#"SELECT "row", last_used_ms FROM tokens WHERE "row" > ?1 ORDER BY "row" LIMIT ?2"#;
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(after), i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "tokens" };
        // It only decides who comes first.
        let last_used_ms = columns.optional_number("last_used_ms").ok().flatten().unwrap_or(0);
        found.push(TokenRow { row: columns.number("row")?, last_used_ms });
    }
    Ok(found)
}

pub(super) fn by_rows(db: &Connection, mut rows: Vec<u64>) -> Result<Vec<TokenRecord>, StoreError> {
    // Neighbours are on one page of the file.
    rows.sort_unstable();
    let mut records = Vec::with_capacity(rows.len());
    let mut seen = SeenTerms::default();
    if db.is_postgres() {
        // All at once, because each question takes a way there and back.
        let wanted: Vec<i64> = rows.into_iter().map(signed).collect();
        let mut statement = db.prepare_cached(&format!(r#"{SELECT} WHERE t."row" = ANY(?1)"#))?;
        let mut found = statement.query([wanted])?;
        while let Some(row) = found.next()? {
            records.push(record(row, &mut seen)?);
        }
        return Ok(records);
    }
    let mut statement = db.prepare_cached(&format!(r#"{SELECT} WHERE t."row" = ?1"#))?;
    for row in rows {
        let mut found = statement.query([signed(row)])?;
        records.extend(found.next()?.map(|row| record(row, &mut seen)).transpose()?);
    }
    Ok(records)
}

pub(super) fn expiring(db: &Connection, from_ms: u64, until_ms: u64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM tokens WHERE active AND expires_ms > ?1 AND expires_ms <= ?2";
    let count: i64 =
        db.prepare_cached(sql)?.query_row([signed(from_ms), signed(until_ms)], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn one(db: &Connection, condition: &str, value: &dyn ToValue) -> Result<Option<TokenRecord>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} {condition}"))?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(|row| record(row, &mut SeenTerms::default())).transpose()
}

/// Terms that were read already, by the columns that they are made from: many keys have the same, and to decode them takes
/// longer than all the rest.
#[derive(Default)]
struct SeenTerms {
    by_columns: HashMap<Box<[u8]>, Arc<Terms>, foldhash::fast::RandomState>,
    /// The columns of the present row.
    columns: Vec<u8>,
}

impl SeenTerms {
    fn of(&mut self, row: Row<'_>) -> Result<Arc<Terms>, StoreError> {
        self.columns.clear();
        for column in column::TERMS {
            // NULL is told from an empty text, and where one ends from where the next one begins.
            let text = row.get_ref(column)?.as_str_or_null()?;
            let length = text.map_or(u32::MAX, |text| text.len() as u32);
            self.columns.extend(length.to_le_bytes());
            self.columns.extend(text.unwrap_or_default().as_bytes());
        }
        if let Some(terms) = self.by_columns.get(&*self.columns) {
            return Ok(Arc::clone(terms));
        }
        let terms = Arc::new(terms(&Columns { row, table: "tokens" })?);
        self.by_columns.insert(self.columns.as_slice().into(), Arc::clone(&terms));
        Ok(terms)
    }
}

fn record(row: Row<'_>, seen: &mut SeenTerms) -> Result<TokenRecord, StoreError> {
    let columns = Columns { row, table: "tokens" };
    let text = |column: usize| -> Result<&str, StoreError> {
        row.get_ref(column)?.as_str().map_err(|error| columns.corrupt(error.to_string()))
    };
    let number = |column: usize| -> Result<u64, StoreError> {
        let value: i64 = row.get(column)?;
        u64::try_from(value).map_err(|_| columns.corrupt(format!("a number is {value}")))
    };
    let expires: Option<i64> = row.get(column::EXPIRES_MS)?;
    Ok(TokenRecord {
        terms: seen.of(row)?,
        expires_ms: expires.map(|_| number(column::EXPIRES_MS)).transpose()?,
        active: row.get(column::ACTIVE)?,
        version: number(column::VERSION)?,
        retiring: false,
        id: text(column::ID)?.into(),
        digest: Digest(row.get(column::DIGEST)?),
        row: number(column::ROW)?,
        name: text(column::NAME)?.into(),
    })
}

fn terms(columns: &Columns<'_>) -> Result<Terms, StoreError> {
    let family = family(columns)?;
    Ok(Terms {
        family,
        organization: columns.text("organization")?.into(),
        reach: reach(columns.optional_text("project")?.map(Into::into)),
        permissions: effective(columns, family)?,
        scopes: columns.list("scopes")?.into(),
        addresses: addresses(columns)?,
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
