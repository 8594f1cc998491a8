//! The demo's one seam to the rest: load the written configuration, import the fixture, start the gateway.

use super::DemoError;
use crate::clock::Moment;
use std::path::Path;

/// A gateway that runs.
#[derive(Debug)]
pub(super) struct Running;

/// Starts the gateway; when this returns, its listeners accept.
///
/// GLUE: the one function (with [`Running::until_stopped`]) that waits for `app`, `config` and `store`. To do here:
/// load `config` as `serve` does, open its store, `store::import::parse(fixture, "demo fixture")`,
/// `store.import(&fixture, now.unix_ms)`, then `app::Gateway::start`.
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
