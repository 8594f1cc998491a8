//! `portcullis import`: organizations, projects, users and keys from a fixture, all or nothing.

use super::manage::waiting;
use super::{ConfigFile, complain, print};
use crate::clock::Clock;
use crate::control::domain::Edge;
use crate::store::management::Management;
use crate::store::{self, StoreError, import as fixture};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// The fixture to bring in
    #[arg(value_name = "FIXTURE")]
    pub(super) fixture: PathBuf,
}

/// Imports the fixture into the configured store and says what that changed.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let loaded = match arguments.file.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let name = arguments.fixture.display().to_string();
    let source = match std::fs::read_to_string(&arguments.fixture) {
        Ok(source) => source,
        Err(error) => return complain(format_args!("error: {name} can not be read: {error}")),
    };
    let imported = store::open(&loaded.config.store.url)
        .map_err(|error| format!("error: {}", crate::telemetry::log::chain(&error)))
        .and_then(|store| bring_in(&store, &source, &name));
    match imported {
        Ok(imported) => print(format_args!("{name}: {imported}\n")),
        Err(text) => complain(format_args!("{text}\nnothing was imported")),
    }
}

fn bring_in(store: &Arc<dyn Management>, source: &str, name: &str) -> Result<fixture::Imported, String> {
    let parsed = fixture::parse(source, name).map_err(|problems| problems.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("error: the system refuses timers: {error}"))?;
    let imported =
        runtime.block_on(store.import(&parsed, Clock::new().now().unix_ms)).map_err(
            |error| match &error {
                StoreError::Conflicts(conflicts) => fixture::problems(source, name, conflicts).to_string(),
                _ => format!("error: {}", crate::telemetry::log::chain(&error)),
            },
        )?;
    // What it took away is in force when it ends.
    let edge = Edge::elsewhere(store.clone(), waiting);
    if let Err(error) = runtime.block_on(edge.in_force()) {
        complain(format_args!("warning: {}", crate::telemetry::log::chain(&error)));
    }
    Ok(imported)
}
