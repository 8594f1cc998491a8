//! Backups: a copy of everything at one moment, in one file, and the way back from it into either kind of store.
//!
//! The file is an SQLite database of the same tables, and says in one more, `backup`, what it is: its format, the schema,
//! who made it when, and a [`checksum`] of all rows. It is put together under another name, read through once more, and
//! only then given its own.

use super::super::db::{Connection, Lock, params};
use super::super::row::signed;
use super::super::{audit, changes, postgres, sqlite, usage};
use super::checksum::{self, Label};
use super::{TABLES, Table, filled, named, others_that_stay, patient, some};
use crate::config::StoreUrl;
use crate::store::journal::{self, Counted};
use crate::store::{ChangeSubject, StoreError, usage_folder};
use crate::token::Digest;
use rusqlite::OpenFlags;
use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The format of backups that are made here; no other is read.
const FORMAT: u32 = 1;
/// How often a backup is begun again because a journal was taken over by a gateway that started meanwhile.
const TRIES: usize = 5;
/// What is not taken along: who is logged in, which after a restore nobody is any more, and what is known of journals, of
/// which everything is counted in.
const LEFT_OUT: [&str; 5] = ["usage_seen", "sessions", "refresh_tokens", "partial_logins", "password_resets"];

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// When it was begun, milliseconds since 1970.
    pub made_ms: u64,
    /// The version of the program that made it.
    pub program: String,
    /// Over everything in it.
    pub checksum: Digest,
    /// How many rows of which table.
    pub rows: Vec<(&'static str, u64)>,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// What is in the file.
    pub backup: Backup,
    /// Names of nodes that count uses on other machines: what they have not handed on yet is not in it.
    pub elsewhere: Vec<String>,
}

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// What it was restored from.
    pub backup: Backup,
    /// Ids of keys that are accepted now and were not in the store that was replaced; none where there was nothing in it.
    pub accepted_again: Vec<String>,
}

/// Why there is no backup, or nothing restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no store to make a backup of.
    #[error("there is no store to make a backup of")]
    Nothing,
    /// There is something in the store already.
    #[error(
        "the store is not empty: it has rows in `{0}`. Replace it with --replace KEEP, which makes a backup of it first"
    )]
    NotEmpty(&'static str),
    /// Gateways have sessions on the server.
    #[error("{0} sessions of gateways are open on the store: end them first")]
    Open(i64),
    /// A store does not answer, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is something under this name already.
    #[error("{} is there already: a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The file, or a folder, can not be used.
    #[error("{} can not be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// It is not what was written.
    #[error("{} is no backup, or it is damaged: {what}", .file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another version made it.
    #[error(
        "the backup has format {format} and schema {schema}, which this version does not know: restore it with portcullis {program}, which made it, or a newer one"
    )]
    TooNew {
        /// How the file is made.
        format: u32,
        /// Of its tables.
        schema: u32,
        /// Who made it.
        program: String,
    },
    /// Somebody has written to the store after the backup of it was made.
    #[error("somebody wrote to the store while {} was made: it is not replaced. Try again, with another name", .0.display())]
    Written(PathBuf),
    /// Somebody counts on this store.
    #[error("a gateway counts uses in {}: end it first", .0.display())]
    InUse(PathBuf),
    /// Gateways came and went all the time.
    #[error("gateways that start and end have kept a backup from being whole: try again")]
    Restless,
}

/// Makes a backup of the store at `from` as `to`, while gateways may run on it.
pub(in crate::store) fn make(from: &StoreUrl, to: &Path, now_ms: u64) -> Result<Made, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let unusable = |error| BackupError::File(to.to_owned(), error);
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft =
        tempfile::Builder::new().prefix(".portcullis-backup-").tempdir_in(folder).map_err(unusable)?;
    let source = existing(from)?.ok_or(BackupError::Nothing)?;
    for number in 0..TRIES {
        let path = draft.path().join(number.to_string());
        // Before the snapshot: the store has seen at least what is in there of uses that were handed on.
        let journals = journals(from)?;
        let elsewhere = taken(&source, &path, &journals)?;
        // A journal that somebody has taken over is forgotten by the store: what it has seen of it is not known any more.
        if journals.iter().all(Counted::is_there) {
            let backup = sealed(&path, now_ms)?;
            placed(&path, to, folder).map_err(unusable)?;
            return Ok(Made { backup, elsewhere });
        }
    }
    Err(BackupError::Restless)
}

fn existing(url: &StoreUrl) -> Result<Option<Connection>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::existing(path),
        StoreUrl::Postgres(settings) => postgres::existing(&named(settings)),
    }
}

fn journals(store: &StoreUrl) -> Result<Vec<Counted>, BackupError> {
    let folder = usage_folder(store);
    journal::counted(&folder).map_err(|error| BackupError::File(folder, error))
}

fn is_taken(table: &Table) -> bool {
    !LEFT_OUT.contains(&table.name)
}

