//! What is kept: organizations, projects, people, keys, usage, signing keys. SQL stays in here.
//!
//! [`Store`] is the one trait over every database; `cache::Tokens` is what the request path sees.

pub mod cache;
#[cfg(test)]
pub(crate) mod conformance;
pub mod history;
pub mod import;
pub mod journal;
pub mod management;
pub mod nodes;
pub mod password;
mod sql;
pub use sql::copy::CopyError;
pub use sql::copy::backup::{Backup, BackupError, Made, Restored, verify};
pub use sql::sqlite;

use crate::config::StoreUrl;
use crate::token::{
    Digest, KeyFamily, MemberRole, OrganizationId, Permissions, ProjectId, Reach, Secret, TokenId, UserId,
};
use ipnet::IpNet;
use management::Management;
use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future of the store's, boxed so that the trait can be a `dyn` one; the store is never on the request path.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or answered with an error.
    #[error("the store did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something in it does not decode.
    #[error("a row of {table} does not decode: {what}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The database was made by a newer version.
    #[error(
        "the store has schema {found}, this version knows up to {known}: start the newer portcullis that brought it there, or \
         restore the backup that was made before"
    )]
    TooNew {
        /// Schema version of the database.
        found: u32,
        /// Newest schema version known here.
        known: u32,
    },
    /// The database was made by an older version, and is not to be changed now.
    #[error(
        "the store has schema {found}, this version needs {needed}: `portcullis serve` brings it up to date when it starts"
    )]
    TooOld {
        /// Schema version of the database.
        found: u32,
        /// The schema version needed here.
        needed: u32,
    },
    /// A fixture contradicts what is stored already; nothing of it was imported.
    #[error("{} of the fixture's entries contradict what is stored already", .0.len())]
    Conflicts(Vec<import::Conflict>),
}

/// Opens the store at `url`; makes it when it is missing, and brings its schema up to date.
///
/// # Errors
/// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] when a newer version made it.
pub fn open(url: &StoreUrl) -> Result<Arc<dyn Management>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(sql::Database::open(path)?)),
        StoreUrl::Postgres(settings) => Ok(Arc::new(sql::Database::connect(settings)?)),
    }
}

/// Opens the store at `url` to look things up in it: it is neither made nor changed, and every write fails. `None` when
/// there is none.
///
/// # Errors
/// [`StoreError::Unavailable`] when it can not be opened, [`StoreError::TooNew`] and [`StoreError::TooOld`] when
/// another version made it.
pub fn open_read_only(url: &StoreUrl) -> Result<Option<Arc<dyn Store>>, StoreError> {
    let store = match url {
        StoreUrl::Sqlite(path) => sql::Database::open_read_only(path)?,
        StoreUrl::Postgres(settings) => sql::Database::connect_read_only(settings)?,
    };
    Ok(store.map(|store| Arc::new(store) as Arc<dyn Store>))
}

/// Copies everything that the store at `from` has into the one at `to`, which is made when it is missing; all or nothing.
/// Says how many rows of which table. Not from within a runtime: it waits for databases.
///
/// # Errors
/// [`CopyError`]; and [`StoreError::TooOld`] when an older version made the first one.
pub fn copy(from: &StoreUrl, to: &StoreUrl) -> Result<Vec<(&'static str, u64)>, CopyError> {
    sql::copy::from_to(from, to)
}

/// Makes a backup of the store at `from` as the file `to`, while gateways may run on it: one moment of it, and every use that
/// was counted in this machine's journals until it began. Not from within a runtime.
///
/// # Errors
/// [`BackupError`]; there is no file then.
pub fn back_up(from: &StoreUrl, to: &Path, now_ms: u64) -> Result<Made, BackupError> {
    sql::copy::backup::make(from, to, now_ms)
}

/// Restores a backup into the empty store at `to`, which is made when it is missing; all or nothing. With `keep`, a store with
/// something in it is replaced, after a backup of it was made as that file. Not from within a runtime.
///
/// # Errors
/// [`BackupError`]; the store is as it was then.
pub fn restore(
    file: &Path,
    to: &StoreUrl,
    keep: Option<&Path>,
    now_ms: u64,
) -> Result<Restored, BackupError> {
    sql::copy::backup::restore(file, to, keep, now_ms)
}

/// Where the usage journals of the store at `url` are.
pub fn usage_folder(url: &StoreUrl) -> PathBuf {
    match url {
        StoreUrl::Sqlite(path) => {
            let mut folder = path.clone().into_os_string();
            folder.push(".usage");
            folder.into()
        }
        StoreUrl::Postgres(settings) => settings.usage.clone(),
    }
}

