//! What every store has to do for the control side.

use super::{NOW_MS, directory, fixture, people, sessions};
use crate::store::management::{
    ActorKind, AuditEntry, AuditQuery, Management, NewMember, NewOrganization, NewPerson, Page, Token,
    TokenFilter, TokenOrder, TokenSort, Written,
};
use crate::store::{Change, ChangeSubject};
use crate::token::{Digest, KeyFamily, Permissions, Reach, Role, TokenId};
use serde_json::json;

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    a_key_is_added_read_and_known_to_the_edge(&make()).await;
    a_key_needs_a_home_that_is_there(&make()).await;
    a_replaced_key_keeps_what_it_was(&make()).await;
    a_regenerated_key_names_both_its_values(&make()).await;
    a_removed_key_is_gone(&make()).await;
    a_write_that_is_based_on_an_older_state_is_not_done(&make()).await;
    keys_are_listed_in_order_and_in_parts(&make()).await;
    keys_are_found_by_what_is_asked(&make()).await;
    keys_are_sorted_as_is_asked(&make()).await;
    an_import_counts_as_a_write(&make()).await;
    the_first_owner_is_made_once(&make()).await;
    people_are_found_by_their_address(&make()).await;
    people::suite(make).await;
    directory::suite(make).await;
    sessions::suite(make).await;
    the_audit_log_is_read_newest_first(&make()).await;
}

pub(super) fn entry(action: &'static str) -> AuditEntry {
    AuditEntry {
        at_ms: NOW_MS,
        organization: Some("org-1".into()),
        actor_kind: ActorKind::User,
        actor: Some("u1".to_owned()),
        actor_name: Some("dev@example.com".to_owned()),
        action: action.into(),
        entity: "e1".to_owned(),
        entity_name: Some("CI".to_owned()),
        address: Some("203.0.113.10".parse().unwrap()),
        user_agent: Some("curl".to_owned()),
        request_id: Some("r1".to_owned()),
        before: None,
        after: Some(json!({ "name": "CI", "scopes": ["ก"] })),
    }
}

/// A key of the fixture's organization, to be added.
pub(crate) fn key(id: &str) -> Token {
    Token {
        id: id.into(),
        family: KeyFamily::Ocriva,
        name: format!("Key {id}"),
        description: Some("For the build".to_owned()),
        organization: "org-1".into(),
        reach: Reach::Organization,
        permissions: Permissions::new(["read", "banana"]),
        scopes: vec!["documents".into()],
        expires_ms: Some(NOW_MS + 1000),
        lifetime_ms: Some(1000),
        active: true,
        addresses: vec!["10.0.0.0/8".parse().unwrap()],
        prefix: Some("ocr_a3f1b2".to_owned()),
        extras: serde_json::Map::from_iter([("mcpNote".to_owned(), json!([1, null, "ก"]))]),
        created_by: Some("u1".into()),
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
        usage_count: 0,
        last_used_ms: None,
        revision: 1,
    }
}

pub(super) async fn added(store: &dyn Management, id: &str, value: &str) -> Token {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let done = store.add_token(key(id), Digest::of(value), entry("api_token.created")).await.unwrap();
    assert_eq!(done, Written::Done);
    store.token(&id.into()).await.unwrap().unwrap()
}

pub(super) fn subjects(changes: Vec<Change>) -> Vec<ChangeSubject> {
    changes.into_iter().map(|change| change.subject).collect()
}

pub(super) fn token_change(id: &str, value: &str) -> ChangeSubject {
    ChangeSubject::Token { id: id.into(), digest: Digest::of(value) }
}

pub(super) async fn actions(store: &dyn Management) -> Vec<String> {
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    store.audit(&query).await.unwrap().into_iter().map(|record| record.entry.action.into_owned()).collect()
}

