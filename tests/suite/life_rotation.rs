//! Secrets that sign are rotated while clients go on: no request fails, and no upstream rejects an identity.

use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::jwt;
use crate::support::person;
use crate::support::settings::{SLUG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::{organization, with_one_key};
use crate::support::{get, post, wait};
use portcullis::clock::Moment;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const NEXT: &str = "the-next-secret-of-the-test-suite-with-more-than-32-characters";
const TEMPLATES: &str = "/v1/openapi/templates";

/// Ends the clients whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn with_secrets(settings: &Settings, secret: &str, other: Option<&str>) -> Settings {
    settings.clone().with(|value| {
        value["jwt"]["secret"] = json!(secret);
        if let Some(other) = other {
            value["jwt"]["other_secret"] = json!(other);
        }
    })
}

/// A token of the person's session, and one made from a key.
fn tokens(gateway: &Gateway, key: &str) -> (String, String) {
    let login = gateway.send(&person::login("owner", person::PASSWORD)).expect(200).json();
    let made =
        gateway.send(&post("/v1/openapi/auth/login").json(&json!({ "token": key }))).expect(200).json();
    let text = |value: &serde_json::Value| value["accessToken"].as_str().expect("a token").to_owned();
    (text(&login), text(&made))
}

#[test]
fn the_secret_is_rotated_under_load_and_no_request_fails() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    org.member_with_password("owner", "owner", person::PASSWORD);
    let settings = Settings::usual(&upstream.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let reloads = || gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let (old_person, old_key) = tokens(&gateway, &key);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..2 {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address);
                while !over.load(Ordering::Relaxed) {
                    connection.send(&get("/api/anything").bearer(&old_person).org(SLUG)).expect(200);
                    connection.send(&get(TEMPLATES).bearer(&old_key)).expect(200);
                    // One that was made a moment ago is good on every worker, whichever secret has signed it.
                    let login = post("/v1/openapi/auth/login").json(&json!({ "token": key }));
                    let made = connection.send(&login).expect(200).json();
                    let made = made["accessToken"].as_str().expect("a token");
                    Connection::open(gateway.address).send(&get(TEMPLATES).bearer(made)).expect(200);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // First the next one is known everywhere, then it signs: so it is done on several nodes too.
        for (secret, other) in [(jwt::SECRET, Some(NEXT)), (NEXT, Some(jwt::SECRET))] {
            let (before, rounds) = (reloads(), sent.load(Ordering::Relaxed));
            gateway.configure(&with_secrets(&settings, secret, other));
            wait::until("it is reloaded", || reloads() > before);
            wait::until("requests go on", || sent.load(Ordering::Relaxed) > rounds + 20);
        }
    });

    // Until the old one is told to go.
    let (new_person, new_key) = tokens(&gateway, &key);
    let before = reloads();
    gateway.configure(&with_secrets(&settings, NEXT, None));
    wait::until("it is reloaded", || reloads() > before);
    wait::until("old tokens are refused", || gateway.send(&get(TEMPLATES).bearer(&old_key)).status == 401);
    assert_eq!(gateway.send(&get("/api/anything").bearer(&old_person).org(SLUG)).status, 401);
    gateway.send(&get(TEMPLATES).bearer(&new_key)).expect(200);
    gateway.send(&get("/api/anything").bearer(&new_person).org(SLUG)).expect(200);
    let same = with_secrets(&settings, NEXT, Some(NEXT));
    gateway.configure(&same);
    let said = gateway.run("check", &[]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("the same secret"), "{said:?}");
}

/// An upstream's view: the published set, looked at again when it is older than this, and never because a key is unknown.
const CACHED: Duration = Duration::from_secs(2);

struct Verifier {
    set: serde_json::Value,
    at: Moment,
}

impl Verifier {
    fn of(node: &Gateway) -> Self {
        Self { set: node.send(&get("/.well-known/jwks.json")).expect(200).json(), at: wait::now() }
    }

    /// Gives the key that signed; fails the test where the set does not have it.
    fn verified(&mut self, node: &Gateway, token: &str) -> String {
        if wait::now().since(self.at) > CACHED {
            *self = Self::of(node);
        }
        jwt::verify_identity(token, &self.set);
        jwt::header(token)["kid"].as_str().expect("a kid").to_owned()
    }
}

