//! `portcullis demo`: everything on loopback with no set-up.

use super::complain;
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

/// GLUE: the demo takes these four as they are.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { data, .. } = arguments;
    complain(format_args!("error: this build has no demo to run in `{}` yet", data.display()))
}
