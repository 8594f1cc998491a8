//! The demo's one seam to the rest: load the written configuration, import the fixture, start the gateway.

use super::DemoError;
use crate::clock::Moment;
use std::path::Path;

/// A gateway that runs.
#[derive(Debug)]
pub(super) struct Running;

/// Starts the gateway; when this returns, its listeners accept.
///
/// GLUE: this function and [`Running::until_stopped`] are what waits for `app`, `config` and `store`. To do here, in
/// this order: `Config::load(config)`, `store::open` of its `store.url`, `store::import::parse` of `fixture`,
/// `Store::import` at `now.unix_ms`, and `app::Gateway::start`. Errors go into [`DemoError::Gateway`] as they are.
pub(super) fn start(config: &Path, fixture: &str, now: Moment) -> Result<Running, DemoError> {
    let _ = (config, fixture, now);
    Err(DemoError::Gateway("this build has no gateway to start yet".into()))
}

impl Running {
    /// Waits for SIGINT or SIGTERM, then drains.
    pub(super) fn until_stopped(self) -> Result<(), DemoError> {
        Ok(())
    }
}
