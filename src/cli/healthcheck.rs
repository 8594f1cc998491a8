//! `portcullis healthcheck`: what a container engine asks, where there is neither shell nor curl.

use super::complain;
use super::manage::{Failure, Open, block_on, told};
use super::print;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than that is no health.
const PATIENCE: Duration = Duration::from_secs(5);

const AFTER_HELP: &str = "\
Exit code 0: it serves. 1: it does not, or does not answer within five seconds; what it says stands on standard error.

Examples:
  portcullis healthcheck
  portcullis healthcheck --live --server http://127.0.0.1:9090
  portcullis healthcheck --server https://gateway.example.com:9090 --ca admin.pem";

#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// URL of the gateway's admin listener
    #[arg(
        long,
        value_name = "URL",
        env = "PORTCULLIS_SERVER",
        default_value = "http://127.0.0.1:9090",
        hide_env_values = true
    )]
    server: String,
    /// Certificates to trust in place of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Ask only whether the process runs (/healthz), not whether it is ready to serve (/readyz)
    #[arg(long)]
    live: bool,
}

/// Asks it.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let path = if arguments.live { "/healthz" } else { "/readyz" };
    block_on(async {
        let listener = match Open::new(&arguments.server, arguments.ca.as_deref()) {
            Ok(listener) => listener,
            Err(failure) => return told(&failure),
        };
        match timeout(PATIENCE, listener.get(path)).await {
            Ok(Ok((status, body))) => {
                let body = String::from_utf8_lossy(&body);
                match status.is_success() {
                    true => print(format_args!("{body}\n")),
                    false => complain(format_args!("error: {path} answers {status}: {body}")),
                }
            }
            Ok(Err(failure)) => told(&failure),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                told(&Failure::new(format!("{} has not answered within {seconds} s", arguments.server)))
            }
        }
    })
}
