//! The gateway that a scenario finds: two organizations with people, projects and keys, and a backend.

use crate::support::fixture::{email, ocore_key, ocriva_key, random_hex};
use crate::support::gateway::Gateway;
use crate::support::person::PASSWORD;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use serde_json::{Map, Value, json};

/// A gateway of a scenario's own.
pub(super) struct World {
    pub(super) gateway: Gateway,
    _upstream: Upstream,
    /// Values of keys, by their names.
    keys: Map<String, Value>,
}

/// Who is there: name, what others call them, and their role in `northwind`.
const PEOPLE: [(&str, &str, &str); 5] = [
    ("owner", "Olga Sørensen", "owner"),
    ("admin", "Adam Okafor", "admin"),
    ("developer", "Dev Patel", "developer"),
    ("viewer", "Vera Lindqvist", "viewer"),
    ("both", "Bo Larsen", "admin"),
];

impl World {
    pub(super) fn start() -> Self {
        let upstream = Upstream::http();
        let settings = Settings::usual(&upstream.url()).with(|value| {
            // Scenarios receive webhooks on this machine.
            value["webhooks"] = json!({ "allow_networks": ["127.0.0.0/8"] });
        });
        let mut keys = Map::new();
        let gateway = Gateway::prepare(&settings);
        let organizations = json!({ "organizations": [northwind(&mut keys), contoso()] });
        gateway.import(&organizations.to_string()).expect_success();
        let mut world = Self { gateway, _upstream: upstream, keys };
        world.appoint("server");
        world.gateway.serve();
        world
    }

    /// What a scenario is told.
    pub(super) fn describe(&self) -> Value {
        let names = PEOPLE.iter().map(|(name, ..)| *name).chain(["server", "stranger"]);
        let person = |name: &str| json!({ "email": email(name), "password": PASSWORD });
        let people: Map<String, Value> = names.map(|name| (name.to_owned(), person(name))).collect();
        json!({
            "url": format!("http://{}", self.gateway.admin),
            "edge": format!("http://{}", self.gateway.address),
            "chromium": "/usr/bin/chromium",
            "people": people,
            "keys": self.keys,
            "folder": self.gateway.folder(),
        })
    }

    /// Makes somebody look after the whole server.
    fn appoint(&self, name: &str) {
        if let Some(instead) = crate::support::instead::of_file(&self.gateway.db_path()) {
            instead.run(&format!("UPDATE users SET server_admin = TRUE WHERE email = '{}'", email(name)));
            return;
        }
        let store = rusqlite::Connection::open(self.gateway.db_path()).expect("open the store");
        let sql = "UPDATE users SET server_admin = 1 WHERE email = ?1";
        assert_eq!(store.execute(sql, [email(name)]).expect("write"), 1);
    }
}

fn person(name: &str, called: &str, role: &str) -> Value {
    json!({ "email": email(name), "name": called, "role": role, "password": PASSWORD })
}

fn northwind(keys: &mut Map<String, Value>) -> Value {
    let mut tokens = Vec::new();
    let mut token = |name: &str, more: Value| {
        let value = if more["kind"] == "ocore" { ocore_key() } else { ocriva_key() };
        let mut token = json!({ "name": name, "value": value });
        let members = token.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        keys.insert(name.to_owned(), json!(value));
        tokens.push(token);
    };
    let organization = |more: Value| with(json!({ "type": "organization" }), more);
    let project = |id: &str, more: Value| with(json!({ "type": "project", "projectId": id }), more);
    token(
        "Nightly import",
        organization(json!({ "permissions": ["read", "write"], "scopes": ["documents", "templates"],
            "ipWhitelist": ["127.0.0.0/8"], "createdBy": email("owner") })),
    );
    token("Warehouse scanner", project("inbound-scans", json!({ "createdBy": email("developer") })));
    token("Invoice robot", project("invoices", json!({ "permissions": ["read", "write"] })));
    token("Partner portal", organization(json!({ "expiresAt": "2020-01-01T00:00:00Z" })));
    token("Old mobile app", organization(json!({ "isActive": false })));
    for number in 1..=22 {
        token(&format!("Depot {number:02}"), project("inbound-scans", json!({})));
    }
    token(
        "deploy",
        json!({ "kind": "ocore", "permissions": ["manage:servers"], "createdBy": email("owner") }),
    );
    let people: Vec<Value> = PEOPLE.iter().map(|(name, called, role)| person(name, called, role)).collect();
    json!({
        "id": random_hex(24), "slug": "northwind", "name": "Northwind Logistics",
        "projects": [
            { "id": "inbound-scans", "name": "Inbound scans", "description": "Delivery notes from the docks", "isActive": true },
            { "id": "invoices", "name": "Invoice processing", "description": "Supplier invoices, every night", "isActive": true },
            { "id": "archive-2024", "name": "Archive 2024", "isActive": false },
        ],
        "members": people,
        "tokens": tokens,
    })
}

fn contoso() -> Value {
    json!({
        "id": random_hex(24), "slug": "contoso", "name": "Contoso Health",
        "projects": [{ "id": "intake", "name": "Patient intake", "isActive": true }],
        "members": [
            person("stranger", "Stella Marsh", "owner"),
            person("both", "Bo Larsen", "viewer"),
            person("server", "Sam Carter", "viewer"),
        ],
        "tokens": [{ "name": "Intake desk", "value": ocriva_key(), "type": "organization",
            "permissions": ["read"], "scopes": ["documents"] }],
    })
}

/// A key of this kind: what nothing else is said about is read, and documents.
fn with(kind: Value, more: Value) -> Value {
    let mut token = json!({ "permissions": ["read"], "scopes": ["documents"] });
    let members = token.as_object_mut().expect("an object");
    for part in [kind, more] {
        members.extend(part.as_object().expect("an object").clone());
    }
    token
}
