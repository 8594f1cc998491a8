//! How many files and connections the process may have open at once.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: the store, logs, sockets that listen.
const OWN: u64 = 128;
/// A connection of a client, and one to an upstream while it waits for an answer.
const PER_CONNECTION: u64 = 2;

/// Raises the process's limit to the highest that it may have: shells and systemd start programs with a low one, for the
/// sake of those that use `select(2)`. Says so when it is still less than `max_connections` of all listeners need.
pub(super) fn raise(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files can not be raised");
    }
    let connections: u64 =
        config.listeners.iter().map(|listener| listener.bounds.max_connections as u64).sum();
    let wanted = connections.saturating_mul(PER_CONNECTION).saturating_add(OWN);
    // `None` is no limit.
    if let Some(may) = getrlimit(Resource::Nofile).current.filter(|may| *may < wanted) {
        tracing::info!(
            may,
            wanted,
            "the process may open fewer files than `max_connections` needs: raise LimitNOFILE= (systemd) or `ulimit -Hn`, or lower max_connections"
        );
    }
}
