//! The gateway most tests share: usual settings, one backend, two organizations, and keys to take from.

use super::fixture::{Fixture, Organization, email, ocore_key, ocriva_key};
use super::gateway::Gateway;
use super::reply::Reply;
use super::request::Request;
use super::settings::{FOREIGN, ORG, OTHER_ORG, OTHER_SLUG, P_INACTIVE, P1, P2, SLUG, Settings};
use super::upstream::{Record, Upstream};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A gateway, its backend and the keys its fixture holds.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    pool: Mutex<HashMap<String, Vec<String>>>,
}

/// The people of the shared fixture: of one organization each, and one of both.
pub(crate) const DEVELOPER: &str = "u-developer";
pub(crate) const VIEWER: &str = "u-viewer";
pub(crate) const BOTH: &str = "u-both";
pub(crate) const OWNER: &str = "u-owner";
pub(crate) const ADMIN: &str = "u-admin";
/// Owner of the other organization only.
pub(crate) const STRANGER: &str = "u-stranger";

/// The permission lists of oCore keys that are on offer.
const GRANTS: [&str; 6] =
    ["view:servers", "manage:servers", "manage:instances", "manage:members", "manage:roles", "banana"];

/// Kinds of Ocriva keys that are on offer beside plain ones: a name, and what the fixture says.
fn special() -> Vec<(&'static str, Value)> {
    vec![
        ("inactive", json!({ "isActive": false })),
        ("expired", json!({ "expiresAt": "2020-01-01T00:00:00Z" })),
        ("127.0.0.1", json!({ "ipWhitelist": ["127.0.0.1"] })),
        ("127.0.0.2", json!({ "ipWhitelist": ["127.0.0.2"] })),
        ("mapped", json!({ "ipWhitelist": ["::ffff:127.0.0.1"] })),
        ("host bits", json!({ "ipWhitelist": ["127.3.2.1/8", "2001:db8::1/32"] })),
        ("all of IPv4", json!({ "ipWhitelist": ["0.0.0.0/0"] })),
        ("empty whitelist", json!({ "ipWhitelist": [] })),
        (
            "free-form",
            json!({ "permissions": ["banana", "two words", "อ่าน"], "scopes": ["อ่าน ได้", "Z", "a"] }),
        ),
        ("inactive project", json!({ "type": "project", "projectId": P_INACTIVE })),
        ("second project", json!({ "type": "project", "projectId": P2 })),
    ]
}

/// The shared gateway; started by the first test that asks.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<Option<World>> = OnceLock::new();
    // A gateway that does not start fails every test at once, not each after its own wait.
    let world = WORLD.get_or_init(|| std::panic::catch_unwind(World::start).ok());
    world.as_ref().expect("the shared gateway did not start: see the first test that failed")
}

/// The first organization, with its three projects and nothing else.
pub(crate) fn organization() -> Organization {
    let mut organization = Organization::new(ORG, SLUG);
    organization.project(P1, "Invoice Processing", Some("Handles supplier invoices"), true);
    organization.project(P2, "Receipt Scanning", None, true);
    organization.project(P_INACTIVE, "Old", Some(""), false);
    organization
}

/// A gateway of the test's own, with an organization and one key of it.
pub(crate) fn with_one_key(settings: &Settings) -> (Gateway, String) {
    let mut organization = organization();
    let key = organization.org_key();
    (Gateway::start(settings, &Fixture::default().with(organization)), key)
}

/// Another organization with one project.
pub(crate) fn foreign() -> Organization {
    let mut organization = Organization::new(OTHER_ORG, OTHER_SLUG);
    organization.project(FOREIGN, "Somebody else's", None, true);
    organization
}

fn stock() -> (Fixture, HashMap<String, Vec<String>>) {
    let (mut ours, mut theirs) = (organization(), foreign());
    let mut pool: HashMap<String, Vec<String>> = HashMap::new();
    let mut put = |kind: &str, key: &str| pool.entry(kind.to_owned()).or_default().push(key.to_owned());
    for _ in 0..500 {
        put("organization", &ours.org_key());
    }
    for _ in 0..100 {
        put("project", &ours.project_key(P1));
    }
    for _ in 0..10 {
        put("foreign", &theirs.org_key());
    }
    for (kind, more) in special() {
        for _ in 0..8 {
            let key = ocriva_key();
            ours.token(&key, more.clone());
            put(kind, &key);
        }
    }
    for grant in GRANTS {
        for _ in 0..25 {
            let key = ocore_key();
            ours.token(&key, json!({ "permissions": [grant] }));
            put(grant, &key);
        }
    }
    for _ in 0..4 {
        let key = ocore_key();
        ours.token(&key, json!({ "permissions": ["manage:servers"], "createdBy": email(VIEWER) }));
        put("made by a viewer", &key);
    }
    for _ in 0..2 {
        let key = ocriva_key();
        ours.token(&key, json!({ "name": &key[4..20], "expiresAt": "2020-01-01T00:00:00Z" }));
        put("expired and named", &key);
        let key = ocriva_key();
        // Named so that the test that takes it finds its record.
        ours.token(&key, json!({ "name": &key[4..20], "createdBy": email(DEVELOPER) }));
        put("made by the developer", &key);
    }
    ours.token(&ocore_key(), json!({ "id": "key-of-ocore" }));
    ours.member(DEVELOPER, "developer");
    ours.member(VIEWER, "viewer");
    ours.member(BOTH, "owner");
    ours.member(OWNER, "owner");
    ours.member(ADMIN, "admin");
    theirs.member(BOTH, "viewer");
    theirs.member(STRANGER, "owner");
    (Fixture::default().with(ours).with(theirs), pool)
}

