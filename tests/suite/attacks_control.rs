//! The control side against people who mean it ill: who was taken down, who wants more than they have, who floods.

use crate::support::client::Connection;
use crate::support::fixture::email;
use crate::support::gateway::Gateway;
use crate::support::hooks::{self, Habit, Receiver};
use crate::support::person::{House, PASSWORD, Person, text};
use crate::support::settings::Settings;
use crate::support::totp::code;
use crate::support::{Reply, Request, assert_ocore, assert_ocriva, delete, get, patch, post, wait};
use serde_json::{Value, json};
use std::time::Duration;

const NEW: &str = "another horse 2";

fn invite(role: &str) -> Request {
    post("/api/invite-links").json(&json!({ "role": role }))
}

fn accept(token: &str) -> Request {
    post("/api/auth/invitations/accept").json(&json!({ "token": token }))
}

fn sign_up(name: &str, token: &str) -> Request {
    let body = json!({ "email": email(name), "name": name, "password": PASSWORD, "invitation": token });
    post("/api/auth/signup").json(&body)
}

fn role_of(person: &Person<'_>, role: &str) -> Request {
    patch(&format!("/api/members/{}/role", person.id)).json(&json!({ "role": role }))
}

/// Has `owner` make a role, and gives it to `person`.
#[track_caller]
fn give(owner: &Person<'_>, person: &Person<'_>, permissions: &[&str]) {
    let body = json!({ "name": "made", "permissions": permissions });
    owner.admin(post("/api/roles").json(&body)).expect(201);
    owner.admin(role_of(person, "made")).expect(200);
}

#[test]
fn who_is_taken_out_has_no_way_back_that_they_put_by() {
    let house = House::open();
    let [owner, admin, stranger] = ["owner", "admin", "stranger"].map(|name| house.person(name));
    let mut links: Vec<String> =
        (0..3).map(|_| text(&admin.admin(invite("admin")).expect(201).json(), "token")).collect();
    owner.admin(delete(&format!("/api/members/{}", admin.id))).expect(200);
    assert_ocore(&admin.send(accept(&links[0])), 404);
    assert_ocore(&stranger.send(accept(&links[0])), 404);
    assert_ocore(&house.send(&sign_up("straw", &links[0])), 403);
    assert_ocore(&admin.admin(get("/api/members")), 403);
    // Others' are as good as before.
    let good = text(&owner.admin(invite("admin")).expect(201).json(), "token");
    admin.send(accept(&good)).expect(200);
    // And with the role comes back what one may give.
    stranger.send(accept(&links.remove(1))).expect(200);
}

#[test]
fn an_invitation_is_worth_what_its_maker_s_word_is_worth_now() {
    let house = House::open();
    let [owner, admin] = ["owner", "admin"].map(|name| house.person(name));
    let [high, low] =
        ["admin", "viewer"].map(|role| text(&admin.admin(invite(role)).expect(201).json(), "token"));
    give(&owner, &admin, &["manage:members", "view:*"]);
    assert_ocore(&house.send(&sign_up("high", &high)), 403);
    house.send(&sign_up("low", &low)).expect(201);
    let [link, other] = [(); 2].map(|()| text(&owner.admin(invite("owner")).expect(201).json(), "token"));
    house.send(&sign_up("second", &link)).expect(201);
    house.person("both").admin(role_of(&owner, "admin")).expect(200);
    // An admin makes no owners, whatever they were when they said so.
    assert_ocore(&house.send(&sign_up("third", &other)), 403);
}

/// Begins an operation and waits for its end; gives the path of its result.
#[track_caller]
fn done(person: &Person<'_>, body: &Value) -> String {
    let started = person.admin(post("/api/operations").json(body)).expect(202).json();
    let path = format!("/api/operations/{}", text(&started, "id"));
    let ended = wait::poll(Duration::from_secs(30), || {
        let record = person.admin(get(&path)).expect(200).json();
        (record["finishedAt"] != Value::Null).then_some(record)
    });
    assert_eq!(ended.expect("an end")["status"], json!("succeeded"));
    format!("{path}/result")
}

