//! The alert and recording rules that ship: Prometheus understands them, each alert is tested when it has to be silent and
//! when it has to fire, and each has its entry in the runbook.

use crate::support::prometheus::shipped;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = shipped().join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.iter().all(|file| file.extension().is_some_and(|it| it == "yml")), "{files:?}");
    files
}

fn texts(folder: &str) -> String {
    files(folder).iter().map(|file| std::fs::read_to_string(file).expect("a file")).collect()
}

fn promtool(what: &[&str], files: &[PathBuf]) {
    let ran = Command::new("promtool").args(what).args(files).output();
    let output = ran.expect("promtool is missing; install it: scripts/setup.sh test");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The names behind `marker` at the beginning of lines.
fn named(text: &str, marker: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(marker)).map(str::to_owned).collect()
}

fn alerts() -> BTreeSet<String> {
    let alerts = named(&texts("rules"), "- alert: ");
    assert!(alerts.len() > 30, "{alerts:?}");
    alerts
}

fn runbook() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md");
    std::fs::read_to_string(path).expect("the runbook")
}

#[test]
fn prometheus_understands_the_rules() {
    promtool(&["check", "rules"], &files("rules"));
}

#[test]
fn alerts_fire_when_they_have_to_and_are_silent_when_not() {
    promtool(&["test", "rules"], &files("tests"));
}

#[test]
fn each_alert_is_tested_in_both_ways() {
    // Whether an alert was seen silent, and firing.
    let mut seen: BTreeMap<String, [bool; 2]> = BTreeMap::new();
    let text = texts("tests");
    for case in text.split("eval_time: ").skip(1) {
        let name = case.split_once("alertname: ").expect("an alert's name").1;
        let name = name.split([',', '\n']).next().unwrap_or_default().to_owned();
        let silent = case.contains("exp_alerts: []");
        assert_ne!(silent, case.contains("exp_labels"), "{case}");
        seen.entry(name).or_default()[usize::from(!silent)] = true;
    }
    assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), alerts());
    let half: Vec<_> = seen.iter().filter(|(_, ways)| **ways != [true; 2]).collect();
    assert!(half.is_empty(), "{half:?}");
}

#[test]
fn each_alert_has_its_entry_in_the_runbook_and_each_entry_its_alert() {
    let runbook = runbook();
    assert_eq!(named(&runbook, "## "), alerts());
    for alert in alerts() {
        let link = format!("runbook_url: docs/runbook.md#{}\n", alert.to_lowercase());
        assert!(texts("rules").contains(&link), "{alert} leads elsewhere");
        let entry = runbook.split_once(&format!("## {alert}\n")).expect("an entry").1;
        let entry = entry.split("\n## ").next().unwrap_or_default();
        for part in ["**Means:**", "**Users notice:**", "**First look", "auses", "o:**", "**Over when:**"] {
            assert!(entry.contains(part), "{alert} does not say {part}");
        }
    }
}

#[test]
fn each_alert_says_how_bad_it_is_and_what_happens() {
    for alert in texts("rules").split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap_or_default();
        let severity = ["critical", "warning", "info"]
            .iter()
            .any(|it| alert.contains(&format!("labels: {{ severity: {it} }}")));
        assert!(severity, "{name} has no severity");
        for annotation in ["summary: ", "description: "] {
            assert!(alert.contains(annotation), "{name} has no {annotation}");
        }
    }
}
