//! What a restore makes of journals that are older than it, and of backups that are older than the program.

use super::super::super::Database;
use super::super::super::postgres::tests::{Foreign, foreign};
use super::*;
use crate::store::conformance::{NOW_MS, fixture};
use crate::store::{Store, Usage};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn what_a_journal_counted_before_a_restore_counts_for_nothing_and_what_it_counts_then_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (source, backup, back) = (path("a.db"), path("a.backup"), StoreUrl::Sqlite(path("b.db")));
    let runtime = runtime();
    let store = Database::open(&source).unwrap();
    runtime.block_on(store.import(&fixture(), NOW_MS)).unwrap();
    drop(store);
    let made = make(&StoreUrl::Sqlite(source), &backup, 7).unwrap();
    assert_eq!((made.backup.made_ms, made.elsewhere.len()), (7, 0));
    assert_eq!(verify(&backup).unwrap(), made.backup);

    let Foreign { url: server, .. } = foreign();
    let begun = uuid::Uuid::now_v7();
    let (seconds, _) = begun.get_timestamp().unwrap().to_unix();
    for to in [&back, &server] {
        restore(&backup, to, None, (seconds + 1) * 1000).unwrap();
        assert!(matches!(restore(&backup, to, None, 0), Err(BackupError::NotEmpty("organizations"))));
        let store = match to {
            StoreUrl::Sqlite(path) => Database::open(path).unwrap(),
            StoreUrl::Postgres(settings) => Database::connect(settings).unwrap(),
        };
        runtime.block_on(async {
            let key = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
            let usage = |total| vec![Usage { slot: 3, row: key.row, total, last_used_ms: NOW_MS }];
            let used = async || store.usage(&key.id).await.unwrap().unwrap().0;
            let older = begun.simple().to_string();
            for (total, counted) in [(5, 0), (8, 3), (8, 3), (9, 4)] {
                store.add_usage(&older, usage(total)).await.unwrap();
                assert_eq!(used().await, counted, "{total}");
            }
            let newer = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds + 5, 0));
            store.add_usage(&newer.simple().to_string(), usage(5)).await.unwrap();
            assert_eq!(used().await, 9);
        });
    }
}

#[test]
fn what_was_written_after_the_backup_of_a_store_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (source, backup) = (path("a.db"), path("a.backup"));
    let store = Database::open(&source).unwrap();
    runtime().block_on(store.import(&fixture(), NOW_MS)).unwrap();
    drop(store);
    make(&StoreUrl::Sqlite(source.clone()), &backup, 7).unwrap();
    let (from, to) = (sqlite::made(&backup).unwrap(), sqlite::made(&source).unwrap());
    let before = last_written(&to).unwrap();
    let keep = path("keep");
    let replaced = |seen| {
        from.snapshot(|from| to.transaction(Lock::Changes, |to| put(from, to, Some((&keep, seen)), 0)))
            .unwrap()
    };
    assert!(matches!(replaced([before[0] - 1, before[1]]), Err(BackupError::Written(kept)) if kept == keep));
    assert_eq!(last_written(&to).unwrap(), before, "and nothing is altered");
    replaced(before).unwrap();
    assert_ne!(last_written(&to).unwrap(), before);
}

/// The schema before the present one.
const BEFORE: [&str; 11] = [
    include_str!("../../migrations/sqlite/0001_start.sql"),
    include_str!("../../migrations/sqlite/0002_management.sql"),
    include_str!("../../migrations/sqlite/0003_people.sql"),
    include_str!("../../migrations/sqlite/0004_webhooks.sql"),
    include_str!("../../migrations/sqlite/0005_operations.sql"),
    include_str!("../../migrations/sqlite/0006_addresses.sql"),
    include_str!("../../migrations/sqlite/0007_extras.sql"),
    include_str!("../../migrations/sqlite/0008_certificates.sql"),
    include_str!("../../migrations/sqlite/0009_nodes.sql"),
    include_str!("../../migrations/sqlite/0010_marks.sql"),
    include_str!("../../migrations/sqlite/0011_logins.sql"),
];

#[test]
fn a_backup_of_an_older_schema_is_restored_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.backup");
    let db = rusqlite::Connection::open(&path).unwrap();
    BEFORE.iter().for_each(|migration| db.execute_batch(migration).unwrap());
    db.execute_batch(
        "CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
         INSERT INTO schema_version VALUES (11);
         INSERT INTO organizations VALUES ('o', 'org', 'Org', 1, 1);
         CREATE TABLE backup (format INTEGER NOT NULL, \"schema\" INTEGER NOT NULL, program TEXT NOT NULL,
             made_ms INTEGER NOT NULL, checksum BLOB NOT NULL) STRICT;",
    )
    .unwrap();
    let label = Label { format: FORMAT, schema: 11, program: "0.0.9".to_owned(), made_ms: 5 };
    let checksum = checksum::of(&db, &label).unwrap();
    db.execute("INSERT INTO backup VALUES (1, 11, '0.0.9', 5, ?1)", [checksum.0]).unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let to = folder.path().join("new.db");
    let restored = restore(&path, &StoreUrl::Sqlite(to.clone()), None, 9).unwrap();
    assert_eq!((restored.backup.program.as_str(), restored.accepted_again.len()), ("0.0.9", 0));
    assert_eq!(fs::read(&path).unwrap(), before);
    let store = Database::open(&to).unwrap();
    let there = runtime().block_on(store.organization(&"o".into())).unwrap();
    assert_eq!(there.unwrap().slug, "org");
}