#[test]
fn a_result_takes_what_making_it_takes() {
    let house = House::open();
    let [owner, admin] = ["owner", "admin"].map(|name| house.person(name));
    admin
        .admin(post("/api/api-keys").json(&json!({ "name": "a", "permissions": ["view:servers"] })))
        .expect(201);
    let [audit, usage] = ["export_audit", "export_usage"].map(|kind| done(&owner, &json!({ "type": kind })));
    let rotated = done(&admin, &json!({ "type": "rotate_tokens" }));
    give(&owner, &admin, &["manage:operations", "view:usage"]);
    // They see that there was such an operation, and not the log that they may not read.
    admin.admin(get(audit.trim_end_matches("/result"))).expect(200);
    assert_ocore(&admin.admin(get(&audit)), 403);
    assert_ocore(&admin.admin(get("/api/audit-logs")), 403);
    admin.admin(get(&usage)).expect(200);
    // What was made for an admin is not handed to who was one.
    assert_ocore(&admin.admin(post(&rotated)), 403);
    owner.admin(role_of(&admin, "admin")).expect(200);
    admin.admin(post(&rotated)).expect(200);
}

/// Sets a second factor up; gives the secret.
#[track_caller]
fn enrol(person: &Person<'_>) -> String {
    let setup = post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }));
    let secret = text(&person.send(setup).expect(200).json(), "secret");
    let enable = post("/api/auth/totp/enable").json(&json!({ "code": code(&secret, 0) }));
    person.send(enable).expect(200);
    secret
}

#[test]
fn a_new_password_ends_the_logins_that_the_old_one_began() {
    let house = House::open();
    let person = house.person("developer");
    let secret = enrol(&person);
    let [before, _] = [(); 2].map(|()| text(&house.login("developer").expect(200).json(), "partialToken"));
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    person.send(post("/api/auth/change-password").json(&change)).expect(200);
    let second_step = |partial: &str, code: &str| {
        house.send(&post("/api/auth/login/2fa").json(&json!({ "partialToken": partial, "code": code })))
    };
    assert_ocore(&second_step(&before, &code(&secret, 1)), 401);
    let alive = person.send(get("/api/auth/sessions")).expect(200).json();
    assert_eq!(alive["data"].as_array().expect("sessions").len(), 1, "{alive}");
}

#[test]
fn logins_that_race_with_a_new_password_do_not_outlive_it() {
    let house = House::open();
    let person = house.person("developer");
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW, "revokeOtherSessions": true });
    let racing: Vec<Reply> = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..8).map(|_| scope.spawn(|| house.login("developer"))).collect();
        person.send(post("/api/auth/change-password").json(&change)).expect(200);
        logins.into_iter().map(|login| login.join().expect("a login")).collect()
    });
    for reply in racing.iter().filter(|reply| reply.status == 200) {
        assert!(!Person::of(&house, &reply.json()).is_known(), "a session by the old password is alive");
    }
    assert!(person.is_known());
}

fn hooked(receiver: &Receiver) -> (Gateway, Value) {
    let gateway = super::hooks_delivery::gateway();
    let endpoint = hooks::Person::of(&gateway, "olivia").webhook(&receiver.url("/"));
    (gateway, endpoint)
}

fn hook_path(endpoint: &Value, rest: &str) -> String {
    hooks::Person::path(&format!("/webhook-endpoints/{}{rest}", endpoint["id"].as_str().expect("an id")))
}

#[test]
fn the_queue_of_deliveries_is_not_filled_by_hand() {
    let receiver = Receiver::start(Habit::Answer(500));
    let (gateway, endpoint) = hooked(&receiver);
    let owner = hooks::Person::of(&gateway, "olivia");
    let test = || owner.send(post(&hook_path(&endpoint, "/test")));
    let sent = (0..150).map(|_| test()).take_while(|reply| reply.status == 202).count();
    // One is that of the endpoint's making.
    assert_eq!(sent, 99);
    assert_ocriva(&test(), 409, None);
    let list = owner.send(get(&hooks::Person::path("/webhook-deliveries?limit=1"))).expect(200).json();
    assert_eq!(list["pagination"]["total"], json!(100));
    let replay = format!("/webhook-deliveries/{}/replay", list["data"][0]["id"].as_str().expect("an id"));
    assert_ocriva(&owner.send(post(&hooks::Person::path(&replay))), 409, None);
}

