//! Whether a gateway is well. A problem is what clients notice, or will soon; a warning what somebody should look at.

use super::report::Seen;
use serde_json::Value;

/// Days that a certificate has left at which it is a problem, and at which it is a warning.
const ENDS_DAYS: f64 = 2.0;
const ENDING_DAYS: f64 = 14.0;
/// Share of failed requests that is a problem, when there are some.
const ERRORS: f64 = 0.05;
const SOME: f64 = 10.0;
/// Share of a bound at which it is told.
const NEAR: f64 = 0.9;
/// Uses of keys that are not written for longer are told.
const BEHIND_S: f64 = 900.0;

/// What is wrong, and what should be looked at.
pub(super) fn judged(report: &Value, seen: &Seen) -> (Vec<String>, Vec<String>) {
    let mut found = Found::default();
    found.readiness(report);
    found.traffic(report, seen);
    found.store(report, seen);
    found.upstreams(report);
    found.certificates(report);
    found.process(report);
    (found.problems, found.warnings)
}

#[derive(Default)]
struct Found {
    problems: Vec<String>,
    warnings: Vec<String>,
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn records(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Found {
    fn readiness(&mut self, report: &Value) {
        if report["ready"] != true {
            let why = report["readiness"].as_str().unwrap_or_default();
            self.problems.push(format!("it is not ready: {why}"));
        }
        if report["configuration"]["lastReloadTakenOver"] != true {
            let what = "the last reload was refused: `portcullis check` says what is wrong with the file";
            self.problems.push(what.to_owned());
        }
        if report["limitsBackend"]["up"] == false {
            let what = "Redis is away: `limits.on_backend_failure` decides about limits";
            self.problems.push(what.to_owned());
        }
    }

    fn traffic(&mut self, report: &Value, seen: &Seen) {
        let traffic = &report["traffic"];
        let (errors, ratio) = (number(&traffic["errors"]), number(&traffic["errorRatio"]));
        if errors >= SOME && ratio > ERRORS {
            self.problems.push(format!("{:.1} % of requests fail", ratio * 100.0));
        }
        let refused = |reason: &str| {
            seen.grown("portcullis_connections_refused_total", |it| it.label("reason") == reason)
        };
        for (reason, what) in [
            ("memory", "connections are closed, because memory is over `limits.memory`"),
            ("total", "connections are closed, because a listener has `max_connections`"),
        ] {
            if refused(reason) > 0.0 {
                self.problems.push(what.to_owned());
            }
        }
        if seen.grown("portcullis_access_log_dropped_total", |_| true) > 0.0 {
            self.warnings.push("lines of the access log are lost".to_owned());
        }
    }

    fn store(&mut self, report: &Value, seen: &Seen) {
        let store = &report["store"];
        let (age, most) = (number(&store["stalenessSeconds"]), number(&store["maxStalenessSeconds"]));
        if store["up"] != true {
            self.problems
                .push(format!("the store has not answered for {age:.1} s: keys are refused with 503"));
        } else if age > most / 2.0 {
            self.warnings
                .push(format!("the store answers late: {age:.1} s old, keys are refused at {most} s"));
        }
        let behind = number(&store["usageUnwrittenSeconds"]);
        if behind > BEHIND_S {
            self.warnings.push(format!("uses of keys have not been written for {behind:.0} s"));
        }
        for node in records(&report["nodes"]["roll"]).filter(|node| node["state"] == "silent") {
            let name = node["name"].as_str().unwrap_or_default();
            self.warnings.push(format!("the node {name} has not been heard of for too long"));
        }
        if let Some(Err(why)) = &seen.roll {
            self.warnings.push(format!("the nodes on the store can not be told from here: {why}"));
        }
    }

    fn upstreams(&mut self, report: &Value) {
        for upstream in records(&report["upstreams"]) {
            let name = upstream["name"].as_str().unwrap_or_default();
            let unhealthy = texts(&upstream["unhealthy"]);
            if upstream["healthy"] == 0 {
                self.problems.push(format!("no endpoint of the upstream {name} is healthy"));
            } else if !unhealthy.is_empty() {
                self.warnings.push(format!("upstream {name}: {} not healthy", unhealthy.join(", ")));
            }
        }
    }

    fn certificates(&mut self, report: &Value) {
        for certificate in records(&report["certificates"]) {
            let name = certificate["name"].as_str().unwrap_or_default();
            match number(&certificate["daysLeft"]) {
                days if days < 0.0 => self.problems.push(format!("the certificate of {name} has ended")),
                days if days < ENDS_DAYS => {
                    self.problems
                        .push(format!("the certificate of {name} ends in less than {ENDS_DAYS} days"));
                }
                days if days < ENDING_DAYS => {
                    self.warnings.push(format!("the certificate of {name} has {days} days left"));
                }
                _ => {}
            }
        }
        if number(&report["configuration"]["certificatesOutdated"]) > 0.0 {
            let what = "a certificate is older than its files, which can not be used: the log says why";
            self.warnings.push(what.to_owned());
        }
    }

    fn process(&mut self, report: &Value) {
        let process = &report["process"];
        for (what, used, most) in
            [("limits.memory", "memoryBytes", "memoryLimitBytes"), ("open files", "openFiles", "mostFiles")]
        {
            let (used, most) = (number(&process[used]), number(&process[most]));
            if most > 0.0 && used > most * NEAR {
                self.warnings.push(format!("{:.0} % of {what} are used", used / most * 100.0));
            }
        }
    }
}
