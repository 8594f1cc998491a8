//! The record as people read it.

use crate::cli::manage::{Column, list, record};
use serde_json::{Value, json};

const FACTS: &[Column] = &[
    ("gateway", "/gateway"),
    ("ready", "/ready"),
    ("requests", "/requests"),
    ("refused", "/refused"),
    ("store", "/store"),
    ("keys in memory", "/keys"),
    ("nodes", "/nodes"),
    ("limits in Redis", "/limits?counted here"),
    ("configuration", "/configuration"),
    ("process", "/process"),
];

const UPSTREAMS: &[Column] = &[
    ("UPSTREAM", "/name"),
    ("ENDPOINTS", "/endpoints"),
    ("HEALTHY", "/healthy"),
    ("NOT HEALTHY", "/unhealthy?none"),
];

const CERTIFICATES: &[Column] =
    &[("CERTIFICATE", "/name"), ("DAYS LEFT", "/daysLeft"), ("ENDS", "/notAfter")];

const LISTENERS: &[Column] = &[("LISTENER", "/address"), ("CONNECTIONS", "/connections")];

const NODES: &[Column] = &[
    ("NODE", "/name"),
    ("STATE", "/state"),
    ("LEASE", "/leaseSeconds"),
    ("BEHIND", "/changesBehind"),
    ("LAST HEARD", "/heardAt"),
];

/// The whole page.
pub(super) fn of(report: &Value) -> String {
    let mut page = verdict(report);
    page.push('\n');
    page.push_str(&record(&facts(report), FACTS));
    let tables = [
        ("/upstreams", UPSTREAMS),
        ("/certificates", CERTIFICATES),
        ("/listeners", LISTENERS),
        ("/nodes/roll", NODES),
    ];
    for (place, columns) in tables {
        if let Some(Value::Array(records)) = report.pointer(place).filter(|it| **it != json!([])) {
            let whole: Vec<Value> = records.iter().cloned().map(whole_numbers).collect();
            page.push('\n');
            page.push_str(&list(&json!({ "data": whole }), columns));
        }
    }
    page
}

fn verdict(report: &Value) -> String {
    let lines = |name: &str| {
        let texts = report[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(|text| format!("  {text}\n")).collect::<String>()
    };
    let mut text = match report["well"] == true {
        true => "It is well.\n".to_owned(),
        false => format!("It is NOT well:\n{}", lines("problems")),
    };
    let warnings = lines("warnings");
    if !warnings.is_empty() {
        text.push_str(&format!("To be looked at:\n{warnings}"));
    }
    text
}

fn facts(report: &Value) -> Value {
    let number = |place: &str| report.pointer(place).and_then(Value::as_f64).unwrap_or_default();
    let text = |place: &str| report.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let is = |place: &str| report.pointer(place) == Some(&Value::Bool(true));
    let up = period(number("/uptimeSeconds"));
    let mean = match report.pointer("/traffic/meanMilliseconds").and_then(Value::as_f64) {
        Some(mean) => format!(", {mean} ms on the average"),
        None => String::new(),
    };
    let seconds = number("/traffic/seconds");
    let ratio = number("/traffic/errorRatio") * 100.0;
    let loading = if is("/cache/loading") { ", and more are being loaded" } else { "" };
    let reload = if is("/configuration/lastReloadTakenOver") { "" } else { "; a newer one was REFUSED" };
    let memory = match report.pointer("/process/memoryLimitBytes").and_then(Value::as_f64) {
        Some(limit) => format!("{} of {}", size(number("/process/memoryBytes")), size(limit)),
        None => size(number("/process/memoryBytes")),
    };
    let (age, most) = (number("/store/stalenessSeconds"), number("/store/maxStalenessSeconds"));
    let answers = if is("/store/up") { "answers" } else { "does NOT answer" };
    json!({
        "gateway": format!("{}, version {}, up {up}", text("/server"), text("/version")),
        "ready": if is("/ready") { "yes".to_owned() } else { format!("NO: {}", text("/readiness")) },
        "requests": format!(
            "{} a second over {seconds} s, {ratio:.1} % failed{mean}", number("/traffic/requestsPerSecond")
        ),
        "refused": format!(
            "{} a second for their credential, {} for their limit",
            number("/traffic/credentialsRefusedPerSecond"), number("/traffic/limitedPerSecond")
        ),
        "store": format!("{answers}; what is known is {age} s old, {most} s are allowed"),
        "keys": format!("{} of {}{loading}", number("/cache/entries"), number("/cache/capacity")),
        "nodes": format!("{} heard of on the store, this one among them", number("/nodes/heard")),
        "limits": report.pointer("/limitsBackend/up").map(|up| if up == true { "connected" } else { "AWAY" }),
        "configuration": format!("in force since {}{reload}", text("/configuration/inForceSince")),
        "process": format!(
            "{memory} of memory, {} cores, {} files open", number("/process/cores"), number("/process/openFiles")
        ),
    })
}

/// Numbers of metrics are fractions, of which tables show none.
fn whole_numbers(mut record: Value) -> Value {
    for member in record.as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
        if let Some(number) = member.as_f64().filter(|number| number.fract() == 0.0) {
            *member = json!(number as i64);
        }
    }
    record
}

/// Seconds in the two largest units that they fill.
fn period(seconds: f64) -> String {
    let s = seconds as u64;
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

fn size(bytes: f64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match bytes {
        bytes if bytes >= 1024.0 * MIB => format!("{:.1} GiB", bytes / 1024.0 / MIB),
        bytes => format!("{:.0} MiB", bytes / MIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_and_sizes_are_short() {
        assert_eq!([5.0, 65.0, 3_700.0, 90_061.0].map(period), ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!(size(52_428_800.0), "50 MiB");
        assert_eq!(size(1_610_612_736.0), "1.5 GiB");
    }
}
