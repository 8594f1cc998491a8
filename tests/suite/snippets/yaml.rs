//! Configurations and fixtures of the pages: `portcullis check` has nothing to say about the first, `portcullis import` takes
//! the second, twice.

use super::page::{Block, Mark};
use super::session::beside;
use crate::support::certificate;
use crate::support::gateway::PROGRAM;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is wrong with a block.
pub(super) fn problem(block: &Block) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    let runs: &[&[&str]] = if sections(&block.text).iter().any(|(name, _)| name == "organizations") {
        fs::write(folder.path().join("tenants.yaml"), &block.text).expect("write");
        write(folder.path(), &frame("whole"));
        &[&["import", "tenants.yaml"], &["import", "tenants.yaml"]]
    } else {
        write(folder.path(), &completed(block));
        &[&["check"]]
    };
    runs.iter().find_map(|words| failure(folder.path(), words))
}

fn failure(folder: &Path, words: &[&str]) -> Option<String> {
    let mut command = Command::new(PROGRAM);
    command.args(words).args(["--config", "portcullis.yaml"]).current_dir(folder);
    let text = fs::read_to_string(folder.join("portcullis.yaml")).expect("the configuration");
    // Those without a default have to be set, to what a secret could be.
    for (name, _) in text.split("${").skip(1).filter_map(|rest| rest.split_once('}')) {
        if !name.contains(':') {
            command.env(name, "0123456789abcdef0123456789abcdef");
        }
    }
    let output = command.output().expect("the program runs");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Writes a configuration and every file of certificates that it names.
fn write(folder: &Path, text: &str) {
    fs::write(folder.join("portcullis.yaml"), text).expect("write");
    let leaf = certificate::leaf(&["localhost"]);
    let word = |c: char| c.is_whitespace() || "{}[],\"'".contains(c);
    for name in text.split(word).filter(|word| word.ends_with(".pem") || word.ends_with(".key")) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let key = name.ends_with(".key") || name.contains("privkey");
        fs::write(path, if key { &leaf.key_pem } else { &leaf.cert_pem }).expect("write");
    }
}

pub(super) fn frame(name: &str) -> String {
    let path = beside("frames", &format!("{name}.yaml"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The configuration that a block is, or is a part of: its sections in place of the frame's, or all of it where the frame
/// says `here`.
fn completed(block: &Block) -> String {
    let into =
        block.marks.iter().find_map(|mark| if let Mark::Into(name) = mark { Some(name) } else { None });
    if let Some(name) = into {
        let framed = frame(name);
        let line = framed.lines().find(|line| line.trim() == "# here").expect("a frame says where");
        let part = indented(&block.text, line.len() - line.trim_start().len());
        return framed.replace(line, &part);
    }
    let own = sections(&block.text);
    let has = |name: &String| own.iter().any(|(it, _)| it == name);
    let rest = sections(&frame("whole")).into_iter().filter(|(name, _)| !has(name));
    let rest: String = rest.map(|(_, text)| text).collect();
    format!("{}\n{rest}", block.text)
}

/// The keys at the left margin, each with its lines.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let name = line.split(':').next().unwrap_or_default();
        let begins = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if begins && name.len() < line.len() {
            sections.push((name.to_owned(), String::new()));
        }
        if let Some((_, section)) = sections.last_mut() {
            section.push_str(line);
            section.push('\n');
        }
    }
    sections
}

/// Moved so that its least indented line stands so far from the margin.
fn indented(text: &str, indent: usize) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let least = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    lines().map(|line| format!("{}{}\n", " ".repeat(indent), &line[least..])).collect()
}
