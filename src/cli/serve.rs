//! `portcullis serve`: the gateway.

use super::{ConfigFile, complain};
use crate::app::Gateway;
use crate::telemetry::log;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
}

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = log::init() {
        return complain(format_args!("error: {error}"));
    }
    let loaded = match arguments.file.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let gateway = match Gateway::start(loaded, Some(&arguments.file.config)) {
        Ok(gateway) => gateway,
        Err(error) => return complain(format_args!("error: {error}")),
    };
    for address in gateway.addresses() {
        tracing::info!(%address, "listening");
    }
    match gateway.until_stopped() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(format_args!("error: {error}")),
    }
}
