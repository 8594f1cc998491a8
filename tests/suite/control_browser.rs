//! The console's sessions: cookies that count on the admin listener, for pages of the console. Everything here is sent as a browser
//! sends it, and most of it as the browser of somebody who has opened the wrong page.

use crate::support::client::Connection;
use crate::support::control::{begin_session, text};
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::person::{House, PASSWORD, login, people};
use crate::support::settings::{ORG, OTHER_ORG, OTHER_SLUG, SLUG, Settings};
use crate::support::totp::code;
use crate::support::upstream::Upstream;
use crate::support::{
    Reply, Request, assert_ocore, assert_ocriva, certificate, delete, get, jwt, patch, post, wait, world,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const ACCESS: &str = "portcullis_access";
const REFRESH: &str = "portcullis_refresh";

/// The tests share it: each password of its fixture takes a second to hash.
static HOUSE: LazyLock<House> = LazyLock::new(House::open);

/// A browser with the console's cookies.
struct Tab {
    cookies: BTreeMap<String, String>,
}

impl Tab {
    /// Signs somebody in with a page of the console.
    #[track_caller]
    fn signed_in(name: &str) -> Self {
        let mut tab = Self { cookies: BTreeMap::new() };
        tab.take(&HOUSE.admin(&own(login(name, PASSWORD))).expect(200));
        tab
    }

    /// A session that was begun without a login, of which there is no refresh token.
    fn of(name: &str) -> Self {
        let user = world::user_id(&HOUSE.gateway.db_path(), name);
        let mut claims = jwt::access_claims(&user);
        claims["sid"] = json!(begin_session(&HOUSE.gateway, &user, 3_600_000));
        Self { cookies: [(ACCESS.to_owned(), jwt::hs256(&claims))].into() }
    }

    /// Keeps the cookies of an answer.
    fn take(&mut self, reply: &Reply) {
        for (name, (value, attributes)) in cookies(reply) {
            if attributes.contains(&"Max-Age=0".to_owned()) {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
    }

    /// The request with all cookies, as the browser adds them whoever's page it is that sends it.
    fn with_cookies(&self, request: Request) -> Request {
        let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("Cookie", all.join("; "))
    }

    /// Sends a request as a page of the console does.
    fn send(&self, request: Request) -> Reply {
        HOUSE.admin(&own(self.with_cookies(request)))
    }

    /// Whether the session is good.
    fn is_known(&self) -> bool {
        self.send(get("/api/auth/me")).status == 200
    }
}

/// What a browser says of a request by a page of the console.
fn own(request: Request) -> Request {
    request.header("Sec-Fetch-Site", "same-origin")
}

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

fn new_project(name: &str) -> Request {
    post("/api/projects").org(SLUG).json(&json!({ "name": name }))
}

fn new_key(name: &str) -> Request {
    let body =
        json!({ "name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
    post(&tokens("")).json(&body)
}

fn tokens(rest: &str) -> String {
    format!("/api/v1/organizations/{ORG}/api-tokens{rest}")
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16) {
    assert_ocriva(reply, status, None);
}

/// What was asked for was not done.
#[track_caller]
fn assert_not_done(name: &str) {
    let owner = Tab::of("owner");
    let projects = owner.send(get("/api/projects?limit=100").org(SLUG)).expect(200).text();
    let keys = owner.send(get(&tokens(&format!("?search={}", name.replace(' ', "%20"))))).expect(200).json();
    assert!(!projects.contains(name), "{projects}");
    assert_eq!(keys["pagination"]["total"], json!(0), "{keys}");
}

#[test]
fn a_browser_signs_in_once_and_calls_both_dialects() {
    let tab = Tab::signed_in("owner");
    assert_eq!(tab.cookies.keys().collect::<Vec<_>>(), [ACCESS, REFRESH]);
    let me = tab.send(get("/api/auth/me")).expect(200).json();
    assert_eq!(me["user"]["name"], json!("owner"));
    tab.send(new_project("of a page")).expect(201);
    let made = tab.send(new_key("of a page")).expect(201).json();
    let id = text(&made, "id");
    tab.send(patch(&tokens(&format!("/{id}"))).json(&json!({ "isActive": false }))).expect(200);
    tab.send(delete(&tokens(&format!("/{id}")))).expect(204);
}

#[test]
fn the_cookies_are_the_console_s_own_and_no_script_s() {
    let set = cookies(&HOUSE.admin(&own(login("viewer", PASSWORD))).expect(200));
    assert_eq!(set.keys().collect::<Vec<_>>(), [ACCESS, REFRESH]);
    assert_eq!(set[ACCESS].1, ["HttpOnly", "Max-Age=3600", "Path=/", "SameSite=Strict"]);
    assert_eq!(set[REFRESH].1, ["HttpOnly", "Max-Age=2592000", "Path=/api/auth", "SameSite=Strict"]);
}

#[test]
fn with_tls_they_are_bound_to_the_host_and_secure() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["admin"] = json!({ "tls": { "certificates": [{ "cert": "admin.pem", "key": "admin.key" }] } });
    });
    let gateway = Gateway::prepare(&settings);
    certificate::leaf(&["admin.test"]).write(gateway.folder(), "admin");
    gateway.import(&people().text()).expect_success();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--config").arg(gateway.config()).current_dir(gateway.folder());
    let mut child = command.stderr(Stdio::null()).spawn().expect("run the program");
    wait::until("it listens", || std::net::TcpStream::connect(gateway.admin).is_ok());
    let send = |request: &Request| {
        let config = certificate::trusting(&[b"http/1.1"], None);
        Connection::tls(gateway.admin, "admin.test", config).expect("TLS").0.send(request)
    };
    let reply = send(&own(login("owner", PASSWORD))).expect(200);
    let mut tab = Tab { cookies: BTreeMap::new() };
    tab.take(&reply);
    let (access, refresh) = ("__Host-portcullis_access", "__Host-portcullis_refresh");
    let set = cookies(&reply);
    assert_eq!(set.keys().collect::<Vec<_>>(), [access, refresh]);
    for (name, life) in [(access, "Max-Age=3600"), (refresh, "Max-Age=2592000")] {
        assert_eq!(set[name].1, ["HttpOnly", life, "Path=/", "SameSite=Strict", "Secure"], "{name}");
    }
    send(&own(tab.with_cookies(get("/api/auth/me")))).expect(200);
    // Over a connection that somebody may have altered, the same host is another origin.
    let by_origin =
        |origin: &str| send(&tab.with_cookies(new_project(origin)).header("Origin", origin)).status;
    assert_eq!(by_origin("https://admin.test"), 201);
    assert_eq!(by_origin("http://admin.test"), 403);
    assert_eq!(by_origin("https://admin.test:8443"), 403);
    // What was set without TLS, by whoever is in between, is not taken.
    let fixed = get("/api/auth/me").header("Cookie", format!("{ACCESS}={}", tab.cookies[access]));
    assert_ocore(&send(&own(fixed)), 401);
    let out = cookies(&send(&own(tab.with_cookies(post("/api/auth/logout")))).expect(200));
    assert!(out.values().all(|(value, them)| value.is_empty() && them.contains(&"Secure".to_owned())));
    child.kill().expect("ended");
    child.wait().expect("ended");
}

#[test]
fn they_count_on_the_admin_listener_only() {
    let tab = Tab::of("owner");
    for request in [get("/api/auth/me"), get("/api/api-keys").org(SLUG), get("/api/anything").org(SLUG)] {
        assert_ocore(&HOUSE.send(&own(tab.with_cookies(request))), 401);
    }
    assert_refused(&HOUSE.send(&own(tab.with_cookies(get(&tokens(""))))), 401);
    assert_refused(&HOUSE.send(&own(tab.with_cookies(new_key("at the edge")))), 401);
    // Nor does the edge's cookie open anything here: a host's ports share both.
    let edge = HOUSE.person("owner");
    let cookie = |request: Request| own(request.header("Cookie", format!("access_token={}", edge.access)));
    assert_ocore(&HOUSE.admin(&cookie(get("/api/auth/me"))), 401);
    assert_ocore(&HOUSE.admin(&cookie(new_project("by the edge's cookie"))), 401);
    assert_refused(&HOUSE.admin(&cookie(get(&tokens("")))), 401);
    let refresh = post("/api/auth/refresh").header("Cookie", format!("refresh_token={}", edge.refresh));
    assert_ocore(&HOUSE.admin(&own(refresh)), 401);
    assert!(edge.is_known());
    // And neither listener hands the cookies of the other on to a backend.
    let open = HOUSE.send(&tab.with_cookies(get("/api/open"))).expect(200);
    let seen = HOUSE.upstream.one(&open.tag);
    assert!(seen.header("cookie").is_none(), "{seen:?}");
}

/// The ways in which a request says that another page has sent it, or does not say that one of ours has.
fn foreign(request: &Request) -> Vec<Request> {
    let admin = HOUSE.gateway.admin;
    let add = |fields: &[(&str, &str)]| {
        fields.iter().fold(request.clone(), |request, (name, value)| request.header(name, value))
    };
    let ours = format!("http://{admin}");
    let other_port = format!("http://127.0.0.1:{}", HOUSE.gateway.address.port());
    vec![
        add(&[]),
        add(&[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.test")]),
        add(&[("Sec-Fetch-Site", "cross-site")]),
        // A page on another port of this host: SameSite=Strict does not keep it from sending the cookie.
        add(&[("Sec-Fetch-Site", "same-site"), ("Origin", &other_port)]),
        add(&[("Sec-Fetch-Site", "same-site"), ("Origin", &ours)]),
        add(&[("Sec-Fetch-Site", "none")]),
        add(&[("Sec-Fetch-Site", "same-origin, cross-site")]),
        add(&[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]),
        add(&[("Sec-Fetch-Site", "")]),
        add(&[("Origin", "https://evil.test")]),
        add(&[("Origin", &other_port)]),
        add(&[("Origin", "null")]),
        add(&[("Origin", "")]),
        add(&[("Origin", &format!("{ours}.evil.test"))]),
        add(&[("Origin", &format!("{ours}@evil.test"))]),
        add(&[("Origin", "http://127.0.0.1")]),
        add(&[("Origin", &ours), ("Origin", "https://evil.test")]),
        // The page's address is nothing that counts.
        add(&[("Referer", &format!("{ours}/o/my-org"))]),
    ]
}

#[test]
fn another_page_can_alter_nothing_with_them() {
    let tab = Tab::of("owner");
    let name = "by another page";
    for request in foreign(&tab.with_cookies(new_project(name))) {
        assert_ocore(&HOUSE.admin(&request), 403);
    }
    for request in foreign(&tab.with_cookies(new_key(name))) {
        assert_refused(&HOUSE.admin(&request), 403);
    }
    // What a form can send without asking first.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = json!({ "name": name }).to_string();
        let form = post("/api/projects").org(SLUG).body(kind, body).header("Sec-Fetch-Site", "cross-site");
        assert_ocore(&HOUSE.admin(&tab.with_cookies(form)), 403);
    }
    let made = Tab::of("owner").send(new_key("to be left alone")).expect(201).json();
    let key = tokens(&format!("/{}", text(&made, "id")));
    for request in foreign(&tab.with_cookies(delete(&key))) {
        assert_refused(&HOUSE.admin(&request), 403);
    }
    for request in foreign(&tab.with_cookies(post(&format!("{key}/regenerate")))) {
        assert_refused(&HOUSE.admin(&request), 403);
    }
    assert_eq!(tab.send(get(&key)).expect(200).json()["isActive"], json!(true));
    assert_not_done(name);
    assert!(tab.is_known());
    // A browser that only says where the page is from.
    let origin = format!("http://{}", HOUSE.gateway.admin);
    let ours = tab.with_cookies(new_project("by an older browser")).header("Origin", origin);
    HOUSE.admin(&ours).expect(201);
}

#[test]
fn another_page_reads_nothing_with_them_and_what_is_read_alters_nothing() {
    let tab = Tab::of("owner");
    let mut read = Vec::new();
    for path in ["/api/auth/me", "/api/audit-logs/export", "/api/projects"] {
        for site in ["cross-site", "same-site", "", "same-origin, none"] {
            let request = get(path).org(SLUG).header("Sec-Fetch-Site", site);
            assert_ocore(&HOUSE.admin(&tab.with_cookies(request)), 403);
        }
        let elsewhere = get(path).org(SLUG).header("Origin", "https://evil.test");
        let reply = HOUSE.admin(&tab.with_cookies(elsewhere));
        assert_ocore(&reply, 403);
        assert_eq!(reply.header("access-control-allow-origin"), None);
        // An address that somebody types, or a browser that says nothing.
        let typed = get(path).org(SLUG).header("Sec-Fetch-Site", "none");
        let reply = HOUSE.admin(&tab.with_cookies(typed)).expect(200);
        read.push(reply.header("x-request-id").expect("an id").to_owned());
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
        HOUSE.admin(&tab.with_cookies(get(path).org(SLUG))).expect(200);
    }
    let entries = tab.send(get("/api/audit-logs?limit=100").org(SLUG)).expect(200).text();
    assert!(read.iter().all(|id| !entries.contains(id)), "reading is not an event: {entries}");
    // No preflight is answered.
    let preflight = crate::support::method("OPTIONS", "/api/projects")
        .header("Origin", "https://evil.test")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type");
    let reply = HOUSE.admin(&preflight);
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, None));
}

#[test]
fn another_page_signs_nobody_in_out_or_on() {
    let tab = Tab::signed_in("viewer");
    for site in ["cross-site", "same-site"] {
        let from = |request: Request| request.header("Sec-Fetch-Site", site);
        // In: the rest of the day would be done in the attacker's account.
        let reply = HOUSE.admin(&from(login("stranger", PASSWORD)));
        assert_ocore(&reply, 403);
        assert!(reply.all("set-cookie").is_empty());
        let body = json!({ "email": "stranger@example.com", "password": PASSWORD });
        assert_refused(&HOUSE.admin(&from(post("/v1/auth/login").json(&body))), 403);
        for path in ["/api/auth/logout", "/api/auth/refresh"] {
            let reply = HOUSE.admin(&tab.with_cookies(from(post(path))));
            assert_ocore(&reply, 403);
            assert!(reply.all("set-cookie").is_empty());
        }
    }
    for request in foreign(&tab.with_cookies(post("/api/auth/refresh"))) {
        assert_ocore(&HOUSE.admin(&request), 403);
    }
    for request in foreign(&tab.with_cookies(post("/api/auth/logout"))) {
        assert_ocore(&HOUSE.admin(&request), 403);
    }
    assert!(tab.is_known());
    tab.send(post("/api/auth/refresh")).expect(200);
    // Programs have neither cookies nor pages, and log in as ever.
    let program = HOUSE.admin(&login("viewer", PASSWORD)).expect(200).json();
    HOUSE.admin(&get("/api/auth/me").bearer(text(&program, "accessToken"))).expect(200);
    let refresh = post("/api/auth/refresh").json(&json!({ "refreshToken": text(&program, "refreshToken") }));
    text(&HOUSE.admin(&refresh).expect(200).json(), "refreshToken");
}

#[test]
fn a_token_in_authorization_counts_and_the_cookie_beside_it_does_not() {
    let (tab, other) = (Tab::of("owner"), Tab::of("viewer"));
    let both = |request: Request| tab.with_cookies(request).bearer(&other.cookies[ACCESS]);
    let me = HOUSE.admin(&own(both(get("/api/auth/me")))).expect(200).json();
    assert_eq!(me["user"]["name"], json!("viewer"));
    assert_ocore(&HOUSE.admin(&own(both(new_project("by both")))), 403);
    // No page can send it unasked: whose page it is makes no difference.
    HOUSE.admin(&both(get("/api/auth/me")).header("Sec-Fetch-Site", "cross-site")).expect(200);
    // What is wrong with it does not make the cookie count.
    for wrong in ["Bearer nonsense", "Bearer eyJh.eyJz.c2ln", "Bearer ocr_1"] {
        let request = tab.with_cookies(get("/api/auth/me")).header("Authorization", wrong);
        let reply = HOUSE.admin(&own(request));
        assert_ocore(&reply, 401);
        let request = tab.with_cookies(new_key("by both")).header("Authorization", wrong);
        let status = HOUSE.admin(&own(request)).status;
        assert_eq!(status, if wrong.ends_with("ocr_1") { 403 } else { 401 }, "{wrong}");
    }
    assert_not_done("by both");
}

#[test]
fn two_cookies_of_one_name_are_none() {
    // Another port of the host can set one too, but not take ours away.
    let (tab, attacker) = (Tab::signed_in("owner"), Tab::of("stranger"));
    let tossed = format!("{ACCESS}={}; {ACCESS}={}", attacker.cookies[ACCESS], tab.cookies[ACCESS]);
    assert_ocore(&HOUSE.admin(&own(get("/api/auth/me").header("Cookie", &tossed))), 401);
    let tossed = format!("{REFRESH}=refresh_0; {REFRESH}={}", tab.cookies[REFRESH]);
    assert_ocore(&HOUSE.admin(&own(post("/api/auth/refresh").header("Cookie", &tossed))), 401);
    assert!(tab.is_known());
    for value in ["", "nonsense", "eyJh.eyJz.c2ln", "ocore_k_1", "ocr_1"] {
        let cookie = format!("{ACCESS}={value}");
        assert_ocore(&HOUSE.admin(&own(get("/api/auth/me").header("Cookie", &cookie))), 401);
        assert_refused(&HOUSE.admin(&own(get(&tokens("")).header("Cookie", &cookie))), 401);
    }
}

#[test]
fn signing_out_ends_the_session_and_takes_the_cookies_back() {
    let (mut tab, other) = (Tab::signed_in("viewer"), Tab::signed_in("viewer"));
    let before = tab.cookies.clone();
    let reply = tab.send(post("/api/auth/logout").json(&json!({}))).expect(200);
    let set = cookies(&reply);
    assert_eq!(
        set[ACCESS],
        (String::new(), attributes(&["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Strict"]))
    );
    let gone = attributes(&["HttpOnly", "Max-Age=0", "Path=/api/auth", "SameSite=Strict"]);
    assert_eq!(set[REFRESH], (String::new(), gone));
    tab.take(&reply);
    assert!(tab.cookies.is_empty());
    // Whoever has kept them has nothing.
    let kept = Tab { cookies: before };
    assert!(!kept.is_known());
    assert_ocore(&kept.send(post("/api/auth/refresh")), 401);
    assert_refused(&kept.send(get(&tokens(""))), 401);
    assert!(other.is_known(), "the other browser of the same person");
    // The access token alone is enough, and nobody is signed out twice.
    let access_only = Tab { cookies: [(ACCESS.to_owned(), other.cookies[ACCESS].clone())].into() };
    access_only.send(post("/api/auth/logout")).expect(200);
    assert!(!other.is_known());
    access_only.send(post("/api/auth/logout")).expect(200);
}

fn attributes(them: &[&str]) -> Vec<String> {
    them.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn an_access_token_that_is_over_is_renewed_and_no_page_sees_a_token() {
    let mut tab = Tab::signed_in("developer");
    let claims = {
        let mut claims = jwt::claims(&tab.cookies[ACCESS]);
        (claims["iat"], claims["exp"]) = (json!(1), json!(2));
        claims
    };
    tab.cookies.insert(ACCESS.to_owned(), jwt::hs256(&claims));
    assert_ocore(&tab.send(get("/api/auth/me")), 401);
    let reply = tab.send(post("/api/auth/refresh").json(&json!({}))).expect(200);
    let body = reply.json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["user", "expiresIn"], "{body}");
    let old = tab.cookies[REFRESH].clone();
    tab.take(&reply);
    assert_ne!(old, tab.cookies[REFRESH]);
    assert!(!reply.text().contains(&tab.cookies[ACCESS]) && !reply.text().contains(&tab.cookies[REFRESH]));
    assert!(tab.is_known());
    // The browser forgets the one cookie when it is over, and goes on by the other one.
    tab.cookies.remove(ACCESS);
    assert_ocore(&tab.send(get("/api/auth/me")), 401);
    tab.take(&tab.send(post("/api/auth/refresh")).expect(200));
    assert!(tab.is_known());
}

#[test]
fn a_refresh_cookie_that_comes_again_ends_the_session() {
    let (mut tab, other) = (Tab::signed_in("developer"), Tab::signed_in("developer"));
    let thief = Tab { cookies: tab.cookies.clone() };
    tab.take(&tab.send(post("/api/auth/refresh")).expect(200));
    assert!(tab.is_known());
    let reply = thief.send(post("/api/auth/refresh"));
    assert_ocore(&reply, 401);
    assert!(reply.all("set-cookie").is_empty());
    assert!(!tab.is_known() && !thief.is_known(), "nobody can tell which of them is the thief");
    assert_ocore(&tab.send(post("/api/auth/refresh")), 401);
    assert!(other.is_known());
}

#[test]
fn the_second_step_of_a_login_gives_the_cookies() {
    let first = Tab::signed_in("admin");
    let setup =
        first.send(post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }))).expect(200).json();
    let secret = text(&setup, "secret").to_owned();
    let enable = post("/api/auth/totp/enable").json(&json!({ "code": code(&secret, 0) }));
    first.send(enable).expect(200);
    let half = HOUSE.admin(&own(login("admin", PASSWORD))).expect(200);
    assert!(half.all("set-cookie").is_empty(), "half of a login opens nothing");
    let step = |code: &str| {
        let body = json!({ "partialToken": half.json()["partialToken"], "code": code });
        post("/api/auth/login/2fa").json(&body)
    };
    let good = code(&secret, 1);
    for site in ["cross-site", "same-site"] {
        assert_ocore(&HOUSE.admin(&step(&good).header("Sec-Fetch-Site", site)), 403);
    }
    assert_ocore(&HOUSE.admin(&own(step("000000"))), 401);
    let mut tab = Tab { cookies: BTreeMap::new() };
    tab.take(&HOUSE.admin(&own(step(&good))).expect(200));
    assert_eq!(tab.cookies.keys().collect::<Vec<_>>(), [ACCESS, REFRESH]);
    assert!(tab.is_known());
    let body = json!({ "password": PASSWORD });
    tab.send(post("/api/auth/totp/disable").json(&body)).expect(200);
}