async fn a_key_is_added_read_and_known_to_the_edge(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let wanted = Token { reach: Reach::Project("p-a".into()), ..key("t1") };
    let done =
        store.add_token(wanted.clone(), Digest::of("ocr_new"), entry("api_token.created")).await.unwrap();
    assert_eq!(done, Written::Done);
    assert_eq!(store.token(&"t1".into()).await.unwrap(), Some(wanted));
    assert_eq!(store.token(&"t2".into()).await.unwrap(), None);
    let record = store.token_by_digest(Digest::of("ocr_new")).await.unwrap().unwrap();
    assert_eq!((&*record.id.text(), record.version, record.active), ("t1", 1, true));
    assert_eq!(record.terms.reach, Reach::Project("p-a".into()));
    assert_eq!(record.terms.addresses, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(subjects(store.changes_after(newest).await.unwrap()), [token_change("t1", "ocr_new")]);
    assert_eq!(actions(store).await, ["api_token.created"]);
}

async fn a_key_needs_a_home_that_is_there(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let newest = store.newest_change().await.unwrap();
    let homeless = [
        Token { organization: "nowhere".into(), ..key("t1") },
        Token { reach: Reach::Project("nowhere".into()), ..key("t1") },
    ];
    for token in homeless {
        let done = store.add_token(token, Digest::of("ocr_new"), entry("api_token.created")).await.unwrap();
        assert_eq!(done, Written::Moved);
    }
    assert!(store.token_by_digest(Digest::of("ocr_new")).await.unwrap().is_none());
    assert_eq!(store.newest_change().await.unwrap(), newest);
    assert!(actions(store).await.is_empty(), "what was not done is not in the log");
}

async fn a_replaced_key_keeps_what_it_was(store: &dyn Management) {
    let old = added(store, "t1", "ocr_new").await;
    let newest = store.newest_change().await.unwrap();
    let wanted = Token {
        name: "Renamed".to_owned(),
        description: None,
        permissions: Permissions::new(["write"]),
        scopes: vec!["a".into(), "b".into()],
        expires_ms: Some(NOW_MS + 5000),
        lifetime_ms: Some(4000),
        active: false,
        addresses: Vec::new(),
        updated_ms: NOW_MS + 7,
        ..old.clone()
    };
    // What a write can not alter.
    let sent = Token {
        created_by: None,
        created_ms: 0,
        organization: "other".into(),
        reach: Reach::Project("p-a".into()),
        usage_count: 99,
        ..wanted.clone()
    };
    assert_eq!(store.replace_token(sent, None, entry("api_token.updated")).await.unwrap(), Written::Done);
    let now = store.token(&"t1".into()).await.unwrap().unwrap();
    assert_eq!(now, Token { revision: old.revision + 1, ..wanted });
    let record = store.token_by_digest(Digest::of("ocr_new")).await.unwrap().unwrap();
    assert_eq!((record.active, record.version, &*record.name), (false, 1, "Renamed"));
    assert_eq!(subjects(store.changes_after(newest).await.unwrap()), [token_change("t1", "ocr_new")]);
}

async fn a_regenerated_key_names_both_its_values(store: &dyn Management) {
    let old = added(store, "t1", "ocr_old").await;
    let row = store.token_by_id(&old.id).await.unwrap().unwrap().row;
    let newest = store.newest_change().await.unwrap();
    let new = Some(Digest::of("ocr_new"));
    assert_eq!(store.replace_token(old, new, entry("api_token.regenerated")).await.unwrap(), Written::Done);
    assert!(store.token_by_digest(Digest::of("ocr_old")).await.unwrap().is_none());
    let record = store.token_by_digest(Digest::of("ocr_new")).await.unwrap().unwrap();
    assert_eq!((&*record.id.text(), record.row, record.version), ("t1", row, 2));
    let changes = subjects(store.changes_after(newest).await.unwrap());
    assert_eq!(changes, [token_change("t1", "ocr_old"), token_change("t1", "ocr_new")]);
}

async fn a_removed_key_is_gone(store: &dyn Management) {
    let old = added(store, "t1", "ocr_old").await;
    let newest = store.newest_change().await.unwrap();
    let remove = || store.remove_token(&old.id, old.revision, entry("api_token.deleted"));
    assert_eq!(remove().await.unwrap(), Written::Done);
    assert_eq!(remove().await.unwrap(), Written::Moved);
    assert!(store.token(&old.id).await.unwrap().is_none());
    assert!(store.token_by_digest(Digest::of("ocr_old")).await.unwrap().is_none());
    assert_eq!(subjects(store.changes_after(newest).await.unwrap()), [token_change("t1", "ocr_old")]);
    assert_eq!(actions(store).await, ["api_token.deleted", "api_token.created"]);
}

async fn a_write_that_is_based_on_an_older_state_is_not_done(store: &dyn Management) {
    let old = added(store, "t1", "ocr_old").await;
    assert_eq!(
        store.replace_token(old.clone(), None, entry("api_token.updated")).await.unwrap(),
        Written::Done
    );
    let before = (store.newest_change().await.unwrap(), actions(store).await);
    let late = Token { name: "late".to_owned(), ..old.clone() };
    let new = Some(Digest::of("ocr_late"));
    assert_eq!(store.replace_token(late, new, entry("api_token.updated")).await.unwrap(), Written::Moved);
    let removed = store.remove_token(&old.id, old.revision, entry("api_token.deleted")).await.unwrap();
    assert_eq!(removed, Written::Moved);
    assert!(store.token_by_digest(Digest::of("ocr_late")).await.unwrap().is_none());
    assert_eq!((store.newest_change().await.unwrap(), actions(store).await), before);
}

fn everything() -> TokenFilter {
    TokenFilter {
        organization: Some("org-1".into()),
        family: Some(KeyFamily::Ocriva),
        created_by: None,
        one_project: None,
        active: None,
        project: None,
        search: None,
        after: None,
        order: TokenOrder::default(),
    }
}

async fn listed(store: &dyn Management, filter: &TokenFilter, offset: u64, limit: u32) -> (Vec<String>, u64) {
    let page = store.list_tokens(filter, Page { offset, limit }).await.unwrap();
    (page.tokens.iter().map(|token| token.id.to_string()).collect(), page.total)
}

/// `t0` to `t4`, after the fixture's own key.
async fn five(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    for number in 0..5 {
        let token = Token {
            name: if number == 3 { "ตรวจ ÉTÉ".to_owned() } else { format!("Key {number}") },
            description: (number == 4).then(|| "100% of the Summer".to_owned()),
            reach: if number == 1 { Reach::Project("p-b".into()) } else { Reach::Organization },
            active: number != 2,
            created_by: (number == 0).then(|| "u7".into()),
            ..key(&format!("t{number}"))
        };
        let value = Digest::of(&format!("ocr_n{number}"));
        assert_eq!(store.add_token(token, value, entry("api_token.created")).await.unwrap(), Written::Done);
    }
}

async fn keys_are_listed_in_order_and_in_parts(store: &dyn Management) {
    five(store).await;
    let (all, total) = listed(store, &everything(), 0, 100).await;
    assert_eq!((all.len(), total), (6, 6), "the other family's key is not among them");
    assert_eq!(all[1..], ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(listed(store, &everything(), 4, 2).await, (vec!["t3".to_owned(), "t4".to_owned()], 6));
    assert_eq!(listed(store, &everything(), 6, 2).await, (vec![], 6));
    assert_eq!(listed(store, &everything(), u64::MAX, 2).await, (vec![], 6));
    assert_eq!(listed(store, &TokenFilter { family: None, ..everything() }, 0, 10).await.1, 7);
    let elsewhere = TokenFilter { organization: Some("org-2".into()), ..everything() };
    assert_eq!(listed(store, &elsewhere, 0, 10).await, (vec![], 0));
}

async fn keys_are_found_by_what_is_asked(store: &dyn Management) {
    five(store).await;
    let ids = async |filter: TokenFilter| listed(store, &filter, 0, 100).await.0;
    assert_eq!(ids(TokenFilter { created_by: Some("u7".into()), ..everything() }).await, ["t0"]);
    assert_eq!(ids(TokenFilter { one_project: Some(true), ..everything() }).await, ["t1"]);
    assert_eq!(ids(TokenFilter { one_project: Some(false), ..everything() }).await.len(), 5);
    assert_eq!(ids(TokenFilter { active: Some(false), ..everything() }).await, ["t2"]);
    assert_eq!(ids(TokenFilter { project: Some("p-b".into()), ..everything() }).await, ["t1"]);
    let search = |text: &str| TokenFilter { search: Some(text.to_owned()), ..everything() };
    assert_eq!(ids(search("été")).await, ["t3"], "the case of all letters is folded");
    assert_eq!(ids(search("ตรวจ")).await, ["t3"]);
    assert_eq!(ids(search("SUMMER")).await, ["t4"]);
    assert_eq!(ids(search("0% o")).await, ["t4"], "no character stands for others");
    assert!(ids(search("_")).await.iter().all(|id| !id.starts_with('t')));
    assert_eq!(listed(store, &search("key"), 1, 2).await, (vec!["t1".to_owned(), "t2".to_owned()], 4));
    let both = TokenFilter { active: Some(true), ..search("key") };
    assert_eq!(ids(both).await, ["t0", "t1", "t4"]);
}

async fn keys_are_sorted_as_is_asked(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let made = [("t0", "beta", Some(NOW_MS + 9)), ("t1", "Alpha", None), ("t2", "alpha", Some(NOW_MS + 8))];
    for (id, name, expires_ms) in made {
        let token = Token { name: name.to_owned(), expires_ms, ..key(id) };
        let value = Digest::of(&format!("ocr_{id}"));
        assert_eq!(store.add_token(token, value, entry("api_token.created")).await.unwrap(), Written::Done);
    }
    let ids = async |by, descending| {
        let filter = TokenFilter { order: TokenOrder { by, descending }, ..everything() };
        let mut ids = listed(store, &filter, 0, 100).await.0;
        ids.retain(|id| id.starts_with('t'));
        ids
    };
    assert_eq!(ids(TokenSort::Made, false).await, ["t0", "t1", "t2"]);
    assert_eq!(ids(TokenSort::Made, true).await, ["t2", "t1", "t0"]);
    assert_eq!(ids(TokenSort::Name, false).await, ["t1", "t2", "t0"], "whatever the case");
    assert_eq!(ids(TokenSort::Name, true).await, ["t0", "t1", "t2"]);
    assert_eq!(ids(TokenSort::Expiry, false).await, ["t2", "t0", "t1"], "never is last");
    assert_eq!(ids(TokenSort::Expiry, true).await, ["t1", "t0", "t2"]);
    // Nobody has used one yet: the order of making decides, either way.
    for by in [TokenSort::LastUse, TokenSort::Uses] {
        assert_eq!(ids(by, false).await, ["t0", "t1", "t2"]);
        assert_eq!(ids(by, true).await, ["t0", "t1", "t2"]);
    }
    let filter = TokenFilter {
        order: TokenOrder { by: TokenSort::Name, descending: false },
        search: Some("A".to_owned()),
        ..everything()
    };
    let found = listed(store, &filter, 0, 100).await.0;
    let found: Vec<_> = found.iter().filter(|id| id.starts_with('t')).collect();
    assert_eq!(found, ["t1", "t2", "t0"], "what is searched for is sorted too");
}

async fn an_import_counts_as_a_write(store: &dyn Management) {
    let mut fixture = fixture();
    store.import(&fixture, NOW_MS).await.unwrap();
    let id: TokenId = store.token_by_digest(Digest::of("ocr_1")).await.unwrap().unwrap().id;
    let old = store.token(&id).await.unwrap().unwrap();
    assert_eq!(old.lifetime_ms, Some(365 * 86_400_000));
    fixture.organizations[0].tokens[0].active = Some(false);
    store.import(&fixture, NOW_MS + 5).await.unwrap();
    assert_eq!(store.replace_token(old, None, entry("api_token.updated")).await.unwrap(), Written::Moved);
    let now = store.token(&id).await.unwrap().unwrap();
    assert_eq!((now.active, now.lifetime_ms), (false, Some(365 * 86_400_000)));
    fixture.organizations[0].tokens[0].expires_ms = Some(NOW_MS + 90);
    store.import(&fixture, NOW_MS + 10).await.unwrap();
    assert_eq!(store.token(&id).await.unwrap().unwrap().lifetime_ms, Some(80));
    fixture.organizations[0].tokens[0].expires_ms = Some(5);
    store.import(&fixture, NOW_MS + 10).await.unwrap();
    assert_eq!(store.token(&id).await.unwrap().unwrap().lifetime_ms, None, "it never had one");
}

pub(super) fn person(id: &str, email: &str) -> NewPerson {
    NewPerson {
        id: id.into(),
        email: email.to_owned(),
        name: "Owner".to_owned(),
        password: "$argon2id$x".into(),
        created_ms: NOW_MS,
    }
}

async fn the_first_owner_is_made_once(store: &dyn Management) {
    let organization =
        || NewOrganization { id: "o1".into(), slug: "first".to_owned(), name: "First".to_owned() };
    let entries = || [entry("organization.created"), entry("user.created")];
    assert_eq!(store.people().await.unwrap(), 0);
    let found = store.found(organization(), person("u1", "Owner@example.com"), entries()).await.unwrap();
    assert_eq!((found, store.people().await.unwrap()), (Written::Done, 1));
    let again = store.found(organization(), person("u2", "other@example.com"), entries()).await.unwrap();
    assert_eq!((again, store.people().await.unwrap()), (Written::Moved, 1));
    let member = store.member(&"u1".into()).await.unwrap().unwrap();
    assert_eq!((member.memberships.len(), member.memberships[0].role.system()), (1, Some(Role::Owner)));
    assert_eq!(member.memberships[0].slug, "first");
    assert_eq!(store.organization_by_slug("first").await.unwrap(), Some("o1".into()));
    assert_eq!(store.organization_by_slug("second").await.unwrap(), None);
    assert_eq!(store.organization(&"o1".into()).await.unwrap().unwrap().name, "First");
    assert_eq!(actions(store).await, ["user.created", "organization.created"]);
}

async fn people_are_found_by_their_address(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let member = |id: &str, email: &str, organization: &str| NewMember {
        person: person(id, email),
        organization: organization.into(),
        role: Role::Admin,
    };
    let add = async |new| store.add_member(new, entry("user.created")).await.unwrap();
    assert_eq!(add(member("u1", "Änne@Example.com", "org-1")).await, Written::Done);
    assert_eq!(add(member("u2", "änne@example.COM", "org-1")).await, Written::Taken);
    assert_eq!(add(member("u2", "b@example.com", "org-2")).await, Written::Moved);
    let account = store.account("ÄNNE@example.com").await.unwrap().unwrap();
    assert_eq!(
        (account.id.as_str(), account.email.as_str(), account.active),
        ("u1", "Änne@Example.com", true)
    );
    assert_eq!(account.password.unwrap().expose(), "$argon2id$x");
    let developer = store.account("dev@example.com").await.unwrap().unwrap();
    assert!(developer.password.is_none(), "the fixture gave none");
    assert!(store.account("nobody@example.com").await.unwrap().is_none());
    assert!(store.member(&"nobody".into()).await.unwrap().is_none());
    assert_eq!(
        store.user(&"u1".into()).await.unwrap().unwrap().memberships[0].role.system(),
        Some(Role::Admin)
    );
}

async fn the_audit_log_is_read_newest_first(store: &dyn Management) {
    let elsewhere = AuditEntry { organization: Some("org-2".into()), ..entry("a.two") };
    let bare = AuditEntry {
        organization: None,
        actor_kind: ActorKind::Anonymous,
        actor: None,
        actor_name: None,
        entity_name: None,
        address: None,
        user_agent: None,
        request_id: None,
        after: None,
        ..entry("a.three")
    };
    for entry in [entry("a.one"), elsewhere, bare.clone(), entry("a.four")] {
        store.append_audit(entry).await.unwrap();
    }
    assert_eq!(actions(store).await, ["a.four", "a.three", "a.two", "a.one"]);
    let ours = AuditQuery { organization: Some("org-1".into()), limit: 10, ..AuditQuery::default() };
    let ours = store.audit(&ours).await.unwrap();
    assert_eq!(
        ours.iter().map(|record| &record.entry).collect::<Vec<_>>(),
        [&entry("a.four"), &entry("a.one")]
    );
    let older = AuditQuery { before_sequence: Some(ours[0].sequence), limit: 1, ..AuditQuery::default() };
    assert_eq!(store.audit(&older).await.unwrap()[0].entry, bare);
}
