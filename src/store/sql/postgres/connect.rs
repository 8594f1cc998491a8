//! How a server is reached, and its schema brought up to date.

use crate::config::{PostgresHost, PostgresStore, PostgresTls};
use crate::store::StoreError;
use crate::store::sql::db::{Connection, Lock};
use crate::store::sql::schema;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

/// One file per version, in order, the same versions as SQLite's; never edited once released.
pub(super) const MIGRATIONS: [&str; 12] = [
    include_str!("../migrations/postgres/0001_start.sql"),
    include_str!("../migrations/postgres/0002_management.sql"),
    include_str!("../migrations/postgres/0003_people.sql"),
    include_str!("../migrations/postgres/0004_webhooks.sql"),
    include_str!("../migrations/postgres/0005_operations.sql"),
    include_str!("../migrations/postgres/0006_addresses.sql"),
    include_str!("../migrations/postgres/0007_extras.sql"),
    include_str!("../migrations/postgres/0008_certificates.sql"),
    include_str!("../migrations/postgres/0009_nodes.sql"),
    include_str!("../migrations/postgres/0010_marks.sql"),
    include_str!("../migrations/postgres/0011_logins.sql"),
    include_str!("../migrations/postgres/0012_usage_history.sql"),
];

/// Most time to reach one address.
const REACH: Duration = Duration::from_secs(3);
/// What was sent and not acknowledged for so long ends the connection; so does silence that nobody answers.
const SILENCE: Duration = Duration::from_secs(5);
/// Most time for one migration.
const MIGRATION: Duration = Duration::from_secs(600);

/// The configuration of every connection.
pub(super) fn configuration(settings: &PostgresStore) -> Config {
    let mut config = Config::new();
    for (host, port) in &settings.hosts {
        match host {
            PostgresHost::Name(name) => config.host(name),
            PostgresHost::Folder(path) => config.host_path(path),
        };
        config.port(*port);
    }
    config.user(&settings.user).dbname(&settings.database).application_name(&settings.application_name);
    if let Some(password) = &settings.password {
        config.password(password.expose());
    }
    let mut options = settings.options.clone().unwrap_or_default();
    if settings.read_only {
        options.push_str(" -c default_transaction_read_only=on");
    } else {
        // Of several hosts, the one that takes writes. A copy that lags behind would still know keys that were revoked.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if !options.is_empty() {
        config.options(options);
    }
    config.ssl_mode(match settings.tls {
        PostgresTls::Off => SslMode::Disable,
        PostgresTls::Preferred => SslMode::Prefer,
        _ => SslMode::Require,
    });
    config.connect_timeout(REACH).tcp_user_timeout(SILENCE);
    config.keepalives(true).keepalives_idle(SILENCE).keepalives_interval(Duration::from_secs(1));
    config.keepalives_retries(3);
    config
}

/// Applies the migrations that are missing, all or none. Of several gateways that start at once, one does.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    migrate_to(connection, &MIGRATIONS)
}

pub(super) fn migrate_to(connection: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let encoding = connection.snapshot(|db| {
        let sql = "SELECT current_setting('server_encoding')";
        Ok(db.query_row(sql, (), |row| row.get::<_, String>(0))?)
    })?;
    if encoding != "UTF8" {
        return Err(StoreError::Unavailable(Box::new(Encoding(encoding))));
    }
    // Most often there is nothing to do, and nobody to wait for.
    if version(connection)? == Some(migrations.len() as u32) {
        return Ok(());
    }
    let migrated = connection.transaction(Lock::Schema, |db| {
        db.wait_at_most(MIGRATION)?;
        db.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")?;
        schema::migrate(db, migrations)
    });
    connection.wait_at_most(super::PEOPLE.statement)?;
    migrated
}

/// Whether there is a store, which has the schema known here.
pub(super) fn look(connection: &Connection) -> Result<bool, StoreError> {
    let needed = MIGRATIONS.len() as u32;
    match version(connection)? {
        None => Ok(false),
        Some(found) if found > needed => Err(StoreError::TooNew { found, known: needed }),
        Some(found) if found < needed => Err(StoreError::TooOld { found, needed }),
        Some(_) => Ok(true),
    }
}

fn version(connection: &Connection) -> Result<Option<u32>, StoreError> {
    connection.snapshot(|db| {
        // Only in the schema in which tables would be made.
        let there =
            "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_version'";
        if !db.prepare_cached(there)?.exists(())? {
            return Ok(None);
        }
        schema::version(db)
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the database's encoding is {0}: make one with UTF8 (createdb --encoding=UTF8 --template=template0)")]
struct Encoding(String);
