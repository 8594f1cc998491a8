//! Takes who somebody was out of everything that is kept of them: what is left names an opaque id.

use super::db::{Connection, Value as Sql, params};
use super::row::signed;
use super::{audit, operations};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, Erased, Written};
use crate::token::OrganizationId;
use serde_json::Value;
use std::collections::BTreeSet;

/// What stands where somebody was named.
const NOBODY: &str = "erased";

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

/// Somebody, as far as it is known: under one account after the other.
#[derive(Debug, Default)]
struct Somebody {
    ids: BTreeSet<String>,
    emails: BTreeSet<String>,
    names: BTreeSet<String>,
}

/// Erases whoever has, or had, this id or e-mail address. Only when their account is gone.
pub(super) fn person(
    db: &Connection,
    named: &str,
    also: &[String],
    entry: &AuditEntry,
) -> Result<Erased, StoreError> {
    let who = Somebody::known(db, named, also)?;
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

impl Somebody {
    /// What the log knows of them: every id, address and name that they have had.
    fn known(db: &Connection, named: &str, also: &[String]) -> Result<Self, StoreError> {
        let mut who = Self::default();
        match named.contains('@') {
            true => who.emails.insert(named.trim().to_lowercase()),
            false => who.ids.insert(named.to_owned()),
        };
        for text in also {
            who.learn(text);
        }
        for email in who.emails.clone() {
            let sql = "SELECT DISTINCT entity FROM audit WHERE lower(entity_name) = ?1 AND action LIKE 'user.%'
                       UNION SELECT DISTINCT actor FROM audit WHERE lower(actor_name) = ?1 AND actor_kind = 'user'";
            who.ids.extend(db.prepare_cached(sql)?.query_all([&email], |row| row.get::<_, String>(0))?);
        }
        for id in who.ids.clone() {
            let sql = "SELECT entity_name, before, after FROM audit WHERE entity = ?1 AND action LIKE 'user.%'
                       UNION ALL SELECT actor_name, NULL, NULL FROM audit WHERE actor = ?1 AND actor_kind = 'user'";
            let told = db
                .prepare_cached(sql)?
                .query_all([&id], |row| Ok([row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?]))?;
            for [shown, before, after] in told {
                if let Some(shown) = shown {
                    who.learn(&shown);
                }
                for facts in [before, after].into_iter().flatten() {
                    let facts: Value = serde_json::from_str(&facts).unwrap_or_default();
                    for member in ["email", "name"] {
                        facts[member].as_str().into_iter().for_each(|text| who.learn(text));
                    }
                }
            }
        }
        Ok(who)
    }

    fn learn(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() || text == NOBODY {
            return;
        }
        match text.contains('@') {
            true => self.emails.insert(text.to_lowercase()),
            false => self.names.insert(text.to_owned()),
        };
    }

    /// The text without their addresses; where it is about them, without their names too. None where nothing changes.
    fn without(&self, text: &str, is_about: bool) -> Option<String> {
        if is_about && self.names.iter().any(|name| name == text) {
            return Some(NOBODY.to_owned());
        }
        let mut left = text.to_owned();
        for email in &self.emails {
            left = without_address(&left, email);
        }
        (left != text).then_some(left)
    }

    fn is_named_in(&self, text: &str) -> bool {
        self.without(text, false).is_some()
    }

    fn without_in(&self, json: &mut Value, is_about: bool) {
        match json {
            Value::String(text) => {
                if let Some(left) = self.without(text, is_about) {
                    *text = left;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.without_in(item, is_about)),
            Value::Object(members) => {
                members.iter_mut().for_each(|(_, member)| self.without_in(member, is_about));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// An address as a whole: `ann@example.com` is not in `joann@example.com`.
fn without_address(text: &str, email: &str) -> String {
    let (lower, mut left, mut from) = (text.to_ascii_lowercase(), String::new(), 0);
    let part_before = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    for (at, _) in lower.match_indices(email) {
        let end = at + email.len();
        let mut after = text[end..].chars();
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(char::is_alphanumeric),
            next => next.is_some_and(|c| c.is_alphanumeric() || c == '-'),
        };
        if at < from || goes_on || text[..at].chars().next_back().is_some_and(part_before) {
            continue;
        }
        left.push_str(&text[from..at]);
        left.push_str(NOBODY);
        from = end;
    }
    left.push_str(&text[from..]);
    left
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

/// Forgets some of the entries that are older; false when nothing of them is left.
pub(super) fn forget_audit(db: &Connection, before_ms: u64, most: u32) -> Result<bool, StoreError> {
    let old = "SELECT 1 FROM audit WHERE at_ms < ?1 LIMIT 1";
    if !db.prepare_cached(old)?.exists([signed(before_ms)])? {
        return Ok(false);
    }
    audit::rewritten(db, |db| {
        let sql = "DELETE FROM audit WHERE sequence IN
                   (SELECT sequence FROM audit WHERE at_ms < ?1 ORDER BY sequence LIMIT ?2)";
        Ok(db.prepare_cached(sql)?.execute(params![signed(before_ms), most])? == most as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_erased_as_a_whole_and_nobody_else_s() {
        let left = |text: &str| without_address(text, "ann@example.com");
        assert_eq!(left("Ann@Example.com"), "erased");
        assert_eq!(left("of ann@example.com, and ANN@example.com."), "of erased, and erased.");
        for other in ["joann@example.com", "x.ann@example.com", "ann@example.com.au", "ann@example.community"]
        {
            assert_eq!(left(other), other);
        }
        assert_eq!(left("ก ann@example.com ก"), "ก erased ก");
    }
}
