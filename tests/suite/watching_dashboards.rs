//! The dashboards and recording rules that ship, asked of a real Prometheus that scrapes gateways under load and in trouble:
//! every query has an answer, and every metric is on a dashboard or in an alert.

use super::watching_pages::{assert_labels, families};
use crate::support::certificate::{leaf, trusting};
use crate::support::client::Connection;
use crate::support::control::Console;
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::prometheus::{Prometheus, shipped};
use crate::support::redis::Redis;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Echo, open_h1};
use crate::support::world::{OWNER, organization};
use crate::support::{get, wait};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// For a dashboard's data to come; each part of it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

fn dashboards() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
    let files =
        std::fs::read_dir(folder).expect("the dashboards").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a dashboard");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, value)
    };
    let mut all: Vec<_> = files.map(read).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(all.len() >= 5, "{} dashboards", all.len());
    all
}

/// Every query of a dashboard with its variables put in, and where it is.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((panel["title"].to_string(), target["expr"].as_str().expect("a query").to_owned()));
        }
    }
    for note in dashboard["annotations"]["list"].as_array().expect("annotations") {
        found.extend(note["expr"].as_str().map(|expr| (note["name"].to_string(), expr.to_owned())));
    }
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        let Some(definition) = variable["definition"].as_str() else { continue };
        let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inner.and_then(|it| it.rsplit_once(", ")).expect("label_values(series, label)");
        found.push((definition.to_owned(), format!("count by ({label}) ({series})")));
    }
    let values = [
        ("$__rate_interval", "30s"),
        ("$instance", ".*"),
        ("$upstream", ".*"),
        ("$api", ".*"),
        ("$job", "portcullis"),
    ];
    for (place, query) in &mut found {
        values.iter().for_each(|(variable, value)| *query = query.replace(variable, value));
        assert!(!query.contains('$'), "{place}: {query} has a variable that nobody fills in");
    }
    found
}

/// All expressions of the rules that ship.
fn rules() -> String {
    let read = |name: &str| std::fs::read_to_string(shipped().join("rules").join(name)).expect("rules");
    read("portcullis-recording.yml") + &read("portcullis-alerts.yml")
}

/// Names of metrics in a text, without what a histogram's series end with.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let names = words.filter(|word| !word.contains(':') && !word.ends_with('_'));
    let names = names.filter(|word| word.starts_with("portcullis_") || word.starts_with("process_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

#[test]
fn dashboards_can_be_put_into_any_grafana() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert!(dashboard.get("id").is_none_or(Value::is_null), "{name} has an instance's id");
        assert!(uids.insert(dashboard["uid"].to_string()), "{name}: its uid is another's");
        assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39), "{name}");
        let mut places = BTreeSet::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            let grid = &panel["gridPos"];
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|it| grid[it].as_u64().expect("a number"));
            assert!(x + w <= 24, "{name}: {} is too wide", panel["title"]);
            let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
            for cell in cells {
                assert!(places.insert(cell), "{name}: {} lies over another", panel["title"]);
            }
            if panel["type"] != "row" {
                assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}: {}", panel["title"]);
                assert!(!panel["targets"].as_array().expect("targets").is_empty(), "{name}");
            }
        }
    }
}

/// Two gateways on one store, with all that there is to be seen, and trouble.
struct Scene {
    main: Gateway,
    beside: Gateway,
    key: String,
    settings: Settings,
    console_key: String,
    _redis: Redis,
    _upstream: Upstream,
    _echo: Echo,
}

fn settings(upstream: &str, echo: &str, redis: &str) -> Settings {
    Settings::usual(upstream).unlimited().tls(&["main"]).with(|value| {
        value["limits"]["backend"] = json!(redis);
        value["limits"]["memory"] = json!("8GiB");
        let gone = "http://127.0.0.1:1";
        let more = json!({
            "echo": { "endpoints": [echo] },
            "gone": { "endpoints": [gone], "health": { "path": "/", "interval": "200ms", "unhealthy_after": 1 } },
            "shaky": { "endpoints": [upstream, gone], "balance": "round_robin",
                "eject": { "consecutive_failures": 1, "for": "1s" } },
            "narrow": { "endpoints": [upstream], "limits": { "max_requests": 1 } },
        });
        for (name, section) in more.as_object().expect("upstreams") {
            value["upstreams"][name] = section.clone();
        }
        let routes = value["apis"][0]["routes"].as_array_mut().expect("routes");
        routes.extend([
            json!({ "path": "/v1/socket/**", "upgrade": ["websocket"], "upstream": "echo" }),
            json!({ "path": "/v1/openapi/gone", "upstream": "gone" }),
            json!({ "path": "/v1/openapi/shaky", "upstream": "shaky" }),
            json!({ "path": "/v1/openapi/narrow", "upstream": "narrow" }),
            json!({ "path": "/v1/openapi/split", "upstream": { "main": 1, "shaky": 1 } }),
            json!({ "path": "/v1/openapi/copied", "upstream": "main", "mirror": { "upstream": "main" } }),
        ]);
        value["apis"][2]["rate_limit"] = json!({ "requests": 2, "per": "1m" });
        value["apis"][3]["rate_limit"] = json!({ "requests": 2, "per": "1m", "mode": "observe" });
        let acme = json!({ "domains": ["b.test"], "directory": "https://127.0.0.1:1/directory" });
        value["listeners"] = json!([{}, { "tls": { "acme": acme } }]);
    })
}

