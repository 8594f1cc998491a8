//! CONTRACT B.2: second factors, passwords and sessions of one's own.

use crate::support::fixture::email;
use crate::support::person::{House, PASSWORD, Person, login, refresh, text};
use crate::support::settings::SLUG;
use crate::support::totp::code;
use crate::support::{Reply, Request, assert_ocore, delete, get, post};
use serde_json::{Value, json};

const NEW: &str = "another horse 2";

fn second_step(partial: &str, code: &str) -> Request {
    post("/api/auth/login/2fa").json(&json!({ "partialToken": partial, "code": code }))
}

/// Sets a second factor up; gives the secret and the recovery codes.
#[track_caller]
fn enrol(person: &Person<'_>) -> (String, Vec<String>) {
    let setup =
        person.send(post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }))).expect(200).json();
    let secret = text(&setup, "secret");
    assert!(text(&setup, "otpauthUrl").starts_with("otpauth://totp/oCore:"), "{setup}");
    let enable = post("/api/auth/totp/enable").json(&json!({ "code": code(&secret, 0) }));
    let codes = person.send(enable).expect(200).json()["recoveryCodes"].clone();
    (secret, serde_json::from_value(codes).expect("codes"))
}

/// The partial token of a login.
#[track_caller]
fn partial(house: &House, name: &str) -> String {
    let reply = house.login(name).expect(200);
    assert!(reply.all("set-cookie").is_empty(), "no cookies yet");
    let body = reply.json();
    let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        (names.as_slice(), &body["requiresTOTP"]),
        (&["partialToken", "requiresTOTP"][..], &json!(true))
    );
    text(&body, "partialToken")
}

#[test]
fn b27_a_second_factor_is_asked_for_once_it_is_confirmed() {
    let house = House::open();
    let person = house.person("developer");
    // Begun and not confirmed: it does not count yet.
    person.send(post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }))).expect(200);
    assert_ocore(&person.send(post("/api/auth/totp/enable").json(&json!({ "code": "000000x" }))), 400);
    house.person("developer");
    let (secret, codes) = enrol(&person);
    assert_eq!(codes.len(), 8);
    let (token, present, next) = (partial(&house, "developer"), code(&secret, 0), code(&secret, 1));
    let reply = house.send(&second_step(&token, &next)).expect(200);
    assert_eq!(reply.all("set-cookie").len(), 2);
    let second = Person::of(&house, &reply.json());
    assert_eq!(reply.json()["user"]["totpEnabled"], json!(true));
    assert!(second.is_known());
    // The token is used up, and so is the code.
    assert_ocore(&house.send(&second_step(&token, &next)), 401);
    let again = partial(&house, "developer");
    assert_ocore(&house.send(&second_step(&again, &next)), 401);
    assert_ocore(&house.send(&second_step(&again, &present)), 401);
    // Nor is there a way around it by the other dialect.
    let other = post("/v1/auth/login").json(&json!({ "email": email("developer"), "password": PASSWORD }));
    assert_eq!(house.send(&other).status, 403);
}

#[test]
fn b27_recovery_codes_are_good_once_each_however_they_are_typed() {
    let house = House::open();
    let person = house.person("developer");
    let (_, codes) = enrol(&person);
    house.send(&second_step(&partial(&house, "developer"), &codes[0])).expect(200);
    assert_ocore(&house.send(&second_step(&partial(&house, "developer"), &codes[0])), 401);
    let typed = codes[1].to_uppercase().replace('-', " ");
    house.send(&second_step(&partial(&house, "developer"), &typed)).expect(200);
    // New ones take the place of all the others.
    let renew = post("/api/auth/totp/recovery-codes").json(&json!({ "password": PASSWORD }));
    let renewed = person.send(renew).expect(200).json()["recoveryCodes"].clone();
    let token = partial(&house, "developer");
    assert_ocore(&house.send(&second_step(&token, &codes[2])), 401);
    house.send(&second_step(&token, renewed[7].as_str().unwrap())).expect(200);
    let written = std::fs::read(house.gateway.db_path()).unwrap();
    let wal = std::fs::read(house.gateway.path("portcullis.db-wal")).unwrap_or_default();
    for file in [written, wal] {
        let kept = String::from_utf8_lossy(&file).into_owned();
        assert!(
            codes.iter().all(|code| !kept.contains(code.as_str()) && !kept.contains(&code.replace('-', "")))
        );
    }
}

