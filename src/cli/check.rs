//! `portcullis check`: every problem of a configuration file at once.

use super::{ConfigFile, print};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let config = match arguments.file.load() {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let routes = config.apis.iter().map(|api| api.routes.len()).sum();
    print(format_args!(
        "{}: ok ({}, {}, {})\n",
        arguments.file.config.display(),
        counted(config.listeners.len(), "listener"),
        counted(config.apis.len(), "API"),
        counted(routes, "route"),
    ))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
