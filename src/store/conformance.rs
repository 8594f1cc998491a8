//! What every store has to do: one suite, run against each implementation from its own tests.

mod certificates;
mod directory;
mod erasure;
mod history;
mod hooks;
mod management;
mod people;
mod sessions;

pub(crate) use management::key;

use super::import::{Fixture, FixtureMember, FixtureOrganization, FixtureProject, FixtureToken, Position};
use super::management::{AuditQuery, Management, Written};
use super::{ChangeId, ChangeSubject, SigningKey, Store, StoreError, Usage};
use crate::token::{Digest, KeyFamily, Permissions, Reach, Role, TokenId};

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// A key of [`fixture`] by its value.
pub(crate) fn token(value: &str) -> FixtureToken {
    FixtureToken {
        at: Position { line: 9, column: 9 },
        id: None,
        digest: Digest::of(value),
        family: KeyFamily::of(value).unwrap_or(KeyFamily::Ocriva),
        name: value.to_owned(),
        description: None,
        reach: Reach::Organization,
        permissions: Permissions::new(["read"]),
        scopes: vec!["documents".into()],
        expires_ms: None,
        active: None,
        addresses: Vec::new(),
        created_by: None,
    }
}

/// One organization with two projects, one developer, an ocriva key `ocr_1` and an ocore key `ocore_1` of the developer's.
pub(crate) fn fixture() -> Fixture {
    let project = |id: &str| FixtureProject {
        at: Position::default(),
        id: id.into(),
        name: format!("Project {id}"),
        description: None,
        active: None,
    };
    let developer = FixtureMember {
        at: Position::default(),
        email: "Dev@example.com".to_owned(),
        name: "Dev".to_owned(),
        password: None,
        role: Role::Developer,
        active: None,
    };
    let ocore = FixtureToken {
        id: Some("key-of-dev".into()),
        permissions: Permissions::new(["manage:servers", "manage:roles"]),
        created_by: Some("dev@EXAMPLE.com".to_owned()),
        ..token("ocore_1")
    };
    Fixture {
        organizations: vec![FixtureOrganization {
            at: Position { line: 2, column: 5 },
            id: "org-1".into(),
            slug: "my-org".to_owned(),
            name: "My Org".to_owned(),
            projects: vec![project("p-b"), project("p-a")],
            members: vec![developer],
            tokens: vec![token("ocr_1"), ocore],
        }],
    }
}

/// Runs every check on a store that `make` makes afresh, empty.
pub(crate) async fn suite<S: Management>(make: impl Fn() -> S) {
    an_empty_store_has_nothing(&make()).await;
    an_import_is_readable(&make()).await;
    an_import_again_changes_nothing(&make()).await;
    an_import_changes_what_differs(&make()).await;
    a_conflict_leaves_everything_as_it_was(&make()).await;
    a_role_bounds_the_keys_of_its_holder(&make()).await;
    usage_counts_once(&make()).await;
    signing_keys_overlap(&make()).await;
    expiring_counts_active_keys_in_the_range(&make()).await;
    history::suite(&make).await;
    management::suite(&make).await;
    hooks::suite(&make).await;
    certificates::suite(&make).await;
    erasure::suite(&make).await;
}

async fn an_empty_store_has_nothing(store: &dyn Store) {
    assert!(store.token_by_digest(Digest::of("ocr_1")).await.unwrap().is_none());
    assert!(store.token_by_id(&"x".into()).await.unwrap().is_none());
    assert!(store.organization(&"x".into()).await.unwrap().is_none());
    assert!(store.user(&"x".into()).await.unwrap().is_none());
    assert!(store.usage(&"x".into()).await.unwrap().is_none());
    assert!(store.token_rows(0, 10).await.unwrap().is_empty());
    assert!(store.signing_keys(0).await.unwrap().is_empty());
    assert_eq!(store.newest_change().await.unwrap(), ChangeId::default());
    assert!(store.changes_after(ChangeId::default()).await.unwrap().is_empty());
}

