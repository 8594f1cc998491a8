//! What the commands that manage keys and people share: the store, the operator, tables and JSON.

use super::{ConfigFile, complain, print};
use crate::clock::Clock;
use crate::control::domain::{Actor, By, Domain, DomainError, Edge, Elsewhere, Origin};
use crate::store;
use crate::telemetry::log::chain;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Where to work, and how to print what came of it.
#[derive(clap::Args, Debug)]
pub(super) struct Common {
    #[command(flatten)]
    file: ConfigFile,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Print JSON: the same as --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For reading
    Table,
    /// For programs
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

/// Does `work` on the configured store, as the operator, and prints what came of it.
pub(super) fn operate<F>(common: &Common, work: F) -> ExitCode
where
    F: AsyncFnOnce(&Domain, &By) -> Result<Printed, DomainError>,
{
    let loaded = match common.file.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let store = match store::open(&loaded.config.store.url) {
        Ok(store) => store,
        Err(error) => return complain(format_args!("error: the store can not be opened: {}", chain(&error))),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(format_args!("error: the system refuses timers: {error}")),
    };
    let edge = Elsewhere {
        usage_folder: store::usage_folder(&loaded.config.store.url),
        max_staleness: loaded.config.store.max_staleness,
        waiting,
    };
    let domain = Domain::new(store, Edge::Elsewhere(edge));
    let by = By { actor: Actor::Operator, origin: Origin::default(), now: Clock::new().now() };
    match runtime.block_on(work(&domain, &by)) {
        Ok(done) if common.json || common.output == Output::Json => print(format_args!("{:#}\n", done.json)),
        Ok(done) => print(done.table),
        Err(error) => complain(described(&error)),
    }
}

fn waiting(how_long: Duration) {
    // Nobody to tell is no reason not to wait.
    let seconds = how_long.as_secs_f32();
    let _ = writeln!(
        std::io::stderr().lock(),
        "a gateway runs on this store: waiting {seconds:.1} s, after which it is certain to act on this"
    );
}

/// Everything that is wrong, one line each.
fn described(error: &DomainError) -> String {
    match error {
        DomainError::Invalid(violations) => {
            violations.iter().map(|it| format!("error: {}", it.message)).collect::<Vec<_>>().join("\n")
        }
        DomainError::NotFound(what) => format!("error: there is no such {what}"),
        other => format!("error: {}", chain(other)),
    }
}

/// Columns as wide as what is in them, two blanks apart; the first row is their titles.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Names and values, one pair a line.
pub(super) fn facts(pairs: &[(&str, String)]) -> String {
    let rows: Vec<Vec<String>> =
        pairs.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    table(&rows)
}

/// JSON that was made as a text.
pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["ID", "NAME"], ["1", "ตรวจ"], ["22222", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "ID     NAME\n1      ตรวจ\n22222\n");
        assert_eq!(facts(&[("a", "1".to_owned()), ("bcd", "2".to_owned())]), "a    1\nbcd  2\n");
    }
}
