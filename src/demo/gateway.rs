//! The demo's one seam to the rest: load the written configuration, import the fixture, start the gateway.

use super::DemoError;
use crate::app::{Gateway, Inheritance};
use crate::clock::Moment;
use crate::config::Config;
use crate::store;
use std::path::Path;

/// A gateway that runs.
#[derive(Debug)]
pub(super) struct Running(Gateway);

/// Starts the gateway; when this returns, its listeners accept.
pub(super) fn start(config: &Path, fixture: &str, now: Moment) -> Result<Running, DemoError> {
    let failed = |error: &dyn std::error::Error| DemoError::Gateway(error.to_string().into());
    let loaded = Config::load(config).map_err(|error| failed(&error))?;
    let fixture =
        store::import::parse(fixture, "the demo's fixture").map_err(|problems| failed(&problems))?;
    let store = store::open(&loaded.config.store.url).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    runtime.block_on(store.import(&fixture, now.unix_ms)).map_err(|error| failed(&error))?;
    drop(store);
    Gateway::start(loaded, Some(config), None, Inheritance::default())
        .map(Running)
        .map_err(|error| failed(&error))
}

impl Running {
    /// Waits for SIGINT or SIGTERM, then drains.
    pub(super) fn until_stopped(self) {
        self.0.until_stopped();
    }
}
