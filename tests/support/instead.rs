//! The databases that gateways of the suite have in place of their files, with `PORTCULLIS_TEST_STORE=postgres`.

use super::postgres::{self, Database, PASSWORD, USER};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

fn known() -> &'static Mutex<HashMap<PathBuf, Database>> {
    static KNOWN: OnceLock<Mutex<HashMap<PathBuf, Database>>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default)
}

/// Whether the suite runs on PostgreSQL.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("PORTCULLIS_TEST_STORE").is_some_and(|store| store == "postgres")
}

/// The address of the database of a gateway's folder, which is made the first time.
pub(crate) fn of(folder: &Path) -> String {
    let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
    let database = known.entry(folder.to_owned()).or_insert_with(postgres::database);
    let password = PASSWORD.replace('@', "%40").replace('/', "%2F");
    format!("postgres://{USER}:{password}@127.0.0.1:{}/{}?sslmode=disable", database.port, database.name)
}

/// The database that is in place of this file, if one is.
pub(crate) fn of_file(file: &Path) -> Option<Database> {
    known().lock().unwrap_or_else(PoisonError::into_inner).get(file.parent()?).cloned()
}
