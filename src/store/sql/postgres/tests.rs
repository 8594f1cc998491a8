//! What only PostgreSQL has to do; the rest is in the conformance suite. Each test has a database of its own.

#[path = "../../../../tests/support/postgres.rs"]
mod server;

use super::super::db::{Lock, OptionalExtension as _};
use super::*;
use crate::config::{PemFile, PostgresHost, PostgresTls, StoreUrl};
use crate::store::conformance::{self, NOW_MS, fixture};
use crate::store::{Change, ChangeId, ChangeSubject, Store, Usage};
use crate::token::Digest;
use rustix::process::{Pid, Signal, kill_process};
use server::{PASSWORD, Server, USER, database};
use std::cell::Cell;
use std::collections::BTreeSet;

/// How the tests log in to a database of theirs.
fn settings(database: &server::Database) -> PostgresStore {
    PostgresStore {
        hosts: vec![(PostgresHost::Name("127.0.0.1".to_owned()), database.port)],
        user: USER.to_owned(),
        password: Some(PASSWORD.into()),
        database: database.name.clone(),
        tls: PostgresTls::Off,
        authorities: None,
        options: None,
        application_name: "portcullis-tests".to_owned(),
        connections: 5,
        usage: "unused".into(),
        read_only: false,
    }
}

/// A database for another test, in which there is nothing.
pub(in crate::store) struct Foreign {
    pub(in crate::store) url: StoreUrl,
    pub(in crate::store) database: server::Database,
}

pub(in crate::store) fn foreign() -> Foreign {
    let database = database();
    Foreign { url: StoreUrl::Postgres(Box::new(settings(&database))), database }
}

/// An empty store in a database of its own.
fn empty() -> Database {
    Database::connect(&settings(&database())).unwrap()
}

fn open(database: &server::Database) -> Database {
    Database::connect(&settings(database)).unwrap()
}

/// A moment in which two stores of one database would not be told apart by their speed.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn postgres_conforms() {
    let database = database();
    let number = Cell::new(0);
    conformance::suite(|| {
        number.set(number.get() + 1);
        // A schema for each store: whatever the address names first is where everything is.
        let schema = format!("s{}", number.get());
        database.run(&format!("CREATE SCHEMA {schema}"));
        let options = Some(format!("-c search_path={schema}"));
        Database::connect(&PostgresStore { options, ..settings(&database) }).unwrap()
    })
    .await;
    assert_eq!(database.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn the_tables_are_those_of_sqlite() {
    let database = database();
    drop(open(&database));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&path).unwrap());
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT t.name || '.' || c.name || ' ' || c.type || iif(c.\"notnull\" OR c.pk, '', ' NULL')
               FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
    let mut statement = sqlite.prepare(sql).unwrap();
    let ours: BTreeSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let theirs = database.run(
        "SELECT table_name || '.' || column_name || ' ' ||
             CASE data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'boolean' THEN 'INTEGER' WHEN 'text' THEN 'TEXT'
                 WHEN 'bytea' THEN 'BLOB' ELSE data_type END
             || CASE is_nullable WHEN 'YES' THEN ' NULL' ELSE '' END
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    assert_eq!(theirs.lines().map(str::to_owned).collect::<BTreeSet<_>>(), ours);
    let unsorted = "SELECT count(*) FROM information_schema.columns
                    WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
    assert_eq!(database.run(unsorted), "0", "every text is compared byte by byte");
}

#[test]
fn both_have_the_same_versions() {
    assert_eq!(connect::MIGRATIONS.len(), crate::store::sql::sqlite::SCHEMA as usize);
}

#[test]
fn another_version_s_schema_is_refused() {
    let database = database();
    let settings = settings(&database);
    assert!(Database::connect_read_only(&settings).unwrap().is_none(), "nothing is made by looking");
    drop(open(&database));
    assert!(Database::connect_read_only(&settings).unwrap().is_some());
    database.run("UPDATE schema_version SET version = 99");
    match Database::connect(&settings) {
        Err(StoreError::TooNew { found: 99, known }) => assert!(known < 99),
        other => panic!("{other:?}"),
    }
    database.run("UPDATE schema_version SET version = 0");
    assert!(matches!(Database::connect_read_only(&settings), Err(StoreError::TooOld { found: 0, .. })));
}

#[test]
fn migrations_are_applied_once_and_wholly_whoever_starts() {
    let database = database();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| open(&database));
        }
    });
    let mut bad = connect::MIGRATIONS.to_vec();
    bad.extend(["CREATE TABLE b (x bigint)"; 2]);
    let store = open(&database);
    let failed = wait(&store.writers, move |db| connect::migrate_to(db, &bad));
    assert!(failed.is_err());
    assert_eq!(database.run("SELECT to_regclass('b') IS NULL"), "t", "half a migration must not stay");
    assert_eq!(database.run("SELECT version FROM schema_version"), connect::MIGRATIONS.len().to_string());
}

