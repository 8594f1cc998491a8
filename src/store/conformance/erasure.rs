//! Who is erased is nowhere named any more, and what others are called stays.

use super::management::{entry, person};
use super::{NOW_MS, fixture};
use crate::store::management::{ActorKind, AuditEntry, AuditQuery, Management, Written};
use serde_json::json;

pub(super) async fn suite<S: Management, F: Fn() -> S>(make: &F) {
    a_person_is_erased(&make()).await;
    who_came_back_is_somebody_else(&make()).await;
    what_is_left_of_an_organization_goes_when_it_has_gone(&make()).await;
    the_log_is_forgotten_by_its_age(&make()).await;
}

async fn a_person_is_erased(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let (email, name) = ("Ann@example.com", "Ann Other");
    let facts = json!({ "email": email, "name": name, "role": "viewer" });
    let made = AuditEntry {
        actor: Some("u1".to_owned()),
        entity: "ann".to_owned(),
        entity_name: Some(email.to_owned()),
        after: Some(facts),
        ..entry("user.created")
    };
    let did = AuditEntry {
        actor: Some("ann".to_owned()),
        actor_name: Some(email.to_lowercase()),
        ..entry("api_token.created")
    };
    let failed = AuditEntry {
        actor_kind: ActorKind::Anonymous,
        actor: None,
        actor_name: None,
        entity_name: Some(email.to_owned()),
        ..entry("auth.login_failed")
    };
    let other = AuditEntry {
        actor: Some("u2".to_owned()),
        actor_name: Some("joann@example.com".to_owned()),
        after: Some(json!({ "name": name })),
        ..entry("project.created")
    };
    for entry in [made, did, failed, other.clone()] {
        store.append_audit(entry).await.unwrap();
    }
    let erased = store.erase_person(&email.to_uppercase(), None, entry("user.erased")).await.unwrap();
    assert_eq!((erased.ids, erased.rows), (vec!["ann".to_owned()], 3));
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(log.len(), 5);
    let [last, theirs, failed, did, made] = &log[..] else { panic!() };
    assert_eq!((&*last.entry.action, &*last.entry.entity), ("user.erased", "ann"));
    assert_eq!(theirs.entry, other, "somebody else of that name");
    // Where somebody else was who did something about them is not about them.
    assert!(made.entry.address.is_some() && made.entry.user_agent.is_some());
    assert_eq!(made.entry.after, Some(json!({ "email": "erased", "name": "erased", "role": "viewer" })));
    for record in [did, failed] {
        assert_eq!((record.entry.address, record.entry.user_agent.clone()), (None, None));
    }
    assert_eq!((did.entry.actor.as_deref(), did.entry.actor_name.as_deref()), (Some("ann"), Some("erased")));
    assert_eq!(failed.entry.entity_name.as_deref(), Some("erased"));
    // Who calls themselves by another's address does not take that one along.
    let posing = AuditEntry {
        actor: None,
        entity: "u3".to_owned(),
        entity_name: Some("posing@example.com".to_owned()),
        after: Some(json!({ "name": "joann@example.com" })),
        ..entry("user.created")
    };
    store.append_audit(posing).await.unwrap();
    let account = ("posing@example.com".to_owned(), "joann@example.com".to_owned());
    let erased = store.erase_person("u3", Some(account), entry("user.erased")).await.unwrap();
    assert_eq!((erased.ids, erased.rows), (vec!["u3".to_owned()], 1));
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(log[1].entry.after, Some(json!({ "name": "erased" })));
    assert!(log.iter().any(|record| record.entry == other), "somebody else of that address");
    // Once more: there is nothing left. And the log is as closed as before.
    let again = store.erase_person(email, None, entry("user.erased")).await.unwrap();
    assert_eq!(again.rows, 0);
    assert_eq!(store.audit_size(&AuditQuery::default()).await.unwrap(), 7);
}

async fn who_came_back_is_somebody_else(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    let email = "back_again@example.com";
    let made = |id: &str| AuditEntry {
        entity: id.to_owned(),
        entity_name: Some(email.to_owned()),
        after: None,
        ..entry("user.created")
    };
    store.append_audit(made("before")).await.unwrap();
    assert_eq!(store.add_person(person("since", email), made("since")).await.unwrap(), Written::Done);
    let noted = AuditEntry { entity_name: None, after: None, ..entry("user.erased") };
    let erased = store.erase_person("before", None, noted).await.unwrap();
    assert_eq!((erased.ids, erased.rows), (vec!["before".to_owned()], 1));
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let names: Vec<Option<&str>> = log.iter().map(|record| record.entry.entity_name.as_deref()).collect();
    assert_eq!(names[1..], [Some(email), Some("erased")], "the one who is there, the one who was");
}

async fn what_is_left_of_an_organization_goes_when_it_has_gone(store: &dyn Management) {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.append_audit(entry("a.one")).await.unwrap();
    store.append_audit(AuditEntry { organization: Some("org-2".into()), ..entry("a.two") }).await.unwrap();
    let (ours, erased) =
        (fixture().organizations[0].id.clone(), || AuditEntry { organization: None, ..entry("o.erased") });
    let kept = store.erase_organization(&ours, erased()).await.unwrap();
    assert_eq!(kept, (Written::Moved, 0), "it is there");
    let gone = AuditEntry { organization: Some(ours.clone()), ..entry("organization.deleted") };
    assert_eq!(store.remove_organization(&ours, gone).await.unwrap(), Written::Done);
    let (written, rows) = store.erase_organization(&ours, erased()).await.unwrap();
    assert!(written == Written::Done && rows > 0, "{rows}");
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let left: Vec<&str> = log.iter().map(|record| &*record.entry.action).collect();
    assert_eq!(left, ["o.erased", "a.two"]);
    assert_eq!(store.erase_organization(&ours, erased()).await.unwrap(), (Written::Done, 0));
}

async fn the_log_is_forgotten_by_its_age(store: &dyn Management) {
    for at_ms in [1, 2, 3, NOW_MS] {
        store.append_audit(AuditEntry { at_ms, ..entry("a.one") }).await.unwrap();
    }
    store.forget_audit(3).await.unwrap();
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let left: Vec<u64> = log.iter().map(|record| record.entry.at_ms).collect();
    assert_eq!(left, [NOW_MS, 3]);
    store.append_audit(entry("a.two")).await.unwrap();
    let log = store.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(log[0].sequence, 5, "no number is given twice");
}
