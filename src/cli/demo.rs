//! `portcullis demo`: everything on loopback with no set-up.

use super::complain;
use crate::demo::{self, DemoOptions};
use crate::telemetry::log;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Folder for the database, the certificate and the keys; made when missing
    #[arg(long, value_name = "DIR", default_value = "portcullis-demo")]
    pub(super) data: PathBuf,
    /// Where clients connect with TLS; port 0 stands for any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub(super) listen_tls: SocketAddr,
    /// Where clients connect without TLS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(super) listen_plain: SocketAddr,
    /// Where operators connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub(super) admin: SocketAddr,
}

/// Runs until Ctrl-C.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = log::init() {
        return complain(format_args!("error: {error}"));
    }
    let Arguments { data, listen_tls, listen_plain, admin } = arguments;
    match demo::run(&DemoOptions { data, listen_tls, listen_plain, admin }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(format_args!("error: {error}")),
    }
}
