//! CONTRACT A.5, R13 and trap 53: people log in with e-mail address and password.

use crate::support::control::{audit_of, text, wanted};
use crate::support::fixture::{Fixture, email};
use crate::support::gateway::Gateway;
use crate::support::settings::{ORG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::{organization, user_id};
use crate::support::{Reply, Request, assert_ocriva, get, jwt, post, wait};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;

const LOGIN: &str = "/v1/auth/login";
const PASSWORD: &str = "correct horse 1";

fn start(alter: impl FnOnce(&mut Value)) -> Gateway {
    let upstream = Box::leak(Box::new(Upstream::http()));
    let mut ours = organization();
    for name in ["owner", "blocked", "patient", "locked", "timed"] {
        ours.member(name, "owner");
        ours.password(name, PASSWORD);
    }
    ours.set_active("blocked", false);
    ours.member("without", "owner");
    Gateway::start(&Settings::usual(&upstream.url()).with(alter), &Fixture::default().with(ours))
}

fn gateway() -> &'static Gateway {
    static GATEWAY: OnceLock<Gateway> = OnceLock::new();
    GATEWAY.get_or_init(|| start(|_| {}))
}

fn credentials(email: &str, password: &str) -> Request {
    post(LOGIN).json(&json!({ "email": email, "password": password }))
}

/// From an address of the test's own, so that tests do not use up each other's attempts.
fn log_in(from: u8, email: &str, password: &str) -> Reply {
    gateway().send_from([127, 77, 0, from], &credentials(email, password))
}

#[test]
fn a5_a_login_gives_a_session_that_manages_keys() {
    let gateway = gateway();
    for path in [LOGIN, "/auth/login"] {
        let body = json!({ "email": "OWNER@Example.COM ", "password": PASSWORD });
        let reply = gateway.send(&post(path).json(&body)).expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let answer = reply.json();
        let id = user_id(&gateway.db_path(), "owner");
        assert_eq!(answer["user"], json!({ "id": id, "email": email("owner"), "name": "owner" }));
        let token = text(&answer, "accessToken");
        let claims = jwt::claims(token);
        assert_eq!(answer["expiresIn"], json!(3600));
        let number = |name: &str| claims[name].as_u64().expect("a number");
        assert_eq!(number("exp") - number("iat"), 3600);
        assert_eq!((&claims["sub"], &claims["typ"]), (&json!(id), &json!("access")));
        assert!(claims["sid"].is_string() && claims["jti"].is_string() && claims.get("org").is_none());
        let keys = format!("/api/v1/organizations/{ORG}/api-tokens");
        let made =
            gateway.send(&post(&keys).json(&wanted("made", json!({}))).bearer(token)).expect(201).json();
        gateway.send(&get("/v1/openapi/templates").key(text(&made, "token"))).expect(200);
        // A session is a person's: it opens no route that asks for a key of this dialect.
        assert_ocriva(&gateway.send(&get("/v1/openapi/templates").bearer(token)), 401, None);
    }
    wait::until("both logins are in the audit log", || {
        let log = audit_of(gateway, &user_id(&gateway.db_path(), "owner"));
        log.iter()
            .filter(|(action, who, ..)| action == "auth.login" && who == "user owner@example.com")
            .count()
            >= 2
    });
}

#[test]
fn c53_an_unknown_address_and_a_wrong_password_are_answered_alike() {
    let wrong = log_in(2, &email("patient"), "wrong password 1");
    assert_ocriva(&wrong, 401, None);
    for (name, password) in
        [("nobody", PASSWORD), ("blocked", PASSWORD), ("without", PASSWORD), ("without", "")]
    {
        let reply = log_in(2, &email(name), password);
        assert_ocriva(&reply, 401, None);
        assert_eq!(reply.body, wrong.body, "{name}");
    }
    wait::until("the failure is in the audit log", || {
        let log = audit_of(gateway(), &user_id(&gateway().db_path(), "patient"));
        log.iter().any(|(action, who, ..)| action == "auth.login_failed" && who == "anonymous ")
    });
}

