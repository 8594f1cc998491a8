//! Jobs on connections, each in a transaction of its own: all of it is done, or nothing.

use super::session::Session;
use super::{Connection, Error};
use crate::store::StoreError;
use rusqlite::TransactionBehavior;

/// How often a job is done again that PostgreSQL undid for the sake of another.
const AGAIN: u32 = 4;

/// What a transaction that writes waits for before it begins. SQLite has one writer at a time anyway.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sql) enum Lock<'a> {
    /// One at a time of all that may append to the changes. The feed rests on it: `changes.sequence` is given inside the
    /// lock, and the lock is held until the commit is done, so that the order of the sequence is the order of the commits.
    /// Who has read up to 5 has seen everything up to 5, because 4 can not be committed after it.
    Changes,
    /// One at a time of what concerns this usage journal, which appends no change.
    Journal(&'a str),
    /// One at a time of those who join the roll of nodes, so that their numbers are in the order of the commits: a node that
    /// finds nobody before it must not have somebody come before it later.
    Roll,
    /// Alone with the schema.
    Schema,
    /// Nothing: rows are locked as they are written.
    Nothing,
}

impl Lock<'_> {
    /// How it is taken. The first number says what for, the second which one: of several stores in one database, each has
    /// a schema of its own.
    fn sql(self) -> String {
        let lock = |kind: i32, of: &str| {
            // READ COMMITTED: what follows sees what was committed while the lock was waited for.
            format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({kind}, hashtext({of}))"
            )
        };
        match self {
            Self::Changes => lock(1_886_352_497, "current_schema()"),
            Self::Schema => lock(1_886_352_499, "current_schema()"),
            Self::Roll => lock(1_886_352_500, "current_schema()"),
            Self::Nothing => "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
            // Journals are named by us, in letters and digits; anything else must not get into the statement.
            Self::Journal(id) => {
                let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                lock(1_886_352_498, &format!("'{plain}'"))
            }
        }
    }
}

impl Connection {
    /// Runs `job` on one snapshot for all of its statements.
    pub(in crate::store::sql) fn snapshot<T>(
        &self,
        mut job: impl FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(db) => {
                let _undone = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Deferred)
                    .map_err(Error::from)?;
                job(self)
            }
            Self::Postgres(session) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                self.again(session, begin, &mut job)
            }
        }
    }

    /// Runs `job` in a transaction that is rolled back when it fails.
    pub(in crate::store::sql) fn transaction<T>(
        &self,
        lock: Lock<'_>,
        mut job: impl FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(db) => {
                // IMMEDIATE: another process's writer is waited for here, and not half-way through.
                let transaction = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Immediate)
                    .map_err(Error::from)?;
                let done = job(self)?;
                transaction.commit().map_err(Error::from)?;
                Ok(done)
            }
            Self::Postgres(session) => self.again(session, &lock.sql(), &mut job),
        }
    }

    /// Runs `job`, which is one statement. On a server it is its own transaction: who is cut off in the middle of it holds no
    /// lock that others would wait for.
    pub(in crate::store::sql) fn statement<T>(
        &self,
        mut job: impl FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(_) => self.transaction(Lock::Nothing, job),
            Self::Postgres(session) => {
                session.begin("")?;
                job(self)
            }
        }
    }

    fn again<T>(
        &self,
        session: &Session,
        begin: &str,
        job: &mut dyn FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(session, begin, job) {
                // PostgreSQL has undone all of it, so that nothing is done twice.
                Err(error) if tries <= AGAIN && may_succeed(&error, session) => {}
                done => return done,
            }
        }
    }

    fn once<T>(
        &self,
        session: &Session,
        begin: &str,
        job: &mut dyn FnMut(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        session.begin(begin)?;
        let begun = Begun(session);
        let done = job(self)?;
        std::mem::forget(begun);
        session.commit()?;
        Ok(done)
    }
}

fn may_succeed(error: &StoreError, session: &Session) -> bool {
    let StoreError::Unavailable(cause) = error else { return false };
    let Some(cause) = cause.downcast_ref::<Error>() else { return false };
    if cause.is_stale_plan() {
        session.forget_statements();
        return true;
    }
    cause.is_conflict()
}

/// A transaction that is undone when the job fails, or panics.
struct Begun<'a>(&'a Session);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.rollback();
    }
}