async fn an_import_is_readable(store: &dyn Store) {
    let done = store.import(&fixture(), NOW_MS).await.unwrap();
    let created =
        (done.organizations.created, done.projects.created, done.members.created, done.tokens.created);
    assert_eq!(created, (1, 2, 1, 2));

    let key = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    assert_eq!(
        (&*key.name, key.terms.family, key.active, key.version),
        ("ocr_1", KeyFamily::Ocriva, true, 1)
    );
    assert_eq!(key.terms.reach, Reach::Organization);
    assert_eq!(key.terms.permissions, Permissions::new(["read"]));
    assert_eq!(*key.terms.scopes, [Box::<str>::from("documents")]);
    // 2027-01-15 to 2028-01-15: 365 days.
    assert_eq!(key.expires_ms, Some(NOW_MS + 365 * 86_400_000));
    let same = store.token_by_id(&key.id).await.unwrap().unwrap();
    assert_eq!((same.digest, same.row), (key.digest, key.row));
    assert_eq!(store.token_by_id(&"key-of-dev".into()).await.unwrap().unwrap().expires_ms, None);
    let rows: Vec<u64> = store.token_rows(0, 10).await.unwrap().iter().map(|listed| listed.row).collect();
    assert!(rows.len() == 2 && rows.is_sorted());
    assert_eq!(store.token_rows(0, 1).await.unwrap()[0].row, rows[0]);
    assert_eq!(store.token_rows(rows[0], 10).await.unwrap()[0].row, rows[1]);
    let records = store.tokens(vec![rows[1], u64::MAX / 4, rows[0]]).await.unwrap();
    assert!(records.len() == 2 && records.iter().all(|record| rows.contains(&record.row)));
    let [alone] = &store.tokens(vec![rows[1]]).await.unwrap()[..] else { panic!() };
    assert_eq!(alone.row, rows[1]);

    let organization = store.organization(&"org-1".into()).await.unwrap().unwrap();
    assert_eq!((organization.slug.as_str(), organization.name.as_str()), ("my-org", "My Org"));
    let projects: Vec<&str> = organization.projects.iter().map(|project| project.id.as_str()).collect();
    assert_eq!(projects, ["p-a", "p-b"], "by creation, then id");
    assert!(
        organization.projects.iter().all(|p| p.active && p.description.is_none() && p.created_ms == NOW_MS)
    );

    let person = person_behind(store).await;
    let person = store.user(&person).await.unwrap().unwrap();
    assert!(person.active);
    assert_eq!(person.memberships.len(), 1);
    assert_eq!(
        (person.memberships[0].slug.as_str(), person.memberships[0].role.system()),
        ("my-org", Some(Role::Developer))
    );
}

/// The one person that the changes name.
async fn person_behind(store: &dyn Store) -> crate::token::UserId {
    let changes = store.changes_after(ChangeId::default()).await.unwrap();
    let person = changes.into_iter().find_map(|change| match change.subject {
        ChangeSubject::User(id) => Some(id),
        _ => None,
    });
    person.unwrap()
}

