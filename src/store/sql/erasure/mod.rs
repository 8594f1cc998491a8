//! Takes who somebody was out of everything that is kept of them: what is left names an opaque id.

mod somebody;

use super::db::{Connection, Value as Sql, params};
use super::{Database, audit, operations};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Erased, Written};
use crate::token::OrganizationId;
use serde_json::Value;
use somebody::Somebody;
use std::time::Duration;

/// How long a look at everything may take.
const SEARCH: Duration = Duration::from_secs(300);
/// Rows in which one transaction erases somebody.
const AT_ONCE: usize = 1024;
/// What stands before a character of an address that would stand for any other.
const ESCAPED: &str = "ESCAPE '!'";

/// What of a table is looked through.
struct Place {
    table: &'static str,
    key: &'static str,
    /// Whose id says that a row is about somebody.
    about: &'static [&'static str],
    /// Plain texts, and JSON.
    texts: &'static [&'static str],
    json: &'static [&'static str],
}

const PLACES: &[Place] = &[
    Place {
        table: "audit",
        key: "sequence",
        about: &["actor", "entity"],
        texts: &["actor_name", "entity", "entity_name"],
        json: &["before", "after"],
    },
    Place { table: "webhook_events", key: "id", about: &[], texts: &[], json: &["body"] },
    Place {
        table: "operations",
        key: "sequence",
        about: &["actor"],
        texts: &["actor_name", "error"],
        json: &["parameters"],
    },
    Place { table: "tokens", key: "row", about: &[], texts: &["name", "description"], json: &["extras"] },
    Place { table: "projects", key: "id", about: &[], texts: &["name", "description"], json: &[] },
    Place { table: "roles", key: "id", about: &[], texts: &["name", "description"], json: &[] },
    Place { table: "organizations", key: "id", about: &[], texts: &["name"], json: &[] },
    Place { table: "webhook_endpoints", key: "row", about: &[], texts: &["description", "url"], json: &[] },
];

/// A row that may name somebody.
#[derive(Clone, Debug)]
struct Row {
    place: usize,
    key: Sql,
}

/// Erases a person who is named so, or whose account it is (issuer and subject).
pub(super) async fn person(
    store: &Database,
    named: String,
    account: Option<(String, String)>,
    entry: AuditEntry,
) -> Result<Erased, StoreError> {
    let who = store.ask(move |db| Somebody::known(db, &named, account.as_ref())).await?;
    let mut altered = 0;
    // Once more as long as there was something: it may have been written while it was looked for.
    loop {
        let before = altered;
        let somebody = who.clone();
        let (found, exports) = store.ask(move |db| find(db, &somebody)).await?;
        let (somebody, note) = (who.clone(), (altered == 0).then(|| entry.clone()));
        altered += store.write(move |db| leftovers(db, &somebody, &exports, note.as_ref())).await?;
        // Not all in one transaction, for which everybody would wait who writes.
        for some in found.chunks(AT_ONCE) {
            let (somebody, some) = (who.clone(), some.to_vec());
            let note = (altered == 0).then(|| entry.clone());
            altered += store.write(move |db| rows(db, &somebody, &some, note.as_ref())).await?;
        }
        if altered == before {
            return Ok(Erased { ids: who.ids.into_iter().collect(), rows: altered });
        }
    }
}

/// Where somebody may be named. It is looked for apart from what alters it: that takes long, and everybody would wait who
/// writes.
fn find(db: &Connection, who: &Somebody) -> Result<(Vec<Row>, Vec<String>), StoreError> {
    db.wait_at_most(SEARCH)?;
    let mut rows = Vec::new();
    for (number, place) in PLACES.iter().enumerate() {
        rows.extend(place.find(db, who)?.into_iter().map(|key| Row { place: number, key }));
    }
    Ok((rows, exports(db, who)?))
}

/// Erases somebody in these rows, and has it noted where that altered something.
fn rows(
    db: &Connection,
    who: &Somebody,
    rows: &[Row],
    entry: Option<&AuditEntry>,
) -> Result<u64, StoreError> {
    overwriting(db)?;
    let altered = audit::rewritten(db, |db| {
        rows.iter().try_fold(0, |sum, row| Ok(sum + PLACES[row.place].erase(db, who, &row.key)?))
    })?;
    noted(db, who, altered, entry)
}

/// Removes what waits for somebody, and exports that name them: made again, they do not.
fn leftovers(
    db: &Connection,
    who: &Somebody,
    exports: &[String],
    entry: Option<&AuditEntry>,
) -> Result<u64, StoreError> {
    overwriting(db)?;
    let mut altered = 0;
    for email in &who.emails {
        altered += db.execute("DELETE FROM invitations WHERE lower(email) = ?1", [email])?;
    }
    for operation in exports {
        altered += db.execute("DELETE FROM operation_pieces WHERE operation = ?1", [operation])?;
        db.execute("UPDATE operations SET result_ms = NULL WHERE id = ?1", [operation])?;
    }
    noted(db, who, altered as u64, entry)
}

fn noted(
    db: &Connection,
    who: &Somebody,
    altered: u64,
    entry: Option<&AuditEntry>,
) -> Result<u64, StoreError> {
    if let Some(entry) = entry.filter(|_| altered > 0) {
        let entity = who.ids.first().cloned().unwrap_or_default();
        audit::append(db, &AuditEntry { entity, ..entry.clone() })?;
    }
    Ok(altered)
}

