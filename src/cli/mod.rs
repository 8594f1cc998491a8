//! The command line: arguments, exit codes, what a person reads in a terminal. One file for each command.
//!
//! Exit codes: 0 good, 1 the work failed, 2 bad usage. Errors go to standard error and say what to do next.

mod backup;
mod check;
mod completions;
mod copy;
mod demo;
mod diff;
mod explain;
mod healthcheck;
mod import;
mod login;
mod manage;
mod nodes;
mod openapi;
mod org;
mod password;
mod project;
mod schema;
mod serve;
mod signing_key;
mod status;
mod token;
mod user;
mod webhook;

use crate::config::{Config, LoadError, Loaded};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// An edge gateway for APIs that are opened by key.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on loopback with no set-up, and print curl lines to paste
    Demo(demo::Arguments),
    /// Run the gateway
    Serve(serve::Arguments),
    /// Say everything that is wrong with a configuration file
    Check(check::Arguments),
    /// Say what a reload would change, and mark what makes the gateway more permissive
    Diff(diff::Arguments),
    /// Say what each stage would decide about a request, and why
    Explain(explain::Arguments),
    /// Print the JSON Schema of the configuration file, for editors
    Schema(schema::Arguments),
    /// Print the OpenAPI document of what the gateway answers itself
    Openapi,
    /// Bring organizations, projects, users and keys into the store
    Import(import::Arguments),
    /// Copy everything from one store into another, empty one: from SQLite to PostgreSQL, or back
    Copy(copy::Arguments),
    /// Make a backup of everything in the store, while gateways run on it
    Backup(backup::Make),
    /// Put a backup into an empty store
    Restore(backup::Restore),
    /// List the gateways that accept keys on the store, and how far each of them has followed it
    Nodes(nodes::Arguments),
    /// Say whether a running gateway serves, for container engines
    Healthcheck(healthcheck::Arguments),
    /// Say whether a running gateway is well, and what it does
    Status(status::Arguments),
    /// Log in at a running gateway, for the commands with --server
    Login(login::Login),
    /// Log out at a running gateway
    Logout(login::Logout),
    /// Make, list, alter and remove organizations; their members, roles and invitations
    #[command(subcommand)]
    Org(org::Command),
    /// Make, list, alter and remove projects
    #[command(subcommand)]
    Project(project::Command),
    /// Make, list, alter and remove people
    #[command(subcommand)]
    User(user::Command),
    /// Make, list, alter, regenerate and remove keys
    #[command(subcommand)]
    Token(token::Command),
    /// Make, list, alter and remove webhook endpoints; what was sent to them
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// List, rotate and retire the keys that sign the identities upstreams get
    #[command(subcommand)]
    SigningKey(signing_key::Command),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
}

/// The configuration file, for the commands that need one.
#[derive(Args, Debug)]
pub(crate) struct ConfigFile {
    /// Configuration file
    #[arg(long, short, value_name = "FILE", env = "PORTCULLIS_CONFIG")]
    pub(crate) config: PathBuf,
}

impl ConfigFile {
    /// Reads it; what is wrong with it is printed.
    pub(crate) fn load(&self) -> Result<Loaded, ExitCode> {
        Config::load(&self.config).map_err(|error| match error {
            LoadError::Invalid(problems) => {
                let count = problems.count();
                let what = if count == 1 { "problem" } else { "problems" };
                complain(format_args!("{problems}\n{}: {count} {what}", self.config.display()))
            }
            LoadError::Unreadable { ref source, .. } => {
                let help = match source.kind() {
                    ErrorKind::InvalidData => "save the file as UTF-8",
                    _ => "name a file that this user can read: --config FILE",
                };
                complain(format_args!("error: {error}\nhelp: {help}"))
            }
        })
    }
}

