//! `portcullis serve`: the gateway.

use super::{ConfigFile, complain};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
}

/// GLUE: `app` runs `loaded.config`, and watches `loaded.files` with `config::watch`.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    match arguments.file.load() {
        Ok(_loaded) => complain("error: this build has no gateway to start yet"),
        Err(code) => code,
    }
}
