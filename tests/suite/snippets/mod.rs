//! Every command and every configuration of the documentation is run, as a reader would, page by page.
//!
//! `SNIPPETS=tls cargo test --test main snippets` looks at the pages whose names hold that text only.

mod addresses;
mod book;
mod command;
mod compare;
mod page;
mod session;
mod yaml;

use page::{Block, Mark, Page, Part};
use serde_json::Value;
use session::{Session, beside};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// How many blocks of each page are looked at, and neither run nor compared. Each says why, where it stands.
const EXCUSED: &[(&str, usize)] = &[
    ("README.md", 2),
    ("docs/concepts.md", 1),
    ("docs/control-api.md", 1),
    ("docs/dependencies.md", 1),
    ("docs/deploying.md", 9),
    ("docs/keys-and-identity.md", 2),
    ("docs/logs.md", 2),
    ("docs/metrics.md", 1),
    ("docs/postgresql.md", 1),
    ("docs/release.md", 3),
    ("docs/runbook.md", 1),
    ("docs/tasks/behind-a-load-balancer.md", 2),
    ("docs/tasks/take-over-keys.md", 3),
    ("docs/terminal.md", 2),
    ("docs/threat-model.md", 1),
];
const LANGUAGES: [&str; 7] = ["sh", "console", "yaml", "json", "text", "python", "js"];

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that readers read: those of `docs/`, and the README.
fn files() -> Vec<PathBuf> {
    let mut files = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The name of a file in this repository.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside").display().to_string()
}

/// All pages that are to be looked at, or what is wrong with them.
fn pages() -> Vec<Result<Page, String>> {
    let wanted = std::env::var("SNIPPETS").unwrap_or_default();
    let files = files().into_iter().filter(|path| name(path).contains(&wanted));
    files.map(|path| Page::read(&name(&path), &std::fs::read_to_string(&path).expect("a page"))).collect()
}

#[track_caller]
fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n{} problems", problems.join("\n\n"), problems.len());
}

/// The sessions of a page, and what can be said without playing them.
fn sessions(page: &Page) -> Result<Vec<Session>, String> {
    let (mut sessions, mut replaced) = (vec![Session::new(&page.name)], Vec::new());
    for part in &page.parts {
        let session = sessions.last_mut().expect("there is always one");
        match part {
            Part::Session(line, names) => {
                let mut session = Session::new(&page.name);
                session.replace(&replaced);
                for name in names.split_whitespace() {
                    let path = beside("sessions", &format!("{name}.sh"));
                    let script = std::fs::read_to_string(&path);
                    let missing = |error| format!("{}:{line}: {}: {error}", page.name, path.display());
                    session.run(*line, &script.map_err(missing)?, 0);
                }
                sessions.push(session);
            }
            Part::Run(line, commands) => session.run(*line, commands, 0),
            Part::Replace(from, to) => {
                replaced.retain(|(it, _)| it != from);
                replaced.push((from.clone(), to.clone()));
                session.replace(&replaced);
            }
            Part::Block(block) => take(session, block)?,
        }
    }
    Ok(sessions)
}

/// Puts a block where it belongs in its session.
fn take(session: &mut Session, block: &Block) -> Result<(), String> {
    let (line, language, text) = (block.line, block.language.as_str(), block.text.as_str());
    if block.excused() {
        return Ok(());
    }
    if let Some(name) = block.file() {
        session.file(line, name, text);
    } else if block.marks.contains(&Mark::Output) {
        session.expect(line, language, text)?;
    } else if language == "sh" {
        let serve =
            block.marks.iter().find_map(|it| if let Mark::Serve(url) = it { Some(url) } else { None });
        let code =
            block.marks.iter().find_map(|it| if let Mark::Exit(code) = it { Some(*code) } else { None });
        let alone = block.marks.contains(&Mark::Terminal).then(|| session::in_terminal(text));
        let text = alone.as_deref().unwrap_or(text);
        match serve {
            Some(url) => session.serve(line, text, url),
            None => session.run(line, text, code.unwrap_or_default()),
        }
    } else if language == "console" {
        for (command, printed) in console(text) {
            session.run(line, &command, 0);
            session.expect(line, "text", &printed)?;
        }
    }
    Ok(())
}

/// Commands after `$ `, continued after a backslash, each with what stands below it.
fn console(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((format!("{command}\n"), String::new()));
        } else if let Some((command, printed)) = commands.last_mut() {
            let continued = printed.is_empty() && command.ends_with("\\\n");
            let to = if continued { command } else { printed };
            to.push_str(line);
            to.push('\n');
        }
    }
    commands
}