#[test]
fn b26_c54_a_partial_token_is_good_for_the_second_step_only_and_for_few_tries() {
    let house = House::open();
    let person = house.person("developer");
    let (secret, _) = enrol(&person);
    let token = partial(&house, "developer");
    assert_ocore(&house.send(&get("/api/anything").bearer(&token).org(SLUG)), 401);
    assert_ocore(&house.send(&get("/api/auth/me").bearer(&token)), 401);
    assert_ocore(&house.send(&refresh(&token)), 401);
    for wrong in ["", "000000x", "12345"] {
        assert_ocore(&house.send(&second_step(&token, wrong)), 401);
    }
    for _ in 0..2 {
        assert_ocore(&house.send(&second_step(&token, "abcd-efgh-ijkl-mnop")), 401);
    }
    // The right one comes too late.
    assert_ocore(&house.send(&second_step(&token, &code(&secret, 1))), 401);
    assert_ocore(&house.send(&second_step("partial_made_up", &code(&secret, 1))), 401);
    assert_ocore(&house.send(&post("/api/auth/login/2fa").json(&json!({ "code": "123456" }))), 400);
    house.send(&second_step(&partial(&house, "developer"), &code(&secret, 1))).expect(200);
}

#[test]
fn b26_codes_of_one_person_are_limited_over_all_tokens() {
    let house = House::open();
    enrol(&house.person("developer"));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let token = partial(&house, "developer");
        statuses.extend((0..5).map(|_| house.send(&second_step(&token, "abcd-efgh-ijkl-mnop")).status));
    }
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 5]);
}

#[test]
fn b27_switching_it_off_takes_the_password() {
    let house = House::open();
    let person = house.person("developer");
    let disable = |password: &str| post("/api/auth/totp/disable").json(&json!({ "password": password }));
    assert_ocore(&person.send(disable(PASSWORD)), 409);
    enrol(&person);
    assert_ocore(&person.send(post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }))), 409);
    let details = assert_ocore(&person.send(disable("wrong horse 1")), 400);
    assert_eq!(details["field"], json!("password"));
    assert_ocore(&house.send(&disable(PASSWORD)), 401);
    person.send(disable(PASSWORD)).expect(200);
    house.person("developer");
}

fn change(present: &str, new: &str, revoke: bool) -> Request {
    let body = json!({ "currentPassword": present, "newPassword": new, "revokeOtherSessions": revoke });
    post("/api/auth/change-password").json(&body)
}

#[test]
fn b30_a_change_of_password_ends_the_other_sessions_where_that_is_wanted() {
    let house = House::open();
    let (here, there) = (house.person("developer"), house.person("developer"));
    assert_eq!(assert_ocore(&here.send(change("wrong horse 1", NEW, true)), 400)["field"], json!("password"));
    here.send(change(PASSWORD, NEW, false)).expect(200);
    assert!(here.is_known() && there.is_known());
    assert_ocore(&house.send(&login("developer", PASSWORD)), 401);
    house.send(&login("developer", NEW)).expect(200);
    here.send(change(NEW, PASSWORD, true)).expect(200);
    assert!(here.is_known() && !there.is_known());
    assert_ocore(&house.send(&refresh(&there.refresh)), 401);
    house.send(&refresh(&here.refresh)).expect(200);
}

#[test]
fn b28_a_password_has_eight_characters_a_letter_and_a_digit() {
    let house = House::open();
    let person = house.person("developer");
    for weak in ["", "short 1", "no digit at all", "12345678", &"a1".repeat(129)] {
        let details = assert_ocore(&person.send(change(PASSWORD, weak, false)), 400);
        assert_eq!(details, json!({ "field": "newPassword", "constraint": "strength" }), "{weak}");
    }
    person.send(change(PASSWORD, "รหัสผ่าน1", false)).expect(200);
    let store = rusqlite::Connection::open(house.gateway.db_path()).unwrap();
    let sql = "SELECT password FROM users WHERE id = ?1";
    let hash: String = store.query_row(sql, [&person.id], |row| row.get(0)).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
}