async fn an_import_again_changes_nothing(store: &dyn Store) {
    let mut fixture = fixture();
    fixture.organizations[0].members[0].password = Some("correct horse 1".into());
    store.import(&fixture, NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let before = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    let done = store.import(&fixture, NOW_MS + 5_000).await.unwrap();
    let unchanged = (
        done.organizations.unchanged,
        done.projects.unchanged,
        done.members.unchanged,
        done.tokens.unchanged,
    );
    assert_eq!(unchanged, (1, 2, 1, 2));
    assert_eq!(store.newest_change().await.unwrap(), newest);
    let after = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    assert_eq!((after.id, after.row, after.expires_ms), (before.id, before.row, before.expires_ms));
}

async fn an_import_changes_what_differs(store: &dyn Store) {
    let mut fixture = fixture();
    store.import(&fixture, NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let key = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();

    fixture.organizations[0].tokens[0].active = Some(false);
    fixture.organizations[0].tokens[0].addresses = vec!["10.0.0.0/8".parse().unwrap()];
    fixture.organizations[0].projects[0].active = Some(false);
    let done = store.import(&fixture, NOW_MS + 1).await.unwrap();
    assert_eq!((done.tokens.updated, done.projects.updated, done.organizations.updated), (1, 1, 0));

    let changes = store.changes_after(newest).await.unwrap();
    assert!(changes.is_sorted_by(|a, b| a.id.sequence < b.id.sequence));
    assert_eq!(changes.last().unwrap().id, store.newest_change().await.unwrap());
    let subjects: Vec<_> = changes.into_iter().map(|change| change.subject).collect();
    let token = ChangeSubject::Token { id: key.id.clone(), digest: key.digest };
    assert_eq!(subjects, [ChangeSubject::Organization("org-1".into()), token]);
    let key = store.token_by_id(&key.id).await.unwrap().unwrap();
    assert!(!key.active);
    assert_eq!(key.terms.addresses, ["10.0.0.0/8".parse().unwrap()]);
}

async fn a_conflict_leaves_everything_as_it_was(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let mut other = fixture();
    let organization = &mut other.organizations[0];
    organization.id = "org-2".into();
    organization.slug = "other".to_owned();
    organization.tokens.push(token("ocr_new"));
    // Two projects and both keys belong to org-1 already; the second key is refused for its digest.
    match store.import(&other, NOW_MS).await {
        Err(StoreError::Conflicts(conflicts)) => {
            assert_eq!(conflicts.len(), 4, "{conflicts:?}");
            assert_eq!(conflicts[3].at, Position { line: 9, column: 9 });
        }
        other => panic!("{other:?}"),
    }
    assert!(store.organization(&"org-2".into()).await.unwrap().is_none());
    assert!(store.token_by_digest(Digest::of("ocr_new")).await.unwrap().is_none());
    assert_eq!(store.newest_change().await.unwrap(), newest);
}

async fn a_role_bounds_the_keys_of_its_holder(store: &dyn Store) {
    let mut fixture = fixture();
    store.import(&fixture, NOW_MS).await.unwrap();
    let id: TokenId = "key-of-dev".into();
    let held = async || store.token_by_id(&id).await.unwrap().unwrap().terms.permissions.clone();
    assert_eq!(held().await, Permissions::new(["manage:servers", "view:roles"]));

    let newest = store.newest_change().await.unwrap();
    fixture.organizations[0].members[0].role = Role::Viewer;
    store.import(&fixture, NOW_MS).await.unwrap();
    assert_eq!(held().await, Permissions::new(["view:servers", "view:roles"]));
    let changes = store.changes_after(newest).await.unwrap();
    let token = ChangeSubject::Token { id: id.clone(), digest: Digest::of("ocore_1") };
    assert!(changes.iter().any(|change| change.subject == token), "caches must let go of the key");

    fixture.organizations[0].members[0].active = Some(false);
    store.import(&fixture, NOW_MS).await.unwrap();
    assert!(held().await.is_empty());
}

async fn usage_counts_once(store: &dyn Store) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let key = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap();
    let other = store.token_by_digest(Digest::of("ocore_1")).await.unwrap().unwrap();
    let used = async |id: &TokenId| store.usage(id).await.unwrap().unwrap();
    assert_eq!(used(&key.id).await, (0, None));

    let batch = vec![Usage { slot: 3, row: key.row, total: 10, last_used_ms: NOW_MS }];
    store.add_usage("j1", batch.clone()).await.unwrap();
    store.add_usage("j1", batch.clone()).await.unwrap();
    assert_eq!(used(&key.id).await, (10, Some(NOW_MS)));
    // Another journal counts for itself; its older use does not set the time back.
    store
        .add_usage("j2", vec![Usage { slot: 3, row: key.row, total: 1, last_used_ms: NOW_MS - 5 }])
        .await
        .unwrap();
    assert_eq!(used(&key.id).await, (11, Some(NOW_MS)));
    // The slot goes on under another key: only what came after is its.
    store
        .add_usage("j1", vec![Usage { slot: 3, row: other.row, total: 12, last_used_ms: NOW_MS }])
        .await
        .unwrap();
    assert_eq!((used(&key.id).await.0, used(&other.id).await.0), (11, 2));
    // Of a key that is gone: dropped without an error.
    store.add_usage("j1", vec![Usage { slot: 9, row: 999, total: 1, last_used_ms: 1 }]).await.unwrap();
    let rows = store.token_rows(0, 10).await.unwrap();
    let listed = rows.iter().find(|listed| listed.row == key.row).unwrap();
    assert_eq!(Some(listed.last_used_ms), store.usage(&key.id).await.unwrap().unwrap().1);

    store.forget_journal("j2").await.unwrap();
    store.add_usage("j2", vec![Usage { slot: 3, row: key.row, total: 1, last_used_ms: 0 }]).await.unwrap();
    assert_eq!(used(&key.id).await, (12, Some(NOW_MS)));
}

async fn signing_keys_overlap(store: &dyn Management) {
    let key = |id: &str, algorithm: &str, signs_from_ms| SigningKey {
        id: id.to_owned(),
        algorithm: algorithm.to_owned(),
        private: "cHJpdmF0ZQ==".into(),
        signs_from_ms,
        retires_ms: 10_000,
    };
    store.add_signing_key(key("a", "EdDSA", 0), 0).await.unwrap();
    store.add_signing_key(key("x", "ES256", 5), 0).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    store.add_signing_key(key("b", "EdDSA", 100), 500).await.unwrap();
    let ids = async |now_ms| -> Vec<String> {
        store.signing_keys(now_ms).await.unwrap().into_iter().map(|key| key.id).collect()
    };
    assert_eq!(ids(499).await, ["a", "x", "b"]);
    assert_eq!(ids(500).await, ["x", "b"], "only the older ones of its algorithm retire");
    assert_eq!(store.signing_keys(0).await.unwrap()[0].private.expose(), "cHJpdmF0ZQ==");
    assert_eq!(store.changes_after(newest).await.unwrap()[0].subject, ChangeSubject::SigningKeys);

    // At the operator's wish: not while the next one waits, and not without an entry in the log.
    let entry = || management::entry("signing_key.rotated");
    let waits = store.rotate_signing_key(key("c", "EdDSA", 200), 900, 50, entry()).await.unwrap();
    assert_eq!((waits, ids(499).await.len()), (Written::Moved, 3));
    let newest = store.newest_change().await.unwrap();
    let added = store.rotate_signing_key(key("c", "EdDSA", 200), 900, 100, entry()).await.unwrap();
    assert_eq!((added, ids(600).await), (Written::Done, ["x", "b", "c"].map(str::to_owned).to_vec()));
    assert_eq!(store.changes_after(newest).await.unwrap()[0].subject, ChangeSubject::SigningKeys);
    assert_eq!(store.retire_signing_key("b", 600, entry()).await.unwrap(), Written::Done);
    assert_eq!(ids(600).await, ["x", "c"]);
    assert_eq!(store.retire_signing_key("b", 600, entry()).await.unwrap(), Written::Moved);
    let query =
        AuditQuery { action: Some("signing_key.rotated".to_owned()), limit: 9, ..AuditQuery::default() };
    assert_eq!(store.audit(&query).await.unwrap().len(), 2);
    // Those that have long retired are forgotten.
    let month_ms = 30 * 86_400_000;
    store.add_signing_key(key("d", "EdDSA", month_ms + 601), month_ms + 900).await.unwrap();
    assert_eq!(ids(0).await, ["x", "c", "d"]);
}

async fn expiring_counts_active_keys_in_the_range(store: &dyn Store) {
    let mut fixture = fixture();
    fixture.organizations[0].tokens = [(100, true), (200, true), (200, false), (300, true)]
        .into_iter()
        .enumerate()
        .map(|(number, (expires_ms, active))| FixtureToken {
            expires_ms: Some(expires_ms),
            active: Some(active),
            ..token(&format!("ocr_{number}"))
        })
        .collect();
    store.import(&fixture, NOW_MS).await.unwrap();
    assert_eq!(store.expiring(100, 200).await.unwrap(), 1);
    assert_eq!(store.expiring(0, 1000).await.unwrap(), 3);
}
