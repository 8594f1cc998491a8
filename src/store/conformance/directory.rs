//! What every store has to do for organizations, projects and people.

use super::management::{actions, entry, key, subjects};
use super::{NOW_MS, fixture};
use crate::store::management::{
    Management, NewOrganization, NewPerson, OrganizationRecord, PersonState, Position, Session, Written,
};
use crate::store::{ChangeSubject, Project};
use crate::token::{Digest, OrganizationId, Reach, UserId};

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    an_organization_is_made_with_its_owner(&make()).await;
    a_slug_moves_with_everybody_who_is_named_by_it(&make()).await;
    organizations_are_listed_in_parts(&make()).await;
    a_project_lives_and_goes_without_its_keys(&make()).await;
    a_person_is_altered_once_and_an_admin_stays(&make()).await;
    a_person_goes_and_an_owner_stays(&make()).await;
}

fn home() -> OrganizationId {
    "org-1".into()
}

fn new(id: &str, slug: &str) -> NewOrganization {
    NewOrganization { id: id.into(), slug: slug.to_owned(), name: format!("Org {id}") }
}

async fn developer(store: &dyn Management) -> UserId {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.account("dev@example.com").await.unwrap().unwrap().id
}

async fn add(store: &dyn Management, new: NewOrganization, owner: Option<&UserId>) -> Written {
    store.add_organization(new, owner, NOW_MS + 1, entry("organization.created")).await.unwrap()
}

