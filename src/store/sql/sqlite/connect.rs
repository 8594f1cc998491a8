//! Opens connections, and brings the schema up to date.

use crate::store::StoreError;
use crate::store::sql::db::{Connection, Error, Lock};
use crate::store::sql::schema;
use rusqlite::{OpenFlags, OptionalExtension as _};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// One file per version, in order; never edited once released.
const MIGRATIONS: [&str; 12] = [
    include_str!("../migrations/sqlite/0001_start.sql"),
    include_str!("../migrations/sqlite/0002_management.sql"),
    include_str!("../migrations/sqlite/0003_people.sql"),
    include_str!("../migrations/sqlite/0004_webhooks.sql"),
    include_str!("../migrations/sqlite/0005_operations.sql"),
    include_str!("../migrations/sqlite/0006_addresses.sql"),
    include_str!("../migrations/sqlite/0007_extras.sql"),
    include_str!("../migrations/sqlite/0008_certificates.sql"),
    include_str!("../migrations/sqlite/0009_nodes.sql"),
    include_str!("../migrations/sqlite/0010_marks.sql"),
    include_str!("../migrations/sqlite/0011_logins.sql"),
    include_str!("../migrations/sqlite/0012_usage_history.sql"),
];

/// The version of the schema that is known here: how many there are.
pub(in crate::store::sql) const SCHEMA: u32 = MIGRATIONS.len() as u32;

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
    let writer = connect(path).and_then(|connection| {
        // FULL: a revocation that was answered must survive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Connection::Sqlite(connection))
    });
    let writer = writer.map_err(Error::from)?;
    migrate(&writer, &MIGRATIONS)?;
    Ok(writer)
}

/// The connection by which nodes tell that they are there: what they tell ends with the machine, and waits for no disk
/// (in a log, NORMAL only forgoes the wait at each commit).
pub(super) fn enroller(path: &Path) -> Result<Connection, StoreError> {
    let enroller = connect(path).and_then(|connection| {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Connection::Sqlite(connection))
    });
    Ok(enroller.map_err(Error::from)?)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    Ok(Connection::Sqlite(watcher(path).map_err(Error::from)?))
}

/// A connection that only reads, for who looks at the file itself.
pub(in crate::store::sql) fn watcher(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that only reads, to a database that is there already and has the schema known here.
pub(in crate::store::sql) fn existing(path: &Path) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = open_existing(path).map_err(Error::from)?;
    let needed = SCHEMA;
    match schema_of(&connection).map_err(Error::from)? {
        None => Ok(None),
        Some(found) if found > needed => Err(StoreError::TooNew { found, known: needed }),
        Some(found) if found < needed => Err(StoreError::TooOld { found, needed }),
        Some(_) => Ok(Some(Connection::Sqlite(connection))),
    }
}

fn open_existing(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    // Not SQLITE_OPEN_READ_ONLY: a reader of a log has to write into the index beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The version of the schema; `None` in a file in which nothing was ever made.
fn schema_of(db: &rusqlite::Connection) -> rusqlite::Result<Option<u32>> {
    let made = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'schema_version'";
    if !db.query_row(made, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    db.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()
}

fn connect(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Applies the migrations that are missing, all or none.
pub(super) fn migrate(connection: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    connection.transaction(Lock::Schema, |db| {
        db.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")?;
        schema::migrate(db, migrations)
    })
}
