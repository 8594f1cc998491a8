//! The types that a configuration is compiled into; they can only hold valid values. One file for each section of the YAML.

mod api;
mod change;
mod cors;
mod dns;
mod drain;
mod identity;
mod limits;
mod listener;
mod matching;
mod route;
mod split;
mod store;
mod telemetry;
mod tls;
mod upstream;
mod webhooks;

pub use api::*;
pub use change::*;
pub use cors::*;
pub use dns::*;
pub use drain::*;
pub use identity::*;
pub use limits::*;
pub use listener::*;
pub use matching::*;
pub use route::*;
pub use split::*;
pub use store::*;
pub use telemetry::*;
pub use tls::*;
pub use upstream::*;
pub use webhooks::*;

use std::num::NonZeroUsize;

/// A whole, valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// Where operators connect.
    pub admin: Admin,
    /// Where organizations, keys and usage are kept.
    pub store: Store,
    /// Where limits are counted, and what strangers may try.
    pub limits: Limits,
    /// Signing of client-facing tokens and of upstream identities.
    pub jwt: Jwt,
    /// How people get an account.
    pub accounts: Accounts,
    /// Backend services, by the index that routes hold.
    pub upstreams: Vec<Upstream>,
    /// How their names are resolved.
    pub dns: Dns,
    /// The APIs, in the order of the file.
    pub apis: Vec<Api>,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// Where events may be sent to.
    pub webhooks: Webhooks,
    /// How the process ends.
    pub drain: Drain,
    /// Worker threads on the data path; by default one per core of the process's affinity.
    pub workers: NonZeroUsize,
}
