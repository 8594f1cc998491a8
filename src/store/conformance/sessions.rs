//! What every store has to do for sessions.

use super::management::{actions, entry, subjects};
use super::{NOW_MS, fixture};
use crate::store::management::{Management, PartialLogin, Session, Trade, Written};
use crate::store::{ChangeSubject, LiveSession};
use crate::token::{Digest, UserId};

pub(super) async fn suite<S: Management>(make: &impl Fn() -> S) {
    a_session_lives_until_it_is_ended(&make()).await;
    a_refresh_token_is_traded_once(&make()).await;
    sessions_that_are_over_are_forgotten(&make()).await;
    a_partial_login_has_few_tries_and_little_time(&make()).await;
}

async fn developer(store: &dyn Management) -> UserId {
    store.import(&fixture(), NOW_MS).await.unwrap();
    store.account("dev@example.com").await.unwrap().unwrap().id
}

fn session(id: &str, person: &UserId) -> Session {
    Session {
        id: id.to_owned(),
        person: person.clone(),
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 100,
        ended_ms: None,
        address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("Firefox".to_owned()),
    }
}

async fn a_session_lives_until_it_is_ended(store: &dyn Management) {
    let developer = developer(store).await;
    let made = session("s1", &developer);
    assert_eq!(store.add_session(made.clone(), None, entry("auth.login")).await.unwrap(), Written::Done);
    let nobody = session("s2", &"nobody".into());
    assert_eq!(store.add_session(nobody, None, entry("auth.login")).await.unwrap(), Written::Moved);
    assert_eq!(store.session("s1").await.unwrap(), Some(made.clone()));
    let live = LiveSession { person: developer.clone(), expires_ms: NOW_MS + 100 };
    assert_eq!(store.live_session("s1").await.unwrap(), Some(live));
    assert_eq!(store.sessions_of(&developer, NOW_MS + 99).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.sessions_of(&developer, NOW_MS + 100).await.unwrap(), []);
    assert!(made.alive(NOW_MS + 99) && !made.alive(NOW_MS + 100));
    let before = store.newest_change().await.unwrap();
    let end = async || store.end_session("s1", NOW_MS + 7, entry("auth.logout")).await.unwrap();
    assert_eq!((end().await, end().await), (Written::Done, Written::Moved));
    let changes = subjects(store.changes_after(before).await.unwrap());
    assert_eq!(changes, [ChangeSubject::Session("s1".into())]);
    let ended = store.session("s1").await.unwrap().unwrap();
    assert_eq!((ended.ended_ms, ended.alive(NOW_MS + 8)), (Some(NOW_MS + 7), false));
    assert_eq!(store.live_session("s1").await.unwrap(), None);
    assert_eq!(store.sessions_of(&developer, NOW_MS).await.unwrap(), []);
    assert!(store.session("s2").await.unwrap().is_none());
    assert_eq!(actions(store).await, ["auth.logout", "auth.login"]);
}

fn trade(old: &str, new: &str, at_ms: u64) -> Trade {
    Trade { old: Digest::of(old), new: Digest::of(new), at_ms, expires_ms: at_ms + 100 }
}

async fn a_refresh_token_is_traded_once(store: &dyn Management) {
    let developer = developer(store).await;
    let (made, first) = (session("s1", &developer), Some(Digest::of("r1")));
    assert_eq!(store.add_session(made, first, entry("auth.login")).await.unwrap(), Written::Done);
    let traded = async |old: &str, new: &str, at_ms| {
        store.trade_refresh_token(trade(old, new, at_ms), entry("auth.refresh")).await.unwrap()
    };
    let of = async |value: &str| store.refresh_token(Digest::of(value)).await.unwrap();
    assert_eq!(of("r1").await.unwrap().used_ms, None);
    assert_eq!(of("other").await, None);
    assert_eq!(traded("other", "r2", NOW_MS + 50).await, Written::Moved);
    assert_eq!(traded("r1", "r2", NOW_MS + 50).await, Written::Done);
    assert_eq!(traded("r1", "r3", NOW_MS + 51).await, Written::Moved);
    assert_eq!(of("r3").await, None);
    // The one that was shown stays known for what it was; the session lives on.
    assert_eq!(of("r1").await.unwrap().used_ms, Some(NOW_MS + 50));
    assert_eq!(of("r2").await.unwrap().session.expires_ms, NOW_MS + 150);
    assert_eq!(store.live_session("s1").await.unwrap().unwrap().expires_ms, NOW_MS + 150);
    assert_eq!(traded("r2", "r3", NOW_MS + 150).await, Written::Moved, "over");
    assert_eq!(store.end_session("s1", NOW_MS + 60, entry("auth.logout")).await.unwrap(), Written::Done);
    assert_eq!(traded("r2", "r3", NOW_MS + 61).await, Written::Moved, "ended");
    assert_eq!(actions(store).await, ["auth.logout", "auth.refresh", "auth.login"]);
}

async fn sessions_that_are_over_are_forgotten(store: &dyn Management) {
    let developer = developer(store).await;
    let (old, value) = (session("s1", &developer), Some(Digest::of("r1")));
    assert_eq!(store.add_session(old, value, entry("auth.login")).await.unwrap(), Written::Done);
    let new = Session { created_ms: NOW_MS + 100, expires_ms: NOW_MS + 200, ..session("s2", &developer) };
    assert_eq!(store.add_session(new, None, entry("auth.login")).await.unwrap(), Written::Done);
    assert!(store.session("s1").await.unwrap().is_none());
    assert!(store.refresh_token(Digest::of("r1")).await.unwrap().is_none());
}

async fn a_partial_login_has_few_tries_and_little_time(store: &dyn Management) {
    let login = |token: &str, person: UserId, until_ms| PartialLogin {
        token: Digest::of(token),
        person,
        password: Digest::of("hash"),
        tries: 2,
        until_ms,
    };
    let developer = developer(store).await;
    let begun = login("partial_1", developer.clone(), NOW_MS + 5);
    let add =
        async |login: &PartialLogin, now_ms| store.add_partial_login(login.clone(), now_ms).await.unwrap();
    let attempt =
        async |token: &str, now_ms| store.try_partial_login(Digest::of(token), now_ms).await.unwrap();
    assert_eq!(add(&login("partial_0", "nobody".into(), NOW_MS + 5), NOW_MS).await, Written::Moved);
    assert_eq!(add(&begun, NOW_MS).await, Written::Done);
    assert_eq!(attempt("partial_0", NOW_MS).await, None);
    assert_eq!(attempt("partial_1", NOW_MS).await, Some(PartialLogin { tries: 1, ..begun.clone() }));
    assert_eq!(attempt("partial_1", NOW_MS + 5).await, None, "its time is over");
    assert_eq!(attempt("partial_1", NOW_MS + 4).await, Some(PartialLogin { tries: 0, ..begun.clone() }));
    assert_eq!(attempt("partial_1", NOW_MS + 4).await, None, "its tries are used");
    assert_eq!(store.end_partial_login(begun.token).await.unwrap(), Written::Done);
    assert_eq!(store.end_partial_login(begun.token).await.unwrap(), Written::Moved, "once");
    assert_eq!(add(&begun, NOW_MS).await, Written::Done);
    // The next one sweeps those that are over.
    assert_eq!(add(&login("partial_2", developer, NOW_MS + 9), NOW_MS + 5).await, Written::Done);
    assert_eq!(store.end_partial_login(begun.token).await.unwrap(), Written::Moved);
}
