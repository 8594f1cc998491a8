//! Commands that are not run are looked at: bash can read them, the program knows its own options, `make` its targets.

use crate::support::gateway::PROGRAM;
use std::process::{Command, Stdio};

/// What is wrong with commands that are not run.
pub(super) fn problem(commands: &str) -> Option<String> {
    let read = Command::new("bash").args(["-n", "-c", commands]).output().expect("bash runs");
    if !read.status.success() {
        return Some(String::from_utf8_lossy(&read.stderr).into_owned());
    }
    let joined = commands.replace("\\\n", " ");
    joined.lines().find_map(unknown)
}

/// A mistake in a call of this program's or of `make`, anywhere in a line.
pub(super) fn unknown(line: &str) -> Option<String> {
    let words = words(line);
    for (at, word) in words.iter().enumerate() {
        let arguments = || {
            let ends = |word: &&String| !matches!(word.as_str(), "|" | ">" | ";" | "&&" | "&" | "<" | "2>");
            words[at + 1..].iter().take_while(ends)
        };
        let name = word.rsplit('/').next().unwrap_or_default();
        let first = at == 0 || !word.starts_with('-') && is_command(&words[at - 1]);
        if name == "portcullis" && first || word == "/usr/bin/portcullis" {
            let mut command = Command::new(PROGRAM);
            // Help comes first of all, but not before an option that nobody knows.
            command.args(arguments()).arg("--help").stdin(Stdio::null());
            let output = command.output().expect("the program runs");
            if !output.status.success() {
                return Some(format!("{line}: {}", String::from_utf8_lossy(&output.stderr)));
            }
        } else if name == "make" && first {
            let unknown = arguments().find(|target| !target.contains('=') && !is_target(target));
            if let Some(target) = unknown {
                return Some(format!("{line}: the Makefile has no target {target}"));
            }
        }
    }
    None
}

/// Whether a command may follow this word.
fn is_command(before: &str) -> bool {
    matches!(before, "|" | "&&" | ";" | "sudo" | "exec" | "$" | "--")
        || before.contains('=') && !before.starts_with('-')
}

fn is_target(name: &str) -> bool {
    let makefile = std::fs::read_to_string(super::root().join("Makefile")).expect("the Makefile");
    makefile.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
}

/// Words as a shell separates them, without comments, each operator a word of its own.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '|' | ';' | '&' | '<' | '>') => {
                words.extend(word.take());
                words.push(c.to_string());
            }
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_mistake_in_a_call_is_found() {
    let bad = |line: &str| unknown(line).is_some();
    assert!(!bad("X=1 portcullis token create --config a.yaml --name 'CI # 1' # makes a key"));
    assert!(bad("portcullis token create --naem CI"));
    assert!(bad("sudo portcullis srve"));
    assert!(
        bad("docker exec portcullis /usr/bin/portcullis srve")
            && bad("runuser -u portcullis -- portcullis srve")
    );
    assert!(
        !bad("install target/dist/portcullis /usr/bin/portcullis")
            && !bad("echo portcullis srve")
            && !bad("make test")
            && bad("make tset")
    );
    assert!(problem("if true; then").is_some());
}