#[test]
fn c53_and_in_the_same_time() {
    let time = |name: &str| {
        let begin = wait::now();
        log_in(3, &email(name), "wrong password 1").expect(401);
        wait::now().since(begin)
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    // The least of several, in turn: other work on the machine only ever adds to a time.
    for _ in 0..9 {
        known = known.min(time("timed"));
        unknown = unknown.min(time("someone-unknown"));
        if known < unknown * 2 && unknown < known * 2 {
            assert!(unknown > Duration::from_millis(5), "a password is not hashed in {unknown:?}");
            return;
        }
    }
    // Without a hash one would be a small part of the other, always.
    panic!("{known:?} for a known address and {unknown:?} for an unknown one");
}

#[test]
fn c53_a_locked_account_is_told_what_an_unknown_one_is() {
    let told = |name: &str, from: u8| {
        let mut last = None;
        for number in 0..11 {
            // Each from another address: the account is what is counted.
            let reply = log_in(from + number, &email(name), "wrong password 1");
            if number < 10 {
                assert_ocriva(&reply, 401, None);
            }
            last = Some(reply);
        }
        let last = last.expect("a reply");
        assert_ocriva(&last, 429, Some("Too many requests. Please slow down."));
        let wait = last.number("retry-after");
        assert!((1..=6).contains(&wait), "{wait}");
        // The right password does not open it either.
        assert_ocriva(&log_in(from + 20, &email(name), PASSWORD), 429, None);
        last.body
    };
    assert_eq!(told("locked", 100), told("somebody-else", 150));
}

#[test]
fn an_address_is_limited_whoever_it_tries() {
    let statuses: Vec<u16> =
        (0..34).map(|number| log_in(9, &email(&format!("n{number}")), "wrong password 1").status).collect();
    assert!(statuses[..30].iter().all(|status| *status == 401), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    // Nobody else is.
    log_in(10, &email("owner"), PASSWORD).expect(200);
}

#[test]
fn a_login_that_succeeds_uses_nothing_up() {
    for _ in 0..12 {
        log_in(11, &email("owner"), PASSWORD).expect(200);
    }
}

#[test]
fn c52_stray_credentials_are_not_looked_at() {
    let request =
        credentials(&email("owner"), PASSWORD).header("Authorization", "Bearer garbage").key("x").key("y");
    gateway().send(&request).expect(200);
}

#[test]
fn a5_a_login_s_body_is_checked() {
    for body in [
        json!({}),
        json!([]),
        json!({ "email": email("owner") }),
        json!({ "password": PASSWORD }),
        json!({ "email": 7, "password": PASSWORD }),
        json!({ "email": email("owner"), "password": null }),
    ] {
        let reply = gateway().send(&post(LOGIN).json(&body)).expect(400);
        assert!(reply.json()["message"].is_string() || reply.json()["message"].is_array());
    }
    assert_ocriva(&gateway().send(&post(LOGIN).body("application/json", "{")), 400, None);
    assert_ocriva(&gateway().send(&post(LOGIN).body("text/plain", "{}")), 415, None);
    assert_ocriva(&gateway().send(&get("/auth/login")), 405, None);
}

#[test]
fn the_life_of_an_access_token_is_the_configuration_s() {
    let gateway = start(|value| value["jwt"]["access_expiry"] = json!("5m"));
    let answer = gateway.send(&credentials(&email("owner"), PASSWORD)).expect(200).json();
    assert_eq!(answer["expiresIn"], json!(300));
}

#[test]
fn no_password_and_no_access_token_is_in_logs_or_store() {
    let gateway = start(|_| {});
    let answer = gateway.send(&credentials(&email("owner"), PASSWORD)).expect(200).json();
    gateway.send(&credentials(&email("owner"), "canary-password-9")).expect(401);
    let token = text(&answer, "accessToken").rsplit('.').next().expect("a signature").to_owned();
    std::thread::sleep(Duration::from_millis(1500));
    for name in ["portcullis.db", "portcullis.db-wal", "access.log", "stdout", "stderr"] {
        let bytes = std::fs::read(gateway.path(name)).unwrap_or_default();
        for secret in [PASSWORD, "canary-password-9", &token] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
    let log = std::fs::read_to_string(gateway.path("access.log")).expect("the access log");
    assert!(log.contains("wrong_password") && log.contains(&user_id(&gateway.db_path(), "owner")), "{log}");
}
