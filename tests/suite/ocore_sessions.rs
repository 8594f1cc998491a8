//! CONTRACT B.2: logins, refreshes and logouts of people.

use crate::support::fixture::email;
use crate::support::person::{House, PASSWORD, Person, login, refresh, text};
use crate::support::settings::SLUG;
use crate::support::{Reply, assert_ocore, get, jwt, post};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The cookies that an answer sets: the value, and the attributes sorted.
fn cookies(reply: &Reply) -> BTreeMap<String, (String, Vec<String>)> {
    let cookie = |line: &str| {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        let mut attributes: Vec<String> = parts.map(str::to_owned).collect();
        attributes.sort();
        (name.to_owned(), (value.to_owned(), attributes))
    };
    reply.all("set-cookie").into_iter().map(cookie).collect()
}

#[test]
fn b2_r7_login_answers_with_the_person_tokens_and_cookies() {
    let house = House::open();
    let reply = house.login("developer").expect(200);
    let body = reply.json();
    assert_eq!(body["user"]["email"], json!(email("developer")));
    assert_eq!(body["user"]["name"], json!("developer"));
    assert_eq!(body["user"]["totpEnabled"], json!(false));
    assert_eq!((&body["tokenType"], &body["expiresIn"]), (&json!("Bearer"), &json!(3600)));
    let cookies = cookies(&reply);
    let (access, attributes) = &cookies["access_token"];
    assert_eq!(*access, text(&body, "accessToken"));
    assert_eq!(*attributes, ["HttpOnly", "Max-Age=3600", "Path=/api", "SameSite=Lax", "Secure"]);
    let (refresh, attributes) = &cookies["refresh_token"];
    assert_eq!(*refresh, text(&body, "refreshToken"));
    assert_eq!(*attributes, ["HttpOnly", "Max-Age=2592000", "Path=/api/auth", "SameSite=Lax", "Secure"]);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    // Bearer and cookie are one credential; beside a cookie of somebody else's, in letters that few expect there.
    let cookies = format!("theme=d\u{e9}but; access_token={access}");
    let by_cookie = get("/api/anything").header("Cookie", cookies).org(SLUG);
    house.send(&by_cookie).expect(200);
    house.send(&get("/api/anything").bearer(access).org(SLUG)).expect(200);
}

#[test]
fn b29_the_access_token_s_claims() {
    let house = House::open();
    let person = house.person("developer");
    assert_eq!(jwt::header(&person.access)["alg"], json!("HS256"));
    let claims = jwt::claims(&person.access);
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "typ"]);
    assert_eq!((&claims["typ"], &claims["sub"]), (&json!("access"), &json!(person.id)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
}

#[test]
fn b20_b21_lives_are_the_configuration_s() {
    let house = House::with(|settings| {
        settings.with(|value| {
            value["jwt"]["access_expiry"] = json!("2m");
            value["jwt"]["refresh_expiry"] = json!("1h");
        })
    });
    let reply = house.login("developer").expect(200);
    assert_eq!(reply.json()["expiresIn"], json!(120));
    let cookies = cookies(&reply);
    assert!(cookies["access_token"].1.contains(&"Max-Age=120".to_owned()));
    assert!(cookies["refresh_token"].1.contains(&"Max-Age=3600".to_owned()));
}

#[test]
fn c53_an_unknown_address_and_a_wrong_password_are_one_answer() {
    let house = House::open();
    let unknown = house.send(&login("nobody-here", PASSWORD));
    let wrong = house.send(&login("developer", "wrong horse 1"));
    assert_ocore(&unknown, 401);
    assert_ocore(&wrong, 401);
    assert_eq!(unknown.body, wrong.body);
    assert!(unknown.all("set-cookie").is_empty());
    // Whatever its case, one person has an address.
    let loud = json!({ "email": email("DEVELOPER"), "password": PASSWORD });
    house.send(&post("/api/auth/login").json(&loud)).expect(200);
}

#[test]
fn b2_login_400_for_a_body_that_is_not_it() {
    let house = House::open();
    for body in
        [json!({}), json!({ "email": 7, "password": PASSWORD }), json!({ "email": "a@b.c" }), json!([])]
    {
        assert_ocore(&house.send(&post("/api/auth/login").json(&body)), 400);
    }
    let details = assert_ocore(&house.send(&post("/api/auth/login").json(&json!({ "email": "a@b.c" }))), 400);
    assert_eq!(details, json!({ "field": "password", "constraint": "required" }));
    let good = json!({ "email": email("developer"), "password": PASSWORD }).to_string();
    assert_ocore(&house.send(&post("/api/auth/login").body("text/plain", &*good)), 400);
    // b14: it has to be said.
    assert_ocore(&house.send(&post("/api/auth/login").raw_body(&*good)), 400);
    assert_ocore(&house.send(&get("/api/auth/login")), 405);
}

#[test]
fn b4_logins_that_fail_are_limited_and_say_when_to_come_back() {
    let house = House::open();
    for _ in 0..10 {
        assert_ocore(&house.send(&login("developer", "wrong horse 1")), 401);
    }
    let limited = house.send(&login("developer", PASSWORD));
    assert_ocore(&limited, 429);
    assert!((1..=60).contains(&limited.number("retry-after")), "{limited:?}");
    // Nobody is told that there is such an account.
    for _ in 0..10 {
        house.send(&login("nobody-here", PASSWORD));
    }
    let unknown = house.send(&login("nobody-here", PASSWORD));
    assert_eq!((unknown.status, &unknown.body), (429, &limited.body));
    house.person("viewer");
}

#[test]
fn c52_login_ignores_stray_credentials() {
    let house = House::open();
    house.send(&login("developer", PASSWORD).bearer("garbage")).expect(200);
    house.send(&login("developer", PASSWORD).header("Cookie", "access_token=x; access_token=y")).expect(200);
}

#[test]
fn b24_a_refresh_rotates_both_tokens() {
    let house = House::open();
    let first = house.person("developer");
    let reply = house.send(&refresh(&first.refresh)).expect(200);
    let second = Person::of(&house, &reply.json());
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(first.access, second.access);
    assert_eq!(jwt::claims(&first.access)["sid"], jwt::claims(&second.access)["sid"]);
    assert!(second.is_known());
    assert_eq!(cookies(&reply)["refresh_token"].0, second.refresh);
    // By the cookie alone, as a browser does it.
    let by_cookie = post("/api/auth/refresh").header("Cookie", format!("refresh_token={}", second.refresh));
    let third = house.send(&by_cookie).expect(200).json();
    assert_ne!(third["refreshToken"], json!(second.refresh));
}

#[test]
fn b24_c55_a_refresh_token_that_comes_again_ends_the_session() {
    let house = House::open();
    let other = house.person("developer");
    let first = house.person("developer");
    let second = Person::of(&house, &house.send(&refresh(&first.refresh)).expect(200).json());
    assert!(second.is_known());
    assert_ocore(&house.send(&refresh(&first.refresh)), 401);
    assert!(!second.is_known() && !first.is_known(), "the whole session");
    assert_ocore(&house.send(&refresh(&second.refresh)), 401);
    // Another session of the same person is none of its business.
    assert!(other.is_known());
    house.send(&refresh(&other.refresh)).expect(200);
}

#[test]
fn c55_of_two_refreshes_at_once_exactly_one_succeeds() {
    let house = House::open();
    for _ in 0..5 {
        let person = house.person("viewer");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let both = [0; 2].map(|_| scope.spawn(|| house.send(&refresh(&person.refresh)).status));
            both.map(|thread| thread.join().unwrap()).into()
        });
        let mut sorted = statuses.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [200, 401], "{statuses:?}");
        // Whoever of them was the thief: nobody goes on with it.
        assert!(!person.is_known());
    }
}