/// One key as the store holds it, with what of its surroundings decides about it. In this order: what a decision reads
/// comes first, because a million of these are in no processor cache.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct TokenRecord {
    /// What it grants.
    pub terms: Arc<Terms>,
    /// Instant of expiry, milliseconds since 1970; `None` never.
    pub expires_ms: Option<u64>,
    /// False blocks it, whatever else holds.
    pub active: bool,
    /// Grows by one with each regeneration: a JWT made from an older value is dead.
    pub version: u64,
    /// True when this was found by a value that a rotation has replaced: it works until `expires_ms`, which is then the
    /// end of that value or of the key, whichever comes first.
    pub retiring: bool,
    /// Its id: names the bucket, survives regeneration.
    pub id: TokenId,
    /// SHA-256 of its present value.
    pub digest: Digest,
    /// The number under which usage is counted; never used again for another key.
    pub row: u64,
    /// What people call it.
    pub name: Box<str>,
}

/// A key, as far as it takes to say which ones are worth holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// [`TokenRecord::row`]
    pub row: u64,
    /// Its latest use, milliseconds since 1970; 0 when there was none.
    pub last_used_ms: u64,
}

/// What a key grants, and to whom. Many keys have the same terms, and share them in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Which family of keys it belongs to.
    pub family: KeyFamily,
    /// Its organization.
    pub organization: OrganizationId,
    /// All projects, or one.
    pub reach: Reach,
    /// As granted, in order; already cut to what the creator's role has, when it was made by a person.
    pub permissions: Permissions,
    /// As granted, in order.
    pub scopes: Arc<[Box<str>]>,
    /// Addresses it may be used from; empty means any. IPv4-mapped networks are stored as IPv4.
    pub addresses: Vec<IpNet>,
}

/// One project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Opaque id.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// As stored; `None` when never set.
    pub description: Option<String>,
    /// An inactive project is left out of an organization key's list, and nothing else.
    pub active: bool,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub updated_ms: u64,
}

/// One organization with its projects, as far as the request path needs it.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Opaque id.
    pub id: OrganizationId,
    /// The name in `X-Org-Slug`.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// Ordered by creation, then id.
    pub projects: Vec<Project>,
}

/// One person's standing, as far as the request path needs it.
#[derive(Clone, Debug)]
pub struct UserRecord {
    /// Opaque id.
    pub id: UserId,
    /// False blocks the person everywhere.
    pub active: bool,
    /// The organizations the person belongs to.
    pub memberships: Vec<Membership>,
}

/// A person's place in one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// Its slug, to answer `X-Org-Slug` without a second look-up.
    pub slug: String,
    /// The person's role in it.
    pub role: MemberRole,
}

/// A session that is neither ended nor over, as far as the request path needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Whose it is.
    pub person: UserId,
    /// From then on it is over, milliseconds since 1970.
    pub expires_ms: u64,
}

/// Which change is meant. The default comes before every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeId {
    /// Its place in the store's one order of changes; starts at 1, no gaps are promised.
    pub sequence: u64,
    /// A random number. A store that was put back to an earlier state gives the same places a second time, to other changes.
    pub mark: u64,
}

/// One change that a cache has to follow, in the order of its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which one it is.
    pub id: ChangeId,
    /// What changed.
    pub subject: ChangeSubject,
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSubject {
    /// A key was made, altered or removed: both its old and its new value are named by their own changes.
    Token {
        /// Which key.
        id: TokenId,
        /// The value that is to be forgotten (or, for a new key, that is not unknown any more).
        digest: Digest,
    },
    /// An organization or one of its projects.
    Organization(OrganizationId),
    /// A person or their memberships.
    User(UserId),
    /// A session was ended, or lives longer.
    Session(Box<str>),
    /// The signing keys.
    SigningKeys,
    /// Anything: the store does not have the changes after the one asked for any more, or never had that one.
    Everything,
}

/// Uses of one key since they were last added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The slot of the journal it was counted in.
    pub slot: u32,
    /// [`TokenRecord::row`].
    pub row: u64,
    /// The slot's running total, which goes on growing when the slot is given to another key. The store adds what it has not yet seen of it, in the same transaction
    /// in which it remembers the total, so that a batch that is sent twice counts once.
    pub total: u64,
    /// Latest use, milliseconds since 1970.
    pub last_used_ms: u64,
}

/// Connections to a store's server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// How many are open.
    pub open: u64,
    /// How many were opened so far.
    pub opened: u64,
    /// How often none could be opened.
    pub failed: u64,
}

