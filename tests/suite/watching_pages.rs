//! `docs/metrics.md` and `docs/logs.md` say what the program exposes and writes, all of it and nothing else.

use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{organization, with_one_key};
use crate::support::{get, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).expect("a page")
}

/// Rows of the tables below a heading whose first cell is in code: their cells.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let level = heading.trim_start().split(' ').next().unwrap_or_default();
    let section = section.split(&format!("\n{level} ")).next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What is in code in a cell.
fn codes(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The families of a scrape: name and type.
pub(super) fn families(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|it| it.split_once(' ')).map(|(name, kind)| (name.into(), kind.into())).collect()
}

/// The documented families: name, type and names of labels.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut all = BTreeMap::new();
    for row in rows(&page("metrics.md"), "# Metrics\n") {
        let [name, kind, labels, ..] = &row[..] else { panic!("too few cells: {row:?}") };
        assert!(row.len() == 5 && row[4].len() > 5, "{name} does not say what to do with it");
        let labels = labels.split("; ").filter_map(|label| codes(label).into_iter().next()).collect();
        let name = codes(name).remove(0);
        assert!(all.insert(name.clone(), (kind.clone(), labels)).is_none(), "{name} is there twice");
    }
    all
}

/// The labels of each series are those of the page.
pub(super) fn assert_labels(text: &str) {
    let documented = documented();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, rest.rsplit_once('}').expect("a brace").0),
            None => (line.split(' ').next().unwrap_or_default(), ""),
        };
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let (_, expected) = documented.get(stem.unwrap_or(name)).or(documented.get(name)).expect(name);
        let labels = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
        let labels: BTreeSet<String> = labels.filter(|name| *name != "le").map(str::to_owned).collect();
        assert_eq!(&labels, expected, "{line}");
    }
}

#[test]
fn the_page_of_metrics_has_every_family_and_no_other() {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    let text = gateway.metrics_text();
    let page: BTreeMap<String, String> =
        documented().into_iter().map(|(name, (kind, _))| (name, kind)).collect();
    assert_eq!(page, families(&text));
    assert_labels(&text);
}

#[test]
fn outcomes_that_are_counted_from_the_start_are_named_in_the_page() {
    let upstream = Upstream::http();
    let fixture = Fixture::default().with(organization());
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &fixture);
    let page = page("metrics.md");
    let closed = ["outcome", "decision", "policy", "result", "reason", "by", "within"];
    for sample in gateway.metrics() {
        for (label, value) in sample.labels.iter().filter(|(label, _)| closed.contains(&label.as_str())) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}`", sample.name)));
            let row = row.unwrap_or_else(|| panic!("no row of {}", sample.name));
            let label = format!("`{label}`");
            let said = row.split_once(&label).is_some_and(|(_, rest)| rest.contains(&format!("`{value}`")));
            assert!(said, "{} does not say that {label} may be {value}", sample.name);
        }
    }
}

fn first_cells(heading: &str) -> BTreeSet<String> {
    let names: Vec<String> = rows(&page("logs.md"), heading).iter().flat_map(|row| codes(&row[0])).collect();
    let all: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(all.len(), names.len(), "a field is there twice: {names:?}");
    all
}

fn sources() -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => found.extend(path.extension().is_some_and(|it| it == "rs").then_some(path)),
            }
        }
    }
    found
}

/// The fields that the writer of the access log can write, in its source.
fn access_fields() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry/access_log/record.rs");
    let source = std::fs::read_to_string(path).expect("the source");
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let by_name = source.split("(out, \"").skip(1).filter_map(|rest| rest.split('"').next());
    let literal = source.split("\\\":").filter_map(|before| before.rsplit("\\\"").next());
    let names = by_name
        .chain(literal)
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    names.map(str::to_owned).collect()
}

#[test]
fn the_page_of_logs_has_every_field_of_the_access_log() {
    let page = first_cells("## The access log\n");
    assert_eq!(page, access_fields());
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()));
    gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    gateway.send(&get("/v1/openapi/templates")).expect(401);
    let lines = || std::fs::read_to_string(gateway.path("access.log")).unwrap_or_default();
    wait::until("both are logged", || lines().lines().count() == 2);
    for line in lines().lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let fields: BTreeSet<String> = line.as_object().expect("an object").keys().cloned().collect();
        assert!(fields.is_subset(&page) && fields.len() > 15, "{fields:?}");
    }
}

/// The fields that are given to a macro of the log, before its message.
fn fields_of_call(arguments: &str) -> Vec<String> {
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in arguments.chars() {
        match c {
            // The message.
            '"' if depth == 0 => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    let name = |part: &String| {
        let name = part.trim().trim_start_matches(['%', '?']);
        name.split([' ', '=']).next().unwrap_or_default().to_owned()
    };
    parts.iter().map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_page_of_logs_has_every_field_of_the_process_s_log() {
    let mut used = BTreeSet::new();
    for path in sources() {
        let source = std::fs::read_to_string(&path).expect("a source");
        for level in ["error", "warn", "info", "debug", "trace"] {
            let call = format!("tracing::{level}!(");
            used.extend(source.split(&call).skip(1).flat_map(fields_of_call));
        }
    }
    assert!(used.len() > 20, "{used:?}");
    assert_eq!(first_cells("### Fields\n"), used);
}
