//! `portcullis login` and `portcullis logout`: sessions at running gateways, for the commands with `--server`.

use super::manage::{Failure, LogIn, block_on, log_in, log_out, told};
use super::{password, print};
use crate::token::Secret;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
The session is kept in sessions.json in the folder portcullis of your settings (or in the file that \
PORTCULLIS_SESSIONS names), which nobody else can read. It lives as long as you use it now and then.

The password is taken from the variable PORTCULLIS_PASSWORD, from the first line of standard input with \
--password-stdin, or asked for.

Scripts need no login: where PORTCULLIS_EMAIL and PORTCULLIS_PASSWORD are set, a command with --server logs \
in and out by itself.

Examples:
  portcullis login --server https://gateway.example.com:9443 --email you@example.com
  portcullis login --server https://127.0.0.1:9443 --ca admin.pem --email you@example.com
  portcullis token list --server https://gateway.example.com:9443";

#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Login {
    /// URL of the gateway's admin listener
    #[arg(long, value_name = "URL", env = "PORTCULLIS_SERVER", hide_env_values = true)]
    server: String,
    /// E-mail address to log in with
    #[arg(long, env = "PORTCULLIS_EMAIL", hide_env_values = true)]
    email: String,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Code of the second factor; asked for where it is needed and not given
    #[arg(long, env = "PORTCULLIS_CODE", hide_env_values = true)]
    code: Option<String>,
    /// Certificates to trust in place of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  portcullis logout --server https://gateway.example.com:9443")]
pub(super) struct Logout {
    /// URL of the gateway's admin listener
    #[arg(long, value_name = "URL", env = "PORTCULLIS_SERVER", hide_env_values = true)]
    server: String,
}

/// Begins a session.
pub(super) fn login(asked: Login) -> ExitCode {
    let failed = |error: password::PasswordError| Failure::new(error.to_string());
    let password = match password::present(asked.password_stdin) {
        Ok(password) => password,
        Err(error) => return told(&failed(error)),
    };
    let given = asked.code.map(Secret::new);
    let mut code = || match &given {
        Some(code) => Ok(code.clone()),
        None => password::code().map_err(failed),
    };
    let wanted = LogIn { url: &asked.server, ca: asked.ca.as_deref(), email: asked.email.clone(), password };
    block_on(async {
        match log_in(wanted, &mut code).await {
            Ok(url) => print(format_args!("logged in at {url} as {}\n", asked.email)),
            Err(failure) => told(&failure),
        }
    })
}

/// Ends a session.
pub(super) fn logout(asked: &Logout) -> ExitCode {
    block_on(async {
        match log_out(&asked.server).await {
            Ok(true) => print("logged out\n"),
            Ok(false) => print("nobody was logged in there\n"),
            Err(failure) => told(&failure),
        }
    })
}