#[test]
fn an_endpoint_that_says_410_is_sent_nothing_more() {
    let receiver = Receiver::start(Habit::Answer(410));
    let (gateway, endpoint) = hooked(&receiver);
    let owner = hooks::Person::of(&gateway, "olivia");
    wait::until("the endpoint is switched off", || {
        owner.send(get(&hook_path(&endpoint, ""))).expect(200).json()["isActive"] == json!(false)
    });
    let record = owner.send(get(&hook_path(&endpoint, ""))).expect(200).json();
    assert!(record["disabledAt"].is_string(), "{record}");
    let list = owner.send(get(&hooks::Person::path("/webhook-deliveries"))).expect(200).json();
    assert_eq!(list["data"][0]["status"], json!("failed"));
    owner.token("nobody is told");
    assert_eq!(receiver.all().len(), 1);
    // Whoever runs it may have changed their mind.
    owner.send(patch(&hook_path(&endpoint, "")).json(&json!({ "isActive": true }))).expect(200);
    receiver.behave(Habit::Answer(200));
    owner.token("somebody is told");
    receiver.wait_for(1);
}

#[test]
fn a_connection_that_ends_says_so() {
    let gateway = Gateway::start(&Settings::usual("http://127.0.0.1:9"), &Default::default());
    // The body comes after the answer, as it does from clients that send it apart.
    for (target, status) in [("/api/auth/me", 405), ("/nothing-here", 404), ("/healthz", 405)] {
        let mut connection = Connection::open(gateway.admin);
        let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
        connection.write(head.as_bytes());
        let reply = connection.reply("POST").expect("an answer");
        assert_eq!((reply.status, reply.header("connection")), (status, Some("close")), "{target}");
    }
    let mut connection = Connection::open(gateway.admin);
    for _ in 0..3 {
        assert_eq!(connection.send(&post("/api/auth/me")).header("connection"), None);
    }
}

#[test]
fn the_log_has_readers_who_may_not_write_to_endpoints() {
    let gateway = super::hooks_delivery::gateway();
    let owner = hooks::Person::of(&gateway, "olivia");
    let made = owner.webhook("https://hooks.example.com:8443/services/T0123/very-secret-path?token=abcd");
    let other = json!({ "url": "https://hooks.example.com:8443/services/another-secret" });
    owner.send(patch(&hook_path(&made, "")).json(&other)).expect(200);
    let log = format!("/audit-logs?resourceId={}", made["id"].as_str().expect("an id"));
    let log = owner.send(get(&hooks::Person::path(&log))).expect(200);
    let export = owner.send(get(&hooks::Person::path("/audit-logs/export?format=csv"))).expect(200);
    for text in [log.text(), export.text()] {
        assert!(text.contains("https://hooks.example.com:8443"), "{text}");
        for secret in ["T0123", "secret", "abcd"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    // That it leads elsewhere now is seen.
    let update = &log.json()["data"][0];
    let fingerprint = |state: &str| update[state]["urlFingerprint"].as_str().expect("one").to_owned();
    assert_ne!(fingerprint("beforeState"), fingerprint("afterState"));
}

#[test]
fn secrets_that_people_put_where_they_do_not_belong_are_in_no_log() {
    let house = House::open();
    let owner = house.person("owner");
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["*"] });
    let hook = owner.admin(post("/api/webhook-endpoints").json(&hook)).expect(201).json();
    let invitation = text(&owner.admin(invite("viewer")).expect(201).json(), "token");
    enrol(&owner);
    let partial = text(&house.login("owner").expect(200).json(), "partialToken");
    let secrets = [owner.refresh.clone(), invitation, partial, text(&hook, "signingSecret")];
    for secret in &secrets {
        let body = json!({ "description": secret });
        let path = format!("/api/webhook-endpoints/{}", text(&hook, "id"));
        owner.admin(patch(&path).json(&body).header("User-Agent", secret)).expect(200);
        let path = format!("/api/{secret}?q={secret}");
        owner.ours(get(&path).header("User-Agent", format!("x {secret}; y")));
    }
    let log = owner.admin(get("/api/audit-logs/export?format=csv")).expect(200).text();
    assert!(log.contains("refresh_[redacted]") && log.contains("whsec_[redacted]"), "{log}");
    let access = wait::poll(Duration::from_secs(10), || {
        let text = std::fs::read_to_string(house.gateway.path("access.log")).unwrap_or_default();
        text.contains("x whsec_[redacted]").then_some(text)
    });
    let access = access.expect("lines of the access log");
    for secret in &secrets {
        // Its last half as well: what is cut short is still a secret.
        let half = &secret[secret.len() / 2..];
        assert!(!log.contains(half) && !access.contains(half), "{secret}");
    }
}

