//! `portcullis import`: organizations, projects, users and keys from a fixture, all or nothing.

use super::{ConfigFile, complain};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// The fixture to bring in
    #[arg(value_name = "FIXTURE")]
    pub(super) fixture: PathBuf,
}

/// GLUE: `store` parses the fixture and imports it into the configured store.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { file, fixture } = arguments;
    match file.load() {
        Ok(_loaded) => complain(format_args!("error: this build cannot import `{}` yet", fixture.display())),
        Err(code) => code,
    }
}