#[tokio::test]
async fn who_is_too_far_behind_or_ahead_starts_afresh() {
    let database = database();
    let store = open(&database);
    store.import(&fixture(), NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let [first, second] = &store.changes_after(ChangeId::default()).await.unwrap()[..2] else { panic!() };
    let everything = |id| vec![Change { id, subject: ChangeSubject::Everything }];
    let ahead = ChangeId { sequence: newest.sequence + 7, ..newest };
    assert_eq!(store.changes_after(ahead).await.unwrap(), everything(newest));
    // Another history, in which this place was given to another change.
    let other = ChangeId { mark: newest.mark ^ 1, ..newest };
    assert_eq!(store.changes_after(other).await.unwrap(), everything(newest));
    database.run("DELETE FROM changes WHERE sequence <= 1");
    assert_eq!(store.changes_after(first.id).await.unwrap(), everything(newest));
    assert_eq!(store.changes_after(second.id).await.unwrap().len() as u64, newest.sequence - 2);
    database.run("DELETE FROM changes");
    assert_eq!(store.changes_after(newest).await.unwrap(), everything(ChangeId::default()));
}

#[tokio::test]
async fn the_audit_log_can_not_be_rewritten() {
    let database = database();
    let store = open(&database);
    let sql = "INSERT INTO audit (at_ms, actor_kind, action, entity) VALUES (1, 'operator', 'a.b', 'c')";
    store.write(move |db| Ok(db.execute(sql, ())?)).await.unwrap();
    let same =
        "INSERT INTO audit (sequence, at_ms, actor_kind, action, entity) VALUES (1, 1, 'a', 'a.b', 'c')";
    for sql in ["DELETE FROM audit", "UPDATE audit SET action = 'x'", "TRUNCATE audit", same] {
        assert!(store.write(move |db| Ok(db.execute(sql, ())?)).await.is_err(), "{sql}");
    }
    assert_eq!(database.run("SELECT action FROM audit"), "a.b");
}

#[tokio::test]
async fn a_job_that_panics_or_fails_takes_neither_its_connection_nor_half_a_change_along() {
    let database = database();
    let store = open(&database);
    store.import(&fixture(), NOW_MS).await.unwrap();
    let panicked = store.write(|db| -> Result<(), StoreError> {
        db.execute("DELETE FROM tokens", ())?;
        panic!("on purpose")
    });
    assert!(matches!(panicked.await, Err(StoreError::Unavailable(_))));
    let failed = store.write(|db| {
        db.execute("DELETE FROM tokens", ())?;
        Ok(db.execute("SELECT nonsense", ())?)
    });
    assert!(failed.await.is_err());
    assert_eq!(store.token_rows(0, 10).await.unwrap().len(), 2);
    store.import(&fixture(), NOW_MS).await.unwrap();
}

#[tokio::test]
async fn what_postgres_undoes_for_the_sake_of_another_is_done_again() {
    let store = empty();
    store
        .write(|db| Ok(db.execute("CREATE TABLE pair (id bigint PRIMARY KEY, n bigint)", ())?))
        .await
        .unwrap();
    store.write(|db| Ok(db.execute("INSERT INTO pair VALUES (1, 0), (2, 0)", ())?)).await.unwrap();
    let add = |first: i64, second: i64| {
        store.count(format!("journal-{first}"), move |db| {
            for id in [first, second] {
                db.execute("UPDATE pair SET n = n + 1 WHERE id = ?1", [id])?;
                db.execute("SELECT pg_sleep(0.2)", ())?;
            }
            Ok(())
        })
    };
    let there = store.writers.run(|connection| {
        connection.transaction(Lock::Journal("another"), |db| {
            for id in [2i64, 1] {
                db.execute("UPDATE pair SET n = n + 1 WHERE id = ?1", [id])?;
                db.execute("SELECT pg_sleep(0.2)", ())?;
            }
            Ok(())
        })
    });
    let (here, there) = tokio::join!(add(1, 2), there);
    here.unwrap();
    there.unwrap();
    let sums: Vec<i64> = store
        .ask(|db| Ok(db.prepare_cached("SELECT n FROM pair ORDER BY id")?.query_all((), |row| row.get(0))?))
        .await
        .unwrap();
    assert_eq!(sums, [2, 2]);
}

#[tokio::test]
async fn a_connection_that_has_gone_is_opened_anew() {
    let database = database();
    let store = open(&database);
    store.import(&fixture(), NOW_MS).await.unwrap();
    for _ in 0..3 {
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.run(others);
        assert_eq!(store.token_rows(0, 10).await.unwrap().len(), 2);
        assert!(store.token_by_digest(Digest::of("ocr_1")).await.unwrap().is_some());
        store.import(&fixture(), NOW_MS).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_gone_or_frozen_is_said_to_be_so_in_time_and_found_again() {
    let mut server = Server::start();
    let database = server.database();
    let store = open(&database);
    store.import(&fixture(), NOW_MS).await.unwrap();
    let known = async || store.token_by_digest(Digest::of("ocr_1")).await;
    assert!(known().await.unwrap().is_some());

    server.stop();
    assert!(matches!(known().await, Err(StoreError::Unavailable(_))));
    server.run_again();
    assert!(known().await.unwrap().is_some());
    assert!(store.changed(SOON).await.is_ok());

    // The first process alone: it is who lets new ones in, and the session's own process is frozen with it.
    let frozen = database.run(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let mut processes: Vec<i32> = frozen.lines().map(|pid| pid.parse().unwrap()).collect();
    let first = std::fs::read_to_string(database.sockets.join("data/postmaster.pid")).unwrap();
    processes.push(first.lines().next().unwrap().parse().unwrap());
    let signal = |signal| {
        for pid in &processes {
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), signal);
        }
    };
    signal(Signal::STOP);
    let most = EDGE_JOB + Duration::from_secs(2);
    let answered = tokio::time::timeout(most, known()).await;
    signal(Signal::CONT);
    assert!(matches!(answered.expect("an answer in time"), Err(StoreError::Unavailable(_))));
    assert!(known().await.unwrap().is_some());
}

#[tokio::test]
async fn another_process_s_changes_are_told() {
    let database = database();
    let (here, there) = (open(&database), open(&database));
    here.changed(SOON).await.unwrap();
    // What the connection itself was worth telling of is over; nothing is told when nothing happens.
    while tokio::time::timeout(Duration::from_millis(300), here.changed(SOON)).await.is_ok() {}
    there.import(&fixture(), NOW_MS).await.unwrap();
    tokio::time::timeout(SOON / 2, here.changed(SOON)).await.expect("told").unwrap();
    assert_eq!(here.newest_change().await.unwrap(), there.newest_change().await.unwrap());
    // What happens while nobody waits is told to who comes then.
    let key = there.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    let usage = Usage { slot: 1, row: key.row, total: 1, last_used_ms: 1 };
    there.add_usage("j", vec![usage]).await.unwrap();
    let signing = crate::store::SigningKey {
        id: "a".to_owned(),
        algorithm: "EdDSA".to_owned(),
        private: "x".into(),
        signs_from_ms: 0,
        retires_ms: 1,
    };
    there.add_signing_key(signing, 0).await.unwrap();
    tokio::time::timeout(SOON / 2, here.changed(SOON)).await.expect("told").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_follows_ever_misses_a_change() {
    let database = database();
    let stores = [open(&database), open(&database), open(&database)];
    let [reader, writers @ ..] = &stores;
    reader.import(&fixture(), NOW_MS).await.unwrap();
    let first = reader.newest_change().await.unwrap();
    let end = std::sync::atomic::AtomicBool::new(false);
    let write = async |store: &Database| {
        for _ in 0..60 {
            let appended = store.write(|db| {
                super::super::changes::append(db, &ChangeSubject::SigningKeys)?;
                db.execute("SELECT pg_sleep(0.002)", ())?;
                super::super::changes::append(db, &ChangeSubject::SigningKeys)
            });
            appended.await.unwrap();
            // Some are undone: their numbers are nobody's.
            let undone = store.write(|db| {
                super::super::changes::append(db, &ChangeSubject::Everything)?;
                Ok(db.execute("SELECT nonsense", ())?)
            });
            assert!(undone.await.is_err());
        }
    };
    let follow = async {
        let (mut seen, mut last) = (0, first);
        loop {
            let over = end.load(std::sync::atomic::Ordering::Acquire);
            for change in reader.changes_after(last).await.unwrap() {
                assert!(change.id.sequence > last.sequence);
                assert_eq!(change.subject, ChangeSubject::SigningKeys);
                seen += 1;
                last = change.id;
            }
            if over {
                return seen;
            }
        }
    };
    let both = async {
        tokio::join!(write(&writers[0]), write(&writers[1]));
        end.store(true, std::sync::atomic::Ordering::Release);
    };
    assert_eq!(tokio::join!(follow, both).0, 240);
}

#[test]
fn the_server_has_to_prove_itself_as_far_as_the_address_says() {
    let database = database();
    let content: std::sync::Arc<[u8]> = std::fs::read(database.certificate()).unwrap().into();
    let authorities = Some(PemFile { path: database.certificate(), content });
    let connect = |host: &str, tls, authorities: &Option<PemFile>| {
        let hosts = vec![(PostgresHost::Name(host.to_owned()), database.port)];
        let settings = PostgresStore { hosts, tls, authorities: authorities.clone(), ..settings(&database) };
        let store = Database::connect(&settings)?;
        wait(&store.writers, |connection| {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let used = connection
                .snapshot(|db| Ok(db.query_row(sql, (), |row| row.get::<_, bool>(0)).optional()?));
            Ok(used?.unwrap_or_default())
        })
    };
    for (host, tls, trusted, want) in [
        ("127.0.0.1", PostgresTls::Off, false, Some(false)),
        ("127.0.0.1", PostgresTls::Preferred, false, Some(true)),
        ("127.0.0.1", PostgresTls::Encrypted, false, Some(true)),
        ("127.0.0.1", PostgresTls::SignedBy, true, Some(true)),
        ("localhost", PostgresTls::Verified, true, Some(true)),
        // The certificate is for another name, or of nobody that is known.
        ("127.0.0.1", PostgresTls::Verified, true, None),
    ] {
        let trusted = if trusted { &authorities } else { &None };
        assert_eq!(connect(host, tls, trusted).ok(), want, "{host} {tls:?}");
    }
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let other = Some(PemFile { path: "x".into(), content: other.into_bytes().into() });
    for tls in [PostgresTls::Verified, PostgresTls::SignedBy] {
        assert!(connect("localhost", tls, &other).is_err(), "{tls:?}");
    }
}

#[test]
fn a_socket_of_this_machine_will_do_and_a_wrong_password_will_not() {
    let database = database();
    let hosts = vec![(PostgresHost::Folder(database.sockets.clone()), database.port)];
    let by_socket = PostgresStore { hosts, ..settings(&database) };
    drop(Database::connect(&by_socket).unwrap());
    let stranger = PostgresStore { password: Some("hunter2".into()), ..by_socket };
    let refused = Database::connect(&stranger).unwrap_err();
    let said = format!("{refused:?} {}", crate::telemetry::log::chain(&refused));
    assert!(said.contains("28P01") && !said.contains("hunter2"), "{said}");
}