#[test]
fn b2_forgot_password_answers_everybody_alike() {
    let house = House::open();
    let ask =
        |address: &str| house.send(&post("/api/auth/forgot-password").json(&json!({ "email": address })));
    let answers: Vec<Reply> = [&*email("developer"), "nobody@example.com", "x"].map(ask).into();
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    // However often: nobody learns anything by it.
    assert!((0..40).all(|_| ask("nobody@example.com").status == 200));
    assert_ocore(&house.send(&post("/api/auth/forgot-password").json(&json!({}))), 400);
    let store = rusqlite::Connection::open(house.gateway.db_path()).unwrap();
    let count = || -> i64 {
        let sql = "SELECT count(*) FROM audit WHERE action = 'auth.password_reset_requested'";
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    crate::support::wait::until("the request is on record", || count() == 1);
}

fn reset(token: &str, password: &str) -> Request {
    post("/api/auth/reset-password").json(&json!({ "token": token, "password": password }))
}

#[test]
fn b2_a_token_from_the_operator_resets_a_password_once() {
    let house = House::open();
    let person = house.person("developer");
    let issue = || -> Value {
        let ran = house.gateway.run_words(&["user", "reset-password"], &["--json", &email("Developer")]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("JSON")
    };
    let (older, token) = (text(&issue(), "token"), text(&issue(), "token"));
    assert_ocore(&house.send(&reset(&older, NEW)), 401);
    assert_ocore(&house.send(&reset("made up", NEW)), 401);
    assert_eq!(assert_ocore(&house.send(&reset(&token, "weak")), 400)["field"], json!("password"));
    assert_ocore(&house.send(&post("/api/auth/reset-password").json(&json!({ "token": token }))), 400);
    assert!(person.is_known());
    house.send(&reset(&token, NEW)).expect(200);
    assert!(!person.is_known(), "every session ends");
    assert_ocore(&house.send(&reset(&token, NEW)), 401);
    assert_ocore(&house.send(&login("developer", PASSWORD)), 401);
    house.send(&login("developer", NEW)).expect(200);
    let nobody = house.gateway.run_words(&["user", "reset-password"], &["nobody@example.com"]);
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn sessions_are_listed_and_ended_by_their_person() {
    let house = House::open();
    let (here, there, foreign) = (house.person("viewer"), house.person("viewer"), house.person("developer"));
    let listed =
        || here.send(get("/api/auth/sessions")).expect(200).json()["data"].as_array().unwrap().clone();
    let sessions = listed();
    assert_eq!(
        sessions.iter().map(|it| it["current"].clone()).collect::<Vec<_>>(),
        [json!(true), json!(false)]
    );
    assert_eq!(sessions[0]["ipAddress"].as_str().unwrap().split('.').next(), Some("127"));
    let path = |session: &Value| format!("/api/auth/sessions/{}", text(session, "id"));
    assert_ocore(&foreign.send(delete(&path(&sessions[1]))), 404);
    assert!(there.is_known());
    here.send(delete(&path(&sessions[1]))).expect(200);
    assert!(!there.is_known() && here.is_known());
    assert_ocore(&here.send(delete(&path(&sessions[1]))), 404);
    let third = house.person("viewer");
    here.send(delete("/api/auth/sessions")).expect(200);
    assert!(!third.is_known() && here.is_known() && foreign.is_known());
    assert_eq!(listed().len(), 1);
    assert_ocore(&house.send(&get("/api/auth/sessions")), 401);
}

#[test]
fn who_asks_is_told_where_they_belong() {
    let house = House::open();
    let me = house.person("both").send(get("/api/auth/me")).expect(200).json();
    assert_eq!(me["user"]["email"], json!(email("both")));
    let places: Vec<_> = me["organizations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(it, "slug"), text(it, "role")))
        .collect();
    let wanted = [("my-org", "owner"), ("other-org", "viewer")];
    assert_eq!(places, wanted.map(|(slug, role)| (slug.to_owned(), role.to_owned())));
    assert_ocore(&house.send(&get("/api/auth/me")), 401);
}
