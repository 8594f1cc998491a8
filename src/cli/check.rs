//! `portcullis check`: every problem of a configuration file at once.

use super::{ConfigFile, complain, print};
use crate::listen::tls::Termination;
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
    let listeners = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    // What `serve` would stumble over: files that are there, and do not fit each other.
    let unusable: Vec<_> =
        listeners.chain(&config.admin.tls).filter_map(|tls| Termination::check(tls).err()).collect();
    for error in &unusable {
        complain(format_args!("error: {error}"));
    }
    if !unusable.is_empty() {
        return ExitCode::FAILURE;
    }
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
