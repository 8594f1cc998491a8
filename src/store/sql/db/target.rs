//! The PostgreSQL that sessions connect to, and how that goes.

use super::super::postgres::tls::{Connector, Encrypted};
use crate::store::Connections;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_postgres::{Client, Config, Connection, Socket};

/// The PostgreSQL that sessions connect to.
pub(in crate::store) struct Target {
    pub(in crate::store::sql) config: Config,
    pub(in crate::store::sql) tls: Connector,
    pub(in crate::store::sql) health: Health,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the configuration: it holds the password.
        f.debug_struct("Target").field("health", &self.health).finish_non_exhaustive()
    }
}

/// What is counted of connections.
#[derive(Debug, Default)]
pub(in crate::store) struct Health {
    open: AtomicU64,
    opened: AtomicU64,
    failures: AtomicU64,
}

impl Health {
    pub(in crate::store::sql) fn connected(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::store::sql) fn disconnected(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(in crate::store::sql) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// As they are now.
    pub(in crate::store::sql) fn counts(&self) -> Connections {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Connections { open: read(&self.open), opened: read(&self.opened), failed: read(&self.failures) }
    }
}

impl Target {
    /// One more connection.
    pub(in crate::store::sql) async fn connect(
        &self,
    ) -> Result<(Client, Connection<Socket, Encrypted>), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }
}