#[test]
fn a_member_that_comes_twice_is_not_guessed_at() {
    let house = House::open();
    let owner = house.person("owner");
    let asked = |body: &str| owner.admin(post("/api/invite-links").body("application/json", body));
    for body in [r#"{"role":"viewer","role":"owner"}"#, r#"{"role":"viewer","\u0072ole":"owner"}"#] {
        assert_ocore(&asked(body), 400);
    }
    for body in ["[]", "null", "1", "\"x\"", "{", "{}{}", r#"{"role":"\ud800"}"#, "[{]", "NaN"] {
        assert_ocore(&asked(body), 400);
    }
    let deep = format!(r#"{{"role":"viewer","x":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_ocore(&asked(&deep), 400);
    asked(r#"{"role":"viewer","x":{"role":1}}"#).expect(201);
}

#[test]
fn names_show_as_what_they_are() {
    let house = House::open();
    let owner = house.person("owner");
    let role =
        |name: &str| post("/api/roles").json(&json!({ "name": name, "permissions": ["view:servers"] }));
    let key =
        |name: &str| post("/api/api-keys").json(&json!({ "name": name, "permissions": ["view:servers"] }));
    for name in ["admin\u{200b}", "\u{202e}nimda", "\u{2060}", "ad\u{ad}min", "\u{feff}x", "a\u{2066}b"] {
        for request in [role(name), key(name)] {
            let refused = assert_ocore(&owner.admin(request), 400);
            assert_eq!(refused["field"], json!("name"), "{name:?}");
        }
        let link = text(&owner.admin(invite("viewer")).expect(201).json(), "token");
        let body =
            json!({ "email": "new@example.com", "name": name, "password": PASSWORD, "invitation": link });
        assert_ocore(&house.send(&post("/api/auth/signup").json(&body)), 400);
        let body = json!({ "email": email(&format!("owner{name}")), "name": "x", "password": PASSWORD, "invitation": link });
        assert_ocore(&house.send(&post("/api/auth/signup").json(&body)), 400);
    }
    // Letters of every script, and what joins them.
    for name in
        ["\u{e01}\u{e38}\u{e0d}\u{e41}\u{e08}", "\u{645}\u{6cc}\u{200c}\u{62e}", "\u{1f469}\u{200d}\u{1f4bb}"]
    {
        owner.admin(role(name)).expect(201);
        owner.admin(key(name)).expect(201);
    }
}

#[test]
fn who_asks_for_everything_at_once_takes_it_from_nobody() {
    let house = House::with(|settings| {
        settings.unlimited().with(|value| value["store"]["max_staleness"] = json!("2s"))
    });
    let (owner, developer) = (house.person("owner"), house.person("developer"));
    let filler = "INSERT INTO audit (at_ms, organization, actor_kind, action, entity, user_agent)
                  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                  SELECT 1, ?1, 'user', 'a.b', 'x', hex(zeroblob(150)) FROM n";
    hooks::write(&house.gateway, filler, [crate::support::settings::ORG]);
    let ended = std::sync::atomic::AtomicBool::new(false);
    let over = || ended.load(std::sync::atomic::Ordering::SeqCst);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let greedy = || {
            let mut statuses = Vec::new();
            while !over() {
                let reply = owner.admin(get("/api/audit-logs/export"));
                assert!(reply.status == 200 || reply.header("retry-after").is_some(), "{}", reply.text());
                statuses.push(reply.status);
            }
            statuses
        };
        let greedy: Vec<_> = (0..24).map(|_| scope.spawn(greedy)).collect();
        // Three times as long as the edge bears a store that does not answer.
        let begun = wait::now();
        while wait::now().since(begun) < Duration::from_secs(6) {
            assert_eq!(developer.ours(get("/api/anything")).status, 200);
            let unknown =
                house.send(&get("/v1/openapi/templates").key(&crate::support::fixture::ocriva_key()));
            assert_eq!(unknown.status, 401);
            std::thread::sleep(Duration::from_millis(50));
        }
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
        greedy.into_iter().flat_map(|one| one.join().expect("its statuses")).collect()
    });
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 429]);
}