async fn an_organization_is_made_with_its_owner(store: &dyn Management) {
    let id = developer(store).await;
    let before = store.newest_change().await.unwrap();
    assert_eq!(add(store, new("org-2", "other-org"), Some(&id)).await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert!(changes.contains(&ChangeSubject::Organization("org-2".into())), "{changes:?}");
    assert!(changes.contains(&ChangeSubject::User(id.clone())), "{changes:?}");
    assert_eq!(add(store, new("org-3", "other-org"), Some(&id)).await, Written::Taken);
    assert_eq!(add(store, new("org-3", "third-org"), Some(&"nobody".into())).await, Written::Moved);
    assert_eq!(add(store, new("org-4", "nobodys"), None).await, Written::Done);
    let own = store.organizations_of(&id, None, 10).await.unwrap();
    let shown: Vec<_> = own.iter().map(|(it, role)| (it.slug.as_str(), role.name())).collect();
    assert_eq!(shown, [("my-org", "developer"), ("other-org", "owner")]);
    assert!(store.organization_record(&"org-3".into()).await.unwrap().is_none());
    assert_eq!(actions(store).await, ["organization.created", "organization.created"]);
}

async fn a_slug_moves_with_everybody_who_is_named_by_it(store: &dyn Management) {
    let id = developer(store).await;
    assert_eq!(add(store, new("org-2", "other-org"), None).await, Written::Done);
    let old = store.organization_record(&home()).await.unwrap().unwrap();
    let put = async |old: &OrganizationRecord, slug: &str| {
        let new = OrganizationRecord { slug: slug.to_owned(), updated_ms: NOW_MS + 5, ..old.clone() };
        store.replace_organization(old, new, entry("organization.updated")).await.unwrap()
    };
    assert_eq!(put(&old, "other-org").await, Written::Taken);
    let before = store.newest_change().await.unwrap();
    assert_eq!(put(&old, "new-slug").await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert_eq!(changes, [ChangeSubject::Organization(home()), ChangeSubject::User(id.clone())]);
    assert_eq!(store.user(&id).await.unwrap().unwrap().memberships[0].slug, "new-slug");
    assert_eq!(store.organization(&home()).await.unwrap().unwrap().slug, "new-slug");
    assert_eq!(put(&old, "third-slug").await, Written::Moved, "it was altered meanwhile");
    let record = store.organization_record(&home()).await.unwrap().unwrap();
    assert_eq!((record.created_ms, record.updated_ms), (NOW_MS, NOW_MS + 5));
}

async fn organizations_are_listed_in_parts(store: &dyn Management) {
    developer(store).await;
    for id in ["org-b", "org-a"] {
        assert_eq!(add(store, new(id, id), None).await, Written::Done);
    }
    let ids = async |search: Option<&str>, after: Option<Position>, limit| -> Vec<String> {
        let found = store.organizations(search, after, limit).await.unwrap();
        found.into_iter().map(|it| it.id.to_string()).collect()
    };
    assert_eq!(ids(None, None, 10).await, ["org-1", "org-a", "org-b"]);
    assert_eq!(ids(None, None, 2).await, ["org-1", "org-a"]);
    let after = Position { created_ms: NOW_MS + 1, id: "org-a".to_owned() };
    assert_eq!(ids(None, Some(after), 2).await, ["org-b"]);
    assert_eq!(ids(Some("ORG-B"), None, 1).await, ["org-b"]);
    assert_eq!(ids(Some("my org"), None, 10).await, ["org-1"]);
}

async fn a_project_lives_and_goes_without_its_keys(store: &dyn Management) {
    developer(store).await;
    let project = Project {
        id: "p-new".into(),
        name: "New".to_owned(),
        description: None,
        active: true,
        created_ms: NOW_MS + 1,
        updated_ms: NOW_MS + 1,
    };
    let added = async |home: &str, project: &Project| {
        store.add_project(&home.into(), project.clone(), entry("project.created")).await.unwrap()
    };
    assert_eq!(added("nowhere", &project).await, Written::Moved);
    let before = store.newest_change().await.unwrap();
    assert_eq!(added("org-1", &project).await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert_eq!(changes, [ChangeSubject::Organization(home())]);
    assert_eq!(added("org-1", &project).await, Written::Taken);

    let quiet = Project { active: false, updated_ms: NOW_MS + 2, ..project.clone() };
    let put = async |home: &str| {
        let entry = entry("project.updated");
        store.replace_project(&home.into(), &project, quiet.clone(), entry).await.unwrap()
    };
    assert_eq!(put("org-2").await, Written::Moved, "not that organization's");
    assert_eq!(put("org-1").await, Written::Done);
    assert_eq!(put("org-1").await, Written::Moved, "it was altered meanwhile");
    let projects = store.organization(&home()).await.unwrap().unwrap().projects;
    assert_eq!(projects.last(), Some(&quiet));

    let bound = crate::store::management::Token { reach: Reach::Project("p-new".into()), ..key("t1") };
    let done = store.add_token(bound, Digest::of("ocr_new"), entry("api_token.created")).await.unwrap();
    assert_eq!(done, Written::Done);
    let removed = async |home: &str| {
        store.remove_project(&home.into(), &"p-new".into(), entry("project.deleted")).await.unwrap()
    };
    assert_eq!(removed("org-1").await, Written::Taken, "a key is bound to it");
    let gone = store.remove_token(&"t1".into(), 1, entry("api_token.deleted")).await.unwrap();
    assert_eq!((gone, removed("org-2").await), (Written::Done, Written::Moved));
    let before = store.newest_change().await.unwrap();
    assert_eq!(removed("org-1").await, Written::Done);
    assert_eq!(subjects(store.changes_after(before).await.unwrap()), [ChangeSubject::Organization(home())]);
    assert_eq!(removed("org-1").await, Written::Moved);
}

fn session(id: &str, person: &UserId) -> Session {
    Session {
        id: id.to_owned(),
        person: person.clone(),
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 1_000_000,
        ended_ms: None,
        address: None,
        user_agent: None,
    }
}

fn state(active: bool, server_admin: bool) -> PersonState {
    PersonState { name: "Dev".to_owned(), active, server_admin }
}

async fn a_person_is_altered_once_and_an_admin_stays(store: &dyn Management) {
    let id = developer(store).await;
    let done = store.add_session(session("s1", &id), None, entry("auth.login")).await.unwrap();
    assert_eq!(done, Written::Done);
    let set = async |from: PersonState, to: PersonState| {
        store.set_person(&id, (from, to), NOW_MS + 5, entry("user.updated")).await.unwrap()
    };
    assert_eq!(set(state(true, true), state(true, false)).await, Written::Taken, "the last admin");
    assert_eq!(set(state(false, false), state(true, true)).await, Written::Moved, "not in that state");
    assert_eq!(set(state(true, false), state(true, true)).await, Written::Done);
    assert_eq!(set(state(true, true), state(false, true)).await, Written::Taken, "the last admin");
    let other = NewPerson {
        id: "u-other".into(),
        email: "other@example.com".to_owned(),
        name: "Other".to_owned(),
        password: "$argon2id$x".into(),
        created_ms: NOW_MS + 9,
    };
    assert_eq!(store.add_person(other, entry("user.created")).await.unwrap(), Written::Done);
    let (from, to) = (PersonState { name: "Other".to_owned(), ..state(true, false) }, state(true, true));
    let to = PersonState { name: "Other".to_owned(), ..to };
    let made = store.set_person(&"u-other".into(), (from, to), NOW_MS, entry("user.updated")).await.unwrap();
    assert_eq!(made, Written::Done);

    let before = store.newest_change().await.unwrap();
    assert_eq!(set(state(true, true), state(false, true)).await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert!(changes.contains(&ChangeSubject::User(id.clone())), "{changes:?}");
    assert!(changes.contains(&ChangeSubject::Session("s1".into())), "{changes:?}");
    let token =
        |it: &ChangeSubject| matches!(it, ChangeSubject::Token { id, .. } if &*id.text() == "key-of-dev");
    assert!(changes.iter().any(token), "{changes:?}");
    assert!(store.sessions_of(&id, NOW_MS + 6).await.unwrap().is_empty());
    let all = store.list_people(None, None, 10).await.unwrap();
    let shown: Vec<_> = all.iter().map(|it| (it.member.name.as_str(), it.member.active)).collect();
    assert_eq!(shown, [("Dev", false), ("Other", true)]);
    assert_eq!(store.list_people(Some("DEV@"), None, 10).await.unwrap().len(), 1);
    let after = Position { created_ms: all[0].created_ms, id: all[0].member.id.to_string() };
    assert_eq!(store.list_people(None, Some(after), 10).await.unwrap()[0].member.id, "u-other".into());
}

async fn a_person_goes_and_an_owner_stays(store: &dyn Management) {
    let id = developer(store).await;
    let done = store.add_session(session("s1", &id), None, entry("auth.login")).await.unwrap();
    assert_eq!(done, Written::Done);
    assert_eq!(add(store, new("org-2", "other-org"), Some(&id)).await, Written::Done);
    let remove = async || store.remove_person(&id, NOW_MS + 5, entry("user.deleted")).await.unwrap();
    assert_eq!(remove().await, Written::Taken, "the only owner of an organization");
    let other = NewPerson {
        id: "u-other".into(),
        email: "other@example.com".to_owned(),
        name: "Other".to_owned(),
        password: "$argon2id$x".into(),
        created_ms: NOW_MS,
    };
    let member = crate::store::management::NewMember {
        person: other,
        organization: "org-2".into(),
        role: crate::token::Role::Owner,
    };
    assert_eq!(store.add_member(member, entry("user.created")).await.unwrap(), Written::Done);
    let before = store.newest_change().await.unwrap();
    assert_eq!(remove().await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert!(changes.contains(&ChangeSubject::Session("s1".into())), "{changes:?}");
    assert!(changes.contains(&ChangeSubject::User(id.clone())), "{changes:?}");
    assert!(store.person(&id).await.unwrap().is_none());
    // Their key is there, and grants nothing.
    let key = store.token_by_id(&"key-of-dev".into()).await.unwrap().unwrap();
    assert!(key.terms.permissions.is_empty());
    assert_eq!(remove().await, Written::Moved);
}
