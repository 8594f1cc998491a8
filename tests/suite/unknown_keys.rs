//! CONTRACT A45: whoever shows keys that nobody has is slowed down by address, and nobody else is.

use crate::support::control::{Console, text, write};
use crate::support::fixture::{Fixture, ocore_key, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::h2::H2;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{OWNER, organization};
use crate::support::{Reply, Request, assert_ocore, assert_ocriva, get, jwt, post, wait};
use portcullis::token::Digest;
use serde_json::{Value, json};
use std::sync::Barrier;
use std::time::Duration;

const TEMPLATES: &str = "/v1/openapi/templates";
const SLOW_DOWN: &str = "Too many requests. Please slow down.";

/// A gateway of one test, because addresses are what is counted.
struct Scene {
    gateway: Gateway,
    settings: Settings,
    /// Known keys of both families.
    key: String,
    ocore: String,
    _upstream: Upstream,
}

impl Scene {
    /// With this budget; the default one, where it is null.
    fn with(budget: Value) -> Self {
        let upstream = Upstream::http();
        let settings = budgeted(&Settings::usual(&upstream.url()).unlimited(), budget);
        let mut organization = organization();
        let (key, ocore) = (organization.org_key(), ocore_key());
        organization.token(&ocore, json!({}));
        organization.member(OWNER, "owner");
        let gateway = Gateway::start(&settings, &Fixture::default().with(organization));
        Self { gateway, settings, key, ocore, _upstream: upstream }
    }

    /// With three in an hour, which are not granted again while a test runs.
    fn strict() -> Self {
        Self::with(json!({ "requests": 3, "per": "1h" }))
    }

    fn send(&self, request: &Request) -> Reply {
        self.gateway.send(request)
    }

    /// Uses the budget of the usual address up.
    fn exhaust(&self) -> Reply {
        let mut replies = (0..200).map(|_| self.send(&stranger()));
        replies.find(|reply| reply.status == 429).expect("the budget is used up")
    }

    fn look_ups(&self) -> f64 {
        self.gateway.metric("portcullis_token_cache_lookups_total", &[("result", "miss")])
    }

    fn refused(&self) -> f64 {
        self.gateway.metric("portcullis_unknown_keys_refused_total", &[])
    }
}

fn budgeted(settings: &Settings, budget: Value) -> Settings {
    settings.clone().with(|value| match budget {
        Value::Null => drop(value.as_object_mut().expect("an object").remove("limits")),
        budget => value["limits"] = json!({ "unknown_keys": budget }),
    })
}

/// A request with a key that nobody has.
fn stranger() -> Request {
    get(TEMPLATES).key(&ocriva_key())
}

/// The same, from an address as a proxy says.
fn from(address: &str) -> Request {
    stranger().header("X-Forwarded-For", address)
}

#[test]
fn a45_thirty_a_minute_by_default_and_then_the_429_of_the_dialect() {
    let scene = Scene::with(Value::Null);
    let start = wait::now();
    let passed = (0..200).take_while(|_| scene.send(&stranger()).status == 401).count();
    let granted_since = wait::now().since(start).as_secs() as usize / 2 + 1;
    assert!((30..=30 + granted_since).contains(&passed), "{passed} in {granted_since} times two seconds");
    scene.exhaust();
    let ocriva = scene.send(&stranger());
    assert_ocriva(&ocriva, 429, Some(SLOW_DOWN));
    let ocore = scene.send(&get("/api/servers").bearer(&ocore_key()));
    assert_ocore(&ocore, 429);
    for reply in [ocriva, ocore] {
        assert!((1..=2).contains(&reply.number("retry-after")), "{reply:?}");
        assert_eq!(reply.header("x-ratelimit-limit"), None, "nobody's limit: {reply:?}");
        assert_eq!(reply.header("www-authenticate"), None);
    }
}

#[test]
fn a45_known_keys_of_the_address_and_strangers_elsewhere_pass_meanwhile() {
    let scene = Scene::strict();
    scene.exhaust();
    for _ in 0..50 {
        scene.send(&get(TEMPLATES).key(&scene.key)).expect(200);
        scene.send(&get("/api/servers").bearer(&scene.ocore)).expect(200);
        assert_eq!(scene.send(&stranger()).status, 429);
    }
    assert_eq!(scene.gateway.send_from([127, 0, 0, 5], &stranger()).status, 401);
    // No credential at all is no guess, and an open route asks for none.
    scene.send(&get(TEMPLATES)).expect(401);
    scene.send(&get("/v1/open/x").key(&ocriva_key())).expect(200);
}

#[test]
fn a45_waiting_as_long_as_told_lets_one_through_and_refusals_cost_nothing() {
    let scene = Scene::with(json!({ "requests": 2, "per": "2s" }));
    for _ in 0..3 {
        let refused = scene.exhaust();
        (0..20).for_each(|_| drop(scene.send(&stranger())));
        std::thread::sleep(Duration::from_secs(refused.number("retry-after")));
        scene.send(&stranger()).expect(401);
    }
}

#[test]
fn a45_every_kind_of_guess_draws_on_one_budget() {
    let forged = jwt::sign(&json!({ "alg": "HS256" }), &json!({ "sub": "x" }), "another secret");
    let same = ocriva_key();
    let login = |key: &str| post("/v1/openapi/auth/login").json(&json!({ "token": key }));
    let guesses = [
        stranger(),
        get(TEMPLATES).bearer(&ocriva_key()),
        get(TEMPLATES).key(&same),
        // Remembered as unknown by now.
        get(TEMPLATES).key(&same),
        get(TEMPLATES).bearer(&forged),
        get("/api/servers").bearer(&forged),
        get("/api/servers").header("Cookie", format!("access_token={forged}")),
        get("/api/servers").bearer(&ocore_key()),
        login(&ocriva_key()),
    ];
    let scene = Scene::with(json!({ "requests": guesses.len(), "per": "1h" }));
    guesses.iter().for_each(|guess| drop(scene.send(guess).expect(401)));
    guesses.iter().for_each(|guess| drop(scene.send(guess).expect(429)));
    scene.send(&login(&scene.key)).expect(200);
}

#[test]
fn a45_what_was_signed_here_is_no_guess_even_when_it_is_over() {
    let scene = Scene::strict();
    let login = || post("/v1/openapi/auth/login").json(&json!({ "token": scene.key }));
    let good = text(&scene.send(&login()).expect(200).json(), "accessToken").to_owned();
    let session = Console::open(&scene.gateway, OWNER);
    let mut over = jwt::access_claims(&session.id);
    over["exp"] = json!(1);
    let mut ended = jwt::access_claims(&session.id);
    ended["sid"] = json!("a-session-that-was-ended");
    scene.exhaust();
    for claims in [over, ended] {
        for _ in 0..5 {
            // So that the client knows that it has to refresh.
            assert_ocore(&scene.send(&get("/api/anything/x").bearer(&jwt::hs256(&claims))), 401);
        }
    }
    let person = get("/api/anything/x").bearer(&session.access).org(crate::support::settings::SLUG);
    scene.send(&person).expect(200);
    scene.send(&get(TEMPLATES).bearer(&good)).expect(200);
    assert_eq!(scene.send(&get(TEMPLATES).bearer(&format!("{good}x"))).status, 429);
}

#[test]
fn a45_the_store_is_not_asked_for_whoever_has_used_it_up() {
    let scene = Scene::strict();
    scene.exhaust();
    let before = (scene.look_ups(), scene.refused());
    let mut connection = scene.gateway.connect();
    for _ in 0..100 {
        assert_eq!(connection.send(&stranger()).status, 429);
    }
    assert_eq!((scene.look_ups(), scene.refused()), (before.0, before.1 + 100.0));

    // A value that the store has and nobody was told of: only who may ask it finds it.
    let new = ocriva_key();
    let digests = (&Digest::of(&new).0[..], &Digest::of(&scene.key).0[..]);
    write(&scene.gateway, "UPDATE tokens SET digest = ?1 WHERE digest = ?2", digests);
    let request = get(TEMPLATES).key(&new);
    assert_eq!(scene.send(&request).status, 429);
    scene.gateway.send_from([127, 0, 0, 5], &request).expect(200);
    // Held from now on, whoever sends it.
    scene.send(&request).expect(200);
}

#[test]
fn a45_a_thousand_at_once_are_not_a_thousand_look_ups() {
    const AT_ONCE: usize = 60;
    let scene = Scene::with(json!({ "requests": 10, "per": "1h" }));
    let gate = Barrier::new(AT_ONCE);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let one = || {
            let mut connection = scene.gateway.connect();
            gate.wait();
            connection.send(&stranger()).status
        };
        let senders: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender")).collect()
    });
    let asked = statuses.iter().filter(|status| **status == 401).count();
    assert!((10..=12).contains(&asked), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
}

