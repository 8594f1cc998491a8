//! What the configuration says of the store and its cache.

use super::PemFile;
use crate::token::Secret;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The store and its cache.
#[derive(Clone, Debug)]
pub struct Store {
    /// What to connect to.
    pub url: StoreUrl,
    /// Cut off from the store for longer than this, a node stops accepting keys. Default 5 s.
    pub max_staleness: Duration,
    /// Most keys held in memory. Default 1,000,000.
    pub cache_capacity: NonZeroUsize,
    /// How long an unknown key is remembered as unknown. Default 5 s.
    pub negative_ttl: Duration,
    /// How long it is kept how keys were used, hour by hour; `None` for not at all. Default 90 days.
    pub history: Option<Duration>,
    /// How long entries of the audit log are kept; `None` forever.
    pub audit: Option<Duration>,
}

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite://PATH`; a relative path was resolved against the folder of the configuration file.
    Sqlite(PathBuf),
    /// `postgres://…`
    Postgres(Box<PostgresStore>),
}

/// A PostgreSQL server, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresStore {
    /// Where it may be, tried in order; with ports.
    pub hosts: Vec<(PostgresHost, u16)>,
    /// Who logs in.
    pub user: String,
    /// With what, when it is asked for.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// How strict TLS is.
    pub tls: PostgresTls,
    /// PEM of the authorities that are trusted, in place of the system's.
    pub authorities: Option<PemFile>,
    /// Settings for every session, as on the server's command line (`-c search_path=…`).
    pub options: Option<String>,
    /// What the server shows sessions as. Default `portcullis`.
    pub application_name: String,
    /// Most connections, besides the one that hears of changes. Default 8.
    pub connections: usize,
    /// The folder of this node's usage journals. Default `data/usage`.
    pub usage: PathBuf,
    /// Nothing is to be written.
    pub read_only: bool,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresHost {
    /// A name or an address.
    Name(String),
    /// The folder of its socket.
    Folder(PathBuf),
}

/// How strict TLS to a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// `disable`: none.
    Off,
    /// `prefer`: when the server offers it; anybody may be the server.
    Preferred,
    /// `require`: always; anybody may be the server.
    Encrypted,
    /// `verify-ca`: the server's certificate is of an authority that is trusted.
    SignedBy,
    /// `verify-full`: and has its name.
    Verified,
}
