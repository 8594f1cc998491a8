//! Writes a fixture: what is missing is made, what differs is altered, the rest is left alone. Runs in one transaction,
//! which the caller rolls back when this fails.

mod members;
mod organizations;
mod tokens;

use super::changes;
use super::db::Connection;
use crate::store::StoreError;
use crate::store::import::{Conflict, Fixture, Imported, Position, Tally};
use std::collections::HashMap;

/// What one import knows and gathers on its way.
struct Import<'a> {
    db: &'a Connection,
    /// Hashes by `users.email_key`.
    passwords: &'a HashMap<String, String>,
    now_ms: u64,
    conflicts: Vec<Conflict>,
    done: Imported,
}

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Created,
    Updated,
    Unchanged,
    /// Noted among the conflicts.
    Refused,
}

/// Imports all of `fixture`.
///
/// # Errors
/// [`StoreError::Conflicts`] with every contradiction there is.
pub(super) fn all(
    db: &Connection,
    fixture: &Fixture,
    passwords: &HashMap<String, String>,
    now_ms: u64,
) -> Result<Imported, StoreError> {
    let mut import = Import { db, passwords, now_ms, conflicts: Vec::new(), done: Imported::default() };
    for organization in &fixture.organizations {
        import.organization(organization)?;
    }
    if !import.conflicts.is_empty() {
        return Err(StoreError::Conflicts(import.conflicts));
    }
    changes::prune(db)?;
    Ok(import.done)
}

impl Import<'_> {
    fn refuse(&mut self, at: Position, what: String) -> Outcome {
        self.conflicts.push(Conflict { at, what });
        Outcome::Refused
    }
}

fn note(tally: &mut Tally, outcome: Outcome) {
    match outcome {
        Outcome::Created => tally.created += 1,
        Outcome::Updated => tally.updated += 1,
        Outcome::Unchanged => tally.unchanged += 1,
        Outcome::Refused => {}
    }
}

/// `Updated` when anything is to be altered.
fn altered(differs: bool) -> Outcome {
    if differs { Outcome::Updated } else { Outcome::Unchanged }
}