#[test]
fn a45_keys_that_were_found_are_not_charged() {
    let scene = Scene::strict();
    let digest = |key: &str| Digest::of(key).0.to_vec();
    let mut present = scene.key.clone();
    for _ in 0..10 {
        let new = ocriva_key();
        write(
            &scene.gateway,
            "UPDATE tokens SET digest = ?1 WHERE digest = ?2",
            (digest(&new), digest(&present)),
        );
        scene.send(&get(TEMPLATES).key(&new)).expect(200);
        present = new;
    }
    (0..3).for_each(|_| drop(scene.send(&stranger()).expect(401)));
    assert_eq!(scene.send(&stranger()).status, 429);
}

#[test]
fn a45_a_key_that_was_just_made_or_altered_is_not_locked_out() {
    let scene = Scene::strict();
    let owner = Console::open(&scene.gateway, OWNER);
    scene.exhaust();
    let made = owner.made("new", json!({}));
    let (id, key) = (text(&made, "id"), text(&made, "token"));
    let use_of = |key: &str| scene.send(&get(TEMPLATES).key(key)).status;
    assert_eq!(use_of(key), 200);
    owner.patch(id, &json!({ "name": "renamed" })).expect(200);
    assert_eq!(use_of(key), 200);
    let again = owner.regenerate(id).expect(200).json();
    assert_eq!((use_of(text(&again, "token")), use_of(key)), (200, 429));
    owner.patch(id, &json!({ "isActive": false })).expect(200);
    assert_eq!(use_of(text(&again, "token")), 401, "known, and inactive");
    assert_eq!(owner.delete(id).status / 100, 2);
    assert_eq!(use_of(text(&again, "token")), 429, "unknown now");
    // By import, which is another process.
    let mut more = organization();
    let (imported, old) = (more.org_key(), scene.key.clone());
    more.token(&old, json!({}));
    scene.gateway.import(&Fixture::default().with(more).text()).expect_success();
    wait::until("the gateway follows", || use_of(&imported) == 200);
}

