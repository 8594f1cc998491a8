//! What every store has to do for members, roles, invitations, passwords and second factors.

use super::management::{entry, subjects};
use super::{NOW_MS, fixture};
use crate::store::ChangeSubject;
use crate::store::management::{
    Ending, FactorChange, Invitation, Invited, Joining, Management, NewPassword, NewPerson, OrganizationRole,
    PasswordReset, RoleName, Session, Written,
};
use crate::token::{Digest, OrganizationId, Permissions, Role, UserId};

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    a_role_changes_once_and_an_owner_stays(&make()).await;
    a_role_of_one_s_own_grants_what_it_says(&make()).await;
    an_invitation_is_taken_up_once(&make()).await;
    a_password_ends_sessions_and_tokens(&make()).await;
    a_second_factor_goes_from_state_to_state(&make()).await;
}

fn home() -> OrganizationId {
    "org-1".into()
}

fn person(id: &str) -> NewPerson {
    NewPerson {
        id: id.into(),
        email: format!("{id}@example.com"),
        name: id.to_owned(),
        password: "$argon2id$x".into(),
        created_ms: NOW_MS,
    }
}

async fn developer(store: &dyn Management) -> UserId {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.account("dev@example.com").await.unwrap().unwrap().id
}

fn role(id: &str, name: &str, permissions: &[&str]) -> OrganizationRole {
    OrganizationRole {
        id: id.to_owned(),
        organization: home(),
        name: name.to_owned(),
        description: None,
        permissions: Permissions::new(permissions.iter().copied()),
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
    }
}

async fn role_name(store: &dyn Management, id: &UserId) -> String {
    store.member_of(&home(), id).await.unwrap().unwrap().role.name().to_owned()
}

async fn a_role_changes_once_and_an_owner_stays(store: &dyn Management) {
    let id = developer(store).await;
    let set = async |from: Role, to: Role| {
        let from_to = (RoleName::System(from), RoleName::System(to));
        store.set_role(&home(), &id, from_to, entry("member.role_changed")).await.unwrap()
    };
    assert_eq!(set(Role::Viewer, Role::Owner).await, Written::Moved, "they have another one");
    let before = store.newest_change().await.unwrap();
    assert_eq!(set(Role::Developer, Role::Owner).await, Written::Done);
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert!(changes.contains(&ChangeSubject::User(id.clone())), "{changes:?}");
    assert_eq!(set(Role::Owner, Role::Viewer).await, Written::Moved, "the only owner");
    let removed = async |role: Role| {
        store.remove_member(&home(), &id, RoleName::System(role), entry("member.removed")).await.unwrap()
    };
    assert_eq!(removed(Role::Owner).await, Written::Moved, "the only owner");
    assert_eq!(role_name(store, &id).await, "owner");
    assert_eq!(store.members(&home(), None, 10).await.unwrap().len(), 1);
    assert!(store.member_of(&"org-2".into(), &id).await.unwrap().is_none());
}

async fn a_role_of_one_s_own_grants_what_it_says(store: &dyn Management) {
    let id = developer(store).await;
    let keeper = role("r1", "Keeper", &["manage:api-keys"]);
    assert_eq!(store.add_role(keeper.clone(), entry("role.created")).await.unwrap(), Written::Done);
    let same = role("r2", "Keeper", &["view:*"]);
    assert_eq!(store.add_role(same, entry("role.created")).await.unwrap(), Written::Taken);
    assert_eq!(store.roles(&home()).await.unwrap(), [keeper]);
    let to = |role: &str| (RoleName::System(Role::Developer), RoleName::Custom(role.to_owned()));
    let set = async |to| store.set_role(&home(), &id, to, entry("member.role_changed")).await.unwrap();
    assert_eq!(set(to("r9")).await, Written::Moved, "there is none");
    assert_eq!(set(to("r1")).await, Written::Done);
    assert_eq!(role_name(store, &id).await, "Keeper");
    let before = store.newest_change().await.unwrap();
    let wider = role("r1", "Keeper", &["manage:*"]);
    assert_eq!(store.replace_role(wider, entry("role.updated")).await.unwrap(), Written::Done);
    assert!(subjects(store.changes_after(before).await.unwrap()).contains(&ChangeSubject::User(id.clone())));
    assert!(store.user(&id).await.unwrap().unwrap().memberships[0].role.permissions().allow("manage:roles"));
    assert_eq!(
        store.remove_role("r1", entry("role.deleted")).await.unwrap(),
        Written::Taken,
        "somebody has it"
    );
    // A fixture says what somebody's role is.
    store.import(&fixture(), NOW_MS).await.unwrap();
    assert_eq!(role_name(store, &id).await, "developer");
    assert_eq!(store.remove_role("r1", entry("role.deleted")).await.unwrap(), Written::Done);
    assert_eq!(store.remove_role("r1", entry("role.deleted")).await.unwrap(), Written::Moved);
}

