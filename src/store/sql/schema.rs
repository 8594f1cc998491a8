//! The schema's version, and the way from one to the next, which both databases go alike.

use super::db::{Connection, OptionalExtension};
use crate::store::StoreError;

/// Applies the migrations that are missing. In a transaction in which nobody else does, with `schema_version` there.
pub(super) fn migrate(db: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let known = migrations.len() as u32;
    let found = version(db)?.unwrap_or(0);
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for migration in &migrations[found as usize..] {
        db.execute_batch(migration)?;
    }
    if found < known {
        db.execute("DELETE FROM schema_version", ())?;
        db.execute("INSERT INTO schema_version (version) VALUES (?1)", [known])?;
    }
    Ok(())
}

/// The version that the tables have; `None` when there are none yet.
pub(super) fn version(db: &Connection) -> Result<Option<u32>, StoreError> {
    Ok(db.query_row("SELECT version FROM schema_version", (), |row| row.get(0)).optional()?)
}
