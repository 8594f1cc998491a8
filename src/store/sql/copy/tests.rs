//! That nothing is left behind, and that a copy of a copy is the first.

use super::super::Database;
use super::super::postgres::tests::{Foreign, foreign};
use super::*;
use crate::store::conformance::{NOW_MS, fixture};
use crate::store::{Store, Usage};
use crate::token::Digest;
use std::collections::BTreeMap;
use std::path::Path;

/// Every table of a new store but the version's, with its columns in order.
fn catalogue(path: &Path) -> BTreeMap<String, Vec<String>> {
    let db = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'schema_version'
               ORDER BY t.name, c.cid";
    let mut statement = db.prepare(sql).unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        found.entry(row.get(0).unwrap()).or_default().push(row.get(1).unwrap());
    }
    found
}

#[test]
fn no_table_and_no_column_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&path).unwrap());
    let mut there = catalogue(&path);
    // Which gateways are at work on the old store: none is, and on the new one none is yet.
    assert!(there.remove("nodes").is_some());
    let listed: BTreeMap<String, Vec<String>> = TABLES
        .iter()
        .map(|table| (table.name.to_owned(), table.columns.iter().map(|&name| name.to_owned()).collect()))
        .collect();
    assert_eq!(listed, there, "add what is new to TABLES, after what it refers to");
    let counted = rusqlite::Connection::open(&path).unwrap();
    for table in TABLES {
        let sql = "SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema WHERE name = ?1";
        let counts: bool = counted.query_row(sql, [table.name], |row| row.get(0)).unwrap();
        assert_eq!(counts, table.counted, "{}", table.name);
    }
}

/// All rows of all tables, as text.
fn content(path: &Path) -> Vec<String> {
    let db = Connection::Sqlite(rusqlite::Connection::open(path).unwrap());
    let mut all = Vec::new();
    for table in TABLES {
        let select =
            format!("SELECT {} FROM {} ORDER BY {}", list(table.columns), table.name, list(table.key));
        table
            .read(&db, &select, |row| {
                all.push(format!("{} {row:?}", table.name));
                Ok(())
            })
            .unwrap();
        if table.counted {
            all.push(format!("{} {}", table.name, table.last(&db).unwrap()));
        }
    }
    all
}

async fn fill(path: &Path) {
    let store = Database::open(path).unwrap();
    let mut fixture = fixture();
    for number in 0..450 {
        fixture.organizations[0].tokens.push(crate::store::conformance::token(&format!("ocr_x{number}")));
    }
    store.import(&fixture, NOW_MS).await.unwrap();
    let key = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    let usage = Usage { slot: 7, row: key.row, total: 3, last_used_ms: NOW_MS };
    store.add_usage("journal", vec![usage]).await.unwrap();
    store
        .write(|db| {
            // The last key is gone: its number is not given again.
            db.execute(r#"DELETE FROM tokens WHERE "row" = (SELECT max("row") FROM tokens)"#, ())?;
            db.execute("UPDATE tokens SET extras = '{\"a\":1}', description = 'ก็', prefix = ''", ())?;
            db.execute("UPDATE users SET server_admin = TRUE, totp_step = 9", ())?;
            db.execute(
                "INSERT INTO audit (at_ms, actor_kind, action, entity) VALUES (1, 'operator', 'a.b', 'c')",
                (),
            )?;
            Ok(db.execute("DELETE FROM changes WHERE sequence > 4", ())?)
        })
        .await
        .unwrap();
}

#[test]
fn a_copy_there_and_back_is_the_same_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (first, back) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&first));
    let Foreign { url: server, .. } = foreign();
    let [file, other] = [&first, &back].map(|path| StoreUrl::Sqlite(path.clone()));
    assert!(matches!(from_to(&other, &server), Err(CopyError::Nothing)));
    let there = from_to(&file, &server).unwrap();
    assert!(there.contains(&("tokens", 451)) && there.contains(&("usage_seen", 1)), "{there:?}");
    assert!(matches!(from_to(&file, &server), Err(CopyError::NotEmpty("organizations"))));
    assert_eq!(from_to(&server, &other).unwrap(), there);
    assert_eq!(content(&back), content(&first));

    // What is made next has numbers that were never given before.
    let StoreUrl::Postgres(settings) = &server else { panic!() };
    for store in [Database::connect(settings).unwrap(), Database::open(&back).unwrap()] {
        let mut more = fixture();
        more.organizations[0].tokens = vec![crate::store::conformance::token("ocr_new")];
        runtime.block_on(store.import(&more, NOW_MS)).unwrap();
        let new = runtime.block_on(store.token_by_digest(Digest::of("ocr_new"))).unwrap().unwrap();
        assert_eq!(new.row, 453);
    }
}

#[test]
fn a_copy_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&path));
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("INSERT INTO webhook_events VALUES ('e', 'o', 't', 'a' || char(0), 1)", []).unwrap();
    drop(db);
    let Foreign { url, database } = foreign();
    match from_to(&StoreUrl::Sqlite(path), &url) {
        Err(CopyError::Store(StoreError::Corrupt { table: "webhook_events", what })) => {
            assert!(what.starts_with("body has"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(database.run("SELECT count(*) FROM tokens"), "0");
}
