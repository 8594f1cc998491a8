//! A gateway whose store is a PostgreSQL server: keys, counts, imports, copies, and what happens when the server is gone.

use crate::support::client::Connection;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::person::{House, Person, text};
use crate::support::postgres::{self, Database, PASSWORD, Server, USER};
use crate::support::settings::{ORG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{assert_ocriva, delete, get, patch, post, wait};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const TEMPLATES: &str = "/v1/openapi/templates";

/// An address of the database with these parameters, by this name of its host.
fn url(database: &Database, host: &str, parameters: &str) -> String {
    let password = PASSWORD.replace('@', "%40").replace('/', "%2F");
    format!("postgres://{USER}:{password}@{host}:{}/{}?{parameters}", database.port, database.name)
}

fn plain(database: &Database) -> String {
    url(database, "127.0.0.1", "sslmode=disable")
}

fn on(database: &Database) -> impl FnOnce(Settings) -> Settings {
    let store = json!({ "url": plain(database), "usage": "usage" });
    move |settings| settings.unlimited().with(|value| value["store"] = store)
}

fn usage(database: &Database, key: &str) -> u64 {
    let digest = portcullis::token::Digest::of(key).to_hex();
    let counted = database.run(&format!("SELECT usage_count FROM tokens WHERE digest = '\\x{digest}'"));
    counted.parse().expect("a count")
}

#[track_caller]
fn made(owner: &Person<'_>, name: &str) -> Value {
    let body =
        json!({ "name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
    let path = format!("/api/v1/organizations/{ORG}/api-tokens");
    owner.send(post(&path).json(&body)).expect(201).json()
}

#[test]
fn keys_of_both_dialects_live_and_die_at_once() {
    let database = postgres::database();
    let house = House::with(on(&database));
    let owner = house.person("owner");
    let record = made(&owner, "CI");
    let path = format!("/api/v1/organizations/{ORG}/api-tokens/{}", text(&record, "id"));
    let key = text(&record, "token");
    house.send(&get(TEMPLATES).key(&key)).expect(200);
    owner.send(patch(&path).json(&json!({ "isActive": false }))).expect(200);
    assert_ocriva(&house.send(&get(TEMPLATES).key(&key)), 401, None);
    owner.send(patch(&path).json(&json!({ "isActive": true }))).expect(200);
    house.send(&get(TEMPLATES).key(&key)).expect(200);
    let again = owner.send(post(&format!("{path}/regenerate"))).expect(200).json();
    assert_ocriva(&house.send(&get(TEMPLATES).key(&key)), 401, None);
    let key = text(&again, "token");
    house.send(&get(TEMPLATES).key(&key)).expect(200);
    owner.send(delete(&path)).expect(204);
    assert_ocriva(&house.send(&get(TEMPLATES).key(&key)), 401, None);

    let body = json!({ "name": "deploy", "permissions": ["view:servers"] });
    let record = owner.ours(post("/api/api-keys").json(&body)).expect(201).json();
    let key = text(&record, "key");
    house.send(&get("/api/servers").bearer(&key)).expect(200);
    owner.ours(delete(&format!("/api/api-keys/{}", text(&record, "id")))).expect(200);
    assert_eq!(house.send(&get("/api/servers").bearer(&key)).status, 401);
    assert!(!house.gateway.stderr().contains(PASSWORD));
}

#[test]
fn a_text_that_the_server_can_not_keep_is_refused_as_what_it_is() {
    let database = postgres::database();
    let house = House::with(on(&database));
    let owner = house.person("owner");
    let body =
        json!({ "name": "a\0b", "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
    let path = format!("/api/v1/organizations/{ORG}/api-tokens");
    assert_eq!(owner.send(post(&path).json(&body)).status, 400);
    assert_eq!(owner.send(get(&format!("{path}?search=a%00b"))).status, 400);
    assert_eq!(owner.send(get(&format!("{path}/a%00b"))).status, 400);
    let login = json!({ "email": "a\0@example.com", "password": "x" });
    assert_eq!(house.send(&post("/api/auth/login").json(&login)).status, 400);
}

#[test]
fn usage_is_exact_through_kill_9() {
    let database = postgres::database();
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let settings = on(&database)(Settings::usual(&upstream.url()));
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let mut stored = 0;
    for round in 0..12u64 {
        let address = gateway.address;
        let seen = Arc::new(AtomicU64::new(0));
        let client = {
            let (key, seen) = (key.clone(), Arc::clone(&seen));
            std::thread::spawn(move || {
                let (mut connection, mut answered) = (Connection::open(address), 0);
                while let Ok(reply) = connection.try_send(&get(TEMPLATES).key(&key)) {
                    if reply.status != 200 {
                        return Err(Box::new(reply));
                    }
                    answered += 1;
                    seen.store(answered, Ordering::Relaxed);
                }
                Ok(answered)
            })
        };
        wait::until("there is load", || {
            seen.load(Ordering::Relaxed) >= 10 + 7 * round % 30 || client.is_finished()
        });
        gateway.kill9();
        let answered: u64 = match client.join().expect("a client") {
            Ok(answered) => answered,
            Err(reply) => panic!("round {round}: {reply:?}\n{}", gateway.stderr()),
        };
        gateway.serve();
        let now = usage(&database, &key);
        // The one in flight may have been counted.
        let least = stored + answered;
        assert!(now == least || now == least + 1, "round {round}: {now} stored, {least} answered");
        stored = now;
    }
    assert!(stored >= 120, "{stored}");
}

#[test]
fn an_import_again_changes_nothing_and_commands_work_beside_the_gateway() {
    let database = postgres::database();
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let settings = on(&database)(Settings::usual(&upstream.url()));
    let fixture = Fixture::default().with(org);
    let gateway = Gateway::start(&settings, &fixture);
    let newest = || database.run("SELECT max(sequence) FROM changes");
    let before = newest();
    gateway.import(&fixture.text()).expect_success();
    assert_eq!(newest(), before);
    let listed = gateway.run_words(&["token", "list"], &["--output", "json"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let said = gateway.run("explain", &["GET", TEMPLATES, "-H", &format!("X-API-Key:{key}")]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(gateway.run("check", &[]).status.success());

    // Imported by another process: known here without a restart.
    let (mut more, new) = (organization(), ocriva_key());
    more.token(&new, json!({}));
    gateway.import(&Fixture::default().with(more).text()).expect_success();
    wait::until("the new key is known", || gateway.send(&get(TEMPLATES).key(&new)).status == 200);
}

#[test]
fn a_wrong_address_says_what_is_wrong_and_never_the_password() {
    let database = postgres::database();
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    for (url, want) in [
        (plain(&database).replace("portcullis:", "nobody:"), "28p01"),
        (plain(&database).replace(&database.name, "missing"), "3d000"),
        (plain(&database).replace(&format!(":{}/", database.port), ":1/"), "refused"),
        (url(&database, "127.0.0.1", "sslmode=verify-full"), "certificate"),
        (url(&database, "127.0.0.1", "sslmode=nonsense"), "sslmode"),
    ] {
        let settings = Settings::usual("http://127.0.0.1:1").with(|value| value["store"]["url"] = json!(url));
        gateway.configure(&settings);
        let failed = gateway.run("import", &["/dev/null"]);
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(!failed.status.success() && said.to_lowercase().contains(want), "{want}: {said}");
        assert!(!said.contains("p%40ss") && !said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn an_encrypted_server_that_proves_itself_will_do() {
    let database = postgres::database();
    let parameters = format!("sslmode=verify-full&sslrootcert={}", database.certificate().display());
    let store = json!({ "url": url(&database, "localhost", &parameters), "connections": 5 });
    let house = House::with(|settings| settings.with(|value| value["store"] = store));
    assert_eq!(house.login("owner").status, 200);
    let open =
        "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                WHERE datname = current_database() AND application_name = 'portcullis'";
    let counts = database.run(open);
    let (all, encrypted) = counts.split_once('|').expect("two counts");
    assert!(all == encrypted && all != "0", "{counts}");
    let metric = |name| house.gateway.metric(name, &[]);
    let held = metric("portcullis_store_connections");
    assert!((1.0..=6.0).contains(&held));
    // One more may have been opened since, and none fewer.
    assert!(metric("portcullis_store_connections_opened_total") >= held);
    assert_eq!(metric("portcullis_store_connection_failures_total"), 0.0);
}

#[test]
fn a_server_that_is_gone_makes_503_and_never_401_and_is_found_again() {
    let mut server = Server::start();
    let database = server.database();
    let upstream = Upstream::http();
    let mut org = organization();
    let keys = [org.org_key(), org.org_key()];
    let settings = on(&database)(Settings::usual(&upstream.url()))
        .with(|value| value["store"]["max_staleness"] = json!("2s"));
    let gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let ask = |key: &str| gateway.send(&get(TEMPLATES).key(key)).status;
    assert_eq!((ask(&keys[0]), ask(&keys[1])), (200, 200));
    server.stop();
    let mut seen = Vec::new();
    wait::until("keys are no longer accepted", || {
        seen.push(ask(&keys[0]));
        seen.last() == Some(&503)
    });
    for _ in 0..20 {
        // A key that nobody has is not known to be unknown either.
        seen.extend([ask(&keys[1]), ask(&ocriva_key())]);
    }
    assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
    assert_eq!(ask(&keys[0]), 503);
    server.run_again();
    wait::until("keys are accepted again", || ask(&keys[0]) == 200);
    assert_eq!((ask(&keys[1]), ask(&ocriva_key())), (200, 401));
    wait::until("what was counted meanwhile is stored", || usage(&database, &keys[1]) >= 2);
}

#[test]
fn a_store_is_copied_to_a_server_and_back() {
    let database = postgres::database();
    let house = House::with(|settings| settings.unlimited());
    let mut gateway = house.gateway;
    let (record, address) = {
        let house = &gateway;
        let login = house.send(&crate::support::person::login("owner", crate::support::person::PASSWORD));
        let token = login.expect(200).json()["accessToken"].as_str().map(str::to_owned).expect("a token");
        let body =
            json!({ "name": "CI", "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
        let path = format!("/api/v1/organizations/{ORG}/api-tokens");
        (house.send(&post(&path).bearer(&token).json(&body)).expect(201).json(), path)
    };
    let key = text(&record, "token");
    for _ in 0..5 {
        gateway.send(&get(TEMPLATES).key(&key)).expect(200);
    }
    let file = format!("sqlite://{}", gateway.db_path().display());
    let settings = on(&database)(Settings::usual(&house.upstream.url()));
    gateway.configure(&settings);
    let refused = gateway.run("copy", &["--from", &file]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("a gateway counts uses"), "{said}");

    // What was counted and not yet handed on comes along.
    gateway.kill9();
    let copied = gateway.run("copy", &["--from", &file]);
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let said = String::from_utf8_lossy(&copied.stdout).into_owned();
    assert!(said.contains("1 tokens\n") && said.contains("rows were copied"), "{said}");
    assert_eq!(usage(&database, &key), 5);
    let refused = gateway.run("copy", &["--from", &file]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not empty"));

    gateway.serve();
    gateway.send(&get(TEMPLATES).key(&key)).expect(200);
    let login = gateway.send(&crate::support::person::login("owner", crate::support::person::PASSWORD));
    let token = login.expect(200).json()["accessToken"].as_str().map(str::to_owned).expect("a token");
    let shown = gateway.send(&get(&format!("{address}/{}", text(&record, "id"))).bearer(&token)).expect(200);
    assert_eq!(shown.json()["createdAt"], record["createdAt"]);
    gateway.stop();

    // And back, into a new file.
    let old = std::fs::read_to_string(gateway.config()).expect("the configuration");
    std::fs::write(gateway.path("old.yaml"), old).expect("write");
    gateway.configure(&Settings::usual(&house.upstream.url()).unlimited().with(|value| {
        value["store"]["url"] = json!("sqlite://new.db");
    }));
    let copied = gateway.run("copy", &["--from", "old.yaml"]);
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    gateway.serve();
    gateway.send(&get(TEMPLATES).key(&key)).expect(200);
    wait::until("uses are counted on", || {
        crate::support::world::usage(&gateway.path("new.db"), &key) == (7, true)
    });
}
