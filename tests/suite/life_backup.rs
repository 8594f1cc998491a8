//! Backups: made while gateways run and are used, and restored into a store of either kind.

use crate::support::client::Connection;
use crate::support::fixture::{Fixture, email};
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::load::Load;
use crate::support::person::{self, House, Person, text};
use crate::support::postgres::{self, Database, PASSWORD, USER};
use crate::support::settings::{ORG, SLUG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, patch, post, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const TEMPLATES: &str = "/v1/openapi/templates";

/// Tables that a backup leaves out: who is logged in, what is known of journals, who is at work.
const LEFT_OUT: [&str; 8] = [
    "backup",
    "schema_version",
    "nodes",
    "usage_seen",
    "sessions",
    "refresh_tokens",
    "partial_logins",
    "password_resets",
];

/// The usual settings on a file of this name.
fn on_file(settings: Settings, name: &str) -> Settings {
    settings.unlimited().with(|value| value["store"]["url"] = json!(format!("sqlite://{name}")))
}

/// The usual settings on a server.
fn on_server(settings: Settings, database: &Database) -> Settings {
    let password = PASSWORD.replace('@', "%40").replace('/', "%2F");
    let (port, name) = (database.port, &database.name);
    let url = format!("postgres://{USER}:{password}@127.0.0.1:{port}/{name}?sslmode=disable");
    settings.unlimited().with(|value| value["store"] = json!({ "url": url, "usage": "usage" }))
}

#[track_caller]
fn done(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every row of every table that a backup holds, in a file.
fn content(path: &Path) -> BTreeMap<String, Vec<String>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(path, flags).expect("open");
    let names =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'";
    let mut statement = db.prepare(names).expect("the tables");
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).expect("read").map(|name| name.expect("a name")).collect();
    let kept = tables.into_iter().filter(|name| !LEFT_OUT.contains(&name.as_str()));
    let rows = |name: &String| {
        let mut statement = db.prepare(&format!("SELECT * FROM {name}")).expect("a table");
        let columns = statement.column_count();
        let read = statement.query_map([], |row| {
            let values = (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?)));
            values.collect::<Result<Vec<_>, rusqlite::Error>>()
        });
        let rows = read.expect("read").map(|row| row.expect("a row").join(" "));
        // What a restore adds: that everything is to be read anew.
        let everything = format!("{:?}", rusqlite::types::ValueRef::Text(b"everything"));
        let mut rows: Vec<String> =
            rows.filter(|row| name != "changes" || !row.contains(&everything)).collect();
        rows.sort_unstable();
        rows
    };
    kept.map(|name| {
        let rows = rows(&name);
        (name, rows)
    })
    .collect()
}

#[track_caller]
fn assert_same(left: &BTreeMap<String, Vec<String>>, right: &BTreeMap<String, Vec<String>>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (table, rows) in left {
        assert_eq!(rows, &right[table], "{table}");
    }
}