impl World {
    fn start() -> Self {
        let upstream = Upstream::http();
        let (fixture, pool) = stock();
        let gateway = Gateway::start(&Settings::usual(&upstream.url()), &fixture);
        Self { gateway, upstream, pool: Mutex::new(pool) }
    }

    /// A key of this kind that no other test uses, with its whole limit.
    pub(crate) fn key(&self, kind: &str) -> String {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = pool.get_mut(kind).unwrap_or_else(|| panic!("no keys of the kind {kind:?}"));
        keys.pop().unwrap_or_else(|| panic!("no {kind:?} keys are left: put more into the stock"))
    }

    /// An organization key.
    pub(crate) fn org_key(&self) -> String {
        self.key("organization")
    }

    /// A key of the project [`P1`].
    pub(crate) fn project_key(&self) -> String {
        self.key("project")
    }

    /// Sends a request.
    pub(crate) fn send(&self, request: &Request) -> Reply {
        self.gateway.send(request)
    }

    /// Sends a request that must arrive; gives the answer and what the backend saw.
    #[track_caller]
    pub(crate) fn arrives(&self, request: &Request) -> (Reply, Record) {
        let reply = self.send(request).expect(200);
        let record = self.upstream.one(&reply.tag);
        (reply, record)
    }

    /// Sends a request that must be refused with this status in the `ocriva` envelope, unseen by the backend.
    #[track_caller]
    pub(crate) fn refused(&self, request: &Request, status: u16, message: Option<&str>) -> Reply {
        let reply = self.send(request);
        super::assert_ocriva(&reply, status, message);
        assert!(self.upstream.seen(&reply.tag).is_empty(), "it reached the backend: {request:?}");
        reply
    }

    /// The same, in the `ocore` envelope; gives `details`.
    #[track_caller]
    pub(crate) fn refused_ocore(&self, request: &Request, status: u16) -> Value {
        let reply = self.send(request);
        let details = super::assert_ocore(&reply, status);
        assert!(self.upstream.seen(&reply.tag).is_empty(), "it reached the backend: {request:?}");
        details
    }

    /// An access token of this person.
    pub(crate) fn access(&self, name: &str) -> String {
        let database = self.gateway.db_path();
        super::jwt::access(&database, &user_id(&database, name))
    }

    /// Logs in with a key and gives the answer's JSON.
    #[track_caller]
    pub(crate) fn login(&self, key: &str) -> Value {
        let request = super::post("/v1/openapi/auth/login").json(&json!({ "token": key }));
        self.send(&request).expect(200).json()
    }

    /// Logs in with a key and gives the access token.
    #[track_caller]
    pub(crate) fn token(&self, key: &str) -> String {
        self.login(key)["accessToken"].as_str().expect("accessToken").to_owned()
    }
}

/// The id of the person with this name of a fixture: the `sub` of their access tokens.
pub(crate) fn user_id(database: &Path, name: &str) -> String {
    if let Some(instead) = super::instead::of_file(database) {
        return instead.run(&format!("SELECT id FROM users WHERE email = '{}'", email(name)));
    }
    let find = "SELECT id FROM users WHERE email = ?1";
    read_only(database).query_row(find, [email(name)], |row| row.get(0)).expect("the person's row")
}

/// The id of the session that [`begin_session`] makes for a person.
pub(crate) fn session_id(user: &str) -> String {
    format!("session-of-{user}")
}

/// Puts a session of a person into the store, unless it is there.
pub(crate) fn begin_session(database: &Path, user: &str) {
    if let Some(instead) = super::instead::of_file(database) {
        let (id, until) = (session_id(user), i64::MAX);
        instead.run(&format!(
            "INSERT INTO sessions (id, person, created_ms, expires_ms) VALUES ('{id}', '{user}', 0, {until})
             ON CONFLICT DO NOTHING"
        ));
        return;
    }
    let store = rusqlite::Connection::open(database).expect("open the database");
    store.busy_timeout(std::time::Duration::from_secs(10)).expect("a time-out");
    let sql = "INSERT OR IGNORE INTO sessions (id, person, created_ms, expires_ms) VALUES (?1, ?2, 0, ?3)";
    store.execute(sql, (session_id(user), user, i64::MAX)).expect("a session");
}

pub(super) fn read_only(database: &Path) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(database, flags).expect("open the database");
    store.busy_timeout(std::time::Duration::from_secs(5)).expect("a time-out");
    store
}

/// `usageCount` and whether `lastUsedAt` is set, of the key with this value.
pub(crate) fn usage(database: &Path, key: &str) -> (u64, bool) {
    let digest = portcullis::token::Digest::of(key);
    if let Some(instead) = super::instead::of_file(database) {
        let sql = "SELECT usage_count, last_used_ms IS NOT NULL FROM tokens WHERE digest = ";
        let row = instead.run(&format!("{sql}'\\x{}'", digest.to_hex()));
        let (count, used) = row.split_once('|').expect("the key's row");
        return (count.parse().expect("a count"), used == "t");
    }
    read_only(database)
        .query_row(
            "SELECT usage_count, last_used_ms IS NOT NULL FROM tokens WHERE digest = ?1",
            [&digest.0[..]],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)),
        )
        .expect("the key's row")
}
