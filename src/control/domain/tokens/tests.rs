//! The life of a key in the domain, on a real store: time is an argument here, so that years pass without waiting.

use super::*;
use crate::clock::Moment;
use crate::control::domain::{Actor, By, Domain, DomainError, Edge, Origin, Person};
use crate::store::Store;
use crate::store::conformance::fixture;
use crate::store::import::{FixtureMember, Position};
use crate::store::management::{AuditQuery, Management};
use crate::store::sqlite::Sqlite;
use crate::token::{Reach, Role};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn at(text: &str) -> Moment {
    let at: jiff::Timestamp = text.parse().unwrap();
    Moment { mono_ns: 0, unix_ms: at.as_millisecond() as u64 }
}

fn text(ms: Option<u64>) -> String {
    crate::dialect::time::iso_millis(ms.unwrap())
}

/// No other process is on these stores.
fn nobody(store: Arc<Sqlite>) -> Edge {
    Edge::elsewhere(store, |_| panic!("for whom?"))
}

/// A store with the fixture's developer and an owner; nothing follows it.
struct Stage {
    store: Arc<Sqlite>,
    domain: Domain,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new(now: Moment) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&folder.path().join("a.db")).unwrap());
        let mut fixture = fixture();
        fixture.organizations[0].members.push(FixtureMember {
            at: Position::default(),
            email: "owner@example.com".to_owned(),
            name: "Owner".to_owned(),
            password: None,
            role: Role::Owner,
            active: None,
        });
        store.import(&fixture, now.unix_ms).await.unwrap();
        let domain = Domain::new(store.clone(), nobody(store.clone()));
        Self { store, domain, _folder: folder }
    }

    async fn person(&self, email: &str, now: Moment) -> By {
        let id = self.store.account(email).await.unwrap().unwrap().id;
        let person = Person { id, email: email.to_owned(), session: "s".to_owned() };
        By { actor: Actor::Person(person), origin: Origin::default(), now }
    }

    async fn owner(&self, now: Moment) -> By {
        self.person("owner@example.com", now).await
    }

    async fn made(&self, by: &By, wanted: NewToken) -> Made {
        self.domain.create_token(by, &"org-1".into(), KeyFamily::Ocriva, wanted).await.unwrap()
    }
}

fn wanted() -> NewToken {
    NewToken {
        name: "CI".to_owned(),
        kind: Some("organization".to_owned()),
        permissions: vec!["read".to_owned()],
        scopes: vec!["documents".to_owned()],
        ..NewToken::default()
    }
}

fn here() -> Place {
    Place { organization: Some("org-1".into()), family: Some(KeyFamily::Ocriva) }
}

#[tokio::test]
async fn a_year_is_a_calendar_year_also_from_a_leap_day() {
    for (now, then) in [
        ("2028-02-29T12:00:00Z", "2029-02-28T12:00:00.000Z"),
        ("2027-03-01T00:00:00.5Z", "2028-03-01T00:00:00.500Z"),
        ("2026-11-21T16:00:00Z", "2027-11-21T16:00:00.000Z"),
    ] {
        let now = at(now);
        let stage = Stage::new(now).await;
        let made = stage.made(&stage.owner(now).await, wanted()).await;
        assert_eq!(text(made.token.expires_ms), then);
    }
}

#[tokio::test]
async fn an_expired_key_gets_the_life_again_that_it_had() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let by = stage.owner(now).await;
    let month = NewToken { expires_at: Some("2026-01-31T00:00:00Z".to_owned()), ..wanted() };
    let id = stage.made(&by, month).await.token.id;
    let regenerate = async |by: &By, at: Option<&str>| {
        let how = Regeneration { expires_at: at.map(str::to_owned) };
        stage.domain.regenerate_token(by, &here(), &id, how).await.unwrap().token
    };
    // Not expired yet: it keeps its expiry.
    let early = By { now: now.after(10 * DAY), ..by.clone() };
    assert_eq!(text(regenerate(&early, None).await.expires_ms), "2026-01-31T00:00:00.000Z");
    // Expired, to the very millisecond: thirty days again, not the twenty since it was regenerated.
    let late = By { now: at("2026-01-31T00:00:00Z"), ..by.clone() };
    assert_eq!(text(regenerate(&late, None).await.expires_ms), "2026-03-02T00:00:00.000Z");
    // A life that is given anew is what counts from then on.
    let later = By { now: at("2026-06-01T00:00:00Z"), ..by.clone() };
    regenerate(&later, Some("2026-06-03T00:00:00Z")).await;
    let last = By { now: at("2026-07-01T00:00:00Z"), ..by };
    let token = regenerate(&last, None).await;
    assert_eq!((text(token.expires_ms), token.active), ("2026-07-03T00:00:00.000Z".to_owned(), true));
}