/// Makes something of most kinds, and gives a key that is good and one that was revoked.
fn busy(house: &House, owner: &Person<'_>) -> (String, String) {
    let path = format!("/api/v1/organizations/{ORG}/api-tokens");
    let body = |name: &str| json!({ "name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
    let mut made = (0..20)
        .map(|number| owner.send(post(&path).json(&body(&format!("key {number}")))).expect(201).json());
    let (good, bad) = (made.next().expect("one"), made.next().expect("another"));
    drop(made.collect::<Vec<Value>>());
    owner
        .send(patch(&format!("{path}/{}", text(&bad, "id"))).json(&json!({ "isActive": false })))
        .expect(200);
    for words in [
        &["org", "role", "create", "--name", "auditor", "--permission", "view:servers"][..],
        &["org", "invitation", "create", "--role", "viewer", "--email", "new@example.com"],
        &["webhook", "create", "--url", "https://hooks.example.com/x", "--event", "token.deleted"],
    ] {
        done(&house.gateway.run_words(words, &["--organization", SLUG]));
    }
    (text(&good, "token"), text(&bad, "token"))
}

fn usage(backup: &Path, key: &str) -> u64 {
    crate::support::world::usage(backup, key).0
}

/// A backup under load, and one of what has come to rest, each restored into both kinds of store.
fn is_backed_up(house: &mut House, source: &dyn Fn(&Gateway) -> BTreeMap<String, Vec<String>>) {
    let owner = house.person("owner");
    let (good, bad) = busy(house, &owner);
    drop(owner);
    let gateway = &mut house.gateway;
    let load = Load::start(gateway.address, TEMPLATES, &good);
    load.goes_on();
    let least = load.answered();
    let said = done(&gateway.run("backup", &["loaded.backup"]));
    // What was under way at each of six clients may be in it too.
    let most = load.answered() + 6;
    load.goes_on();
    load.end();
    assert!(said.contains("is whole") && said.contains("counted before it began is in it"), "{said}");
    let loaded = gateway.path("loaded.backup");
    assert_eq!(loaded.metadata().expect("the file").permissions().mode() & 0o777, 0o600);
    let counted = usage(&loaded, &good);
    assert!((least..=most).contains(&counted), "{counted} of {least} to {most}");

    // With uses in the journal that nobody has handed on.
    for _ in 0..5 {
        gateway.send(&get(TEMPLATES).key(&good)).expect(200);
    }
    gateway.kill9();
    done(&gateway.run("backup", &["rest.backup"]));
    gateway.serve();
    assert_eq!(gateway.stop().code(), Some(0));
    let (rest, now) = (content(&gateway.path("rest.backup")), source(gateway));
    assert_eq!(rest["tokens"].len(), 20);
    assert_same(&rest, &now);

    let database = postgres::database();
    let upstream = house.upstream.url();
    for name in ["loaded.backup", "rest.backup"] {
        let want = content(&gateway.path(name));
        let file = Gateway::prepare(&on_file(Settings::usual(&upstream), "restored.db"));
        let path = gateway.path(name);
        let backup = path.to_str().expect("a path");
        let said = done(&file.run("restore", &[backup]));
        assert!(said.contains("How many is not known here"), "{said}");
        assert_same(&content(&file.path("restored.db")), &want);
        serves(file, &good, &bad, usage(&path, &good));
    }
    let server = Gateway::prepare(&on_server(Settings::usual(&upstream), &database));
    let path = gateway.path("rest.backup");
    done(&server.run("restore", &[path.to_str().expect("a path")]));
    assert_same(&content_of_server(&server), &rest);
    serves(server, &good, &bad, usage(&path, &good));
}

/// What is in the server's tables, by way of a file.
fn content_of_server(gateway: &Gateway) -> BTreeMap<String, Vec<String>> {
    let old = std::fs::read_to_string(gateway.config()).expect("the configuration");
    std::fs::write(gateway.path("old.yaml"), old).expect("write");
    let there = on_file(Settings::usual("http://127.0.0.1:1"), "copied.db");
    std::fs::write(gateway.path("copied.yaml"), gateway.filled(&there).yaml()).expect("write");
    let copied = gateway.path("copied.db");
    for stale in ["copied.db", "copied.db-wal", "copied.db-shm"] {
        let _ = std::fs::remove_file(gateway.path(stale));
    }
    let output = Command::new(PROGRAM)
        .args(["copy", "--config", "copied.yaml", "--from", "old.yaml"])
        .current_dir(gateway.folder())
        .output()
        .expect("run the program");
    done(&output);
    content(&copied)
}

/// The restored store is one to go on with.
fn serves(mut gateway: Gateway, good: &str, bad: &str, counted: u64) {
    gateway.serve();
    assert_eq!(gateway.send(&get(TEMPLATES).key(bad)).status, 401);
    gateway.send(&get(TEMPLATES).key(good)).expect(200);
    let login = gateway.send(&person::login("owner", person::PASSWORD)).expect(200).json();
    let list = get(&format!("/api/v1/organizations/{ORG}/api-tokens?limit=50"))
        .bearer(login["accessToken"].as_str().expect("a token"));
    let list = gateway.send(&list).expect(200).json();
    let used = list["tokens"].as_array().into_iter().chain(list["data"].as_array()).flatten();
    let used: Vec<u64> =
        used.filter_map(|token| token["usageCount"].as_u64()).filter(|count| *count > 0).collect();
    assert_eq!(used, [counted + 1], "{list}");
}

#[test]
fn a_backup_of_a_file_under_load_has_everything() {
    let mut house = House::with(|settings| on_file(settings, "life.db"));
    is_backed_up(&mut house, &|gateway| content(&gateway.path("life.db")));
}

#[test]
fn a_backup_of_a_server_under_load_has_everything() {
    let database = postgres::database();
    let mut house = House::with(|settings| on_server(settings, &database));
    is_backed_up(&mut house, &content_of_server);
}

#[test]
fn uses_of_nodes_on_other_machines_are_said_to_be_missing() {
    let database = postgres::database();
    let upstream = Upstream::http();
    let mut org = organization();
    let _ = org.org_key();
    let settings = on_server(Settings::usual(&upstream.url()), &database);
    let node = Gateway::start(&settings, &Fixture::default().with(org));
    let elsewhere = Gateway::prepare(&settings);
    let said = done(&elsewhere.run("backup", &["one.backup"]));
    assert!(said.contains("Not in it is what these nodes") && said.contains("unwritten_seconds"), "{said}");
    drop(node);
}

#[test]
fn nothing_is_restored_that_is_not_whole_or_where_something_is() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    org.member_with_password("owner", "owner", person::PASSWORD);
    let settings = on_file(Settings::usual(&upstream.url()), "life.db");
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    done(&gateway.run("backup", &["a.backup"]));
    assert!(refused(&gateway.run("backup", &["a.backup"])).contains("overwrites nothing"));
    assert!(refused(&gateway.run("restore", &["a.backup"])).contains("a gateway counts uses"));
    assert!(refused(&gateway.run("restore", &["missing.backup"])).contains("missing.backup"));
    gateway.stop();
    assert!(refused(&gateway.run("restore", &["a.backup"])).contains("is not empty"));

    // Whatever byte is altered: it is noticed, or it says nothing.
    let whole = std::fs::read(gateway.path("a.backup")).expect("the backup");
    let want = content(&gateway.path("a.backup"));
    let name = email("owner");
    let at = whole.windows(name.len()).position(|part| part == name.as_bytes()).expect("an address");
    let check = |bytes: &[u8]| {
        std::fs::write(gateway.path("b.backup"), bytes).expect("write");
        let output = Command::new(PROGRAM)
            .args(["restore", "--check", "b.backup"])
            .current_dir(gateway.folder())
            .output();
        output.expect("run the program")
    };
    assert!(done(&check(&whole)).contains("is whole"));
    for at in [0, at, whole.len() / 3, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let output = check(&bytes);
        match output.status.success() {
            true => assert_same(&content(&gateway.path("b.backup")), &want),
            false => assert!(refused(&output).contains("is no backup, or it is damaged"), "{at}"),
        }
    }
    for bytes in [&whole[..whole.len() - 4096], &whole[..100], b"hello"] {
        assert!(refused(&check(bytes)).contains("damaged"));
    }
    let newer = rusqlite::Connection::open(gateway.path("a.backup")).expect("open");
    newer.execute("UPDATE backup SET \"schema\" = 999", []).expect("write");
    drop(newer);
    assert!(refused(&gateway.run("restore", &["a.backup"])).contains("restore it with portcullis"));
    gateway.serve();
    gateway.send(&get(TEMPLATES).key(&key)).expect(200);
}

#[test]
fn what_is_replaced_is_kept_and_what_it_accepts_again_is_told() {
    let mut house = House::with(|settings| on_file(settings, "life.db"));
    let (good, bad, revoked) = {
        let owner = house.person("owner");
        let (good, bad) = busy(&house, &owner);
        done(&house.gateway.run("backup", &["before.backup"]));
        let path = format!("/api/v1/organizations/{ORG}/api-tokens");
        let list = owner.send(get(&format!("{path}?limit=50"))).expect(200).json();
        let tokens = list["tokens"].as_array().or(list["data"].as_array()).expect("tokens").clone();
        let id = text(tokens.iter().find(|token| token["name"] == json!("key 0")).expect("it"), "id");
        owner.send(patch(&format!("{path}/{id}")).json(&json!({ "isActive": false }))).expect(200);
        (good, bad, id)
    };
    assert_eq!(house.gateway.send(&get(TEMPLATES).key(&good)).status, 401);
    house.gateway.stop();
    let now = content(&house.gateway.path("life.db"));
    let said = done(&house.gateway.run("restore", &["before.backup", "--replace", "kept.backup"]));
    assert!(said.contains("and this one does: 1\n") && said.contains(&revoked), "{said}");
    assert_same(&content(&house.gateway.path("kept.backup")), &now);
    house.gateway.serve();
    let mut connection = Connection::open(house.gateway.address);
    connection.send(&get(TEMPLATES).key(&good)).expect(200);
    assert_eq!(connection.send(&get(TEMPLATES).key(&bad)).status, 401);
    // Uses that a journal of the replaced store holds are not counted a second time, those that come now are.
    wait::until("the use is counted", || usage(&house.gateway.path("life.db"), &good) == 1);
}
