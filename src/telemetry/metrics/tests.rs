//! Metrics, seen through the text that a scrape gets.

use super::*;
use http::Method;

const MS: Duration = Duration::from_millis(1);

/// The value of the sample that starts with `series`.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line[series.len()..].trim().parse().unwrap()
}

#[test]
fn requests_are_added_up_over_workers_and_reloads() {
    let metrics = Metrics::new(2);
    let route = metrics.route("open-api", "/v1/openapi/templates");
    route.finished(0, &Method::GET, 200, MS * 3, Some(MS * 2));
    route.finished(1, &Method::GET, 200, MS * 7, None);
    metrics.route("open-api", "/v1/openapi/templates").finished(1, &Method::POST, 429, MS / 10, None);
    route.finished(0, &Method::from_bytes(b"BREW").unwrap(), 418, Duration::from_secs(60), None);
    let text = metrics.encode(Format::Prometheus);
    let requests = |method, status| {
        let labels = format!(
            "api=\"open-api\",route=\"/v1/openapi/templates\",method=\"{method}\",status=\"{status}\""
        );
        value(&text, &format!("portcullis_requests_total{{{labels}}}"))
    };
    assert_eq!([requests("GET", 200), requests("POST", 429), requests("other", 418)], [2.0, 1.0, 1.0]);
    let labels = "api=\"open-api\",route=\"/v1/openapi/templates\"";
    let bucket =
        |le| value(&text, &format!("portcullis_request_duration_seconds_bucket{{le=\"{le}\",{labels}}}"));
    assert_eq!(
        ["0.0005", "0.0025", "0.005", "0.01", "10.0", "+Inf"].map(bucket),
        [1.0, 1.0, 2.0, 3.0, 3.0, 4.0]
    );
    let sum = value(&text, &format!("portcullis_request_duration_seconds_sum{{{labels}}}"));
    assert!((sum - 60.0101).abs() < 1e-9, "{sum}");
    assert_eq!(value(&text, &format!("portcullis_upstream_duration_seconds_count{{{labels}}}")), 1.0);
}

#[test]
fn a_bound_belongs_to_its_bucket() {
    let metrics = Metrics::new(1);
    metrics.route("a", "/r").finished(0, &Method::GET, 200, MS * 5, None);
    let text = metrics.encode(Format::Prometheus);
    let bucket = |le| {
        let labels = format!("le=\"{le}\",api=\"a\",route=\"/r\"");
        value(&text, &format!("portcullis_request_duration_seconds_bucket{{{labels}}}"))
    };
    assert_eq!(["0.0025", "0.005"].map(bucket), [0.0, 1.0]);
}

#[test]
fn many_methods_and_statuses_of_one_route_are_told_apart() {
    let metrics = Metrics::new(1);
    let route = metrics.route("a", "/r");
    for status in 100..600 {
        for _ in 0..status {
            route.finished(0, &Method::PUT, status, MS, None);
        }
    }
    let text = metrics.encode(Format::Prometheus);
    for status in 100..600 {
        let series =
            format!("portcullis_requests_total{{api=\"a\",route=\"/r\",method=\"PUT\",status=\"{status}\"}}");
        assert_eq!(value(&text, &series), f64::from(status));
    }
}

#[test]
fn outcomes_and_decisions_have_their_labels() {
    let metrics = Metrics::new(3);
    let api = metrics.api("ocore");
    for (times, outcome) in AuthOutcome::ALL.iter().enumerate() {
        (0..=times).for_each(|shard| api.auth(shard % 3, *outcome));
    }
    for (times, decision) in RateDecision::ALL.iter().enumerate() {
        (0..=times).for_each(|shard| api.rate_limit(shard % 3, *decision));
    }
    metrics.cache_lookup(2, CacheLookup::Negative);
    let text = metrics.encode(Format::Prometheus);
    let labels = "accepted missing unknown inactive expired address scope permission stale_store";
    for (times, outcome) in labels.split(' ').enumerate() {
        let series = format!("portcullis_auth_total{{api=\"ocore\",outcome=\"{outcome}\"}}");
        assert_eq!(value(&text, &series), times as f64 + 1.0);
    }
    for (times, decision) in ["allowed", "limited", "observed"].iter().enumerate() {
        let series = format!("portcullis_rate_limit_total{{api=\"ocore\",decision=\"{decision}\"}}");
        assert_eq!(value(&text, &series), times as f64 + 1.0);
    }
    assert_eq!(value(&text, "portcullis_token_cache_lookups_total{result=\"negative\"}"), 1.0);
}

