//! The control API as a person's client uses it: a session, an organization, and the calls that are made in it.

use super::fixture::random_hex;
use super::gateway::Gateway;
use super::reply::Reply;
use super::request::Request;
use super::settings::ORG;
use super::{delete, get, jwt, patch, post, wait};
use serde_json::{Value, json};

/// A person of an organization with a session.
pub(crate) struct Console<'g> {
    gateway: &'g Gateway,
    organization: String,
    /// The access token of their session.
    pub(crate) access: String,
    /// Who they are.
    pub(crate) id: String,
}

impl<'g> Console<'g> {
    /// A session of the person with this name of the fixture, put into the store: a login would hash a password.
    pub(crate) fn open(gateway: &'g Gateway, name: &str) -> Self {
        let id = super::world::user_id(&gateway.db_path(), name);
        let session = begin_session(gateway, &id, 3_600_000);
        let mut claims = jwt::access_claims(&id);
        claims["sid"] = json!(session);
        Self { gateway, organization: ORG.to_owned(), access: jwt::hs256(&claims), id }
    }

    /// The same person in another organization.
    pub(crate) fn in_organization(&self, organization: &str) -> Self {
        Self {
            gateway: self.gateway,
            organization: organization.to_owned(),
            access: self.access.clone(),
            id: self.id.clone(),
        }
    }

    /// `/api/v1/organizations/{organizationId}/api-tokens` and what follows.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/organizations/{}/api-tokens{rest}", self.organization)
    }

    /// The path for keys of one project.
    pub(crate) fn project_path(&self, project: &str) -> String {
        format!("/api/v1/organizations/{}/projects/{project}/api-tokens", self.organization)
    }

    /// Sends a request with the session.
    pub(crate) fn send(&self, request: Request) -> Reply {
        self.gateway.send(&request.bearer(&self.access))
    }

    /// Makes a key of this body.
    pub(crate) fn create(&self, body: &Value) -> Reply {
        self.send(post(&self.path("")).json(body))
    }

    /// Makes an organization key of this name, altered by `more`; gives its record, value included.
    #[track_caller]
    pub(crate) fn made(&self, name: &str, more: Value) -> Value {
        self.create(&wanted(name, more)).expect(201).json()
    }

    /// Lists keys.
    pub(crate) fn list(&self, query: &str) -> Reply {
        self.send(get(&self.path(query)))
    }

    /// Reads a key.
    pub(crate) fn show(&self, id: &str) -> Reply {
        self.send(get(&self.path(&format!("/{id}"))))
    }

    /// Alters a key.
    pub(crate) fn patch(&self, id: &str, body: &Value) -> Reply {
        self.send(patch(&self.path(&format!("/{id}"))).json(body))
    }

    /// Regenerates a key.
    pub(crate) fn regenerate(&self, id: &str) -> Reply {
        self.send(post(&self.path(&format!("/{id}/regenerate"))))
    }

    /// Removes a key.
    pub(crate) fn delete(&self, id: &str) -> Reply {
        self.send(delete(&self.path(&format!("/{id}"))))
    }
}

/// The body that asks for an organization key, altered by `more`.
pub(crate) fn wanted(name: &str, more: Value) -> Value {
    let mut body =
        json!({ "name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
    let members = body.as_object_mut().expect("an object");
    for (name, value) in more.as_object().expect("an object") {
        members.insert(name.clone(), value.clone());
    }
    body
}

/// The text of a member.
#[track_caller]
pub(crate) fn text<'v>(record: &'v Value, member: &str) -> &'v str {
    record[member].as_str().unwrap_or_else(|| panic!("no {member} in {record}"))
}

/// Puts a session of a person into the store, which is over after so many milliseconds; gives its id.
pub(crate) fn begin_session(gateway: &Gateway, user: &str, life_ms: i64) -> String {
    let id = random_hex(32);
    let now = wait::now().unix_ms as i64;
    if let Some(instead) = super::instead::of_file(&gateway.db_path()) {
        let until = now + life_ms;
        instead.run(&format!(
            "INSERT INTO sessions (id, person, created_ms, expires_ms) VALUES ('{id}', '{user}', {now}, {until})"
        ));
        return id;
    }
    let sql = "INSERT INTO sessions (id, person, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)";
    write(gateway, sql, (id.as_str(), user, now, now + life_ms));
    id
}

/// Writes to the store behind the gateway's back.
pub(crate) fn write(gateway: &Gateway, sql: &str, values: impl rusqlite::Params) {
    let store = rusqlite::Connection::open(gateway.db_path()).expect("open the database");
    store.busy_timeout(std::time::Duration::from_secs(10)).expect("a time-out");
    store.execute(sql, values).expect("write to the database");
}

/// What the audit log has of one thing, oldest first: action, who, before, after.
pub(crate) fn audit_of(gateway: &Gateway, entity: &str) -> Vec<(String, String, Value, Value)> {
    let store = super::world::read_only(&gateway.db_path());
    let sql = "SELECT action, actor_kind || ' ' || coalesce(actor_name, ''), before, after FROM audit
               WHERE entity = ?1 ORDER BY sequence";
    let mut statement = store.prepare(sql).expect("a query");
    let object =
        |text: Option<String>| text.map_or(Value::Null, |it| serde_json::from_str(&it).expect("JSON"));
    let rows = statement
        .query_map([entity], |row| Ok((row.get(0)?, row.get(1)?, object(row.get(2)?), object(row.get(3)?))));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}
