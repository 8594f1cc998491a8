//! What the commands that manage organizations, people and keys share: where they work, and how they print.

mod ask;
mod backend;
mod failure;
mod render;
mod server;
mod store;

pub(super) use ask::{Ask, Body, escaped};
pub(super) use backend::{Backend, Key};
pub(super) use failure::Failure;
pub(super) use render::{Column, list, record};
pub(super) use server::{LogIn, Open, log_in, log_out};

use super::{complain, print};
use serde_json::{Value, json};
use server::Server;
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;
pub(super) use store::waiting;

/// Where to work, and how to print what came of it.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Where to work, and how to print")]
pub(super) struct Common {
    /// Work on the store of this configuration file, as its operator [env: PORTCULLIS_CONFIG]
    #[arg(long, short, value_name = "FILE", conflicts_with = "server")]
    config: Option<PathBuf>,
    /// Work on a running gateway: the URL of its admin listener, after `portcullis login` [env: PORTCULLIS_SERVER]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Certificates to trust with --server in place of the system's, PEM; a login remembers it
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    ca: Option<PathBuf>,
    /// How to print it: for reading, or for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Print JSON: the same as --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// The organization that a command is about.
#[derive(clap::Args, Debug)]
pub(super) struct Organization {
    /// Organization, by its id or slug; may be left out where there is only one
    #[arg(long, value_name = "ID|SLUG", env = "PORTCULLIS_ORGANIZATION", hide_env_values = true)]
    pub(super) organization: Option<String>,
}

impl Organization {
    pub(super) fn named(&self) -> Option<&str> {
        self.organization.as_deref()
    }
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    // No words about each: they would make every page twice as long.
    Table,
    Json,
}

/// What a command did, in both forms.
#[derive(Debug)]
pub(super) struct Printed {
    /// For reading.
    pub(super) table: String,
    /// For programs.
    pub(super) json: Value,
}

impl Printed {
    /// One record.
    pub(super) fn record(json: Value, facts: &[Column]) -> Self {
        Self { table: record(&json, facts), json }
    }

    /// A list of records.
    pub(super) fn list(json: Value, columns: &[Column]) -> Self {
        Self { table: list(&json, columns), json }
    }

    /// Something that is gone.
    pub(super) fn deleted(id: &str) -> Self {
        Self { table: format!("deleted {id}\n"), json: json!({ "id": id, "deleted": true }) }
    }

    /// With a sentence below the table.
    pub(super) fn noted(mut self, note: &str) -> Self {
        self.table.push_str(&format!("\n{note}\n"));
        self
    }
}

/// What is said where something is in an answer once.
pub(super) const SHOWN_ONCE: &str = "The value is shown now and never again.";

/// Does `work` where the command line says, and prints what came of it.
pub(super) fn operate<F>(common: &Common, work: F) -> ExitCode
where
    F: AsyncFnOnce(&mut Backend) -> Result<Printed, Failure>,
{
    let mut backend = match common.backend() {
        Ok(Ok(backend)) => backend,
        Ok(Err(failure)) => return told(&failure),
        Err(code) => return code,
    };
    block_on(async {
        let outcome = work(&mut backend).await;
        if let Backend::Server(server) = &mut backend {
            server.close().await;
        }
        match outcome {
            Ok(done) if common.json || common.output == Output::Json => {
                print(format_args!("{:#}\n", done.json))
            }
            Ok(done) => print(done.table),
            Err(failure) => told(&failure),
        }
    })
}

/// One call in an organization whose answer is one record.
pub(super) fn record_of(
    common: &Common,
    organization: &Organization,
    ask: Ask,
    facts: &[Column],
) -> ExitCode {
    operate(common, async |backend| {
        let home = backend.organization(organization.named()).await?;
        Ok(Printed::record(backend.call(ask.of(&home.slug)).await?, facts))
    })
}

/// A whole list of an organization.
pub(super) fn list_of(
    common: &Common,
    organization: &Organization,
    path: &str,
    columns: &[Column],
) -> ExitCode {
    operate(common, async |backend| {
        let home = backend.organization(organization.named()).await?;
        Ok(Printed::list(backend.everything(Ask::get(path).of(&home.slug)).await?, columns))
    })
}

/// Removes something of an organization.
pub(super) fn delete_of(common: &Common, organization: &Organization, path: String, id: &str) -> ExitCode {
    operate(common, async |backend| {
        let home = backend.organization(organization.named()).await?;
        backend.call(Ask::delete(path).of(&home.slug)).await?;
        Ok(Printed::deleted(id))
    })
}

/// Runs to the end on this thread.
pub(super) fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => complain(format_args!("error: the system refuses timers: {error}")),
    }
}

/// Tells why something failed.
pub(super) fn told(failure: &Failure) -> ExitCode {
    let code = complain(failure.text());
    if failure.usage { ExitCode::from(2) } else { code }
}

const NOWHERE: &str =
    "say where to work: --config FILE for the store itself, or --server URL for a running gateway";

impl Common {
    /// What the command line says counts for more than the environment.
    fn backend(&self) -> Result<Result<Backend, Failure>, ExitCode> {
        if let Some(file) = &self.config {
            return Ok(Store::open(file)?.map(Backend::Store));
        }
        if let Some(url) = &self.server {
            return Ok(Server::open(url, self.ca.as_deref()).map(Backend::Server));
        }
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        match (given("PORTCULLIS_CONFIG"), given("PORTCULLIS_SERVER")) {
            (Some(_), Some(_)) => {
                let both = "PORTCULLIS_CONFIG and PORTCULLIS_SERVER are both set: say which with --config or --server";
                Ok(Err(Failure::usage(both)))
            }
            (Some(file), None) => Ok(Store::open(file.as_ref())?.map(Backend::Store)),
            (None, Some(url)) => {
                Ok(Server::open(&url.to_string_lossy(), self.ca.as_deref()).map(Backend::Server))
            }
            (None, None) => Ok(Err(Failure::usage(NOWHERE))),
        }
    }
}
