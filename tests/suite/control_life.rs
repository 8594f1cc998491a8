//! CONTRACT A31 to A36: a key's life as its owner ends and renews it. What an answer says, holds at the edge from then on.

use crate::support::control::{Console, text};
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{OWNER, organization, world};
use crate::support::{assert_ocriva, get, post, wait};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TEMPLATES: &str = "/v1/openapi/templates";

fn owner() -> Console<'static> {
    Console::open(&world().gateway, OWNER)
}

#[test]
fn a31_deactivating_blocks_at_once_and_activating_restores() {
    let (w, owner) = (world(), owner());
    let made = owner.made("switched", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    let token = w.token(key);
    for _ in 0..3 {
        w.arrives(&get(TEMPLATES).key(key));
        w.arrives(&get(TEMPLATES).bearer(&token));
        let off = owner.patch(id, &json!({ "isActive": false })).expect(200).json();
        assert_eq!(off["isActive"], json!(false));
        w.refused(&get(TEMPLATES).key(key), 401, None);
        // c21: what was made from it goes with it.
        w.refused(&get(TEMPLATES).bearer(&token), 401, None);
        owner.patch(id, &json!({ "isActive": true })).expect(200);
    }
    w.arrives(&get(TEMPLATES).key(key));
}

#[test]
fn a34_c23_regenerating_kills_the_old_value_and_keeps_the_rest() {
    let (w, owner) = (world(), owner());
    let made = owner.made("renewed", json!({ "description": "d", "ipWhitelist": ["127.0.0.0/8"] }));
    let (id, old) = (text(&made, "id"), text(&made, "token"));
    let old_token = w.token(old);
    w.arrives(&get(TEMPLATES).key(old));
    let again = owner.regenerate(id).expect(200).json();
    let new = text(&again, "token");
    assert_ne!(new, old);
    w.refused(&get(TEMPLATES).key(old), 401, None);
    w.refused(&get(TEMPLATES).bearer(&old_token), 401, None);
    w.arrives(&get(TEMPLATES).key(new));
    for kept in
        ["id", "name", "description", "type", "permissions", "scopes", "ipWhitelist", "isActive", "expiresAt"]
    {
        assert_eq!(again[kept], made[kept], "{kept}");
    }
    assert_eq!(again["tokenPrefix"], json!(new[..10]));
    // a44: one bucket, whatever the value.
    let left = |key: &str| w.send(&get(TEMPLATES).key(key)).expect(200).number("x-ratelimit-remaining");
    let before = left(new);
    let third = owner.regenerate(id).expect(200).json();
    assert!(left(text(&third, "token")) <= before, "regenerating refills nothing");
}

#[test]
fn c26_a_deactivated_key_stays_so_when_it_is_regenerated() {
    let (w, owner) = (world(), owner());
    let made = owner.made("off", json!({}));
    let id = text(&made, "id");
    owner.patch(id, &json!({ "isActive": false })).expect(200);
    let again = owner.regenerate(id).expect(200).json();
    assert_eq!(again["isActive"], json!(false));
    w.refused(&get(TEMPLATES).key(text(&again, "token")), 401, None);
    owner.patch(id, &json!({ "isActive": true })).expect(200);
    w.arrives(&get(TEMPLATES).key(text(&again, "token")));
    w.refused(&get(TEMPLATES).key(text(&made, "token")), 401, None);
}

#[test]
fn a35_deleting_is_for_good() {
    let (w, owner) = (world(), owner());
    let made = owner.made("gone", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    let token = w.token(key);
    let reply = owner.delete(id).expect(204);
    assert!(reply.body.is_empty() && reply.header("content-type").is_none(), "{reply:?}");
    w.refused(&get(TEMPLATES).key(key), 401, None);
    w.refused(&get(TEMPLATES).bearer(&token), 401, None);
    w.refused(&post("/v1/openapi/auth/login").json(&json!({ "token": key })), 401, None);
    for reply in [owner.show(id), owner.delete(id), owner.regenerate(id), owner.patch(id, &json!({}))] {
        assert_ocriva(&reply, 404, None);
    }
}

/// The id of a key of the fixture that is named after its value.
fn id_of(owner: &Console<'_>, key: &str) -> String {
    let list = owner.list(&format!("?search={}", &key[4..20])).expect(200).json();
    text(&list["data"][0], "id").to_owned()
}

#[test]
fn a36_an_expiry_that_is_moved_into_the_future_revives() {
    let (w, owner) = (world(), owner());
    let key = w.key("expired and named");
    let id = id_of(&owner, &key);
    w.refused(&get(TEMPLATES).key(&key), 401, None);
    // c25: expired is not inactive.
    assert_eq!(owner.show(&id).expect(200).json()["isActive"], json!(true));
    owner.patch(&id, &json!({ "name": "still expired" })).expect(200);
    w.refused(&get(TEMPLATES).key(&key), 401, None);
    owner.patch(&id, &json!({ "expiresAt": "2099-01-01T00:00:00Z" })).expect(200);
    w.arrives(&get(TEMPLATES).key(&key));
}

#[test]
fn a33_c24_an_expired_key_works_again_when_it_is_regenerated() {
    let (w, owner) = (world(), owner());
    let key = w.key("expired and named");
    let again = owner.regenerate(&id_of(&owner, &key)).expect(200).json();
    w.arrives(&get(TEMPLATES).key(text(&again, "token")));
    w.refused(&get(TEMPLATES).key(&key), 401, None);
}

#[test]
fn a_key_that_was_unknown_a_moment_ago_is_known_when_it_is_made() {
    let (w, owner) = (world(), owner());
    let id = owner.made("guessed", json!({}))["id"].as_str().expect("an id").to_owned();
    // Its next value can not be guessed; but what was looked up in vain must not be remembered as unknown.
    w.refused(&get(TEMPLATES).key("ocr_guess"), 401, None);
    let again = owner.regenerate(&id).expect(200).json();
    w.arrives(&get(TEMPLATES).key(text(&again, "token")));
}

/// What the requests of the hammer may use, and since when.
struct Anvil {
    /// The present value, and how many answers ended one before it.
    value: Mutex<(String, usize)>,
    ended: AtomicUsize,
    done: AtomicBool,
    accepted: AtomicUsize,
}

/// Says that it is over when it is dropped.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Threads and rounds: few enough for every run; `make hammer` asks for 50 and 500 (about a minute).
fn hammer_size() -> (usize, usize) {
    let Ok(size) = std::env::var("HAMMER") else { return (6, 30) };
    let (threads, rounds) = size.split_once('x').expect("HAMMER is as 50x500");
    (threads.parse().expect("threads"), rounds.parse().expect("rounds"))
}

/// Threads use a key while it is regenerated, deactivated and deleted in turn: a request that begins after the answer
/// that ended its value is not accepted.
#[test]
fn c23_no_request_that_starts_after_the_answer_is_accepted() {
    let (threads, rounds) = hammer_size();
    let upstream = Upstream::http();
    let mut ours = organization();
    ours.member("owner", "owner");
    let fixture = Fixture::default().with(ours);
    let gateway = Gateway::start(&Settings::usual(&upstream.url()).unlimited(), &fixture);
    let owner = Console::open(&gateway, "owner");
    let mut made = owner.made("hammered", json!({}));
    let anvil = Anvil {
        value: Mutex::new((text(&made, "token").to_owned(), 0)),
        ended: AtomicUsize::new(0),
        done: AtomicBool::new(false),
        accepted: AtomicUsize::new(0),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| hammer(&gateway, &anvil));
        }
        // Also when something fails here: the threads would go on for ever.
        let _done = Done(&anvil.done);
        for round in 0..rounds {
            let accepted = anvil.accepted.load(Ordering::SeqCst);
            wait::until("the present value is used", || anvil.accepted.load(Ordering::SeqCst) > accepted);
            let id = text(&made, "id").to_owned();
            let next = end_value(&owner, &id, round);
            // The answer is here: every request that begins from now on with an earlier value must be refused.
            anvil.ended.fetch_add(1, Ordering::SeqCst);
            made = next.unwrap_or_else(|| renew(&owner, &id, round));
            *anvil.value.lock().expect("a lock") = (text(&made, "token").to_owned(), round + 1);
        }
    });
    assert!(anvil.accepted.load(Ordering::SeqCst) >= rounds);
}

