//! `portcullis schema`: what may stand in a configuration file, for editors and for readers.

use super::print;
use crate::config::{json_schema, key_reference};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Print the reference of all keys as Markdown instead
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.markdown {
        return print(key_reference());
    }
    // The alternate form of a JSON value is its indented form.
    print(format_args!("{:#}\n", json_schema()))
}
