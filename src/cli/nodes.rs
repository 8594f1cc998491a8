//! `portcullis nodes`: who accepts keys on the store, and how far each of them has followed it.

use super::manage::{Column, Output, list};
use super::{ConfigFile, complain, print};
use crate::dialect::time::iso_millis;
use crate::store::nodes::Node;
use crate::store::{self, StoreError};
use crate::telemetry::log::chain;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// How to print it: for reading, or for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Prints the roll of the configured store.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let loaded = match arguments.file.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let store = match store::open_read_only(&loaded.config.store.url) {
        Ok(Some(store)) => store,
        Ok(None) => return complain("error: there is no store yet\nhelp: `portcullis serve` makes it"),
        Err(error) => return complain(format_args!("error: {}", chain(&error))),
    };
    match told(&*store) {
        Ok(nodes) if arguments.output == Output::Json => print(format_args!("{nodes:#}\n")),
        Ok(nodes) => print(list(&nodes, COLUMNS)),
        Err(error) => complain(format_args!("error: {}", chain(&error))),
    }
}

const COLUMNS: &[Column] = &[
    ("NODE", "/name"),
    ("VERSION", "/version"),
    ("STATE", "/state"),
    ("BEHIND", "/changesBehind"),
    ("LEASE", "/leaseSeconds"),
    ("SINCE", "/joinedAt"),
    ("LAST HEARD", "/heardAt"),
];

/// The roll of a store, as a list of records.
pub(super) fn told(store: &dyn store::Store) -> Result<Value, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let (nodes, newest) = runtime.block_on(async {
        let newest = store.newest_change().await?;
        Ok::<_, StoreError>((store.nodes().await?, newest.sequence))
    })?;
    Ok(json!({ "data": nodes.iter().map(|node| shown(node, newest)).collect::<Vec<_>>() }))
}

fn shown(node: &Node, newest: u64) -> Value {
    json!({
        "id": node.id,
        "name": node.name,
        "version": node.version,
        "state": state(node),
        "changesBehind": newest.saturating_sub(node.applied),
        "leaseSeconds": node.lease.as_secs_f64(),
        "joinedAt": iso_millis(node.joined_ms),
        "heardAt": iso_millis(node.told_ms),
    })
}

/// `silent`: not heard of for too long, and accepts no key any more, or soon. `leaving`: finishes what is under way.
fn state(node: &Node) -> &'static str {
    match (node.doubted, node.stepped_back) {
        (true, _) => "silent",
        (false, true) => "leaving",
        (false, false) => "well",
    }
}