/// Ends the present value; gives the record of the next one where there is one already.
fn end_value(owner: &Console<'_>, id: &str, round: usize) -> Option<Value> {
    match round % 3 {
        0 => Some(owner.regenerate(id).expect(200).json()),
        1 => {
            owner.patch(id, &json!({ "isActive": false })).expect(200);
            None
        }
        _ => {
            owner.delete(id).expect(204);
            None
        }
    }
}

fn renew(owner: &Console<'_>, id: &str, round: usize) -> Value {
    if round % 3 == 2 {
        return owner.made("hammered", json!({}));
    }
    let again = owner.regenerate(id).expect(200).json();
    owner.patch(id, &json!({ "isActive": true })).expect(200);
    again
}

/// Uses the present value over and over, and values that were ended once more.
fn hammer(gateway: &Gateway, anvil: &Anvil) {
    let mut connection = gateway.connect();
    while !anvil.done.load(Ordering::SeqCst) {
        let (value, made_after) = anvil.value.lock().expect("a lock").clone();
        for _ in 0..4 {
            // Before the request begins.
            let ended = anvil.ended.load(Ordering::SeqCst);
            let status = connection.send(&get(TEMPLATES).key(&value)).status;
            match status {
                200 => {
                    assert!(ended <= made_after, "accepted, although it was ended before the request began");
                    anvil.accepted.fetch_add(1, Ordering::SeqCst);
                }
                401 => {}
                other => panic!("{other}"),
            }
        }
    }
}
