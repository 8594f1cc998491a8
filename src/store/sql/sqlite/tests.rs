//! What only SQLite has to do; the rest is in the conformance suite.

use super::*;
use crate::store::conformance::{self, NOW_MS, fixture};
use crate::store::management::Management;
use crate::store::sql::{changes, db};
use crate::store::{Change, ChangeId, ChangeSubject, Store, Usage};
use crate::token::Digest;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn sqlite_conforms() {
    let folder = folder();
    let number = std::cell::Cell::new(0);
    conformance::suite(|| {
        number.set(number.get() + 1);
        Sqlite::open(&folder.path().join(format!("{}.db", number.get()))).unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_database_is_for_its_owner_and_stays() {
    let folder = folder();
    let path = folder.path().join("new/deep/portcullis.db");
    let store = Sqlite::open(&path).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    for name in ["portcullis.db", "portcullis.db-wal"] {
        let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(store);
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.token_rows(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_secret_is_in_the_file() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = Sqlite::open(&path).unwrap();
    let mut fixture = fixture();
    fixture.organizations[0].tokens[0] = crate::store::import::FixtureToken {
        name: "harmless".to_owned(),
        ..conformance::token("ocr_canary")
    };
    fixture.organizations[0].members[0].password = Some("canary-password-1".into());
    store.import(&fixture, NOW_MS).await.unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("harmless") && holds("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!holds("ocr_canary") && !holds("canary-password"));
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE schema_version SET version = 99", []).unwrap();
    match Sqlite::open(&path) {
        Err(StoreError::TooNew { found: 99, known }) => assert!(known < 99),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_migration_is_applied_once_and_wholly() {
    let db = db::Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
    connect::migrate(&db, &["CREATE TABLE a (x)"]).unwrap();
    connect::migrate(&db, &["CREATE TABLE a (x)"]).unwrap();
    let bad = ["CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE b (x)"];
    assert!(connect::migrate(&db, &bad).is_err());
    assert!(db.prepare_cached("SELECT * FROM b").is_err(), "half a migration must not stay");
    connect::migrate(&db, &bad[..2]).unwrap();
    assert!(db.prepare_cached("SELECT * FROM b").is_ok());
}

#[tokio::test]
async fn who_is_too_far_behind_or_ahead_starts_afresh() {
    let folder = folder();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let [first, second] = &store.changes_after(ChangeId::default()).await.unwrap()[..2] else { panic!() };
    let everything = |id| vec![Change { id, subject: ChangeSubject::Everything }];
    let ahead = ChangeId { sequence: newest.sequence + 7, ..newest };
    assert_eq!(store.changes_after(ahead).await.unwrap(), everything(newest));

    store.write(|db| Ok(db.execute("DELETE FROM changes WHERE sequence <= 1", ())?)).await.unwrap();
    assert_eq!(store.changes_after(first.id).await.unwrap(), everything(newest));
    assert_eq!(store.changes_after(second.id).await.unwrap().len() as u64, newest.sequence - 2);
    store.write(|db| Ok(db.execute("DELETE FROM changes", ())?)).await.unwrap();
    assert_eq!(store.changes_after(newest).await.unwrap(), everything(ChangeId::default()));
    assert_eq!(store.changes_after(ChangeId::default()).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_put_back_to_an_earlier_state_is_noticed() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = Sqlite::open(&path).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    let earlier = folder.path().join("earlier.db");
    let copy = format!("VACUUM INTO '{}'", earlier.display());
    rusqlite::Connection::open(&path).unwrap().execute(&copy, ()).unwrap();
    let further = || store.write(|db| changes::append(db, &ChangeSubject::SigningKeys));
    further().await.unwrap();
    let before = store.newest_change().await.unwrap();

    let put_back = || {
        let from = rusqlite::Connection::open(&earlier).unwrap();
        let mut to = rusqlite::Connection::open(&path).unwrap();
        rusqlite::backup::Backup::new(&from, &mut to).unwrap().run_to_completion(1000, Duration::ZERO, None)
    };
    put_back().unwrap();
    further().await.unwrap();
    let after = store.newest_change().await.unwrap();
    assert_eq!(after.sequence, before.sequence);
    let everything = vec![Change { id: after, subject: ChangeSubject::Everything }];
    assert_eq!(store.changes_after(before).await.unwrap(), everything);
    assert_eq!(store.changes_after(after).await.unwrap(), []);
}

#[tokio::test]
async fn another_process_s_changes_are_seen() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let (here, there) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
    there.import(&fixture(), NOW_MS).await.unwrap();
    assert_eq!(here.newest_change().await.unwrap(), there.newest_change().await.unwrap());
    assert!(here.token_by_digest(Digest::of("ocr_1")).await.unwrap().is_some());
}

#[tokio::test]
async fn who_counts_a_lot_lets_other_processes_write_in_between() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let (here, there) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
    here.import(&fixture(), NOW_MS).await.unwrap();
    let mut counted = 0;
    let count = async {
        loop {
            counted += 1;
            let used = |slot| Usage { slot, row: 1, total: counted, last_used_ms: NOW_MS };
            here.add_usage("j1", (0..4096).map(used).collect()).await.unwrap();
        }
    };
    let write = async {
        for _ in 0..10 {
            there.import(&fixture(), NOW_MS).await.unwrap();
        }
    };
    tokio::select! { () = count => {}, () = write => {} }
    // Two or three for each: it is looked after 1, 3, 8, 18, 33 and 53 milliseconds, and then ever less often.
    assert!((1..200).contains(&counted), "{counted} times was counted while ten times was written");
}

#[tokio::test]
async fn a_row_that_does_not_decode_is_an_error_and_not_an_unknown_key() {
    let folder = folder();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.write(|db| Ok(db.execute("UPDATE tokens SET scopes = 'what'", ())?)).await.unwrap();
    match store.token_by_digest(Digest::of("ocr_1")).await {
        Err(StoreError::Corrupt { table: "tokens", .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_key_whose_maker_is_gone_grants_nothing() {
    let folder = folder();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.write(|db| Ok(db.execute("DELETE FROM users", ())?)).await.unwrap();
    let key = store.token_by_digest(Digest::of("ocore_1")).await.unwrap().unwrap();
    assert!(key.terms.permissions.is_empty());
}

#[tokio::test]
async fn a_job_that_panics_takes_neither_its_thread_nor_half_a_change_along() {
    let folder = folder();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    store.import(&fixture(), NOW_MS).await.unwrap();
    let panicked = store.write(|db| -> Result<(), StoreError> {
        db.execute("DELETE FROM tokens", ())?;
        panic!("on purpose")
    });
    assert!(matches!(panicked.await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.token_rows(0, 10).await.unwrap().len(), 2);
    store.import(&fixture(), NOW_MS).await.unwrap();
}

#[tokio::test]
async fn what_is_only_read_is_neither_made_nor_changed() {
    let folder = folder();
    let path = folder.path().join("a.db");
    assert!(Sqlite::open_read_only(&path).unwrap().is_none() && !path.exists());
    std::fs::write(&path, "").unwrap();
    assert!(Sqlite::open_read_only(&path).unwrap().is_none(), "an empty file is no store yet");
    Sqlite::open(&path).unwrap().import(&fixture(), NOW_MS).await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let store = Sqlite::open_read_only(&path).unwrap().unwrap();
    assert_eq!(store.token_rows(0, 10).await.unwrap().len(), 2);
    assert!(matches!(store.import(&fixture(), NOW_MS).await, Err(StoreError::Unavailable(_))));
    drop(store);
    assert!(before == std::fs::read(&path).unwrap());
    assert!(!folder.path().join("a.db-wal").exists());
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE schema_version SET version = 0", []).unwrap();
    assert!(matches!(Sqlite::open_read_only(&path), Err(StoreError::TooOld { found: 0, .. })));
}

#[tokio::test]
async fn the_audit_log_can_not_be_rewritten() {
    let folder = folder();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    let sql = "INSERT INTO audit (at_ms, actor_kind, action, entity) VALUES (1, 'operator', 'a.b', 'c')";
    store.write(move |db| Ok(db.execute(sql, ())?)).await.unwrap();
    for sql in ["DELETE FROM audit", "UPDATE audit SET action = 'x'"] {
        assert!(store.write(move |db| Ok(db.execute(sql, ())?)).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a_store_of_the_first_version_is_brought_up_to_date() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let db = db::Connection::Sqlite(rusqlite::Connection::open(&path).unwrap());
    connect::migrate(&db, &[include_str!("../migrations/sqlite/0001_start.sql")]).unwrap();
    db.execute_batch(
        "INSERT INTO organizations VALUES ('o', 'org', 'Org', 1, 1);
         INSERT INTO tokens (id, digest, family, name, organization, permissions, scopes, expires_ms, active,
             addresses, version, created_ms, updated_ms)
         VALUES ('t', x'00', 'ocriva', 'a', 'o', '[]', '[]', 1500, 1, '[]', 1, 1000, 1000),
                ('u', x'01', 'ocriva', 'b', 'o', '[]', '[]', 500, 1, '[]', 1, 1000, 1000)",
    )
    .unwrap();
    drop(db);
    let store = Sqlite::open(&path).unwrap();
    let life = async |id: &str| store.token(&id.into()).await.unwrap().unwrap().lifetime_ms;
    assert_eq!((life("t").await, life("u").await), (Some(500), None));
}
