//! `portcullis copy`: everything that one store has into another, empty one, all or nothing.

use super::{ConfigFile, complain, print};
use crate::config::StoreUrl;
use crate::store::{self, journal};
use crate::telemetry::log::chain;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// What to copy: `sqlite://PATH`, or a configuration file whose store it is. No gateway may run on it
    #[arg(long, value_name = "STORE")]
    pub(super) from: String,
}

/// Copies into the store of the configuration, and says how much that was.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let from = match source(&arguments.from) {
        Ok(from) => from,
        Err(code) => return code,
    };
    let to = match arguments.file.load() {
        Ok(loaded) => loaded.config.store.url,
        Err(code) => return code,
    };
    match copy(&from, &to) {
        Ok(report) => print(report),
        Err(text) => complain(format_args!("error: {text}\nnothing was copied")),
    }
}

fn source(text: &str) -> Result<StoreUrl, ExitCode> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        return Ok(StoreUrl::Sqlite(PathBuf::from(path)));
    }
    if text.contains("://") {
        // On a command line everybody could read its password.
        let help = "name a configuration file with this store: --from old.yaml";
        return Err(complain(format_args!(
            "error: --from takes `sqlite://PATH` or a configuration file\nhelp: {help}"
        )));
    }
    Ok(ConfigFile { config: Path::new(text).to_owned() }.load()?.config.store.url)
}

fn copy(from: &StoreUrl, to: &StoreUrl) -> Result<String, String> {
    if from == to {
        return Err("both are the same store".to_owned());
    }
    for url in [from, to] {
        let folder = store::usage_folder(url);
        let used = journal::in_use(&folder)
            .map_err(|error| format!("the folder {} can not be read: {error}", folder.display()))?;
        if used {
            return Err(format!("a gateway counts uses in {}: end it first", folder.display()));
        }
    }
    let failed = |error: store::StoreError| chain(&error).to_string();
    // Looked at first, because to open it for the uses that are left would bring an older one up to date.
    if store::open_read_only(from).map_err(failed)?.is_none() {
        return Err("there is no store to copy from".to_owned());
    }
    recover(from)?;
    let copied = store::copy(from, to).map_err(|error| chain(&error).to_string())?;
    let mut report = String::new();
    for (table, rows) in copied.iter().filter(|(_, rows)| *rows > 0) {
        report.push_str(&format!("{rows:>10} {table}\n"));
    }
    let rows: u64 = copied.iter().map(|(_, rows)| rows).sum();
    report.push_str(&format!("{rows:>10} rows were copied\n"));
    Ok(report)
}

/// Adds up what gateways that ended had counted and not handed on: it stays in files beside the old store otherwise.
fn recover(from: &StoreUrl) -> Result<(), String> {
    let store = store::open(from).map_err(|error| chain(&error).to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the system refuses timers: {error}"))?;
    let recovered = runtime.block_on(journal::recover(&store::usage_folder(from), &*store));
    recovered.map(drop).map_err(|error| chain(&error).to_string())
}
