//! The dependency rule, read from the sources: a module uses only those below it, libraries stay in their module.

use std::fs;
use std::path::{Path, PathBuf};

/// Top first. `main` is the program and may use what `cli` may.
const ORDER: [&str; 19] = [
    "cli",
    "demo",
    "app",
    "listen",
    "pipeline",
    "control",
    "console",
    "dialect",
    "store",
    "upstream",
    "wire",
    "limits",
    "telemetry",
    "config",
    "limiter",
    "token",
    "deadline",
    "clock",
    "prefetch",
];

/// Whether a file may use a library.
type Allowed = fn(&str) -> bool;

/// Libraries that must be exchangeable: the word they are named by, and where that may be.
const HOMES: [(&str, Allowed); 8] = [
    ("rusqlite", |file| file.starts_with("store/")),
    ("rustls", in_tls),
    ("tokio_rustls", in_tls),
    ("rustls_pki_types", in_tls),
    ("rustls_native_certs", in_tls),
    ("granit_parser", |file| file == "config/yaml.rs"),
    // Tests of the configuration name it in texts that have quotation marks in them.
    ("redis", |file| file.starts_with("limits/") || file.ends_with("/tests.rs")),
    ("prometheus_client", |file| file.starts_with("telemetry/metrics")),
];

fn in_tls(file: &str) -> bool {
    file.ends_with("/tls.rs") || file.split('/').any(|folder| folder == "tls")
}

/// Every breach in one file; `file` is its path below `src`, with slashes.
fn violations(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!("{file}: does not open with //!"));
    }
    let code = code_of(text);
    for (word, allowed) in HOMES {
        if !allowed(file) && words(&code).any(|w| w == word) {
            found.push(format!("{file}: names {word}"));
        }
    }
    let module = file.split(['/', '.']).next().unwrap_or_default();
    if module == "lib" {
        return found;
    }
    let mut used = used_modules(&code, "crate");
    if file == format!("{module}.rs") || file == format!("{module}/mod.rs") {
        // There, `super` is the crate's root.
        used.extend(used_modules(&code, "super"));
    }
    found.extend(used.iter().filter_map(|name| breach(module, name)).map(|what| format!("{file}: {what}")));
    found
}

fn breach(module: &str, used: &str) -> Option<String> {
    let rank = |name: &str| ORDER.iter().position(|&m| m == if name == "main" { "cli" } else { name });
    let used_rank = rank(used)?;
    let Some(own) = rank(module) else {
        return Some(format!("module {module} has no place in the order"));
    };
    let sworn_apart = matches!((module, used), ("pipeline", "control") | ("control", "pipeline"));
    (used_rank < own || sworn_apart).then(|| format!("{module} uses {used}"))
}

/// The file without comments, string contents and its own tests.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(without_comment_and_strings).collect::<Vec<_>>().join("\n")
}

fn without_comment_and_strings(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(quote) = rest.find('"') {
        if rest[..quote].contains("//") {
            break;
        }
        kept.push_str(&rest[..quote]);
        let after = &rest[quote + 1..];
        rest = after.find('"').map_or("", |end| &after[end + 1..]);
    }
    kept.push_str(rest);
    kept.split("//").next().unwrap_or_default().to_owned()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The first names after `root::`, those of a group included.
fn used_modules(code: &str, root: &str) -> Vec<String> {
    let compact: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = format!("{root}::");
    let mut names = Vec::new();
    for (at, _) in compact.match_indices(&start) {
        let before = compact[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &compact[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_names(group)),
            None => names.extend(words(rest).next().map(str::to_owned)),
        }
    }
    names
}

/// The first names of each member of `a::b, c::{d, e}, f}`.
fn group_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut name) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(words(&std::mem::take(&mut name)).next().map(str::to_owned)),
            _ if depth == 0 => name.push(c),
            _ => {}
        }
    }
    names.extend(words(&name).next().map(str::to_owned));
    names
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_sources_hold_the_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "where are the sources?");
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let name = file.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
        found.extend(violations(&name, &text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    let planted = [
        ("store/mod.rs", "//! x\nuse crate::pipeline::Way;"),
        ("store/cache/mod.rs", "//! x\nuse crate::{config, listen::Acceptor};"),
        ("store/cache/mod.rs", "//! x\nuse crate::{\n    config::{A, B},\n    app,\n};"),
        ("pipeline/route.rs", "//! x\nuse crate::control::x;"),
        ("control/mod.rs", "//! x\nfn f() { crate::pipeline::x() }"),
        ("limiter/mod.rs", "//! x\nuse super::store;"),
        ("clock.rs", "//! x\nuse crate::token::Digest;"),
        ("gadget/mod.rs", "//! x\nuse crate::token::Digest;"),
        ("pipeline/mod.rs", "//! x\nuse rusqlite::Connection;"),
        ("listen/accept.rs", "//! x\nfn f(c: rustls::ServerConfig) {}"),
        ("upstream/pool.rs", "//! x\nuse tokio_rustls::TlsConnector;"),
        ("config/mod.rs", "//! x\nuse granit_parser::Parser;"),
        ("telemetry/mod.rs", "//! x\nuse prometheus_client::registry;"),
        ("limiter/shared.rs", "//! x\nuse redis::Client;"),
        ("clock.rs", "use std::time;"),
    ];
    for (file, text) in planted {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}");
    }
}

#[test]
fn what_is_right_is_left_alone() {
    let right = [
        (
            "pipeline/mod.rs",
            "//! x\nuse crate::{config, store::cache, token};\n// crate::control is not named\n",
        ),
        ("cli/mod.rs", "//! x\nuse crate::app;\nuse crate::control::x;"),
        ("store/sqlite/mod.rs", "//! x\nuse rusqlite::Connection;\nuse super::super::Store;"),
        ("listen/tls.rs", "//! x\nuse rustls::ServerConfig;"),
        ("upstream/tls/roots.rs", "//! x\nuse rustls::RootCertStore;"),
        ("config/yaml.rs", "//! x\nuse granit_parser::Parser;"),
        ("telemetry/metrics/mod.rs", "//! x\nuse prometheus_client::registry;"),
        ("telemetry/log.rs", "//! x\nconst QUIET: &str = \"rustls=warn\"; // rustls talks much\n"),
        (
            "token/id.rs",
            "//! x\nuse crate::clock::Moment;\n#[cfg(test)]\nmod tests {\n    use crate::store::X;\n}",
        ),
        ("lib.rs", "//! x\npub mod app;"),
    ];
    for (file, text) in right {
        assert_eq!(violations(file, text), Vec::<String>::new());
    }
}
