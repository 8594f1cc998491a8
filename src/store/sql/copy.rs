//! Copies everything that one store has into another, empty one: from a file to a server, or back.
//!
//! What the tables hold is taken over as it is, with every id, number and revision: keys go on being the same keys, and
//! their uses are counted on. Both sides are of the same schema version, so that each column finds its like.

pub(in crate::store) mod backup;
mod checksum;

use super::db::{Connection, Error, Lock, Value, params};
use super::{postgres, sqlite};
use crate::config::{PostgresStore, StoreUrl};
use crate::store::StoreError;
use std::time::Duration;

/// Rows that are read and written at once.
const AT_ONCE: usize = 200;
/// Most time for one statement.
const MOST: Duration = Duration::from_secs(300);

/// A table, and what is copied of it.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What orders its rows, so that reading goes along an index.
    key: &'static [&'static str],
    /// Whether the key is a number that the database gives, never one twice.
    counted: bool,
    pub(super) columns: &'static [&'static str],
}

/// All of them but the roll of nodes, after those that they refer to.
#[rustfmt::skip]
pub(super) const TABLES: &[Table] = &[
    Table { name: "organizations", key: &["id"], counted: false, columns: &["id", "slug", "name", "created_ms", "updated_ms"] },
    Table { name: "projects", key: &["id"], counted: false, columns: &["id", "organization", "name", "description", "active", "created_ms", "updated_ms"] },
    Table { name: "users", key: &["id"], counted: false, columns: &["id", "email", "email_key", "name", "password", "active", "created_ms", "updated_ms", "totp_secret", "totp_enabled_ms", "totp_step", "server_admin"] },
    Table { name: "roles", key: &["id"], counted: false, columns: &["id", "organization", "name", "description", "permissions", "created_ms", "updated_ms"] },
    Table { name: "memberships", key: &["person", "organization"], counted: false, columns: &["person", "organization", "role", "custom_role"] },
    Table { name: "tokens", key: &["row"], counted: true, columns: &["row", "id", "digest", "family", "name", "description", "organization", "project", "permissions", "scopes", "expires_ms", "active", "addresses", "version", "usage_count", "last_used_ms", "created_by", "created_ms", "updated_ms", "prefix", "lifetime_ms", "revision", "extras"] },
    Table { name: "retiring_values", key: &["digest"], counted: false, columns: &["digest", "token", "until_ms"] },
    Table { name: "token_addresses", key: &["token", "address"], counted: false, columns: &["token", "address", "first_ms"] },
    Table { name: "usage_seen", key: &["journal", "slot"], counted: false, columns: &["journal", "slot", "total"] },
    Table { name: "usage_hours", key: &["token", "day", "outcome"], counted: false, columns: &["token", "day", "outcome", "h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9", "h10", "h11", "h12", "h13", "h14", "h15", "h16", "h17", "h18", "h19", "h20", "h21", "h22", "h23"] },
    Table { name: "organization_usage_hours", key: &["organization", "day", "outcome"], counted: false, columns: &["organization", "day", "outcome", "h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9", "h10", "h11", "h12", "h13", "h14", "h15", "h16", "h17", "h18", "h19", "h20", "h21", "h22", "h23"] },
    Table { name: "usage_history", key: &["one"], counted: false, columns: &["one", "since_ms", "keep_ms"] },
    Table { name: "changes", key: &["sequence"], counted: true, columns: &["sequence", "kind", "id", "digest", "mark"] },
    Table { name: "signing_keys", key: &["id"], counted: false, columns: &["id", "algorithm", "private", "signs_from_ms", "retires_ms"] },
    Table { name: "sessions", key: &["id"], counted: false, columns: &["id", "person", "created_ms", "expires_ms", "ended_ms", "address", "user_agent"] },
    Table { name: "refresh_tokens", key: &["digest"], counted: false, columns: &["digest", "session", "created_ms", "expires_ms", "used_ms"] },
    Table { name: "recovery_codes", key: &["person", "digest"], counted: false, columns: &["person", "digest"] },
    Table { name: "partial_logins", key: &["digest"], counted: false, columns: &["digest", "person", "password", "tries", "until_ms"] },
    Table { name: "password_resets", key: &["digest"], counted: false, columns: &["digest", "person", "expires_ms"] },
    Table { name: "invitations", key: &["id"], counted: false, columns: &["id", "digest", "organization", "email", "role", "custom_role", "created_by", "created_ms", "expires_ms"] },
    Table { name: "audit", key: &["sequence"], counted: true, columns: &["sequence", "at_ms", "organization", "actor_kind", "actor", "actor_name", "action", "entity", "entity_name", "address", "user_agent", "request_id", "before", "after"] },
    Table { name: "webhook_endpoints", key: &["row"], counted: true, columns: &["row", "id", "organization", "url", "description", "events", "secret", "active", "failing_since_ms", "disabled_ms", "created_by", "created_ms", "updated_ms", "revision"] },
    Table { name: "webhook_events", key: &["id"], counted: false, columns: &["id", "organization", "type", "body", "at_ms"] },
    Table { name: "webhook_deliveries", key: &["sequence"], counted: true, columns: &["sequence", "id", "event", "endpoint", "organization", "state", "attempts", "created_ms", "next_ms", "finished_ms", "status", "error"] },
    Table { name: "webhook_attempts", key: &["delivery", "number"], counted: false, columns: &["delivery", "number", "at_ms", "duration_ms", "status", "error"] },
    Table { name: "webhook_expiries_told", key: &["token", "expires_ms", "days"], counted: false, columns: &["token", "expires_ms", "days"] },
    Table { name: "operations", key: &["sequence"], counted: true, columns: &["sequence", "id", "organization", "kind", "parameters", "state", "done", "position", "error", "actor", "actor_name", "created_ms", "finished_ms", "result_ms"] },
    Table { name: "operation_values", key: &["operation", "token"], counted: false, columns: &["operation", "token", "sealed"] },
    Table { name: "operation_pieces", key: &["operation", "number"], counted: false, columns: &["operation", "number", "text"] },
    Table { name: "acme_accounts", key: &["directory"], counted: false, columns: &["directory", "credentials"] },
    Table { name: "acme_certificates", key: &["name"], counted: false, columns: &["name", "chain", "key", "obtained_ms"] },
    Table { name: "acme_orders", key: &["name"], counted: false, columns: &["name", "holder", "held_until_ms", "wait_until_ms", "failures"] },
];

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nothing to copy from.
    #[error("there is no store to copy from")]
    Nothing,
    /// There is something in it already.
    #[error("the store that is copied to is not empty: it has rows in `{0}`")]
    NotEmpty(&'static str),
    /// Somebody works on it.
    #[error("{0} sessions of gateways are open on the {1}: end them first")]
    InUse(i64, &'static str),
    /// A store does not answer, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies everything from one store into another, which is made when it is missing.
pub(in crate::store) fn from_to(
    from: &StoreUrl,
    to: &StoreUrl,
) -> Result<Vec<(&'static str, u64)>, CopyError> {
    let from = match from {
        StoreUrl::Sqlite(path) => sqlite::existing(path)?,
        StoreUrl::Postgres(settings) => postgres::existing(&named(settings))?,
    };
    let to = match to {
        StoreUrl::Sqlite(path) => sqlite::made(path)?,
        StoreUrl::Postgres(settings) => postgres::made(&named(settings))?,
    };
    copy(&from.ok_or(CopyError::Nothing)?, &to)
}

/// Under a name of its own, so that it is not taken for a gateway.
fn named(settings: &PostgresStore) -> PostgresStore {
    PostgresStore { application_name: "copy of portcullis".to_owned(), ..settings.clone() }
}

/// Copies everything, or nothing; says how many rows of which table.
fn copy(from: &Connection, to: &Connection) -> Result<Vec<(&'static str, u64)>, CopyError> {
    for (connection, which) in [(from, "store that is copied"), (to, "store that is copied to")] {
        let others = others_that_stay(connection)?;
        if others > 0 {
            return Err(CopyError::InUse(others, which));
        }
    }
    if let Some(table) = to.snapshot(filled)? {
        return Err(CopyError::NotEmpty(table));
    }
    Ok(from.snapshot(|from| to.transaction(Lock::Changes, |to| all(from, to)))?)
}

/// How many sessions of gateways there are, after a moment for those that have just ended.
fn others_that_stay(connection: &Connection) -> Result<i64, StoreError> {
    for _ in 0..20 {
        if connection.snapshot(others)? == 0 {
            return Ok(0);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    connection.snapshot(others)
}

/// How many sessions of other gateways there are. A file's are known by their usage journals.
fn others(db: &Connection) -> Result<i64, StoreError> {
    if !db.is_postgres() {
        return Ok(0);
    }
    // Those of this process are not among them: it has one, under another name.
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND application_name LIKE 'portcullis%' AND pid <> pg_backend_pid()";
    Ok(db.query_row(sql, (), |row| row.get(0))?)
}

/// A table with something in it.
fn filled(db: &Connection) -> Result<Option<&'static str>, StoreError> {
    for table in TABLES {
        if db.prepare_cached(&format!("SELECT 1 FROM {} LIMIT 1", table.name))?.exists(())? {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

fn all(from: &Connection, to: &Connection) -> Result<Vec<(&'static str, u64)>, StoreError> {
    some(from, to, |_| true)
}

fn some(
    from: &Connection,
    to: &Connection,
    is_copied: impl Fn(&Table) -> bool,
) -> Result<Vec<(&'static str, u64)>, StoreError> {
    patient(from)?;
    patient(to)?;
    let mut copied = Vec::new();
    for table in TABLES.iter().filter(|table| is_copied(table)) {
        copied.push((table.name, table.copy(from, to)?));
        if table.counted {
            table.go_on_counting(from, to)?;
        }
    }
    Ok(copied)
}

/// Gives a transaction the time that work on everything takes.
fn patient(db: &Connection) -> Result<(), StoreError> {
    db.wait_at_most(MOST)?;
    if db.is_postgres() {
        // While one side works, the other one hears nothing.
        db.execute_batch("SET LOCAL idle_in_transaction_session_timeout = 0")?;
    }
    Ok(())
}

impl Table {
    fn copy(&self, from: &Connection, to: &Connection) -> Result<u64, StoreError> {
        let select = format!("SELECT {} FROM {} ORDER BY {}", list(self.columns), self.name, list(self.key));
        let mut copied = 0;
        let mut write = |rows: &Vec<Value>| -> Result<(), StoreError> {
            if rows.is_empty() {
                return Ok(());
            }
            self.check(rows)?;
            copied += (rows.len() / self.columns.len()) as u64;
            to.execute(&self.insert(rows.len() / self.columns.len()), rows)?;
            Ok(())
        };
        if from.is_postgres() {
            // All rows at once may be more than there is memory for.
            let cursor = format!("copied_{}", self.name);
            from.execute_batch(&format!("DECLARE {cursor} NO SCROLL CURSOR FOR {select}"))?;
            let fetch = format!("FETCH {AT_ONCE} FROM {cursor}");
            loop {
                let mut values = Vec::new();
                self.read(from, &fetch, |row| {
                    values.extend(row);
                    Ok(())
                })?;
                write(&values)?;
                if values.len() < AT_ONCE * self.columns.len() {
                    break;
                }
            }
            return Ok(copied);
        }
        let mut values = Vec::new();
        self.read(from, &select, |row| {
            values.extend(row);
            if values.len() >= AT_ONCE * self.columns.len() {
                write(&values)?;
                values.clear();
            }
            Ok(())
        })?;
        write(&values)?;
        Ok(copied)
    }

    fn read(
        &self,
        from: &Connection,
        sql: &str,
        mut each: impl FnMut(Vec<Value>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = from.prepare_cached(sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let values: Result<Vec<Value>, Error> = (0..self.columns.len()).map(|at| row.get(at)).collect();
            each(values?)?;
        }
        Ok(())
    }

    /// PostgreSQL has no text with U+0000; better said by name than by its code.
    fn check(&self, rows: &[Value]) -> Result<(), StoreError> {
        let bad = rows.iter().position(|value| matches!(value, Value::Text(text) if text.contains('\0')));
        bad.map_or(Ok(()), |at| {
            let what = format!("{} has the character U+0000", self.columns[at % self.columns.len()]);
            Err(StoreError::Corrupt { table: self.name, what })
        })
    }

    fn insert(&self, rows: usize) -> String {
        let places = format!("({})", vec!["?"; self.columns.len()].join(", "));
        format!(
            "INSERT INTO {} ({}) VALUES {}",
            self.name,
            list(self.columns),
            vec![places.as_str(); rows].join(", ")
        )
    }

    /// The next number is the one that it would have been.
    fn go_on_counting(&self, from: &Connection, to: &Connection) -> Result<(), StoreError> {
        let last = self.last(from)?;
        if last == 0 {
            return Ok(());
        }
        if to.is_postgres() {
            to.prepare_cached("SELECT setval(CAST(CAST(?1 AS TEXT) AS regclass), ?2)")?
                .exists(params![self.sequence(to)?, last])?;
            return Ok(());
        }
        to.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [self.name])?;
        to.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![self.name, last])?;
        Ok(())
    }

    /// The number that was given last; 0 when there was none.
    fn last(&self, db: &Connection) -> Result<i64, StoreError> {
        let sql = if db.is_postgres() {
            format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}", self.sequence(db)?)
        } else {
            format!("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{}'", self.name)
        };
        Ok(db.query_row(&sql, (), |row| row.get(0))?)
    }

    fn sequence(&self, db: &Connection) -> Result<String, StoreError> {
        let sql = "SELECT pg_get_serial_sequence(?1, ?2)";
        Ok(db.query_row(sql, [self.name, self.key[0]], |row| row.get(0))?)
    }
}

fn list(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
