//! `portcullis openapi`: what the gateway answers itself, as an OpenAPI document.

use super::print;
use crate::control::openapi::document;
use std::process::ExitCode;

pub(super) fn run() -> ExitCode {
    // The alternate form of a JSON value is its indented form.
    print(format_args!("{:#}\n", document()))
}
