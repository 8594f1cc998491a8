//! `portcullis diff`: what a reload would change.

use super::{ConfigFile, print};
use crate::config::diff::{Change, Changes, needs_new_process};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// With `--exit-code`: they differ. Not 1, which says that a file is bad.
const DIFFERENT: u8 = 3;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Configuration file as it is
    #[arg(long, short, value_name = "OLD", env = "PORTCULLIS_CONFIG")]
    config: PathBuf,
    /// Configuration file as it would be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Exit with 3 when they differ
    #[arg(long)]
    exit_code: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Output {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { config, new, output, exit_code } = arguments;
    let loaded = [config, new].map(|config| ConfigFile { config }.load());
    let [Ok(old), Ok(new)] = loaded else { return ExitCode::FAILURE };
    let changes = Changes::between(&old.outline, &new.outline);
    let refused = needs_new_process(&old.config, &new.config);
    let printed = match output {
        Output::Text => print(text(&changes, refused)),
        Output::Json => print(format_args!("{:#}\n", as_json(&changes, refused))),
    };
    if exit_code && !changes.list.is_empty() && printed == ExitCode::SUCCESS {
        return ExitCode::from(DIFFERENT);
    }
    printed
}

fn text(changes: &Changes, refused: Option<&str>) -> String {
    if changes.list.is_empty() {
        return "nothing would change\n".to_owned();
    }
    let mut text = String::new();
    let mut group = None;
    for change in &changes.list {
        if group != Some(change.group) {
            let between = if group.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{between}{}", change.group.title());
            group = Some(change.group);
        }
        let _ = writeln!(text, "  {change}");
    }
    let weaker = changes.weaker().count();
    if weaker > 0 {
        let (which, make) = if weaker == 1 { ("change makes", "it") } else { ("changes make", "them") };
        let _ = writeln!(text, "\n{weaker} {which} the gateway more permissive: look at {make} twice");
    }
    if let Some(what) = refused {
        let _ = writeln!(
            text,
            "\na reload would be refused: `{what}` differs, which takes a new process (restart, or SIGUSR2)"
        );
    }
    text
}

fn as_json(changes: &Changes, refused: Option<&str>) -> Value {
    let change = |change: &Change| {
        json!({
            "group": change.group.title(),
            "path": change.path,
            "change": change.kind.name(),
            "from": change.from,
            "to": change.to,
            "weaker": change.weaker,
        })
    };
    json!({
        "changes": changes.list.iter().map(change).collect::<Vec<_>>(),
        "needsNewProcess": refused,
    })
}
