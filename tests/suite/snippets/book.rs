//! The pages make one book: its table of contents names each of them once, and every link leads somewhere.

use super::{files, name, root};
use std::collections::BTreeSet;
use std::path::Path;

/// Where links of a text lead, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced {
            let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            links.extend(
                plain.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())),
            );
        }
    }
    links
}

/// The names that headings of a text can be reached by.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if !fenced && title.len() < line.len() && title.starts_with(' ') {
            let kept = title.trim().chars().filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
            let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let again = (1..).map(|n| format!("{anchor}-{n}"));
            let free = std::iter::once(anchor.clone()).chain(again).find(|it| !anchors.contains(it));
            anchors.extend(free);
        }
    }
    anchors
}

#[test]
fn the_table_of_contents_names_every_page_once() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("docs/SUMMARY.md");
    let mut listed: Vec<String> = links(&summary).into_iter().map(|it| format!("docs/{it}")).collect();
    listed.sort();
    let mut pages: Vec<String> = files().iter().map(|path| name(path)).collect();
    pages.retain(|it| it.starts_with("docs/") && it != "docs/SUMMARY.md");
    pages.sort();
    assert_eq!(listed, pages);
}

#[test]
fn every_link_leads_somewhere() {
    let mut problems = Vec::new();
    let more = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"];
    for path in files().into_iter().chain(more.map(|it| root().join(it))) {
        let text = std::fs::read_to_string(&path).expect("a page");
        problems.extend(
            links(&text)
                .iter()
                .filter_map(|link| Some(format!("{}: {link} {}", name(&path), broken(&path, &text, link)?))),
        );
    }
    super::assert_none(problems);
}

/// What is wrong with a link of a page.
fn broken(page: &Path, text: &str, link: &str) -> Option<&'static str> {
    if link.contains("://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { page.parent()?.join(file) };
    let Ok(target) = target.canonicalize() else { return Some("leads nowhere") };
    let docs = root().join("docs").canonicalize().expect("docs");
    let page_of_book = target.extension().is_some_and(|it| it == "md");
    if page.starts_with(root().join("docs")) && page_of_book && !target.starts_with(docs) {
        return Some("leads to a page that is not in the book");
    }
    if anchor.is_empty() {
        return None;
    }
    let there = if file.is_empty() { text.to_owned() } else { std::fs::read_to_string(target).ok()? };
    (!anchors(&there).contains(anchor)).then_some("names a heading that is not there")
}

#[test]
fn every_endpoint_is_told_of() {
    let named = |text: &str| {
        let mut parts = text.split('{');
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.split_once('}').map_or(part, |(_, after)| after));
        rest.fold(first, |text, part| text + "{}" + part)
    };
    let pages: String = files().iter().map(|path| std::fs::read_to_string(path).expect("a page")).collect();
    let (pages, api) = (named(&pages), std::fs::read_to_string(root().join("docs/openapi.json")));
    let api: serde_json::Value = serde_json::from_str(&api.expect("the document")).expect("JSON");
    let paths = api["paths"].as_object().expect("paths");
    assert!(paths.len() > 50);
    // Pages say once where a family of paths begins, and go on from there.
    let told = |path: &str| {
        let starts = ["", "/api/v1/organizations/{}", "/api", "/v1"];
        starts
            .iter()
            .any(|start| path.strip_prefix(start).is_some_and(|it| !it.is_empty() && pages.contains(it)))
    };
    let untold: Vec<String> = paths.keys().map(|path| named(path)).filter(|path| !told(path)).collect();
    assert_eq!(untold, Vec::<String>::new());
}
