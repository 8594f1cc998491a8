//! `portcullis backup` and `portcullis restore`: everything in a store as one file, and back into a store of either kind.

use super::{ConfigFile, complain, print};
use crate::clock::Clock;
use crate::dialect::time::iso_millis;
use crate::store::{self, Backup, BackupError, Made, Restored};
use crate::telemetry::log::chain;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const BACKUP_AFTER_HELP: &str = "\
Gateways may run meanwhile, and are neither stopped nor slowed down. The file is one moment of the store, with every use \
that was counted on this machine before the command began. It is readable by its owner alone, and as secret as the store: \
the keys that sign identities are in it.

Examples:
  portcullis backup -c gw.yaml /backup/monday.backup
  portcullis restore --check /backup/monday.backup";

const RESTORE_AFTER_HELP: &str = "\
No gateway may run on the store. Whatever was done after the backup is not in it: keys that were revoked since then work again. \
Everybody has to log in anew.

Examples:
  portcullis restore -c gw.yaml /backup/monday.backup
  portcullis restore -c gw.yaml /backup/monday.backup --replace /backup/before.backup";

#[derive(clap::Args, Debug)]
#[command(after_help = BACKUP_AFTER_HELP)]
pub(super) struct Make {
    #[command(flatten)]
    file: ConfigFile,
    /// File to make; nothing is overwritten
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

#[derive(clap::Args, Debug)]
#[command(after_help = RESTORE_AFTER_HELP)]
pub(super) struct Restore {
    /// Configuration file of the store to restore into
    #[arg(long, short, value_name = "FILE", env = "PORTCULLIS_CONFIG", required_unless_present = "check")]
    config: Option<PathBuf>,
    /// The backup
    #[arg(value_name = "IN")]
    backup: PathBuf,
    /// Replace what is in the store, after a backup of that was made as this file
    #[arg(long, value_name = "KEEP")]
    replace: Option<PathBuf>,
    /// Only read the backup through, and say whether it is whole
    #[arg(long, conflicts_with = "replace")]
    check: bool,
}

/// Makes a backup of the configured store.
pub(super) fn make(arguments: &Make) -> ExitCode {
    let url = match arguments.file.load() {
        Ok(loaded) => loaded.config.store.url,
        Err(code) => return code,
    };
    match store::back_up(&url, &arguments.out, Clock::new().now().unix_ms) {
        Ok(Made { backup, elsewhere }) => {
            let mut report = rows(&backup);
            let _ = writeln!(report, "{} is whole: {}", arguments.out.display(), label(&backup));
            report.push_str(&missing(&elsewhere));
            print(report)
        }
        Err(error) => complain(format_args!("error: {}\nthere is no backup", chain(&error))),
    }
}

/// Restores a backup into the configured store, or only reads it through.
pub(super) fn restore(arguments: Restore) -> ExitCode {
    let Some(config) = arguments.config.filter(|_| !arguments.check) else {
        return match store::verify(&arguments.backup) {
            Ok(backup) => print(format_args!(
                "{}{} is whole: {}\n",
                rows(&backup),
                arguments.backup.display(),
                label(&backup)
            )),
            Err(error) => complain(format_args!("error: {}", chain(&error))),
        };
    };
    let url = match (ConfigFile { config }).load() {
        Ok(loaded) => loaded.config.store.url,
        Err(code) => return code,
    };
    let now_ms = Clock::new().now().unix_ms;
    match store::restore(&arguments.backup, &url, arguments.replace.as_deref(), now_ms) {
        Ok(restored) => print(told(&restored, arguments.replace.is_some())),
        Err(error) => complain(format_args!(
            "error: {}\n{}",
            chain(&error),
            unrestored(&error, arguments.replace.as_deref())
        )),
    }
}

/// What stands where after a restore that failed.
fn unrestored(error: &BackupError, keep: Option<&Path>) -> String {
    let mut text = String::from("nothing was restored: the store is as it was");
    // The answer to the end of a transaction may be what is lost.
    if matches!(error, BackupError::Store(_)) {
        text.push_str(", unless its server went away at the very end: look at it before you try again");
    }
    if let Some(keep) = keep.filter(|keep| keep.exists()) {
        let _ = write!(text, "\n{} is a backup of it; another try takes another name", keep.display());
    }
    text
}

fn rows(backup: &Backup) -> String {
    let mut report = String::new();
    for (table, rows) in backup.rows.iter().filter(|(_, rows)| *rows > 0) {
        let _ = writeln!(report, "{rows:>10} {table}");
    }
    report
}

fn label(backup: &Backup) -> String {
    let (at, sum) = (iso_millis(backup.made_ms), backup.checksum.to_hex());
    format!("made at {at} by portcullis {}, sha256 of its content {sum}", backup.program)
}

fn missing(elsewhere: &[String]) -> String {
    if elsewhere.is_empty() {
        return "Every use that was counted before it began is in it.\n".to_owned();
    }
    format!(
        "Every use that was counted on this machine before it began is in it. Not in it is what these nodes had not handed to \
         the store: {}. How old the oldest such use can be is their portcullis_usage_unwritten_seconds.\n",
        elsewhere.join(", ")
    )
}

fn told(Restored { backup, accepted_again }: &Restored, has_replaced: bool) -> String {
    let mut report = rows(backup);
    let at = iso_millis(backup.made_ms);
    let _ = writeln!(report, "restored: the store is as it was at {at}");
    if has_replaced {
        let _ = writeln!(
            report,
            "keys that the replaced store did not accept, or not by this value, and this one does: {}",
            accepted_again.len()
        );
        for id in accepted_again {
            let _ = writeln!(report, "           {id}");
        }
    } else {
        let _ = writeln!(
            report,
            "Keys that were revoked after {at} work again. How many is not known here: revoke them anew."
        );
    }
    report.push_str("Nobody is logged in. Uses that were counted later are lost.\n");
    report
}
