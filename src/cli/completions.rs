//! `portcullis completions`: the script with which a shell completes commands and options.

use super::{Cli, print};
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Shell to write for
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    // Into memory first: the generator panics when it cannot write, and a closed pipe is no reason to panic.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "portcullis", &mut script);
    print(String::from_utf8_lossy(&script))
}