async fn an_invitation_is_taken_up_once(store: &dyn Management) {
    let id = developer(store).await;
    let invitation = |id: &str| Invitation {
        id: id.to_owned(),
        organization: home(),
        email: None,
        role: Role::Viewer.into(),
        created_by: None,
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 100,
    };
    for number in ["i1", "i2"] {
        let new = store.add_invitation(invitation(number), Digest::of(number), entry("invitation.created"));
        assert_eq!(new.await.unwrap(), Written::Done);
    }
    assert_eq!(store.invitation(Digest::of("i1")).await.unwrap(), Some(invitation("i1")));
    let join = async |value: &str, who: Invited, at_ms| {
        let joining = Joining { value: Digest::of(value), who, at_ms };
        store.join(joining, entry("member.joined")).await.unwrap()
    };
    let new = |id: &str| Invited::New(person(id));
    assert_eq!(join("i1", new("late"), NOW_MS + 100).await, Written::Moved, "over");
    assert_eq!(join("i1", new("DEV"), NOW_MS).await, Written::Taken, "somebody has the address");
    assert_eq!(join("i1", Invited::Person(id), NOW_MS).await, Written::Taken, "belongs there already");
    assert_eq!(join("i1", new("new"), NOW_MS).await, Written::Done);
    assert_eq!(join("i1", new("other"), NOW_MS).await, Written::Moved, "taken up");
    assert_eq!(role_name(store, &"new".into()).await, "viewer");
    let gone =
        async |id: &str| store.remove_invitation(&home(), id, entry("invitation.revoked")).await.unwrap();
    assert_eq!((gone("i2").await, gone("i2").await), (Written::Done, Written::Moved));
    assert!(store.invitations(&home(), NOW_MS, None, 10).await.unwrap().is_empty());
}

async fn a_password_ends_sessions_and_tokens(store: &dyn Management) {
    let id = developer(store).await;
    for session in ["s1", "s2"] {
        let session = Session {
            id: session.to_owned(),
            person: id.clone(),
            created_ms: NOW_MS,
            expires_ms: NOW_MS + 100,
            ended_ms: None,
            address: None,
            user_agent: None,
        };
        assert_eq!(store.add_session(session, None, entry("auth.login")).await.unwrap(), Written::Done);
    }
    let token =
        |value: &str| PasswordReset { value: Digest::of(value), person: id.clone(), expires_ms: NOW_MS + 50 };
    for value in ["t1", "t2"] {
        let issued = store.add_password_reset(token(value), entry("auth.password_reset_issued"));
        assert_eq!(issued.await.unwrap(), Written::Done);
    }
    assert_eq!(store.password_reset(Digest::of("t1")).await.unwrap(), None, "the newest counts");
    assert_eq!(store.password_reset(Digest::of("t2")).await.unwrap(), Some(token("t2")));
    let set = async |ending: Ending, reset: Option<&str>, at_ms| {
        let reset = reset.map(Digest::of);
        let new = NewPassword { person: id.clone(), password: "$new".into(), at_ms, ending, reset };
        store.set_password(new, entry("auth.password_changed")).await.unwrap()
    };
    let alive = async || store.sessions_of(&id, NOW_MS).await.unwrap().len();
    assert_eq!(set(Ending::All, Some("t1"), NOW_MS).await, Written::Moved);
    assert_eq!(set(Ending::All, Some("t2"), NOW_MS + 50).await, Written::Moved, "over");
    assert_eq!((set(Ending::Nothing, None, NOW_MS).await, alive().await), (Written::Done, 2));
    assert_eq!(store.password_reset(Digest::of("t2")).await.unwrap(), None, "good no more");
    assert_eq!((set(Ending::AllBut("s2".to_owned()), None, NOW_MS).await, alive().await), (Written::Done, 1));
    let account = store.account("dev@example.com").await.unwrap().unwrap();
    assert_eq!(account.password.unwrap().expose(), "$new");
    store.end_sessions(&id, Ending::All, NOW_MS, entry("auth.sessions_revoked")).await.unwrap();
    assert_eq!(alive().await, 0);
}

async fn a_second_factor_goes_from_state_to_state(store: &dyn Management) {
    let id = developer(store).await;
    let change = async |change| store.change_factor(&id, change, entry("auth.totp")).await.unwrap();
    let enabled = || FactorChange::Enabled { at_ms: NOW_MS, step: 7, recovery: vec![Digest::of("c1")] };
    assert_eq!(change(enabled()).await, Written::Moved, "nothing was begun");
    assert_eq!(change(FactorChange::Begun("ABC".into())).await, Written::Done);
    assert!(!store.second_factor(&id).await.unwrap().unwrap().enabled);
    assert!(!store.member(&id).await.unwrap().unwrap().totp_enabled);
    assert_eq!(change(FactorChange::Taken(8)).await, Written::Moved, "not confirmed");
    assert_eq!(change(enabled()).await, Written::Done);
    assert_eq!(change(FactorChange::Begun("DEF".into())).await, Written::Moved, "it is on");
    assert!(store.member(&id).await.unwrap().unwrap().totp_enabled);
    assert_eq!(change(FactorChange::Taken(7)).await, Written::Moved, "the step that confirmed it");
    assert_eq!(change(FactorChange::Taken(8)).await, Written::Done);
    assert_eq!(store.second_factor(&id).await.unwrap().unwrap().step, Some(8));
    let code = |text: &str| FactorChange::RecoveryTaken(Digest::of(text));
    assert_eq!((change(code("c1")).await, change(code("c1")).await), (Written::Done, Written::Moved));
    assert_eq!(change(FactorChange::Recovery(vec![Digest::of("c2")])).await, Written::Done);
    assert_eq!(change(FactorChange::Disabled).await, Written::Done);
    assert_eq!(change(code("c2")).await, Written::Moved);
    assert!(store.second_factor(&id).await.unwrap().is_none());
}