/// By how much the clocks of nodes may differ, and how long one may take to follow the others.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// A key that signs upstream identities.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The `kid` of its tokens.
    pub id: String,
    /// `EdDSA` or `ES256` (RFC 7518, RFC 8037).
    pub algorithm: String,
    /// PKCS#8, DER, in base64 (standard alphabet, padded).
    pub private: Secret,
    /// Milliseconds since 1970: from then on it signs.
    pub signs_from_ms: u64,
    /// Milliseconds since 1970: from then on it is gone from the published set.
    pub retires_ms: u64,
}

/// What every database offers. Implementations live beside this file; one conformance suite runs against each.
pub trait Store: nodes::Nodes + Send + Sync + std::fmt::Debug {
    /// The key with this value, active or not; `None` when there is none.
    fn token_by_digest(&self, digest: Digest) -> Answer<'_, Option<TokenRecord>>;
    /// The key with this id.
    fn token_by_id<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<TokenRecord>>;
    /// Which keys there are, by their [`row`](TokenRecord::row), and when each was last used: the first `most` rows after
    /// `row`, in order. Begins with 0, and is at its end where it answers fewer.
    fn token_rows(&self, after: u64, most: usize) -> Answer<'_, Vec<TokenRow>>;
    /// The keys with these rows, as far as there are any, all read at one moment. To fill a cache: people's requests are
    /// delayed by it, those of the edge are not.
    fn tokens(&self, rows: Vec<u64>) -> Answer<'_, Vec<TokenRecord>>;
    /// The organization and its projects.
    fn organization<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<Organization>>;
    /// The person and their memberships.
    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<UserRecord>>;
    /// The session with this id, unless it was ended.
    fn live_session<'a>(&'a self, id: &'a str) -> Answer<'a, Option<LiveSession>>;
    /// Imports a fixture: all of it or nothing; importing it again changes nothing.
    fn import<'a>(&'a self, fixture: &'a import::Fixture, now_ms: u64) -> Answer<'a, import::Imported>;
    /// The newest change; the default when there was none.
    fn newest_change(&self) -> Answer<'_, ChangeId>;
    /// The changes after `known`, oldest first, for who is no node.
    fn changes_after(&self, known: ChangeId) -> Answer<'_, Vec<Change>> {
        Box::pin(async move { Ok(self.read_as(None, known).await?.changes) })
    }
    /// Returns when changes may have been made since this was last called, by whomever, or after `most`; at once when that
    /// can not be known, as after a connection was lost. For one follower: it tells each of them only a part. A store that
    /// does not know waits.
    fn changed(&self, most: Duration) -> Answer<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(most).await;
            Ok(())
        })
    }
    /// What became of connections so far. A file has none.
    fn connections(&self) -> Connections {
        Connections::default()
    }
    /// Adds usage up, exactly once: see [`Usage::total`]. `journal` names the journal the slots belong to. Where a history is
    /// kept, what was not seen before goes into the hour of the latest use.
    fn add_usage<'a>(&'a self, journal: &'a str, batch: Vec<Usage>) -> Answer<'a, ()>;
    /// Adds refusals to the history, where one is kept; once, however often it is called with the same `number`. For one journal
    /// numbers only grow.
    fn add_refusals<'a>(
        &'a self,
        journal: &'a str,
        number: u64,
        batch: Vec<history::Refused>,
    ) -> Answer<'a, ()>;
    /// Has a history kept from now on for so long, on every node, and forgets what is older; with `None` all of it, and none is
    /// kept.
    fn keep_history(&self, keep: Option<Duration>, now_ms: u64) -> Answer<'_, ()>;
    /// What was counted in these hours (since 1970), as far as it is kept.
    fn history<'a>(
        &'a self,
        of: &'a history::Subject,
        hours: Range<u64>,
        now_ms: u64,
    ) -> Answer<'a, history::History>;
    /// How often the key was used as far as flushed, and when last (milliseconds since 1970; `None` never).
    fn usage<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>>;
    /// Forgets what was remembered of a journal whose file is gone (or is about to be reused from zero).
    fn forget_journal<'a>(&'a self, journal: &'a str) -> Answer<'a, ()>;
    /// Signing keys that are not retired, oldest first.
    fn signing_keys(&self, now_ms: u64) -> Answer<'_, Vec<SigningKey>>;
    /// Adds a signing key, and says from when on the older ones of its algorithm are gone from the published set.
    fn add_signing_key<'a>(&'a self, key: SigningKey, older_retire_ms: u64) -> Answer<'a, ()>;
    /// How many keys are active and expire in (`from_ms`, `until_ms`].
    fn expiring(&self, from_ms: u64, until_ms: u64) -> Answer<'_, u64>;
}