#[test]
fn control_gauges_are_there_with_their_names() {
    let metrics = Metrics::new(1);
    metrics.config_reloaded(true);
    metrics.config_reloaded(false);
    metrics.set_certificates([("old.pem", 1)]);
    metrics.set_certificates([("api.example.com", 1_893_456_000)]);
    metrics.set_store(true, Duration::from_millis(250));
    metrics.set_store_connections(7, 9, 2);
    metrics.set_usage(Duration::from_millis(1500), 4);
    metrics.set_tokens_expiring("7d", 3);
    metrics.upstream_retries("processing").increment();
    metrics.access_log_dropped().add(5);
    let healthy = metrics.upstream_healthy("processing", "http://127.0.0.1:9001");
    healthy.set(1.0);
    metrics.on_scrape(|metrics| metrics.set_cache_entries(42, true));
    let text = metrics.encode(Format::Prometheus);
    for (series, expected) in [
        ("portcullis_config_reloads_total{result=\"success\"}", 1.0),
        ("portcullis_config_reloads_total{result=\"failure\"}", 1.0),
        ("portcullis_config_last_reload_successful", 0.0),
        ("portcullis_certificate_not_after_seconds{name=\"api.example.com\"}", 1_893_456_000.0),
        ("portcullis_store_up", 1.0),
        ("portcullis_store_staleness_seconds", 0.25),
        ("portcullis_store_connections", 7.0),
        ("portcullis_store_connections_opened_total", 9.0),
        ("portcullis_store_connection_failures_total", 2.0),
        ("portcullis_usage_unwritten_seconds", 1.5),
        ("portcullis_usage_refusals_dropped_total", 4.0),
        ("portcullis_tokens_expiring{within=\"7d\"}", 3.0),
        ("portcullis_upstream_retries_total{upstream=\"processing\"}", 1.0),
        ("portcullis_upstream_healthy{upstream=\"processing\",endpoint=\"http://127.0.0.1:9001\"}", 1.0),
        ("portcullis_access_log_dropped_total", 5.0),
        ("portcullis_token_cache_entries", 42.0),
        (concat!("portcullis_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    assert!(!text.contains("old.pem"));
}

#[test]
fn connections_of_a_closed_listener_are_not_reported() {
    let metrics = Metrics::new(1);
    let gauge = metrics.listener("0.0.0.0:8443");
    gauge.increment();
    metrics.listener("0.0.0.0:8443").increment();
    gauge.decrement();
    let text = metrics.encode(Format::Prometheus);
    assert_eq!(value(&text, "portcullis_connections{listener=\"0.0.0.0:8443\"}"), 1.0);
    drop(gauge);
    assert!(!metrics.encode(Format::Prometheus).contains("8443"));
}

#[test]
fn both_formats_are_well_formed() {
    let metrics = Metrics::new(1);
    metrics.route("a\"b\\c\nd", "/r").finished(0, &Method::GET, 200, MS, None);
    let open = metrics.encode(Format::OpenMetrics);
    assert!(open.ends_with("# EOF\n"));
    assert!(open.contains("# TYPE portcullis_requests counter\n"));
    assert!(
        open.contains(
            r#"portcullis_requests_total{api="a\"b\\c\nd",route="/r",method="GET",status="200"} 1"#
        )
    );
    let plain = metrics.encode(Format::Prometheus);
    assert!(!plain.contains("# EOF") && !plain.contains("_total_total"));
    assert!(plain.contains("# HELP portcullis_requests_total Requests"));
    let mut family = "";
    for line in plain.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} under {family}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn the_format_follows_accept() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
    assert_eq!(Format::accepted(Some("*/*")), Format::Prometheus);
    assert_eq!(Format::accepted(None), Format::Prometheus);
}