#[test]
fn b2_refresh_401_for_what_is_no_refresh_token() {
    let house = House::open();
    let person = house.person("developer");
    for token in ["", "x", "refresh_0000", &person.access] {
        assert_ocore(&house.send(&refresh(token)), 401);
    }
    assert_ocore(&house.send(&post("/api/auth/refresh")), 401);
    let two = format!("refresh_token={}; refresh_token=refresh_other", person.refresh);
    assert_ocore(&house.send(&post("/api/auth/refresh").header("Cookie", two)), 401);
    assert_ocore(&house.send(&post("/api/auth/refresh").json(&json!({ "refreshToken": 7 }))), 400);
    // It is no bearer, either.
    assert_ocore(&house.send(&get("/api/anything").bearer(&person.refresh).org(SLUG)), 401);
    assert!(person.is_known());
}

#[test]
fn b25_logout_ends_the_session_for_the_access_token_too() {
    let house = House::open();
    let shown: [fn(&Person<'_>) -> crate::support::Request; 3] = [
        |person| post("/api/auth/logout").header("Cookie", format!("refresh_token={}", person.refresh)),
        |person| post("/api/auth/logout").bearer(&person.access),
        |person| post("/api/auth/logout").json(&json!({ "refreshToken": person.refresh })),
    ];
    for how in shown {
        let (other, person) = (house.person("viewer"), house.person("viewer"));
        assert!(person.is_known());
        let reply = house.send(&how(&person)).expect(200);
        assert!(reply.json()["message"].is_string());
        assert!(!person.is_known(), "from the moment of the answer");
        assert_ocore(&house.send(&refresh(&person.refresh)), 401);
        for (name, path) in [("access_token", "Path=/api"), ("refresh_token", "Path=/api/auth")] {
            let (value, attributes) = &cookies(&reply)[name];
            assert_eq!(value, "");
            assert!(attributes.contains(&"Max-Age=0".to_owned()) && attributes.contains(&path.to_owned()));
        }
        assert!(other.is_known());
        // Idempotent.
        house.send(&how(&person)).expect(200);
    }
    house.send(&post("/api/auth/logout")).expect(200);
}

#[test]
fn b25_a_session_survives_a_restart_and_its_end_does() {
    let mut house = House::open();
    let (staying, gone) = {
        let (staying, gone) = (house.person("viewer"), house.person("viewer"));
        house.send(&post("/api/auth/logout").bearer(&gone.access)).expect(200);
        (staying.access, gone.access)
    };
    house.gateway.restart();
    let status = |token: &str| house.send(&get("/api/anything").bearer(token).org(SLUG)).status;
    assert_eq!((status(&staying), status(&gone)), (200, 401));
}

#[test]
fn b2_nothing_secret_is_kept_or_logged() {
    let house = House::open();
    let person = house.person("developer");
    let answer: Value = house.send(&refresh(&person.refresh)).expect(200).json();
    let mut written = std::fs::read(house.gateway.db_path()).unwrap();
    for name in ["portcullis.db-wal", "stderr", "stdout", "access.log"] {
        written.extend(std::fs::read(house.gateway.path(name)).unwrap_or_default());
    }
    let written = String::from_utf8_lossy(&written);
    let secrets = [person.access, person.refresh, text(&answer, "refreshToken"), PASSWORD.to_owned()];
    for secret in secrets {
        assert!(!written.contains(&secret), "it was written");
    }
}