#[test]
fn one_session_is_for_each_organization_what_its_person_is_there() {
    let tab = Tab::of("both");
    let places = tab.send(get("/api/auth/me")).expect(200).json()["organizations"].clone();
    assert_eq!(places.as_array().map(Vec::len), Some(2), "{places}");
    tab.send(new_project("where they are an owner")).expect(201);
    let elsewhere = post("/api/projects").org(OTHER_SLUG).json(&json!({ "name": "where they look on" }));
    assert_ocore(&tab.send(elsewhere), 403);
    tab.send(get("/api/projects").org(OTHER_SLUG)).expect(200);
    // Who belongs to two has to say which one is meant.
    assert_ocore(&tab.send(get("/api/projects")), 400);
    let theirs = format!("/api/v1/organizations/{OTHER_ORG}/api-tokens");
    let body: Value = json!({ "name": "x", "type": "organization", "permissions": ["r"], "scopes": ["s"] });
    assert_refused(&tab.send(post(&theirs).json(&body)), 403);
    tab.send(get(&theirs)).expect(200);
    // And who does not belong there does not get in.
    let owner = Tab::of("owner");
    assert_refused(&owner.send(get(&theirs)), 403);
}

#[test]
fn the_console_s_pages_can_load_nothing_from_elsewhere_and_be_in_nobody_s_frame() {
    let admin = HOUSE.gateway.admin;
    let page = |path: &str| Connection::open(admin).send(&get(path));
    let first = page("/").expect(200);
    for path in ["/", "/sign-in", "/o/my-org", "/o/any-thing/", "/account"] {
        let reply = page(path).expect(200);
        assert_eq!(reply.body, first.body, "{path} is the one page that there is");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(reply.header("cache-control"), Some("no-cache"), "asked for again after an update");
        let policy = reply.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == part), "{part} is not in {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("http") && !policy.contains("data:"),
            "{policy}"
        );
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(reply.header("permissions-policy").is_some_and(|it| it.contains("camera=()")));
        assert!(reply.all("set-cookie").is_empty());
    }
    // Only what is a page is one.
    for path in ["/nothing", "/o", "/o/my-org/nothing", "/api", "/api/nothing", "/sign-in/x", "/o//members"] {
        page(path).expect(404);
    }
    Connection::open(admin).send(&post("/sign-in")).expect(405);
    // The pages are the admin listener's, and what was there is as it was.
    let edge = HOUSE.send(&get("/sign-in"));
    assert_eq!(edge.status, 404);
    for path in ["/docs", "/openapi.json", "/metrics", "/healthz", "/readyz"] {
        let reply = page(path).expect(200);
        assert!(reply.body != first.body, "{path}: was the front end built? (make console)");
    }
}