#[test]
fn a45_behind_a_proxy_the_client_is_counted_and_of_ipv6_its_network() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url())
        .with(|value| value["listeners"] = json!([{ "trusted_proxies": ["127.0.0.1"] }]));
    let settings = budgeted(&settings, json!({ "requests": 2, "per": "1h" }));
    let gateway = Gateway::start(&settings, &Fixture::default().with(organization()));
    let mut connection = gateway.connect();
    let mut status = |address: &str| connection.send(&from(address)).status;
    let mut two_pass = |one: &str, two: &str| {
        assert_eq!(
            (status(one), status(two), status(one), status(two)),
            (401, 401, 429, 429),
            "{one}, {two}"
        );
    };
    two_pass("203.0.113.1", "203.0.113.1");
    two_pass("1.1.1.1, 203.0.113.2", "8.8.8.8, 203.0.113.2");
    two_pass("2001:db8:0:1::1", "2001:db8:0:1:ffff::2");
    two_pass("2001:db8:0:2::1", "[2001:db8:0:2::9]:443");
    two_pass("::ffff:203.0.113.3", "203.0.113.3");
    // Many of them are each their own.
    assert!((0..500).all(|number| status(&format!("198.51.{}.{}", number / 250, number % 250)) == 401));
    // From elsewhere the field is not believed.
    let elsewhere = |address: &str| gateway.send_from([127, 0, 0, 5], &from(address)).status;
    assert_eq!((elsewhere("192.0.2.1"), elsewhere("192.0.2.2"), elsewhere("192.0.2.3")), (401, 401, 429));
}

#[test]
fn a_reload_changes_the_budget_and_refills_it_only_then() {
    let scene = Scene::strict();
    let taken = |settings: &Settings| {
        let count = || scene.gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
        let before = count();
        scene.gateway.configure(settings);
        wait::until("the reload", || count() > before);
    };
    scene.exhaust();
    let other = scene.settings.clone().with(|value| value["apis"][0]["body_limit"] = json!("1MiB"));
    taken(&other);
    assert_eq!(scene.send(&stranger()).status, 429, "the budget is as it was");
    taken(&budgeted(&scene.settings, json!({ "requests": 5, "per": "1h" })));
    (0..5).for_each(|_| drop(scene.send(&stranger()).expect(401)));
    assert_eq!(scene.send(&stranger()).status, 429);
    taken(&budgeted(&scene.settings, json!("none")));
    (0..50).for_each(|_| drop(scene.send(&stranger()).expect(401)));
    taken(&scene.settings);
    scene.exhaust();
}

#[test]
fn operators_see_it_in_metric_and_log_and_explain() {
    let scene = Scene::strict();
    scene.exhaust();
    for _ in 0..4 {
        assert_ocore(&scene.send(&get("/api/servers").bearer(&ocore_key())), 429);
    }
    let of = |api: &str| scene.gateway.metric("portcullis_unknown_keys_refused_total", &[("api", api)]);
    assert_eq!((of("open-api"), of("ocore")), (1.0, 4.0));
    let unknown = scene.gateway.metric("portcullis_auth_total", &[("outcome", "unknown")]);
    assert_eq!(unknown, 3.0, "what was looked up");
    let log = || std::fs::read_to_string(scene.gateway.path("access.log")).unwrap_or_default();
    wait::until("the log has them", || log().matches("\"unknown_keys\"").count() == 5);

    let explained = scene.gateway.run("explain", &["-H", "X-API-Key: ocr_nobodys", "GET", TEMPLATES]);
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(said.contains("more than 3 such credentials in 3600s is answered 429"), "{said}");
}

#[test]
fn over_http2_it_is_the_same() {
    let scene = Scene::strict();
    let mut h2 = H2::plain(scene.gateway.address);
    (0..3).for_each(|_| drop(h2.send(&stranger()).expect(401)));
    let refused = h2.send(&stranger()).expect(429);
    assert!((1..=1200).contains(&refused.number("retry-after")), "{refused:?}");
    h2.send(&get(TEMPLATES).key(&scene.key)).expect(200);
}