/// Copies one moment of the source, and adds what journals have counted until then.
fn taken(source: &Connection, path: &Path, journals: &[Counted]) -> Result<Vec<String>, BackupError> {
    let to = sqlite::made(path)?;
    Ok(source.snapshot(|from| {
        to.transaction(Lock::Nothing, |to| {
            some(from, to, is_taken)?;
            remember(from, to, usage::RESTORED)?;
            for journal in journals {
                remember(from, to, &journal.id)?;
                usage::add(to, &journal.id, &journal.uses)?;
            }
            to.execute("DELETE FROM usage_seen", ())?;
            elsewhere(from, journals)
        })
    })?)
}

/// What the store has seen of a journal.
fn remember(from: &Connection, to: &Connection, journal: &str) -> Result<(), StoreError> {
    let mut insert =
        to.prepare_cached("INSERT INTO usage_seen (journal, slot, total) VALUES (?1, ?2, ?3)")?;
    let mut seen = from.prepare_cached("SELECT slot, total FROM usage_seen WHERE journal = ?1")?;
    let mut rows = seen.query([journal])?;
    while let Some(row) = rows.next()? {
        insert.execute(params![journal, row.get::<_, i64>(0)?, row.get::<_, i64>(1)?])?;
    }
    Ok(())
}

fn elsewhere(from: &Connection, journals: &[Counted]) -> Result<Vec<String>, StoreError> {
    let here: HashSet<&str> = journals.iter().map(|journal| &*journal.id).collect();
    let nodes = from
        .prepare_cached("SELECT name, journal FROM nodes ORDER BY number")?
        .query_all((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    Ok(nodes.into_iter().filter(|(_, journal)| !here.contains(&**journal)).map(|(name, _)| name).collect())
}

/// Writes down what it is, makes it one file, and reads it all once more.
fn sealed(path: &Path, made_ms: u64) -> Result<Backup, BackupError> {
    let damaged = |what: String| BackupError::Damaged { file: path.to_owned(), what };
    let failed = |error: rusqlite::Error| damaged(error.to_string());
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let label = Label { format: FORMAT, schema: sqlite::SCHEMA, program: program.clone(), made_ms };
    let db = rusqlite::Connection::open(path).map_err(failed)?;
    db.execute_batch(
        "CREATE TABLE backup (format INTEGER NOT NULL, \"schema\" INTEGER NOT NULL, program TEXT NOT NULL,
             made_ms INTEGER NOT NULL, checksum BLOB NOT NULL) STRICT",
    )
    .map_err(failed)?;
    let checksum = checksum::of(&db, &label)?;
    let said = (label.format, label.schema, program, signed(made_ms), checksum.0);
    db.execute("INSERT INTO backup VALUES (?1, ?2, ?3, ?4, ?5)", said).map_err(failed)?;
    db.execute_batch("VACUUM; PRAGMA journal_mode = DELETE;").map_err(failed)?;
    db.close().map_err(|(_, error)| failed(error))?;
    let (_, backup) = verified(path)?;
    if backup.checksum != checksum {
        return Err(damaged("what was written does not come back".to_owned()));
    }
    Ok(backup)
}

/// Gives the file its name, of which there is none yet.
fn placed(draft: &Path, to: &Path, folder: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    match fs::hard_link(draft, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !to.exists() => fs::rename(draft, to)?,
        linked => linked?,
    }
    File::open(folder)?.sync_all()
}

/// Reads a backup through: whether it is one, of a version that is known, and as it was written.
///
/// # Errors
/// [`BackupError`]
pub fn verify(file: &Path) -> Result<Backup, BackupError> {
    verified(file).map(|(_, backup)| backup)
}

fn verified(file: &Path) -> Result<(Connection, Backup), BackupError> {
    File::open(file).map_err(|error| BackupError::File(file.to_owned(), error))?;
    let damaged = |error: &dyn std::fmt::Display| BackupError::Damaged {
        file: file.to_owned(),
        what: error.to_string(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = rusqlite::Connection::open_with_flags(file, flags).map_err(|error| damaged(&error))?;
    let said = "SELECT format, \"schema\", program, made_ms, checksum FROM backup";
    let (format, schema, program, made_ms, checksum): (u32, u32, String, i64, [u8; 32]) = db
        .query_row(said, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .map_err(|error| damaged(&error))?;
    let label = Label { format, schema, program: program.clone(), made_ms: made_ms.unsigned_abs() };
    if format != FORMAT || schema > sqlite::SCHEMA {
        return Err(BackupError::TooNew { format, schema, program });
    }
    let sound: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| damaged(&error))?;
    if sound != "ok" {
        return Err(damaged(&sound));
    }
    let found = checksum::of(&db, &label).map_err(|error| damaged(&crate::telemetry::log::chain(&error)))?;
    if found != Digest(checksum) {
        return Err(damaged(&"its checksum is not that of its content"));
    }
    let db = Connection::Sqlite(db);
    let mut rows = Vec::new();
    for table in TABLES.iter().filter(|table| is_taken(table)) {
        rows.push((table.name, count(&db, table.name).unwrap_or(0)));
    }
    Ok((db, Backup { made_ms: label.made_ms, program, checksum: found, rows }))
}

/// None of a table that the version which made it did not have.
fn count(db: &Connection, table: &str) -> Result<u64, StoreError> {
    let count: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Puts a backup into the store at `to`, all or nothing. A store with something in it is only replaced when `keep` says what
/// file to make a backup of it in first.
pub(in crate::store) fn restore(
    file: &Path,
    to: &StoreUrl,
    keep: Option<&Path>,
    now_ms: u64,
) -> Result<Restored, BackupError> {
    let (_, backup) = verified(file)?;
    let folder = usage_folder(to);
    if journal::in_use(&folder).map_err(|error| BackupError::File(folder.clone(), error))? {
        return Err(BackupError::InUse(folder));
    }
    // Another file, so that nothing of a backup is ever altered: an older one is brought up to date in it.
    let copied = tempfile::tempdir().map_err(|error| BackupError::File(std::env::temp_dir(), error))?;
    let draft = copied.path().join("backup");
    // What it may be is copied too, and a backup may be kept so that nobody writes into it.
    fs::copy(file, &draft)
        .and_then(|_| fs::set_permissions(&draft, Permissions::from_mode(0o600)))
        .map_err(|error| BackupError::File(draft.clone(), error))?;
    verified(&draft)?;
    let from = sqlite::made(&draft)?;
    let kept = match keep {
        Some(keep) => {
            let there = existing(to)?.ok_or(BackupError::Nothing)?;
            // Looked at before as well: else the name is taken when the command is given again.
            nobody_else(&there)?;
            let before = there.snapshot(last_written)?;
            make(to, keep, now_ms)?;
            Some((keep, before))
        }
        None => None,
    };
    let to = match to {
        StoreUrl::Sqlite(path) => sqlite::made(path)?,
        StoreUrl::Postgres(settings) => postgres::made(&named(settings))?,
    };
    nobody_else(&to)?;
    let accepted_again =
        from.snapshot(|from| to.transaction(Lock::Changes, |to| put(from, to, kept, now_ms)))??;
    Ok(Restored { backup, accepted_again })
}

fn nobody_else(db: &Connection) -> Result<(), BackupError> {
    match others_that_stay(db)? {
        0 => Ok(()),
        others => Err(BackupError::Open(others)),
    }
}

/// Within the transaction it is looked at whether there is something in the store: what somebody has put there a moment ago must
/// not be lost either.
fn put(
    from: &Connection,
    to: &Connection,
    kept: Option<(&Path, [i64; 2])>,
    now_ms: u64,
) -> Result<Result<Vec<String>, BackupError>, StoreError> {
    // A server would end what empties a large table as it ends what people wait for.
    patient(to)?;
    let there = filled(to)?;
    match (kept, there) {
        (None, Some(table)) => return Ok(Err(BackupError::NotEmpty(table))),
        (Some((keep, before)), _) if last_written(to)? != before => {
            return Ok(Err(BackupError::Written(keep.to_owned())));
        }
        _ => {}
    }
    let before = accepted(to, now_ms)?;
    empty(to)?;
    some(from, to, is_taken)?;
    usage::restored(to, now_ms)?;
    // Whoever has followed the store that was there before reads everything anew.
    changes::append(to, &ChangeSubject::Everything)?;
    // A store in which every key was blocked is none in which there was nothing.
    if there.is_none() {
        return Ok(Ok(Vec::new()));
    }
    let now = accepted(to, now_ms)?;
    let mut again: Vec<_> = now.into_iter().filter(|key| !before.contains(key)).map(|(id, _)| id).collect();
    again.sort();
    // One for its value and for the one before it.
    again.dedup();
    Ok(Ok(again))
}

/// The last change that nodes follow, and the last that was noted.
fn last_written(db: &Connection) -> Result<[i64; 2], StoreError> {
    let last = |sql| db.query_row(sql, (), |row| row.get(0));
    Ok([
        last("SELECT coalesce(max(sequence), 0) FROM changes")?,
        last("SELECT coalesce(max(sequence), 0) FROM audit")?,
    ])
}

/// Keys that are neither blocked nor over, with what they are shown as, and with what they were before for as long as that
/// works on.
fn accepted(db: &Connection, now_ms: u64) -> Result<HashSet<(String, [u8; 32])>, StoreError> {
    let sql = "SELECT id, digest FROM tokens WHERE active AND (expires_ms IS NULL OR expires_ms > ?1)
               UNION ALL
               SELECT r.token, r.digest FROM retiring_values r JOIN tokens t ON t.id = r.token
               WHERE t.active AND (t.expires_ms IS NULL OR t.expires_ms > ?1) AND r.until_ms > ?1";
    let all = db.prepare_cached(sql)?.query_all([signed(now_ms)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.into_iter().collect())
}

/// Removes everything, the roll of nodes too: none of them is there.
fn empty(db: &Connection) -> Result<(), StoreError> {
    audit::rewritten(db, |db| {
        for table in TABLES.iter().rev() {
            db.execute(&format!("DELETE FROM {}", table.name), ())?;
        }
        db.execute("DELETE FROM nodes", ())?;
        Ok(())
    })
}

#[cfg(test)]
mod tests;