#[test]
fn the_key_that_signs_is_rotated_on_two_nodes_under_load_and_no_identity_is_rejected() {
    let upstream = Upstream::http();
    let mut org = organization();
    let keys: Vec<String> = (0..4).map(|_| org.org_key()).collect();
    let settings = Settings::usual(&upstream.url())
        .unlimited()
        .with(|value| value["jwt"]["upstream"]["ttl"] = json!("3s"));
    let first = Gateway::start(&settings, &Fixture::default().with(org));
    let store = json!({ "url": first.store_url(), "usage": "usage" });
    let mut second = Gateway::prepare(&settings.clone().with(|value| {
        value["store"] = store;
        if value["store"]["url"].as_str().is_some_and(|url| url.starts_with("sqlite")) {
            value["store"].as_object_mut().expect("a section").remove("usage");
        }
    }));
    second.serve();
    let nodes = [first, second];
    let listed = || {
        let output = nodes[0].run_words(&["signing-key", "list"], &["--output", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        list["data"].as_array().expect("keys").clone()
    };
    let before = listed();
    assert_eq!((before.len(), &before[0]["state"]), (1, &json!("signs")));
    let old = before[0]["id"].as_str().expect("an id").to_owned();
    let (over, sent, anew) =
        (AtomicBool::new(false), AtomicU64::new(0), [AtomicU64::new(0), AtomicU64::new(0)]);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for (number, key) in keys.iter().enumerate() {
            let (nodes, upstream, over, sent, anew, old) = (&nodes, &upstream, &over, &sent, &anew, &old);
            scope.spawn(move || {
                let node = &nodes[number % 2];
                // The set may come from either node.
                let mut verifier = Verifier::of(&nodes[number / 2]);
                let mut connection = Connection::open(node.address);
                while !over.load(Ordering::Relaxed) {
                    let reply = connection.send(&get(TEMPLATES).key(key)).expect(200);
                    let record = upstream.one(&reply.tag);
                    let token = record.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
                    let kid = verifier.verified(&nodes[number / 2], token.expect("an identity"));
                    sent.fetch_add(1, Ordering::Relaxed);
                    anew[number % 2].fetch_add(u64::from(kid != *old), Ordering::Relaxed);
                }
            });
        }
        wait::until("there is load", || sent.load(Ordering::Relaxed) > 100);
        let rotated = nodes[0].run_words(&["signing-key", "rotate"], &["--publish-for", "10"]);
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        assert_eq!(listed().iter().filter(|key| key["state"] == json!("next")).count(), 1);
        let again = nodes[0].run_words(&["signing-key", "rotate"], &[]);
        assert!(String::from_utf8_lossy(&again.stderr).contains("published already"), "{again:?}");
        let signs = || anew.iter().all(|count| count.load(Ordering::Relaxed) > 50).then_some(());
        assert!(wait::poll(Duration::from_secs(60), signs).is_some(), "the new one does not sign");
    });
    let states: Vec<_> = listed().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, [json!("published"), json!("signs")]);
    let retired = nodes[0].run_words(&["signing-key", "retire"], &[&old]);
    assert!(String::from_utf8_lossy(&retired.stderr).contains("is good until"), "{retired:?}");
    let unknown = nodes[0].run_words(&["signing-key", "retire"], &["nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_key_that_waits_is_replaced_when_there_is_haste() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url())
        .unlimited()
        .with(|value| value["jwt"]["upstream"]["ttl"] = json!("3s"));
    let (gateway, key) = with_one_key(&settings);
    let keys = || -> Vec<(String, String)> {
        let output = gateway.run_words(&["signing-key", "list"], &["--output", "json"]);
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let keys = list["data"].as_array().expect("keys").iter();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        keys.map(|key| (text(&key["id"]), text(&key["state"]))).collect()
    };
    let rotate = |more: &[&str]| gateway.run_words(&["signing-key", "rotate"], more);
    assert!(rotate(&["--publish-for", "86400"]).status.success());
    let waiting = keys();
    assert_eq!(waiting.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(), ["signs", "next"]);
    assert!(!rotate(&["--publish-for", "172800"]).status.success(), "one waits that signs earlier");
    let haste = rotate(&["--publish-for", "0"]);
    assert!(haste.status.success(), "{}", String::from_utf8_lossy(&haste.stderr));
    let left = keys();
    assert_eq!(left.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(), ["published", "signs"]);
    assert_eq!(left[0].0, waiting[0].0);
    assert_ne!(left[1].0, waiting[1].0, "whoever knows the one that waited can sign nothing with it");
    let mut verifier = Verifier::of(&gateway);
    wait::until("it signs", || {
        let reply = gateway.send(&get(TEMPLATES).key(&key)).expect(200);
        let record = upstream.one(&reply.tag);
        let token =
            record.header("authorization").and_then(|it| it.strip_prefix("Bearer ").map(str::to_owned));
        verifier.verified(&gateway, &token.expect("an identity")) == left[1].0
    });
}