impl Scene {
    fn start() -> Self {
        let (upstream, echo, redis) = (Upstream::http(), Echo::new(), Redis::start());
        let settings = settings(&upstream.url(), &echo.url(), &redis.url(""));
        let mut main = Gateway::prepare(&settings);
        leaf(&["a.test"]).write(main.folder(), "main");
        let mut ours = organization();
        ours.member(OWNER, "owner");
        let console_key = ocriva_key();
        ours.token(&console_key, json!({ "id": "doomed" }));
        let key = ours.org_key();
        main.import(&Fixture::default().with(ours).text()).expect_success();
        main.serve();
        let store = main.store_url();
        let beside = Settings::usual(&upstream.url()).with(|value| {
            value["store"]["url"] = json!(store);
            value["listeners"] = json!([{ "proxy_protocol": true, "trusted_proxies": ["127.0.0.1"] }]);
        });
        let mut beside = Gateway::prepare(&beside);
        beside.serve();
        Self { main, beside, key, settings, console_key, _redis: redis, _upstream: upstream, _echo: echo }
    }

    /// What happens once: streams that end because their key does, TLS, a PROXY header that is none, reloads.
    fn trouble(&self) -> Connection {
        let tunnel = open_h1(self.main.connect(), "/v1/socket/echo", &self.key, "", b"");
        let doomed = open_h1(self.main.connect(), "/v1/socket/echo", &self.console_key, "", b"");
        let owner = Console::open(&self.main, OWNER);
        owner.patch("doomed", &json!({ "isActive": false })).expect(200);
        let config = trusting(&[b"http/1.1"], None);
        let tls = self.main.tls.expect("a TLS listener");
        Connection::tls(tls, "a.test", config)
            .expect("TLS")
            .0
            .send(&get("/v1/openapi/templates").key(&self.key));
        let _ = Connection::open(self.beside.address).try_send(&get("/v1/openapi/templates"));
        let spoilt = self.settings.yaml().replace("listeners", "listenerz");
        self.main.configure_text(&spoilt);
        let reloads =
            |result| self.main.metric("portcullis_config_reloads_total", &[("result", result)]) > 0.0;
        wait::until("the spoilt configuration is refused", || reloads("failure"));
        let closed = || self.main.metric("portcullis_streams_closed_total", &[]) > 0.0;
        wait::until("the stream of the key that was taken away is closed", closed);
        drop(doomed);
        tunnel
    }

    /// A little of each kind of request.
    fn load(&self) {
        let send = |target: &str, key: &str| self.main.send(&get(target).key(key)).status;
        for _ in 0..4 {
            for target in ["templates", "split", "copied", "shaky", "narrow", "gone", "dead"] {
                send(&format!("/v1/openapi/{target}"), &self.key);
            }
            send("/v1/openapi/templates", &ocriva_key());
            send("/v1/openapi/templates", &self.console_key);
            send("/v1/openapi/permitted", &self.key);
            send("/headers-only/a", &self.key);
            send("/anonymous/a", &self.key);
        }
    }
}

#[test]
fn every_query_of_every_dashboard_and_every_recording_rule_gives_data() {
    let scene = Scene::start();
    let prometheus = Prometheus::start(&[scene.main.admin, scene.beside.admin]);
    // Before the trouble: what is counted has to be seen to grow.
    let seen = || prometheus.has_data("count(portcullis_build_info) == 2");
    assert!(wait::poll(PATIENCE, || seen().then_some(())).is_some(), "not scraped:\n{}", prometheus.log());
    let _tunnel = scene.trouble();
    // Mended, so that the time of the last good reload changes.
    scene.main.configure(&scene.settings);
    let mut missing: Vec<(String, String)> = Vec::new();
    for (name, dashboard) in dashboards() {
        missing.extend(
            queries(&dashboard).into_iter().map(|(place, query)| (format!("{name}: {place}"), query)),
        );
    }
    for rule in prometheus.rules() {
        if rule["type"] == "recording" {
            let name = rule["name"].as_str().expect("a name").to_owned();
            missing.push((format!("the recording rule {name}"), name));
        }
    }
    assert!(missing.len() > 100, "{} queries", missing.len());
    let all_there = || {
        scene.load();
        missing.retain(|(_, query)| !prometheus.has_data(query));
        missing.is_empty().then_some(())
    };
    if wait::poll(PATIENCE, all_there).is_none() {
        panic!("no data for {missing:#?}\nPrometheus: {}", prometheus.log());
    }
    assert_rules_run(&prometheus);
    assert_labels(&scene.main.metrics_text());
}

fn assert_rules_run(prometheus: &Prometheus) {
    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    // One upstream has no healthy endpoint, and has had none for a while.
    let rules = prometheus.rules();
    let down = rules.iter().find(|rule| rule["name"] == "PortcullisUpstreamDown").expect("the alert");
    assert_ne!(down["state"], "inactive", "{down}");
    assert_eq!(down["alerts"][0]["labels"]["upstream"], "gone");
}

#[test]
fn every_metric_is_on_a_dashboard_or_in_an_alert_and_all_that_rules_name_exist() {
    let upstream = Upstream::http();
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(organization()));
    let exposed: BTreeSet<String> = families(&gateway.metrics_text()).into_keys().collect();
    let shown: String =
        dashboards().iter().flat_map(|(_, it)| queries(it)).map(|(_, query)| query + "\n").collect();
    let used = metrics_in(&(shown + &rules()));
    let unseen: Vec<_> = exposed.difference(&used).collect();
    assert!(unseen.is_empty(), "on no dashboard and in no alert: {unseen:?}");
    let unknown: Vec<_> = used.difference(&exposed).collect();
    assert!(unknown.is_empty(), "asked for, and nowhere to be had: {unknown:?}");
}
