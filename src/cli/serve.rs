//! `portcullis serve`: the gateway.

use super::{ConfigFile, complain};
use crate::app::{Gateway, Inheritance};
use crate::telemetry::log;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Write the number of the process into this file
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
}

/// Runs until SIGINT or SIGTERM, or until a new process has taken over on SIGUSR2.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = log::init() {
        return complain(format_args!("error: {error}"));
    }
    // Before anything else is opened: systemd's sockets are known by their numbers.
    let inheritance = match Inheritance::of_process() {
        Ok(inheritance) => inheritance,
        Err(error) => return complain(format_args!("error: {error}")),
    };
    let loaded = match arguments.file.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let (file, pid_file) = (&arguments.file.config, arguments.pid_file.as_deref());
    let gateway = match Gateway::start(loaded, Some(file), pid_file, inheritance) {
        Ok(gateway) => gateway,
        Err(error) => return complain(format_args!("error: {error}")),
    };
    for address in gateway.addresses() {
        tracing::info!(%address, "listening");
    }
    gateway.until_stopped();
    ExitCode::SUCCESS
}
