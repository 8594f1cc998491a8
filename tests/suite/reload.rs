//! Reload as one swap: a good file takes effect everywhere, a bad one nowhere and says so; `check` names every mistake.

use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::{Value, json};
use std::fs;

const FIXED: &str = "/v1/openapi/fixed";

struct Scene {
    gateway: Gateway,
    settings: Settings,
    key: String,
    _upstream: Upstream,
}

impl Scene {
    fn start() -> Self {
        let upstream = Upstream::http();
        let mut org = organization();
        let key = org.org_key();
        let settings = Settings::usual(&upstream.url()).unlimited();
        let gateway = Gateway::start(&settings, &Fixture::default().with(org));
        Self { gateway, settings, key, _upstream: upstream }
    }

    /// The settings with another status for the fixed answer.
    fn answering(&self, status: u16) -> Settings {
        self.settings.clone().with(|value| {
            let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
            let fixed = routes.iter_mut().find(|route| route["path"] == json!(FIXED)).expect("the route");
            fixed["respond"]["status"] = json!(status);
        })
    }

    fn failures(&self) -> f64 {
        self.gateway.metric("portcullis_config_reloads_total", &[("result", "failure")])
    }

    fn successes(&self) -> f64 {
        self.gateway.metric("portcullis_config_reloads_total", &[("result", "success")])
    }

    fn last_was_good(&self) -> f64 {
        self.gateway.metric("portcullis_config_last_reload_successful", &[])
    }
}

#[test]
fn a_good_file_takes_effect_on_connections_that_are_open() {
    let scene = Scene::start();
    let mut kept = scene.gateway.connect();
    assert_eq!(kept.send(&get(FIXED).key(&scene.key)).status, 203);
    scene.gateway.configure(&scene.answering(299));
    wait::until("the new answer", || kept.send(&get(FIXED).key(&scene.key)).status == 299);
    assert_eq!(scene.gateway.send(&get(FIXED).key(&scene.key)).status, 299);
    assert_eq!((scene.last_was_good(), scene.failures()), (1.0, 0.0));
    wait::until("the reload is counted", || scene.successes() >= 1.0);
}

#[test]
fn every_worker_swaps() {
    let scene = Scene::start();
    scene.gateway.configure(&scene.answering(299));
    let mut kept = scene.gateway.connect();
    wait::until("the new answer", || kept.send(&get(FIXED).key(&scene.key)).status == 299);
    std::thread::sleep(std::time::Duration::from_millis(200));
    for _ in 0..40 {
        assert_eq!(scene.gateway.send(&get(FIXED).key(&scene.key)).status, 299);
    }
}

#[test]
fn what_changes_while_it_starts_is_seen() {
    let upstream = Upstream::http();
    // A pipe that nobody reads holds the start up, after the configuration was read.
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| {
        value["telemetry"]["access_log"] = json!({ "path": "pipe" });
    });
    let mut gateway = Gateway::prepare(&settings);
    gateway.import(&Fixture::default().with(organization()).text()).expect_success();
    let (pipe, draft, config) = (gateway.path("pipe"), gateway.path("draft"), gateway.config());
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("run mkfifo").success());
    let altered = gateway.filled(&settings.with(|value| value["drain"] = json!({ "timeout": "7s" })));
    let address = gateway.address;
    let meanwhile = std::thread::spawn(move || {
        wait::until("it has its addresses", || std::net::TcpStream::connect(address).is_ok());
        fs::write(&draft, altered.yaml()).expect("write");
        fs::rename(&draft, config).expect("put in place");
        // To its end, which is the gateway's.
        std::io::copy(&mut fs::File::open(pipe).expect("open"), &mut std::io::sink()).expect("read");
    });
    gateway.serve();
    let taken = || gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
    wait::until("the change is taken", || taken() == 1.0);
    assert!(gateway.stop().success());
    meanwhile.join().expect("the other side of the pipe");
}

#[test]
fn a_bad_file_changes_nothing_and_says_so() {
    let scene = Scene::start();
    let mut kept = scene.gateway.connect();
    let bad = scene
        .gateway
        .filled(&scene.answering(299))
        .with(|value| value["apis"][0]["dialekt"] = json!("ocriva"));
    scene.gateway.configure_text(&bad.yaml());
    wait::until("the failure is counted", || scene.failures() == 1.0);
    assert_eq!(scene.last_was_good(), 0.0);
    assert_eq!(kept.send(&get(FIXED).key(&scene.key)).status, 203);
    assert_eq!(scene.gateway.send(&get(FIXED).key(&scene.key)).status, 203);
    wait::until("the log names the mistake", || scene.gateway.stderr().contains("dialekt"));
    // The next good file mends it.
    scene.gateway.configure(&scene.answering(298));
    wait::until("the new answer", || kept.send(&get(FIXED).key(&scene.key)).status == 298);
    wait::until("the metric says so", || scene.last_was_good() == 1.0);
}

#[test]
fn a_file_that_is_no_yaml_or_gone_changes_nothing() {
    let scene = Scene::start();
    scene.gateway.configure_text("listeners: [\n  - }");
    wait::until("the failure is counted", || scene.failures() >= 1.0);
    fs::remove_file(scene.gateway.config()).expect("remove the configuration");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(scene.gateway.send(&get(FIXED).key(&scene.key)).status, 203);
    scene.gateway.configure(&scene.answering(299));
    wait::until("the new answer", || scene.gateway.send(&get(FIXED).key(&scene.key)).status == 299);
}

