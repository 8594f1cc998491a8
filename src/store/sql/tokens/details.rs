//! Keys as people see them: one, or a part of a list.

use super::super::row::{Columns, signed};
use super::{addresses, family, reach};
use crate::store::StoreError;
use crate::store::management::{Page, Token, TokenFilter, TokenOrder, TokenPage, TokenSort};
use crate::store::sql::db::{Connection, Row, Value};
use crate::token::{Permissions, TokenId};
use serde_json::{Map, Value as Json};

/// Every column of a [`Token`].
const SELECT: &str = r#"
SELECT id, family, name, description, organization, project, permissions, scopes, expires_ms, lifetime_ms, active,
       addresses, prefix, extras, created_by, created_ms, updated_ms, usage_count, last_used_ms, revision
FROM tokens
"#;

/// The key with this id.
pub(in crate::store::sql) fn details(db: &Connection, id: &TokenId) -> Result<Option<Token>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([&*id.text()])?;
    rows.next()?.map(token).transpose()
}

/// A part of an organization's keys, in the order that is asked for.
pub(in crate::store::sql) fn list(
    db: &Connection,
    filter: &TokenFilter,
    page: Page,
) -> Result<TokenPage, StoreError> {
    let conditions = Conditions::of(filter);
    let Some(search) = &filter.search else { return conditions.page(db, page) };
    // Compared here, because SQLite folds the case of ASCII only.
    let found = conditions.holding(db, &search.to_lowercase())?;
    let from = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let mut tokens = Vec::new();
    for row in found.iter().skip(from).take(page.limit as usize) {
        tokens.extend(one(db, *row)?);
    }
    Ok(TokenPage { tokens, total: found.len() as u64 })
}

fn one(db: &Connection, row: i64) -> Result<Option<Token>, StoreError> {
    let mut statement = db.prepare_cached(&format!(r#"{SELECT} WHERE "row" = ?1"#))?;
    let mut rows = statement.query([row])?;
    rows.next()?.map(token).transpose()
}

/// The `WHERE` of a filter, and its values.
struct Conditions {
    sql: String,
    values: Vec<Value>,
    order: &'static str,
}

/// The `ORDER BY` of an order. Where values are the same it is the order of making, so that no key is on two pages.
fn order(order: TokenOrder) -> &'static str {
    match (order.by, order.descending) {
        (TokenSort::Made, false) => "created_ms, id",
        (TokenSort::Made, true) => "created_ms DESC, id DESC",
        (TokenSort::Name, false) => "lower(name), created_ms, id",
        (TokenSort::Name, true) => "lower(name) DESC, created_ms, id",
        (TokenSort::Expiry, false) => "expires_ms NULLS LAST, created_ms, id",
        (TokenSort::Expiry, true) => "expires_ms DESC NULLS FIRST, created_ms, id",
        (TokenSort::LastUse, false) => "last_used_ms NULLS FIRST, created_ms, id",
        (TokenSort::LastUse, true) => "last_used_ms DESC NULLS LAST, created_ms, id",
        (TokenSort::Uses, false) => "usage_count, created_ms, id",
        (TokenSort::Uses, true) => "usage_count DESC, created_ms, id",
    }
}

impl Conditions {
    fn of(filter: &TokenFilter) -> Self {
        let mut all = Self { sql: "WHERE true".to_owned(), values: Vec::new(), order: order(filter.order) };
        if let Some(organization) = &filter.organization {
            all.add(" AND organization = ?", Value::Text(organization.to_string()));
        }
        if let Some(position) = &filter.after {
            all.add(" AND (created_ms, id) > (?", Value::Integer(signed(position.created_ms)));
            all.add(", ?)", Value::Text(position.id.clone()));
        }
        if let Some(family) = filter.family {
            all.add(" AND family = ?", Value::Text(family.as_str().to_owned()));
        }
        if let Some(person) = &filter.created_by {
            all.add(" AND created_by = ?", Value::Text(person.to_string()));
        }
        if let Some(one_project) = filter.one_project {
            all.add(" AND (project IS NOT NULL) = ?", Value::Bool(one_project));
        }
        if let Some(active) = filter.active {
            all.add(" AND active = ?", Value::Bool(active));
        }
        if let Some(project) = &filter.project {
            all.add(" AND project = ?", Value::Text(project.to_string()));
        }
        all
    }

    fn add(&mut self, sql: &str, value: Value) {
        self.sql.push_str(sql);
        self.values.push(value);
    }

    fn page(self, db: &Connection, page: Page) -> Result<TokenPage, StoreError> {
        let Self { sql, mut values, order } = self;
        let total: i64 = db
            .prepare_cached(&format!("SELECT count(*) FROM tokens {sql}"))?
            .query_row(&values, |row| row.get(0))?;
        values.extend([Value::Integer(page.limit.into()), Value::Integer(signed(page.offset))]);
        let sql = format!(r#"{SELECT} {sql} ORDER BY {order} LIMIT ? OFFSET ?"#);
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(&values)?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next()? {
            tokens.push(token(row)?);
        }
        Ok(TokenPage { tokens, total: total.unsigned_abs() })
    }

    /// The rows whose name or description holds `text`, which is in lower case.
    fn holding(self, db: &Connection, text: &str) -> Result<Vec<i64>, StoreError> {
        let Self { sql, values, order } = self;
        let sql = format!(r#"SELECT "row", name, description FROM tokens {sql} ORDER BY {order}"#);
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(&values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, description): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            let has = |said: &str| said.to_lowercase().contains(text);
            if has(&name) || description.is_some_and(|description| has(&description)) {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    }
}

fn token(row: Row<'_>) -> Result<Token, StoreError> {
    let columns = Columns { row, table: "tokens" };
    Ok(Token {
        id: columns.text("id")?.into(),
        family: family(&columns)?,
        name: columns.text("name")?,
        description: columns.optional_text("description")?,
        organization: columns.text("organization")?.into(),
        reach: reach(columns.optional_text("project")?.map(Into::into)),
        permissions: Permissions::new(columns.list("permissions")?),
        scopes: columns.list("scopes")?,
        expires_ms: columns.optional_number("expires_ms")?,
        lifetime_ms: columns.optional_number("lifetime_ms")?,
        active: columns.flag("active")?,
        addresses: addresses(&columns)?,
        prefix: columns.optional_text("prefix")?,
        extras: extras(&columns)?,
        created_by: columns.optional_text("created_by")?.map(Into::into),
        created_ms: columns.number("created_ms")?,
        updated_ms: columns.number("updated_ms")?,
        usage_count: columns.number("usage_count")?,
        last_used_ms: columns.optional_number("last_used_ms")?,
        revision: columns.number("revision")?,
    })
}

fn extras(columns: &Columns<'_>) -> Result<Map<String, Json>, StoreError> {
    let Some(text) = columns.optional_text("extras")? else { return Ok(Map::new()) };
    serde_json::from_str(&text).map_err(|_| columns.corrupt("extras are no object".to_owned()))
}