#[tokio::test]
async fn what_is_altered_is_written_once_and_told_in_the_log() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let by = stage.owner(now).await;
    let made = stage.made(&by, wanted()).await;
    let later = By { now: now.after(DAY), ..by };
    let update =
        async |patch| stage.domain.update_token(&later, &here(), &made.token.id, patch).await.unwrap();
    let same = update(TokenPatch { name: Some("CI".to_owned()), ..TokenPatch::default() }).await;
    assert_eq!(same, made.token);
    let other = update(TokenPatch { name: Some("CD".to_owned()), ..TokenPatch::default() }).await;
    assert_eq!((other.name.as_str(), other.updated_ms), ("CD", later.now.unix_ms));
    let log = stage.store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    let actions: Vec<_> = log.iter().map(|record| &*record.entry.action).collect();
    assert_eq!(actions, ["api_token.updated", "api_token.created"]);
    assert_eq!(log[0].entry.after, Some(serde_json::json!({ "name": "CD" })));
    assert_eq!(log[0].entry.actor_name.as_deref(), Some("owner@example.com"));
}

#[tokio::test]
async fn writers_at_once_do_not_undo_each_other() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let by = stage.owner(now).await;
    let made = stage.made(&by, wanted()).await;
    // As two processes: each with a turn of its own.
    let other = Domain::new(stage.store.clone(), nobody(stage.store.clone()));
    let rename = |domain: &Domain, number: usize| {
        let patch = if number.is_multiple_of(2) {
            TokenPatch { name: Some(format!("n{number}")), ..TokenPatch::default() }
        } else {
            TokenPatch { description: Some(Some(format!("d{number}"))), ..TokenPatch::default() }
        };
        let (by, id) = (by.clone(), made.token.id.clone());
        let domain = Domain::new(domain.store.clone(), nobody(stage.store.clone()));
        async move { domain.update_token(&by, &here(), &id, patch).await.map(drop) }
    };
    let tasks: Vec<_> =
        (0..6).map(|n| tokio::spawn(rename(if n < 3 { &stage.domain } else { &other }, n))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let token = stage.domain.token(&by, &here(), &made.token.id).await.unwrap();
    assert!(token.name.starts_with('n') && token.description.is_some_and(|it| it.starts_with('d')));
    assert_eq!(token.revision, made.token.revision + 6);
}

#[tokio::test]
async fn the_operator_needs_no_role_and_sees_both_families() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let by = By { actor: Actor::Operator, origin: Origin::default(), now };
    let made = stage.made(&by, wanted()).await;
    assert_eq!(made.token.created_by, None);
    let anywhere = Place { organization: None, family: None };
    let query = ListQuery { page: 1, limit: 50, ..ListQuery::default() };
    let listed = stage.domain.list_tokens(&by, &"org-1".into(), &anywhere, query.clone()).await.unwrap();
    assert_eq!(listed.total, 3);
    let ocore = stage.domain.token(&by, &anywhere, &"key-of-dev".into()).await.unwrap();
    assert_eq!((ocore.family, ocore.expires_ms), (KeyFamily::Ocore, None));
    let elsewhere = stage.domain.list_tokens(&by, &"nowhere".into(), &anywhere, query).await;
    assert!(matches!(elsewhere, Err(DomainError::NotFound("organization"))));
    stage.domain.delete_token(&by, &anywhere, &made.token.id).await.unwrap();
    let gone = stage.domain.token(&by, &anywhere, &made.token.id).await;
    assert!(matches!(gone, Err(DomainError::NotFound("token"))));
}

#[tokio::test]
async fn a_key_manages_nothing_and_a_developer_makes_nothing() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let key = By { actor: Actor::Key, origin: Origin::default(), now };
    let developer = stage.person("dev@example.com", now).await;
    for by in [key, developer] {
        let made = stage.domain.create_token(&by, &"org-1".into(), KeyFamily::Ocriva, wanted()).await;
        assert!(matches!(made, Err(DomainError::Forbidden(_))), "{made:?}");
    }
    let log = stage.store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    assert!(log.is_empty(), "what was not done is not in the log");
}

#[tokio::test]
async fn everything_that_is_wrong_is_told() {
    let now = at("2026-01-01T00:00:00Z");
    let stage = Stage::new(now).await;
    let bad = NewToken {
        name: "x".repeat(101),
        description: Some("x".repeat(501)),
        kind: Some("project".to_owned()),
        project: Some("of-somebody-else".to_owned()),
        expires_at: Some("2025-01-01T00:00:00Z".to_owned()),
        addresses: vec!["300.0.0.1".to_owned()],
        ..NewToken::default()
    };
    let made =
        stage.domain.create_token(&stage.owner(now).await, &"org-1".into(), KeyFamily::Ocriva, bad).await;
    let Err(DomainError::Invalid(violations)) = made else { panic!("{made:?}") };
    let fields: Vec<_> = violations.iter().map(|violation| &*violation.field).collect();
    let wanted = ["name", "description", "projectId", "permissions", "scopes", "expiresAt", "ipWhitelist"];
    assert_eq!(fields, wanted);
    let bound = NewToken { bound_to: Some("p-a".into()), kind: None, ..wanted_bound() };
    let made = stage.made(&stage.owner(now).await, bound).await;
    assert_eq!(made.token.reach, Reach::Project("p-a".into()));
}

fn wanted_bound() -> NewToken {
    NewToken { project: Some("p-b".to_owned()), ..wanted() }
}
