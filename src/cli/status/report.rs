//! What was seen of a gateway, as one record: what it is, what it did over the last seconds, and whether it is well.

use super::judge;
use super::scrape::{Sample, Scrape};
use crate::dialect::time::iso_millis;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was seen of a gateway.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) server: String,
    /// What `/readyz` says.
    pub(super) readiness: String,
    pub(super) before: Scrape,
    pub(super) after: Scrape,
    /// The nodes on its store, where that could be looked at, or why not.
    pub(super) roll: Option<Result<Value, String>>,
}

impl Seen {
    /// As a record.
    pub(super) fn report(&self) -> Value {
        let now = &self.after;
        let text = |name: &str, label: &str| {
            now.all(name).next().map(|sample| sample.label(label).to_owned()).unwrap_or_default()
        };
        let now_s = now.at.unix_ms as f64 / 1000.0;
        let started_s = now.value("process_start_time_seconds").unwrap_or(now_s);
        let mut report = json!({
            "server": self.server,
            "version": text("portcullis_build_info", "version"),
            "uptimeSeconds": (now_s - started_s).max(0.0).round(),
            "ready": now.value("portcullis_ready") == Some(1.0) && self.readiness == "ready",
            "readiness": self.readiness,
            "traffic": self.traffic(),
            "store": self.store(),
            "cache": self.cache(),
            "nodes": self.nodes(),
            "limitsBackend": now.value("portcullis_rate_limit_backend_up").map(|up| json!({ "up": up == 1.0 })),
            "upstreams": self.upstreams(),
            "certificates": self.certificates(now_s),
            "configuration": self.configuration(),
            "listeners": self.listeners(),
            "process": self.process(),
        });
        let (problems, warnings) = judge::judged(&report, self);
        report["well"] = json!(problems.is_empty());
        report["problems"] = json!(problems);
        report["warnings"] = json!(warnings);
        report
    }

    /// By how much counters have grown between the two looks. One that became less began anew.
    pub(super) fn grown(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
        let (before, after) = (self.before.sum(name, &wanted), self.after.sum(name, &wanted));
        if after < before { after } else { after - before }
    }

    fn traffic(&self) -> Value {
        let seconds = self.after.at.since(self.before.at).as_secs_f64();
        let per_second = |count: f64| round(count / seconds.max(0.001), 1);
        let requests = self.grown("portcullis_requests_total", |_| true);
        let failed = |sample: &Sample| sample.label("status").starts_with('5');
        let errors = self.grown("portcullis_requests_total", failed);
        let refused = self.grown("portcullis_auth_total", |sample| sample.label("outcome") != "accepted");
        let limited =
            self.grown("portcullis_rate_limit_total", |sample| sample.label("decision") == "limited");
        let took_s = self.grown("portcullis_request_duration_seconds_sum", |_| true);
        json!({
            "seconds": round(seconds, 1),
            "requests": requests,
            "requestsPerSecond": per_second(requests),
            "errors": errors,
            "errorRatio": if requests > 0.0 { round(errors / requests, 4) } else { 0.0 },
            "credentialsRefusedPerSecond": per_second(refused),
            "limitedPerSecond": per_second(limited),
            "meanMilliseconds": (requests > 0.0).then(|| round(took_s / requests * 1000.0, 1)),
        })
    }

    fn store(&self) -> Value {
        let value = |name: &str| self.after.value(name).unwrap_or_default();
        json!({
            "up": value("portcullis_store_up") == 1.0,
            "stalenessSeconds": round(value("portcullis_store_staleness_seconds"), 2),
            "maxStalenessSeconds": value("portcullis_store_max_staleness_seconds"),
            "connections": value("portcullis_store_connections"),
            "usageUnwrittenSeconds": round(value("portcullis_usage_unwritten_seconds"), 0),
        })
    }

    fn cache(&self) -> Value {
        let value = |name: &str| self.after.value(name).unwrap_or_default();
        json!({
            "entries": value("portcullis_token_cache_entries"),
            "capacity": value("portcullis_token_cache_capacity"),
            "loading": value("portcullis_token_cache_loading") == 1.0,
        })
    }

    fn nodes(&self) -> Value {
        let roll = self.roll.as_ref().and_then(|roll| roll.as_ref().ok());
        json!({
            "heard": self.after.value("portcullis_nodes"),
            "roll": roll.map(|roll| roll["data"].clone()),
        })
    }

    fn upstreams(&self) -> Value {
        let mut all: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
        for sample in self.after.all("portcullis_upstream_healthy") {
            let (endpoints, unhealthy) = all.entry(sample.label("upstream")).or_default();
            *endpoints += 1;
            if sample.value != 1.0 {
                unhealthy.push(sample.label("endpoint"));
            }
        }
        let record = |(name, (endpoints, unhealthy)): (&str, (u64, Vec<&str>))| {
            let healthy = endpoints - unhealthy.len() as u64;
            json!({ "name": name, "endpoints": endpoints, "healthy": healthy, "unhealthy": unhealthy })
        };
        all.into_iter().map(record).collect()
    }

    fn certificates(&self, now_s: f64) -> Value {
        let record = |sample: &Sample| {
            json!({
                "name": sample.label("name"),
                "notAfter": iso_millis((sample.value.max(0.0) * 1000.0) as u64),
                "daysLeft": ((sample.value - now_s) / 86_400.0).floor(),
            })
        };
        self.after.all("portcullis_certificate_not_after_seconds").map(record).collect()
    }

    fn configuration(&self) -> Value {
        let since = self.after.value("portcullis_config_last_reload_success_timestamp_seconds");
        json!({
            "inForceSince": since.map(|seconds| iso_millis((seconds * 1000.0) as u64)),
            "lastReloadTakenOver": self.after.value("portcullis_config_last_reload_successful") == Some(1.0),
            "certificatesOutdated": self.after.value("portcullis_certificates_outdated"),
        })
    }

    fn listeners(&self) -> Value {
        let open = self.after.all("portcullis_connections");
        open.map(|it| json!({ "address": it.label("listener"), "connections": it.value })).collect()
    }

    fn process(&self) -> Value {
        let seconds = self.after.at.since(self.before.at).as_secs_f64().max(0.001);
        json!({
            "memoryBytes": self.after.value("process_resident_memory_bytes"),
            "memoryLimitBytes": self.after.value("portcullis_memory_limit_bytes"),
            "cores": round(self.grown("process_cpu_seconds_total", |_| true) / seconds, 2),
            "openFiles": self.after.value("process_open_fds"),
            "mostFiles": self.after.value("process_max_fds"),
        })
    }
}

fn round(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}