#[test]
fn sighup_reads_again_what_is_not_watched() {
    let mut scene = Scene::start();
    let body = scene.gateway.path("body.txt");
    fs::write(&body, "one").expect("write");
    let reference = format!("${{file:{}}}", body.display());
    scene.settings = scene.settings.with(|value| {
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.push(json!({ "path": "/v1/body", "respond": { "status": 200, "body": reference } }));
    });
    scene.gateway.configure(&scene.settings);
    let said = |scene: &Scene| scene.gateway.send(&get("/v1/body").key(&scene.key)).text();
    wait::until("the first body", || said(&scene) == "one");
    fs::write(&body, "two").expect("write");
    scene.gateway.signal("HUP");
    wait::until("the second body", || said(&scene) == "two");
}

#[test]
fn nothing_in_flight_is_touched() {
    let scene = Scene::start();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut connection = scene.gateway.connect();
            (0..300).all(|_| connection.send(&get("/v1/openapi/templates").key(&scene.key)).status == 200)
        });
        for status in 210..216 {
            scene.gateway.configure(&scene.answering(status));
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
        assert!(load.join().expect("the load"), "a request failed while the configuration was swapped");
    });
}

const FIVE_MISTAKES: &str = r#"listeners:
  - address: 127.0.0.1:8080
    trusted_proxys: [10.0.0.0/8]
admin:
  address: 127.0.0.1:9090
store:
  url: sqlite://portcullis.db
  max_staleness: 5 parsecs
jwt:
  secret: ${file:secret.txt}
upstreams:
  main:
    endpoints: ["http://127.0.0.1:9001"]
apis:
  - name: open-api
    dialect: ocriba
    prefixes: [/v1]
    routes:
      - { path: /v1/x, upstream: mian }
      - { path: /v1/y, upstream: main }
telemetry:
  access_log:
    path: stdout
    path: stderr
"#;

/// Line and column of each mistake above: an unknown key, a duration, a dialect, a dangling name, a duplicate key.
const PLACES: [(usize, usize); 5] = [(3, 5), (8, 18), (16, 14), (19, 34), (24, 5)];

fn diagnostics(text: &str) -> Vec<(usize, usize)> {
    let mut places: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (place, _) = line.split_once(": error[")?;
            let mut parts = place.rsplit(':');
            let column = parts.next()?.parse().ok()?;
            Some((parts.next()?.parse().ok()?, column))
        })
        .collect();
    places.sort_unstable();
    places
}

#[test]
fn check_prints_every_mistake_at_its_place() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    fs::write(gateway.path("secret.txt"), "a-secret-of-more-than-32-characters-for-check").expect("write");
    gateway.configure_text(FIVE_MISTAKES);
    let output = gateway.run("check", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(diagnostics(&said), PLACES, "{said}");
    // Each shows its line, and the misspelt ones what was probably meant.
    for text in ["trusted_proxys: [10.0.0.0/8]", "5 parsecs", "trusted_proxies", "ocriva", "main"] {
        assert!(said.contains(text), "no {text:?} in\n{said}");
    }
}

#[test]
fn check_is_content_with_a_good_file() {
    let settings = Settings::usual("http://127.0.0.1:1");
    let gateway = Gateway::prepare(&settings);
    let output = gateway.run("check", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), diagnostics(&said)), (Some(0), vec![]), "{said}");
}

#[test]
fn serve_refuses_a_bad_file_with_the_same_diagnostics() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    fs::write(gateway.path("secret.txt"), "a-secret-of-more-than-32-characters-for-check").expect("write");
    gateway.configure_text(FIVE_MISTAKES);
    let output = gateway.run("serve", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(diagnostics(&String::from_utf8_lossy(&output.stderr)), PLACES);
}

#[test]
fn bad_usage_exits_with_2() {
    for arguments in
        [&["serve"][..], &["no-such-command"], &["check", "--no-such-flag"], &["import", "--config", "x"]]
    {
        let output = std::process::Command::new(crate::support::gateway::PROGRAM).args(arguments).output();
        let output = output.expect("run the program");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_bad_fixture_changes_nothing() {
    let scene = Scene::start();
    let row_count = || {
        let store = rusqlite::Connection::open(scene.gateway.db_path()).expect("the database");
        let count = "SELECT (SELECT count(*) FROM tokens) + (SELECT count(*) FROM projects)";
        store.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    let before = row_count();
    let mut org = organization();
    org.org_key();
    org.token(&crate::support::fixture::ocriva_key(), json!({ "type": "project", "projectId": "nowhere" }));
    let ran = scene.gateway.import(&Fixture::default().with(org).text()).0;
    assert_eq!(ran.status.code(), Some(1));
    assert!(!ran.stderr.is_empty());
    assert_eq!(row_count(), before);
    let good: Value = json!({ "organizations": [] });
    scene.gateway.import(&good.to_string()).expect_success();
}

#[test]
fn an_import_done_twice_is_done_once() {
    let scene = Scene::start();
    let fixture = fs::read_to_string(scene.gateway.path("fixture.yaml")).expect("the fixture");
    scene.gateway.send(&get(FIXED).key(&scene.key)).expect(203);
    wait::until("the use is stored", || scene.gateway.usage(&scene.key).0 == 1);
    scene.gateway.import(&fixture).expect_success();
    assert_eq!(scene.gateway.usage(&scene.key).0, 1, "usage survives");
    scene.gateway.send(&get(FIXED).key(&scene.key)).expect(203);
}
