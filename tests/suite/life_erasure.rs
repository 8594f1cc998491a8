//! Who is erased is found nowhere any more: in no table of either kind of store, and in no file beside it.

use crate::support::fixture::email;
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::person::{House, PASSWORD, login};
use crate::support::postgres::{self, Database};
use crate::support::settings::{ORG, SLUG};
use crate::support::{get, post, wait};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Where a text stands in a file of a store, whatever its case.
fn found_in(path: &Path, wanted: &str) -> Vec<String> {
    let db = rusqlite::Connection::open(path).expect("open");
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite^_%' ESCAPE '^'";
    let mut statement = db.prepare(sql).expect("the tables");
    let columns: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("read")
        .map(|row| row.expect("a column"))
        .collect();
    let mut found = Vec::new();
    for (table, column) in columns {
        let sql =
            format!("SELECT count(*) FROM {table} WHERE instr(lower(CAST(\"{column}\" AS TEXT)), ?1) > 0");
        let rows: i64 = db.query_row(&sql, [wanted.to_lowercase()], |row| row.get(0)).expect("count");
        if rows > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// The same of a server, by way of a copy.
fn copied(gateway: &Gateway, name: &str) -> std::path::PathBuf {
    let there = gateway.path(name);
    let text = std::fs::read_to_string(gateway.config()).expect("the configuration");
    std::fs::write(gateway.path("old.yaml"), text).expect("write");
    let file = crate::support::settings::Settings::usual("http://127.0.0.1:1")
        .with(|value| value["store"]["url"] = json!(format!("sqlite://{name}")));
    std::fs::write(gateway.path("copied.yaml"), gateway.filled(&file).yaml()).expect("write");
    let copy = Command::new(PROGRAM)
        .args(["copy", "--config", "copied.yaml", "--from", "old.yaml"])
        .current_dir(gateway.folder())
        .output()
        .expect("run the program");
    done(&copy);
    there
}

fn is_erased(mut house: House, look: &dyn Fn(&Gateway, &str) -> std::path::PathBuf) {
    let who = email("admin");
    let name = "Ada Unmistakable";
    done(&house.gateway.run_words(
        &["webhook", "create"],
        &["--url", "https://hooks.invalid/x", "--event", "*", "--organization", SLUG],
    ));
    {
        let admin = house.person("admin");
        done(&house.gateway.run_words(&["user", "update", &who], &["--name", name]));
        assert_ne!(house.send(&login("admin", "wrong password 1")).status, 200);
        let body = json!({ "name": format!("laptop of {who}"), "permissions": ["view:servers"] });
        admin.ours(post("/api/api-keys").json(&body)).expect(201);
        let words = ["org", "invitation", "create", "--role", "viewer", "--email", &who];
        done(&house.gateway.run_words(&words, &["--organization", SLUG]));
        done(&house.gateway.run_words(&["org", "export", "audit-log"], &["--organization", SLUG]));
    }
    house.gateway.stop();
    let before = look(&house.gateway, "before.db");
    let stood = found_in(&before, &who);
    for place in [
        "audit.actor_name",
        "audit.entity_name",
        "invitations.email",
        "tokens.name",
        "users.email",
        "operation_pieces.text",
    ] {
        assert!(stood.contains(&place.to_owned()), "{place}: the search finds what is there: {stood:?}");
    }
    assert!(!found_in(&before, name).is_empty());

    house.gateway.serve();
    let said = done(&house.gateway.run_words(&["user", "erase", &who], &["--output", "json"]));
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert!(said["rows"].as_u64() > Some(5), "{said}");
    wait::until("nobody can log in", || house.send(&login("admin", PASSWORD)).status == 401);
    house.gateway.stop();
    let after = look(&house.gateway, "after.db");
    assert_eq!((found_in(&after, &who), found_in(&after, name)), (vec![], vec![]));
    let folder = std::fs::read_dir(house.gateway.folder()).expect("the folder");
    for journals in folder.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(journals).expect("a folder") {
            let Ok(bytes) = std::fs::read(file.expect("a file").path()) else { continue };
            assert!(!String::from_utf8_lossy(&bytes).to_lowercase().contains(&who));
        }
    }
    let again = house.gateway.run_words(&["user", "erase", &who], &[]);
    assert_eq!(again.status.code(), Some(1), "there is nothing left");
    // The log says still that it was one and the same.
    let id = said["ids"][0].as_str().expect("an id");
    assert!(found_in(&after, id).contains(&"audit.actor".to_owned()));

    house.gateway.serve();
    let early = house.gateway.run_words(&["org", "erase", ORG], &[]);
    assert!(String::from_utf8_lossy(&early.stderr).contains("remove it first"), "{early:?}");
    done(&house.gateway.run_words(&["org", "delete", SLUG], &["--confirm", SLUG]));
    done(&house.gateway.run_words(&["org", "erase", ORG], &[]));
    house.gateway.stop();
    let left = look(&house.gateway, "left.db");
    assert_eq!(found_in(&left, SLUG), Vec::<String>::new());
    // That it was erased, and what others followed: nothing else names its id.
    let places = found_in(&left, ORG);
    assert!(
        places.iter().all(|place| ["audit.entity", "changes.id"].contains(&place.as_str())),
        "{places:?}"
    );
}

#[test]
fn whoever_is_erased_is_found_nowhere_in_a_file() {
    let house =
        House::with(|settings| settings.with(|value| value["store"]["url"] = json!("sqlite://life.db")));
    is_erased(house, &|gateway, _| gateway.path("life.db"));
}

#[test]
fn the_audit_log_is_kept_as_long_as_the_configuration_says() {
    let mut house = House::with(|settings| settings.with(|value| value["store"]["audit"] = json!("30d")));
    let file = house.gateway.db_path();
    let ages = || -> Vec<i64> {
        let db = rusqlite::Connection::open(&file).expect("open");
        db.busy_timeout(std::time::Duration::from_secs(10)).expect("a time-out");
        let mut read = db.prepare("SELECT at_ms FROM audit WHERE action = 'test.done'").expect("a statement");
        let all = read.query_map([], |row| row.get(0)).expect("read");
        all.map(|age| age.expect("a time")).collect()
    };
    let now = wait::now().unix_ms as i64;
    let days = |count: i64| now - count * 24 * 3_600_000;
    house.gateway.stop();
    for at_ms in [days(31), days(29)] {
        let sql =
            "INSERT INTO audit (at_ms, actor_kind, action, entity) VALUES (?1, 'operator', 'test.done', 'x')";
        crate::support::hooks::write(&house.gateway, sql, [at_ms]);
    }
    house.gateway.serve();
    wait::until("what is too old is gone", || ages() == [days(29)]);
    // The triggers that nobody passes are there again.
    let db = rusqlite::Connection::open(&file).expect("open");
    assert!(db.execute("DELETE FROM audit WHERE action = 'test.done'", []).is_err());
}

fn on_server(database: &Database) -> serde_json::Value {
    let (user, port, name) = (postgres::USER, database.port, &database.name);
    let password = postgres::PASSWORD.replace('@', "%40").replace('/', "%2F");
    let url = format!("postgres://{user}:{password}@127.0.0.1:{port}/{name}?sslmode=disable");
    json!({ "url": url, "usage": "usage" })
}

#[test]
fn whoever_is_erased_is_found_nowhere_on_a_server() {
    let database = postgres::database();
    let store = on_server(&database);
    is_erased(House::with(|settings| settings.with(|value| value["store"] = store)), &copied);
}

/// A program that runs goes on when a newer one has brought the store up to date; it does not start on it.
fn outlives_a_newer_schema(store: &serde_json::Value, alter: &dyn Fn(&Gateway, &str)) {
    let mut house = House::with(|settings| settings.with(|value| value["store"] = store.clone()));
    alter(&house.gateway, "UPDATE schema_version SET version = version + 1");
    alter(&house.gateway, "CREATE TABLE of_the_next_version (id BIGINT)");
    let made = {
        let owner = house.person("owner");
        let body = json!({ "name": "made meanwhile", "permissions": ["view:servers"] });
        let made = owner.ours(post("/api/api-keys").json(&body)).expect(201).json();
        made["key"].as_str().expect("a key").to_owned()
    };
    house.send(&get("/api/servers").bearer(&made)).expect(200);
    house.gateway.stop();
    let serve = house.gateway.run("serve", &[]);
    let said = String::from_utf8_lossy(&serve.stderr).into_owned();
    assert!(!serve.status.success() && said.contains("start the newer portcullis"), "{said}");
    let backup = house.gateway.run("backup", &["b.backup"]);
    assert!(!backup.status.success() && !house.gateway.path("b.backup").exists());

    // And an older one is brought up to date by the next start: all or nothing, whoever begins.
    alter(&house.gateway, "UPDATE schema_version SET version = version - 1");
    alter(&house.gateway, "DROP TABLE of_the_next_version");
    house.gateway.serve();
    house.send(&get("/api/servers").bearer(&made)).expect(200);
}

#[test]
fn a_newer_schema_is_refused_at_the_start_and_survived_while_running_on_a_file() {
    outlives_a_newer_schema(&json!({ "url": "sqlite://life.db" }), &|gateway, sql| {
        let db = rusqlite::Connection::open(gateway.path("life.db")).expect("open");
        db.busy_timeout(std::time::Duration::from_secs(10)).expect("a time-out");
        db.execute_batch(sql).expect("alter");
    });
}

#[test]
fn a_newer_schema_is_refused_at_the_start_and_survived_while_running_on_a_server() {
    let database = postgres::database();
    outlives_a_newer_schema(&on_server(&database), &|_, sql| drop(database.run(sql)));
}