/// What is deleted is overwritten too, and not only given free.
fn overwriting(db: &Connection) -> Result<(), StoreError> {
    if !db.is_postgres() {
        db.execute_batch("PRAGMA secure_delete = ON")?;
    }
    Ok(())
}

/// Erases what is left of an organization that is gone. [`Written::Moved`] while it is there, or something of it is under way.
pub(super) fn organization(
    db: &Connection,
    id: &OrganizationId,
    entry: &AuditEntry,
) -> Result<(Written, u64), StoreError> {
    let there = "SELECT 1 FROM organizations WHERE id = ?1";
    if db.prepare_cached(there)?.exists([id.as_str()])? || operations::are_under_way(db, id)? {
        return Ok((Written::Moved, 0));
    }
    overwriting(db)?;
    let rows = audit::rewritten(db, |db| {
        let mut rows = 0;
        for table in ["operations", "webhook_deliveries", "webhook_endpoints", "webhook_events", "audit"] {
            rows += db.execute(&format!("DELETE FROM {table} WHERE organization = ?1"), [id.as_str()])?;
        }
        Ok(rows as u64)
    })?;
    if rows > 0 {
        audit::append(db, entry)?;
    }
    Ok((Written::Done, rows))
}

/// Operations whose results name them.
fn exports(db: &Connection, who: &Somebody) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for email in &who.emails {
        let sql = format!("SELECT operation, text FROM operation_pieces WHERE lower(text) LIKE ?1 {ESCAPED}");
        let pieces: Vec<(String, String)> =
            db.prepare_cached(&sql)?.query_all([like(email)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.extend(
            pieces.into_iter().filter(|(_, text)| who.is_named_in(text)).map(|(operation, _)| operation),
        );
    }
    found.dedup();
    Ok(found)
}

/// What is found by this is looked at once more.
fn like(email: &str) -> String {
    format!("%{}%", email.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}

impl Place {
    /// Keys of the rows that may name them.
    fn find(&self, db: &Connection, who: &Somebody) -> Result<Vec<Sql>, StoreError> {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for id in &who.ids {
            for column in self.about {
                conditions.push(format!("{column} = ?"));
                values.push(Sql::Text(id.clone()));
            }
        }
        for email in &who.emails {
            for column in self.columns() {
                conditions.push(format!("lower({column}) LIKE ? {ESCAPED}"));
                values.push(Sql::Text(like(email)));
            }
        }
        if conditions.is_empty() {
            return Ok(Vec::new());
        }
        let (key, table, holds) = (self.key, self.table, conditions.join(" OR "));
        let sql = format!("SELECT \"{key}\" FROM {table} WHERE {holds}");
        Ok(db.prepare_cached(&sql)?.query_all(&values, |row| row.get(0))?)
    }

    fn columns(&self) -> Vec<&'static str> {
        [self.texts, self.json].concat()
    }

    fn erase(&self, db: &Connection, who: &Somebody, key: &Sql) -> Result<u64, StoreError> {
        let columns = self.columns();
        let all = [&columns[..], self.about].concat();
        let sql = format!("SELECT {} FROM {} WHERE \"{}\" = ?1", all.join(", "), self.table, self.key);
        let found = db.prepare_cached(&sql)?.query_all(params![key], |row| {
            (0..all.len()).map(|at| row.get(at)).collect::<Result<Vec<Option<String>>, _>>()
        })?;
        let Some(texts) = found.into_iter().next() else { return Ok(0) };
        self.erase_in(db, who, &columns, key, &texts)
    }

    fn erase_in(
        &self,
        db: &Connection,
        who: &Somebody,
        columns: &[&str],
        key: &Sql,
        texts: &[Option<String>],
    ) -> Result<u64, StoreError> {
        let (texts, about) = texts.split_at(columns.len());
        let is = |id: &Option<String>| id.as_ref().is_some_and(|id| who.ids.contains(id));
        let is_about = about.iter().any(is) || texts.iter().flatten().any(|text| who.is_named_in(text));
        let mut altered = 0;
        for (number, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            let Some(left) = self.left(who, number, text, is_about) else { continue };
            let sql =
                format!("UPDATE {} SET {} = ?1 WHERE \"{}\" = ?2", self.table, columns[number], self.key);
            altered = db.prepare_cached(&sql)?.execute(params![left, key])?;
        }
        // Where they were when they did it, and with what. Nobody is known where a login has failed.
        if self.table == "audit" && is_about {
            let sql = "UPDATE audit SET address = NULL, user_agent = NULL WHERE sequence = ?1
                       AND (address IS NOT NULL OR user_agent IS NOT NULL) AND (actor_kind = 'anonymous' OR actor = ?2)";
            let actor = about.first().cloned().flatten().unwrap_or_default();
            let acted = if who.ids.contains(&actor) { actor } else { String::new() };
            altered += db.prepare_cached(sql)?.execute(params![key, acted])?;
        }
        Ok(u64::from(altered > 0))
    }

    fn left(&self, who: &Somebody, number: usize, text: &str, is_about: bool) -> Option<String> {
        if number < self.texts.len() {
            return who.without(text, is_about);
        }
        let Ok(mut json) = serde_json::from_str::<Value>(text) else { return who.without(text, is_about) };
        let before = json.clone();
        who.without_in(&mut json, is_about);
        (json != before).then(|| json.to_string())
    }
}
