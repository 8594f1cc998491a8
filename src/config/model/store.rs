//! What the configuration says of the store and its cache.

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
}

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite://PATH`; a relative path was resolved against the folder of the configuration file.
    Sqlite(PathBuf),
}
