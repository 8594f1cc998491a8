//! Traces: from the client through the gateway to the upstream, with the right parents; which requests have one; and
//! what becomes of spans when nobody takes them.

use crate::support::client::Connection;
use crate::support::collector::{Collector, Seen, one};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::settings::{P1, Settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{get, post, wait};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Everything is traced, and goes to this collector.
fn traced(upstream: &Upstream, collector: &str) -> Settings {
    Settings::usual(&upstream.url())
        .with(|value| value["telemetry"]["traces"] = json!({ "otlp": collector, "sample": 1.0 }))
}

fn asked(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

#[test]
fn a_trace_leads_from_the_client_through_the_gateway_to_the_upstream() {
    let (upstream, collector) = (Upstream::http(), Collector::start());
    let settings = traced(&upstream, &collector.url()).with(|value| {
        value["telemetry"]["traces"]["sample"] = json!(0.0);
        value["telemetry"]["traces"]["service_name"] = json!("edge");
    });
    let (gateway, key) = with_one_key(&settings);
    let request = get(&format!("{TARGET}?secret=1")).key(&key).header("traceparent", asked("01"));
    let reply =
        gateway.send(&request.header("tracestate", "vendor=1").header("user-agent", "probe/1")).expect(200);
    let spans = collector.of(reply.header("x-request-id").unwrap());
    let server = one(&spans, &format!("GET {TARGET}"));
    let client = one(&spans, "GET");
    assert_eq!((server.kind, &*server.trace, &*server.parent), (SERVER, TRACE, SPAN));
    assert_eq!((client.kind, &*client.trace, &client.parent), (CLIENT, TRACE, &server.id));
    // What the upstream makes of it is a part of our exchange with it.
    let seen = upstream.one(&reply.tag);
    assert_eq!(seen.header("traceparent"), Some(&*client.traceparent()));
    assert_eq!(seen.header("tracestate"), Some("vendor=1"));
    assert!(server.start_ns <= client.start_ns && client.end_ns <= server.end_ns);
    assert!(server.start_ns.abs_diff(wait::now().unix_ms * 1_000_000) < 60_000_000_000);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", TARGET),
        ("url.path", TARGET),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("client.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "probe/1"),
        ("portcullis.api", "open-api"),
        ("portcullis.organization", crate::support::settings::ORG),
    ] {
        assert_eq!(server.attribute(name), value, "{name}");
    }
    assert_eq!(client.attribute("portcullis.upstream"), "main");
    assert_eq!(client.attribute("http.response.status_code"), "200");
    assert_eq!(server.resource["service.name"], "edge");
    assert_eq!(server.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let all = format!("{spans:?}");
    assert!(!all.contains(&key) && !all.contains("secret=1"), "{all}");
}

#[test]
fn who_is_not_traced_is_not_in_the_way() {
    let (upstream, collector) = (Upstream::http(), Collector::start());
    let settings =
        traced(&upstream, &collector.url()).with(|value| value["telemetry"]["traces"]["sample"] = json!(0.0));
    let (gateway, key) = with_one_key(&settings);
    // Recorded by nobody, by the word of whoever began it.
    let reply = gateway.send(&get(TARGET).key(&key).header("traceparent", asked("00"))).expect(200);
    assert_eq!(upstream.one(&reply.tag).header("traceparent"), Some(&*asked("00")));
    // Nobody's: the request's id names one, and its vendors' state is of another.
    let reply = gateway.send(&get(TARGET).key(&key).header("tracestate", "vendor=1")).expect(200);
    let (seen, id) = (upstream.one(&reply.tag), reply.header("x-request-id").unwrap());
    let sent = seen.header("traceparent").expect("traceparent");
    assert!(sent.starts_with(&format!("00-{id}-")) && sent.ends_with("-00"), "{sent}");
    assert_eq!(seen.header("tracestate"), None);
    // The one that is traced, after them, comes alone.
    let reply = gateway.send(&get(TARGET).key(&key).header("traceparent", asked("01"))).expect(200);
    collector.of(reply.header("x-request-id").unwrap());
    assert!(collector.spans().iter().all(|span| span.trace == TRACE), "{:?}", collector.spans());
}

#[test]
fn a_trace_that_begins_here_is_named_as_the_request_and_stands_in_log_and_metrics() {
    let (upstream, collector) = (Upstream::http(), Collector::start());
    let (gateway, key) = with_one_key(&traced(&upstream, &collector.url()));
    let reply = gateway.send(&get(TARGET).key(&key)).expect(200);
    let id = reply.header("x-request-id").unwrap();
    let spans = collector.of(id);
    let server = one(&spans, &format!("GET {TARGET}"));
    assert_eq!((&*server.trace, &*server.parent), (id, ""));
    wait::until("the log has it", || {
        let log = std::fs::read_to_string(gateway.path("access.log")).unwrap_or_default();
        log.lines().any(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["request_id"] == json!(id) && line["trace_id"] == json!(id)
        })
    });
    // A bucket of the durations leads to it; whoever asks for the older format gets none.
    let open = "application/openmetrics-text; version=1.0.0";
    let text =
        Connection::open(gateway.admin).send(&get("/metrics").header("accept", open)).expect(200).text();
    let bucket = text.lines().find(|line| line.contains(&format!("# {{trace_id=\"{id}\"}}")));
    let bucket = bucket.unwrap_or_else(|| panic!("no exemplar of {id} in {text}"));
    assert!(bucket.starts_with("portcullis_request_duration_seconds_bucket{"), "{bucket}");
    assert!(bucket.contains(&format!("route=\"{TARGET}\"")), "{bucket}");
    assert!(text.ends_with("# EOF\n"));
    assert!(!gateway.metrics_text().contains("trace_id"));
}

#[test]
fn what_waited_has_a_span_of_its_own() {
    let (upstream, collector, redis) = (Upstream::http(), Collector::start(), Redis::start());
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let settings = traced(&upstream, &collector.url()).with(|value| {
        // One, so that its requests come to the endpoints in turn.
        value["workers"] = json!(1);
        value["limits"]["backend"] = json!(redis.url(""));
        let live = value["upstreams"]["main"]["endpoints"][0].clone();
        value["upstreams"]["main"]["endpoints"] = json!([format!("http://{dead}"), live]);
        value["upstreams"]["main"]["balance"] = json!("round_robin");
    });
    let (gateway, key) = with_one_key(&settings);
    wait::until("limits are counted in Redis", || {
        gateway.metric("portcullis_rate_limit_backend_up", &[]) == 1.0
    });
    upstream.script("slow", Answer { delay: Duration::from_millis(30), ..Answer::default() });
    let token = gateway.send(&post("/v1/openapi/auth/login").json(&json!({ "token": key })));
    let login = collector.of(token.header("x-request-id").unwrap());
    assert_eq!(one(&login, "control").parent, one(&login, "POST /v1/openapi/auth/login").id);
    let token = token.expect(200).json()["accessToken"].as_str().expect("a token").to_owned();
    // One of two requests comes to the endpoint that is not there first.
    let create = || {
        let request = post(TARGET).bearer(&token).script("slow").json(&json!({ "projectId": P1 }));
        collector.of(gateway.send(&request).expect(200).header("x-request-id").unwrap())
    };
    let pair = [create(), create()];
    let twice = pair.iter().find(|spans| spans.iter().any(|span| span.name == "attempt"));
    let spans = twice.unwrap_or_else(|| panic!("nothing was sent again: {pair:?}"));
    let (server, client) = (one(spans, &format!("POST {TARGET}")), one(spans, "POST"));
    for stage in ["authenticate", "limit", "body"] {
        let span = one(spans, stage);
        assert_eq!((span.kind, &span.parent), (INTERNAL, &server.id), "{stage}");
        assert!(server.start_ns <= span.start_ns && span.end_ns <= client.start_ns, "{stage}");
    }
    let attempts: Vec<&Seen> = spans.iter().filter(|span| span.name == "attempt").collect();
    assert_eq!(attempts.iter().map(|span| span.failed).collect::<Vec<_>>(), [true, false]);
    assert!(attempts.iter().all(|span| span.parent == client.id));
    assert_eq!(attempts[0].attribute("network.peer.port"), dead.port().to_string());
    assert_eq!(client.attribute("http.request.resend_count"), "1");
    assert!(spans.iter().any(|span| span.name == "connect" && span.failed && span.parent == client.id));
    assert!(attempts[1].end_ns - attempts[1].start_ns >= 30_000_000);
    assert!(!server.failed && !client.failed);
}

#[test]
fn a_failure_is_marked_where_it_happened() {
    let (upstream, collector) = (Upstream::http(), Collector::start());
    let (gateway, key) = with_one_key(&traced(&upstream, &collector.url()));
    let refused = gateway.send(&get(TARGET)).expect(401);
    let spans = collector.of(refused.header("x-request-id").unwrap());
    let [server] = &spans[..] else { panic!("{spans:?}") };
    assert!(!server.failed, "a client's mistake is no failure of ours");
    assert_eq!(server.attribute("portcullis.refused"), "no_credential");
    let broken = gateway.send(&get("/v1/openapi/dead").key(&key)).expect(502);
    let spans = collector.of(broken.header("x-request-id").unwrap());
    let (server, client) = (one(&spans, "GET /v1/openapi/dead"), one(&spans, "GET"));
    assert!(server.failed && client.failed && one(&spans, "connect").failed);
    assert!(client.attributes.contains_key("error.type") && server.attributes.contains_key("error.type"));
    assert!(!client.attributes.contains_key("http.response.status_code"));
}

#[test]
fn a_collector_that_is_away_costs_spans_and_no_request() {
    let upstream = Upstream::http();
    let place = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let settings = traced(&upstream, &format!("http://{place}"));
    let secret = "Bearer collector-secret-value";
    let settings = settings.with(|value| {
        value["telemetry"]["traces"]["headers"] = json!([{ "name": "authorization", "value": secret }]);
    });
    let (gateway, key) = with_one_key(&settings);
    let early = gateway.send(&get(TARGET).key(&key)).expect(200);
    std::thread::sleep(Duration::from_millis(700));
    let collector = Collector::start_at(place);
    collector.refuse_next("HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\n");
    // Sent again until it is taken: the collector was not there, and then had no time.
    let spans = collector.of(early.header("x-request-id").unwrap());
    assert!(collector.heads().len() >= 2, "{:?}", collector.heads());
    assert!(
        collector
            .heads()
            .iter()
            .all(|head| head.contains(&format!("authorization: {}", secret.to_lowercase())))
    );
    let counted = |result| gateway.metric("portcullis_trace_spans_total", &[("result", result)]);
    wait::until("they are counted", || counted("exported") == spans.len() as f64);
    assert_eq!((counted("dropped"), counted("failed")), (0.0, 0.0));
    // What it does not want is not sent again.
    collector.refuse_next("HTTP/1.1 400 Bad Request\r\n");
    gateway.send(&get(TARGET).key(&key)).expect(200);
    wait::until("they are given up", || counted("failed") >= 2.0);
    let said = gateway.stderr();
    assert!(said.contains("traces could not be sent") && !said.contains("collector-secret-value"), "{said}");
}

#[test]
fn a_reload_begins_and_ends_it_and_the_end_of_the_process_leaves_nothing_behind() {
    let (upstream, collector) = (Upstream::http(), Collector::start());
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    gateway.send(&get(TARGET).key(&key).header("traceparent", asked("01"))).expect(200);
    let reload = |gateway: &Gateway, settings: &Settings| {
        let before = gateway.metric("portcullis_config_reloads_total", &[("result", "success")]);
        gateway.configure(settings);
        wait::until("it is taken over", || {
            gateway.metric("portcullis_config_reloads_total", &[("result", "success")]) > before
        });
    };
    reload(&gateway, &traced(&upstream, &collector.url()));
    let first = gateway.send(&get(TARGET).key(&key)).expect(200);
    collector.of(first.header("x-request-id").unwrap());
    // Sent with the last breath.
    let last = gateway.send(&get(TARGET).key(&key)).expect(200);
    assert!(gateway.stop().success());
    let named = |span: &Seen| {
        span.attributes.get("portcullis.request_id").map(String::as_str) == last.header("x-request-id")
    };
    assert!(collector.spans().iter().any(named), "{:?}", collector.spans());
    assert!(collector.spans().iter().all(|span| span.trace != TRACE), "nobody traced that one");
}
