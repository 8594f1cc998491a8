//! The `--help` pages: every command has one that says what it is for, and examples where they help.

use crate::support::gateway::PROGRAM;
use std::process::Command;

fn help(words: &[String]) -> String {
    let output = Command::new(PROGRAM).args(words).arg("--help").output().expect("run the program");
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The names below `Commands:`.
fn commands(page: &str) -> Vec<String> {
    let below = page.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = below.lines().take_while(|line| line.starts_with("  "));
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every page, by the words that lead to it.
fn pages() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let page = help(&words);
        open.extend(commands(&page).into_iter().map(|name| [words.clone(), vec![name]].concat()));
        found.push((words, page));
    }
    found
}

#[test]
fn every_page_says_what_its_command_is_for() {
    let pages = pages();
    for (words, page) in &pages {
        // A line that is wrapped is no line to paste.
        let examples = page.split_once("Examples:\n").map_or("", |(_, rest)| rest);
        let wrapped = examples.lines().find(|line| !line.starts_with("  portcullis "));
        assert_eq!(wrapped, None, "{words:?}");
        let first = page.lines().next().unwrap_or_default();
        let starts = first.chars().next().is_some_and(char::is_uppercase);
        assert!(starts && first.len() > 10 && !first.starts_with("Usage"), "{words:?}: {first}");
        assert!(page.contains("Usage: portcullis"), "{words:?}");
        let options = page.split("Examples:").next().unwrap_or_default();
        let undocumented = options.lines().find(|line| {
            let text = line.trim_start();
            line.starts_with(' ') && text.starts_with("--") && !text.trim_end().contains("  ") && {
                let next = page.lines().skip_while(|it| it != line).nth(1).unwrap_or_default();
                !next.starts_with("          ")
            }
        });
        assert_eq!(undocumented, None, "{words:?}: an option without a word about it");
    }
    let names: Vec<String> = pages.iter().map(|(words, _)| words.join(" ")).collect();
    for wanted in [
        "login",
        "logout",
        "org create",
        "org list",
        "org show",
        "org update",
        "org delete",
        "org rotate-keys",
        "org export",
        "org audit",
        "org member set-role",
        "org role permissions",
        "org invitation revoke",
        "project delete",
        "user reset-password",
        "user update",
        "token regenerate",
        "webhook replay",
    ] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not among {names:?}");
    }
}

#[test]
fn what_manages_something_has_examples_and_works_in_both_places() {
    for (words, page) in pages() {
        let Some(noun) =
            words.first().filter(|it| ["org", "project", "user", "token", "webhook"].contains(&it.as_str()))
        else {
            continue;
        };
        if commands(&page).is_empty() {
            for option in ["--config <FILE>", "--server <URL>", "--output <OUTPUT>", "--json"] {
                assert!(page.contains(option), "{words:?} has no {option}");
            }
        } else {
            assert!(page.contains("Examples:\n  portcullis "), "{noun} {words:?}");
        }
    }
}
