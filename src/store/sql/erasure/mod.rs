//! Takes who somebody was out of everything that is kept of them: what is left names an opaque id.

mod somebody;

use super::db::{Connection, Value as Sql, params};
use super::{audit, operations};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Erased, Written};
use crate::token::OrganizationId;
use serde_json::Value;
use somebody::Somebody;

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

/// Erases whoever has, or had, this id or e-mail address. Only when their account is gone.
pub(super) fn person(
    db: &Connection,
    named: &str,
    account: Option<&(String, String)>,
    entry: &AuditEntry,
) -> Result<Erased, StoreError> {
    let who = Somebody::known(db, named, account)?;
    // What is deleted is overwritten too, and not only given free.
    if !db.is_postgres() {
        db.execute_batch("PRAGMA secure_delete = ON")?;
    }
    let mut rows = invitations(db, &who)? + results(db, &who)?;
    for place in PLACES {
        rows += match place.table {
            "audit" => audit::rewritten(db, |db| place.erase(db, &who))?,
            _ => place.erase(db, &who)?,
        };
    }
    if rows > 0 {
        let entry =
            AuditEntry { entity: who.ids.iter().next().cloned().unwrap_or_default(), ..entry.clone() };
        audit::append(db, &entry)?;
    }
    Ok(Erased { ids: who.ids.into_iter().collect(), rows })
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
    if !db.is_postgres() {
        db.execute_batch("PRAGMA secure_delete = ON")?;
    }
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

/// Those that wait for them.
fn invitations(db: &Connection, who: &Somebody) -> Result<u64, StoreError> {
    let mut rows = 0;
    for email in &who.emails {
        rows += db.execute("DELETE FROM invitations WHERE lower(email) = ?1", [email])?;
    }
    Ok(rows as u64)
}

/// Exports that name them: made again, they do not.
fn results(db: &Connection, who: &Somebody) -> Result<u64, StoreError> {
    let mut rows = 0;
    for email in &who.emails {
        let sql = "SELECT operation, text FROM operation_pieces WHERE lower(text) LIKE ?1";
        let found: Vec<(String, String)> =
            db.prepare_cached(sql)?.query_all([like(email)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (operation, _) in found.iter().filter(|(_, text)| who.is_named_in(text)) {
            rows += db.execute("DELETE FROM operation_pieces WHERE operation = ?1", [operation])?;
            db.execute("UPDATE operations SET result_ms = NULL WHERE id = ?1", [operation])?;
        }
    }
    Ok(rows as u64)
}

/// What is left after this is looked at once more.
fn like(email: &str) -> String {
    format!("%{email}%")
}

impl Place {
    fn erase(&self, db: &Connection, who: &Somebody) -> Result<u64, StoreError> {
        let columns = [self.texts, self.json].concat();
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for id in &who.ids {
            for column in self.about {
                conditions.push(format!("{column} = ?"));
                values.push(Sql::Text(id.clone()));
            }
        }
        for email in &who.emails {
            for column in &columns {
                conditions.push(format!("lower({column}) LIKE ?"));
                values.push(Sql::Text(like(email)));
            }
        }
        if conditions.is_empty() {
            return Ok(0);
        }
        let about = self.about.iter().map(|column| format!(", {column}")).collect::<String>();
        let sql = format!(
            "SELECT \"{}\", {}{about} FROM {} WHERE {}",
            self.key,
            columns.join(", "),
            self.table,
            conditions.join(" OR ")
        );
        let all = columns.len() + self.about.len();
        let found = db.prepare_cached(&sql)?.query_all(&values, |row| {
            let key: Sql = row.get(0)?;
            let texts = (1..=all).map(|at| row.get(at)).collect::<Result<Vec<Option<String>>, _>>()?;
            Ok((key, texts))
        })?;
        let mut rows = 0;
        for (key, texts) in found {
            rows += self.erase_in(db, who, &columns, &key, &texts)?;
        }
        Ok(rows)
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
            altered = db.execute(&sql, params![left, key])?;
        }
        // Where they were when they did it, and with what. Nobody is known where a login has failed.
        if self.table == "audit" && is_about {
            let sql = "UPDATE audit SET address = NULL, user_agent = NULL WHERE sequence = ?1
                       AND (address IS NOT NULL OR user_agent IS NOT NULL) AND (actor_kind = 'anonymous' OR actor = ?2)";
            let actor = about.first().cloned().flatten().unwrap_or_default();
            let acted = if who.ids.contains(&actor) { actor } else { String::new() };
            altered += db.execute(sql, params![key, acted])?;
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