/// Runs the command that `arguments`, the program's name first, ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with code 0 and on standard output. Nobody is left to tell when
            // printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Openapi => openapi::run(),
        Command::Import(arguments) => import::run(arguments),
        Command::Copy(arguments) => copy::run(arguments),
        Command::Backup(arguments) => backup::make(&arguments),
        Command::Restore(arguments) => backup::restore(arguments),
        Command::Nodes(arguments) => nodes::run(arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Login(arguments) => login::login(arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Org(command) => org::run(command),
        Command::Project(command) => project::run(command),
        Command::User(command) => user::run(command),
        Command::Token(command) => token::run(command),
        Command::Webhook(command) => webhook::run(command),
        Command::SigningKey(command) => signing_key::run(command),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Writes to standard output and gives the exit code: good also when the reader has had enough (`| head`).
pub(crate) fn print(text: impl Display) -> ExitCode {
    match write!(std::io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(format_args!("error: cannot write to standard output: {error}")),
    }
}

/// Writes a line to standard error and gives the exit code of failed work.
pub(crate) fn complain(text: impl Display) -> ExitCode {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn documented_lines_are_understood() {
        for line in [
            "portcullis demo",
            "portcullis demo --data /tmp/x --listen-tls 127.0.0.1:0 --listen-plain 127.0.0.1:0 --admin 127.0.0.1:0",
            "portcullis serve --config a.yaml",
            "portcullis check --config a.yaml",
            "portcullis diff --config a.yaml b.yaml --output json --exit-code",
            "portcullis explain --config a.yaml GET https://api.example.com/v1/x -H X-API-Key:ocr_1 --from 192.0.2.7",
            "portcullis schema",
            "portcullis openapi",
            "portcullis import --config a.yaml fixture.yaml",
            "portcullis copy --config a.yaml --from sqlite:///var/lib/portcullis.db",
            "portcullis copy --config a.yaml --from old.yaml",
            "portcullis backup --config a.yaml b.backup",
            "portcullis restore --config a.yaml b.backup --replace c.backup",
            "portcullis restore --check b.backup",
            "portcullis signing-key list --config a.yaml --output json",
            "portcullis signing-key rotate --config a.yaml --publish-for 0",
            "portcullis signing-key retire --config a.yaml 0c1f",
            "portcullis token create --config a.yaml --organization my-org --name CI --permission read --scope documents",
            "portcullis token list --config a.yaml --organization my-org --search ci --inactive --json",
            "portcullis token show --config a.yaml 66f0",
            "portcullis token update --config a.yaml 66f0 --name CD --allow-from 10.0.0.0/8",
            "portcullis token regenerate --config a.yaml 66f0",
            "portcullis token deactivate --config a.yaml 66f0",
            "portcullis token activate --config a.yaml 66f0",
            "portcullis token delete --config a.yaml 66f0",
            "portcullis user create --config a.yaml --owner --email a@example.com",
            "portcullis user create --config a.yaml --email a@example.com --organization my-org --role viewer",
            "portcullis user update --config a.yaml a@example.com --admin true --active false --name A",
            "portcullis user list --server https://a:1 --ca ca.pem --search a --output json",
            "portcullis healthcheck",
            "portcullis healthcheck --live --server https://a:1 --ca a.pem",
            "portcullis login --server https://a:1 --email a@example.com --code 123456 --password-stdin",
            "portcullis logout --server https://a:1",
            "portcullis org create --config a.yaml --name A --slug a-b --owner a@example.com",
            "portcullis org list --server https://a:1 --all --search a",
            "portcullis org show my-org --config a.yaml",
            "portcullis org update --config a.yaml my-org --slug other",
            "portcullis org delete my-org --config a.yaml --confirm my-org",
            "portcullis org rotate-keys --config a.yaml --project 1 --overlap 60",
            "portcullis org export usage --config a.yaml --format json --to a.json",
            "portcullis org audit my-org --config a.yaml --action user.created --limit 5",
            "portcullis org member set-role a@example.com viewer --config a.yaml --organization my-org",
            "portcullis org role create --config a.yaml --name A --permission view:* --permission manage:servers",
            "portcullis org invitation create --config a.yaml --role viewer --expires-in 60",
            "portcullis project create --config a.yaml --name A",
            "portcullis project update 1 --config a.yaml --active false --description d",
            "portcullis project delete 1 --config a.yaml --with-keys",
            "portcullis token create --server https://a:1 --kind ocore --name A --permission view:servers",
            "portcullis webhook create --config a.yaml --url https://a/ --event *",
            "portcullis webhook deliveries --config a.yaml --status failed --endpoint 1",
            "portcullis status --config a.yaml --output json",
            "portcullis status --server https://a:1 --ca a.pem --watch --every 5",
            "portcullis completions bash",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn bad_usage_is_code_two() {
        for line in [
            "portcullis",
            "portcullis nothing",
            "portcullis check --config",
            "portcullis diff --config a.yaml",
            "portcullis explain --config a.yaml GET",
            "portcullis explain --config a.yaml GET http://a/ -H no-colon",
            "portcullis explain --config a.yaml GET http://a/ --from nowhere",
            "portcullis completions tcsh-of-old",
            "portcullis backup --config a.yaml",
            "portcullis restore b.backup",
            "portcullis restore --check b.backup --replace c.backup",
            "portcullis token",
            "portcullis token create --config a.yaml --name CI",
            "portcullis token list --config a.yaml --organization o --active --inactive",
            "portcullis token delete --config a.yaml",
            "portcullis user create --config a.yaml --email a@example.com --owner --role viewer",
            "portcullis user create --config a.yaml --email a@example.com",
            "portcullis user update --config a.yaml a@example.com",
            "portcullis project update --config a.yaml 1",
            "portcullis org update --config a.yaml my-org",
            "portcullis org delete --config a.yaml my-org",
            "portcullis org list --config a.yaml --search a",
            "portcullis org show --config a.yaml --server https://a:1",
            "portcullis org show --config a.yaml --ca a.pem",
            "portcullis token update --config a.yaml 1",
            "portcullis login --server https://a:1",
            "portcullis status --server https://a:1 --every 0",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(parse("portcullis --version").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let line = ["portcullis", "explain", "-c", "a", "get", "/v1/x?y", "-H", "X-Api-Key:  ocr_1:2 "];
        let Command::Explain(arguments) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        let (name, value) = &arguments.headers[0];
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-api-key", "ocr_1:2"));
        assert!(value.is_sensitive());
        assert_eq!(arguments.method, http::Method::GET);
    }
}
