//! Opens connections, and brings the schema up to date.

use super::in_transaction;
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// One file per version, in order; never edited once released.
const MIGRATIONS: [&str; 9] = [
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_management.sql"),
    include_str!("migrations/0003_people.sql"),
    include_str!("migrations/0004_webhooks.sql"),
    include_str!("migrations/0005_operations.sql"),
    include_str!("migrations/0006_addresses.sql"),
    include_str!("migrations/0007_extras.sql"),
    include_str!("migrations/0008_certificates.sql"),
    include_str!("migrations/0009_nodes.sql"),
];

/// Prepared statements kept per connection.
const STATEMENTS: usize = 64;

/// Makes the database file, for its owner only, before SQLite would make one that others may read. SQLite gives its
/// side files the same rights.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    Ok(())
}

/// The connection that writes; migrates the schema.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect(path)?;
    // FULL: a revocation that was answered must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, &MIGRATIONS)?;
    Ok(connection)
}

/// The connection by which nodes tell that they are there: what they tell ends with the machine, and waits for no disk
/// (in a log, NORMAL only forgoes the wait at each commit).
pub(super) fn enroller(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that only reads, to a database that is there already and has the schema known here.
pub(super) fn existing(path: &Path) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    // Not SQLITE_OPEN_READ_ONLY: a reader of a log has to write into the index beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let needed = MIGRATIONS.len() as u32;
    match schema_of(&connection)? {
        None => Ok(None),
        Some(found) if found > needed => Err(StoreError::TooNew { found, known: needed }),
        Some(found) if found < needed => Err(StoreError::TooOld { found, needed }),
        Some(_) => Ok(Some(connection)),
    }
}

/// The version of the schema; `None` in a file in which nothing was ever made.
fn schema_of(db: &Connection) -> Result<Option<u32>, StoreError> {
    let made = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'schema_version'";
    if !db.query_row(made, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    Ok(db.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()?)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Applies the migrations that are missing, all or none.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let known = migrations.len() as u32;
    in_transaction(connection, |db| {
        db.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")?;
        let found = db.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()?;
        let found: u32 = found.unwrap_or(0);
        if found > known {
            return Err(StoreError::TooNew { found, known });
        }
        for migration in &migrations[found as usize..] {
            db.execute_batch(migration)?;
        }
        if found < known {
            db.execute("DELETE FROM schema_version", [])?;
            db.execute("INSERT INTO schema_version (version) VALUES (?1)", [known])?;
        }
        Ok(())
    })
}