#[test]
fn every_command_is_run_and_prints_what_is_shown() {
    let mut problems = Vec::new();
    let mut waiting: Vec<Session> = Vec::new();
    for page in pages() {
        match page.and_then(|page| sessions(&page)) {
            Ok(sessions) => waiting.extend(sessions),
            Err(problem) => problems.push(problem),
        }
    }
    let (waiting, problems) = (Mutex::new(waiting), Mutex::new(problems));
    // Most of their time is spent waiting for gateways to start.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(session) = waiting.lock().expect("no panic").pop() else { break };
                    let said = session.play();
                    problems.lock().expect("no panic").extend(said);
                }
            });
        }
    });
    assert_none(problems.into_inner().expect("no panic"));
}

#[test]
fn every_block_says_what_it_is_and_every_configuration_is_good() {
    let mut problems = Vec::new();
    for page in pages() {
        match page {
            Ok(page) => problems.extend(
                page.blocks().filter_map(|it| Some(format!("{}:{}: {}", page.name, it.line, fault(it)?))),
            ),
            Err(problem) => problems.push(problem),
        }
    }
    assert_none(problems);
}

/// What is wrong with a block by itself.
fn fault(block: &Block) -> Option<String> {
    let (language, text) = (block.language.as_str(), block.text.as_str());
    if !LANGUAGES.contains(&language) {
        return Some(format!("a block of {language:?}; it takes one of {LANGUAGES:?}"));
    }
    let counted = block.excused();
    let used = counted || block.file().is_some() || block.marks.contains(&Mark::Output);
    match language {
        "sh" | "console" => counted.then(|| command::problem(text)).flatten(),
        "yaml" => (!counted).then(|| yaml::problem(block)).flatten(),
        _ if !used => Some("it is `output`, a `file`, or `shown:` or `not-run:` for a reason".to_owned()),
        "json" if !counted => serde_json::from_str::<Value>(text).err().map(|error| error.to_string()),
        "python" => foreign("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"], text),
        "js" => foreign("node", &["--input-type=module", "--check"], text),
        _ => None,
    }
}

/// What another language's own program says of a text.
fn foreign(program: &str, arguments: &[&str], text: &str) -> Option<String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("write");
    let input = std::fs::File::open(file.path()).expect("read");
    let output = Command::new(program).args(arguments).stdin(input).output().expect("it is installed");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_is_not_run_is_known() {
    if std::env::var_os("SNIPPETS").is_some() {
        return;
    }
    let mut excused: BTreeMap<String, usize> = BTreeMap::new();
    for page in pages().into_iter().flatten() {
        let count = page.blocks().filter(|block| block.excused()).count();
        if count > 0 {
            excused.insert(page.name, count);
        }
    }
    let known: BTreeMap<String, usize> =
        EXCUSED.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(excused, known, "adjust EXCUSED, and first look whether it can be run after all");
}

#[test]
fn commands_within_sentences_exist() {
    let mut problems = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for (number, line) in text.lines().enumerate() {
            for code in line.split('`').skip(1).step_by(2) {
                let command = code.starts_with("portcullis ") || code.starts_with("make ");
                let problem = if command { command::unknown(code) } else { missing(code) };
                problems.extend(problem.map(|it| format!("{}:{}: {it}", name(&path), number + 1)));
            }
        }
    }
    assert_none(problems);
}

/// A path of this repository that is none.
fn missing(code: &str) -> Option<String> {
    const FOLDERS: [&str; 8] = ["benches", "config", "console", "deploy", "docs", "scripts", "src", "tests"];
    let first = code.split_once('/')?.0;
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let gone = plain && FOLDERS.contains(&first) && !root().join(code).exists();
    gone.then(|| format!("there is no {code}"))
}

#[test]
fn a_page_that_is_wrong_is_found() {
    let wrong = |text: &str| {
        let page = match Page::read("page", text) {
            Ok(page) => page,
            Err(problem) => return vec![problem],
        };
        let mut problems: Vec<String> = page.blocks().filter_map(fault).collect();
        match sessions(&page) {
            Ok(sessions) => problems.extend(sessions.into_iter().flat_map(Session::play)),
            Err(problem) => problems.push(problem),
        }
        problems
    };
    let fine = "<!-- test: file a.txt -->\n```text\nhello\n```\n```sh\ncat a.txt | tr h j\n```\n\
        <!-- test: output -->\n```text\njel…\n```\n<!-- test: exit 3 -->\n```sh\n( exit 3 )\n```\n";
    assert_eq!(wrong(fine), Vec::<String>::new());
    for (good, bad) in [
        ("cat a.txt", "cat b.txt"),
        ("jel…", "hel…"),
        ("exit 3 -->", "exit 4 -->"),
        ("```sh\ncat", "```\ncat"),
        ("<!-- test: output -->\n", ""),
        ("test: output", "test: outptu"),
        ("```sh\n(", "```yaml\nlisteners: 1\n```\n```sh\n("),
    ] {
        assert!(!wrong(&fine.replacen(good, bad, 1)).is_empty(), "{bad}");
    }
}
